//! The request that a socket's connection began with.

use std::borrow::Cow;
use std::net::SocketAddr;

use super::Socket;
use super::handshake::Handshake;

/// The request that the connection began with.
impl Socket {
    /// Everything that is known of it.
    pub fn handshake(&self) -> Handshake<'_> {
        Handshake::new(&self.peer().request, self.connect_info())
    }

    /// A parameter of the route's path: `params("id")` for `/ws/{id}`.
    pub fn params(&self, key: &str) -> Option<&str> {
        self.handshake().param(key)
    }

    /// A parameter of the query string, decoded.
    pub fn query(&self, key: &str) -> Option<Cow<'_, str>> {
        self.handshake().query(key)
    }

    /// The value of a cookie.
    pub fn cookie(&self, name: &str) -> Option<&str> {
        self.handshake().cookie(name)
    }

    /// The value of a header, its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.handshake().header(name)
    }

    /// The client's address; behind a proxy, the proxy's.
    pub fn peer_addr(&self) -> Option<SocketAddr> {
        self.handshake().peer_addr()
    }
}
