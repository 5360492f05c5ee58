//! [`Tls`]: how connections are encrypted. Without the feature `tls-rustls` they can't be.

use std::io;
use tokio::net::TcpStream;

use crate::stream::Io;

/// Trusted certificates and the client's own.
#[derive(Clone, Default)]
pub(crate) struct Tls;

impl Tls {
    pub(crate) async fn connect(&self, _host: &str, _stream: TcpStream) -> io::Result<Box<dyn Io>> {
        Err(io::Error::other("TLS needs the feature `tls-rustls` of socketio-redis"))
    }
}
