//! The handshake of a [`Socket`].

use std::borrow::Cow;
use std::net::SocketAddr;

use super::Socket;
use super::handshake::Handshake;

/// The first request of the connection.
impl Socket {
    /// The first HTTP request of the connection.
    pub fn handshake(&self) -> Handshake<'_> {
        Handshake::new(&self.peer().request, self)
    }

    /// A parameter of the route's path: `params("id")` for `/ws/{id}`.
    pub fn params(&self, key: &str) -> Option<&str> {
        self.handshake().param(key)
    }

    /// A parameter of the query string, decoded.
    pub fn query(&self, key: &str) -> Option<Cow<'_, str>> {
        self.handshake().query(key)
    }

    /// The value of a cookie, not decoded. The header `cookie` must be
    /// [kept](crate::HubBuilder::keep_headers), as it is by default.
    pub fn cookie(&self, name: &str) -> Option<&str> {
        self.handshake().cookie(name)
    }

    /// The value of a header, if it is [kept](crate::HubBuilder::keep_headers). `name` is in lower
    /// case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.handshake().header(name)
    }

    /// The client's address, or that of the proxy in front of the server.
    pub fn peer_addr(&self) -> Option<SocketAddr> {
        self.handshake().peer_addr()
    }
}
