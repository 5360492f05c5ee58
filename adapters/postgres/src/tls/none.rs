//! The [`Tls`] of builds without the feature `tls-rustls`.

use std::io;

use crate::stream::Stream;

/// Nothing is encrypted.
#[derive(Clone, Default)]
pub(crate) struct Tls(());

impl Tls {
    /// Whether connections can be encrypted.
    pub(crate) const AVAILABLE: bool = false;

    /// Whether a certificate or an authority was set.
    pub(crate) fn is_configured(&self) -> bool {
        false
    }

    pub(crate) async fn connect(&self, _host: &str, _stream: Stream) -> io::Result<Stream> {
        Err(io::Error::other("TLS needs the feature `tls-rustls` of socketio-postgres"))
    }
}
