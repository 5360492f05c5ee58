//! [`Tls`]: how connections are encrypted.

#[cfg(not(feature = "tls-rustls"))]
mod none;
#[cfg(feature = "tls-rustls")]
mod with_rustls;

#[cfg(not(feature = "tls-rustls"))]
pub(crate) use none::Tls;
#[cfg(feature = "tls-rustls")]
pub(crate) use with_rustls::Tls;

use std::io;
use std::pin::Pin;
use tokio_postgres::tls::{ChannelBinding, TlsConnect, TlsStream};

use crate::stream::Stream;

/// Encrypts one connection to a host.
pub(crate) struct Connector {
    pub(crate) tls: Tls,
    pub(crate) host: String,
}

impl TlsConnect<Stream> for Connector {
    type Stream = Stream;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Stream>> + Send>>;

    fn connect(self, stream: Stream) -> Self::Future {
        Box::pin(async move { self.tls.connect(&self.host, stream).await })
    }
}

impl TlsStream for Stream {
    fn channel_binding(&self) -> ChannelBinding {
        ChannelBinding::none()
    }
}
