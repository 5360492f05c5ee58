//! The [`Tls`] of builds without the feature `tls-rustls`.

use std::io;
use tokio::net::TcpStream;

use crate::stream::Io;

/// Nothing is encrypted.
#[derive(Clone, Default)]
pub(crate) struct Tls(());

impl Tls {
    pub(crate) async fn connect(&self, _host: &str, _stream: TcpStream) -> io::Result<Box<dyn Io>> {
        Err(io::Error::other("TLS needs the feature `tls-rustls` of socketio-redis"))
    }
}
