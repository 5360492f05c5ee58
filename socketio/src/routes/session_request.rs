//! [`SessionRequest`]: an Engine.IO handshake request, which the application can accept or refuse.

use axum::extract::ConnectInfo;
use http::HeaderMap;
use http::request::Parts;
use std::borrow::Cow;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use super::secure::is_secure;

/// An Engine.IO handshake request, which begins a session if it is accepted. See
/// [`allow_request`](crate::EngineRoutes::allow_request).
///
/// Cloning is cheap.
#[derive(Clone)]
pub struct SessionRequest {
    parts: Arc<Parts>,
    trust_forwarded_proto: bool,
}

impl SessionRequest {
    pub(super) fn new(parts: Arc<Parts>, trust_forwarded_proto: bool) -> Self {
        Self { parts, trust_forwarded_proto }
    }

    /// Returns the first parameter of the query string with this name, percent-decoded.
    pub fn query(&self, key: &str) -> Option<Cow<'_, str>> {
        self.queries().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    /// Returns all parameters of the query string, percent-decoded.
    pub fn queries(&self) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
        form_urlencoded::parse(self.parts.uri.query().unwrap_or_default().as_bytes())
    }

    /// Returns the first header with this name. `None` if there is none, or if its value is not
    /// visible ASCII.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.parts.headers.get(name)?.to_str().ok()
    }

    /// Returns all headers.
    pub fn headers(&self) -> &HeaderMap {
        &self.parts.headers
    }

    /// Returns the peer address of the TCP connection. Behind a proxy, this is the proxy's address.
    /// `None` if the HTTP server does not provide [`ConnectInfo`].
    pub fn peer_addr(&self) -> Option<SocketAddr> {
        self.extension::<ConnectInfo<SocketAddr>>().map(|info| info.0)
    }

    /// Whether the client's connection is encrypted. See
    /// [`Handshake::is_secure`](crate::Handshake::is_secure).
    pub fn is_secure(&self) -> bool {
        is_secure(&self.parts, self.trust_forwarded_proto)
    }

    /// Returns a value that a layer has added to the request's extensions.
    pub fn extension<T: Clone + Send + Sync + 'static>(&self) -> Option<&T> {
        self.parts.extensions.get()
    }

    /// Returns the request without its body.
    pub fn parts(&self) -> &Parts {
        &self.parts
    }
}

impl fmt::Debug for SessionRequest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("SessionRequest").field("path", &self.parts.uri.path()).finish_non_exhaustive()
    }
}
