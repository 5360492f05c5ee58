//! [`SessionRequest`]: a request that would begin a session, for the application to decide about.

use axum::extract::ConnectInfo;
use http::HeaderMap;
use http::request::Parts;
use std::borrow::Cow;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use super::secure::is_secure;

/// The request of an Engine.IO client that would begin a session. See [`allow_request`](crate::EngineRoutes::allow_request).
///
/// A clone is cheap.
#[derive(Clone)]
pub struct SessionRequest {
    parts: Arc<Parts>,
    trust_forwarded_proto: bool,
}

impl SessionRequest {
    pub(super) fn new(parts: Arc<Parts>, trust_forwarded_proto: bool) -> Self {
        Self { parts, trust_forwarded_proto }
    }

    /// The first parameter of the query string with this name, decoded.
    pub fn query(&self, key: &str) -> Option<Cow<'_, str>> {
        self.queries().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    /// All parameters of the query string, decoded.
    pub fn queries(&self) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
        form_urlencoded::parse(self.parts.uri.query().unwrap_or_default().as_bytes())
    }

    /// The first header with this name, if it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.parts.headers.get(name)?.to_str().ok()
    }

    /// The headers.
    pub fn headers(&self) -> &HeaderMap {
        &self.parts.headers
    }

    /// The client's address; behind a proxy, the proxy's. `None` if the HTTP server does not tell it.
    pub fn peer_addr(&self) -> Option<SocketAddr> {
        self.extension::<ConnectInfo<SocketAddr>>().map(|info| info.0)
    }

    /// Whether the client's connection is encrypted: see [`Handshake::is_secure`](crate::Handshake::is_secure).
    pub fn is_secure(&self) -> bool {
        is_secure(&self.parts, self.trust_forwarded_proto)
    }

    /// A value that a layer put into the request's extensions.
    pub fn extension<T: Clone + Send + Sync + 'static>(&self) -> Option<&T> {
        self.parts.extensions.get()
    }

    /// Everything of the request but its body.
    pub fn parts(&self) -> &Parts {
        &self.parts
    }
}

impl fmt::Debug for SessionRequest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("SessionRequest").field("path", &self.parts.uri.path()).finish_non_exhaustive()
    }
}
