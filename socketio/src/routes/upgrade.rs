//! [`Upgrade`]: a WebSocket handshake request.

use axum::extract::{ConnectInfo, FromRequestParts, MatchedPath, OriginalUri, RawPathParams};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::{Either, select};
use http::header::{
    ALLOW, CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::request::Parts;
use http::{Extensions, HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto::upgrade::downcast;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::head::has_valid_host;
use super::secure::{SecureConnection, is_secure};
use super::subprotocols::{Subprotocols, is_valid_offer};
use crate::connection_handle::request::Request;
use crate::connection_handle::stream::Stream;
use crate::hub::config::Config;

/// A WebSocket handshake request, as an axum extractor.
///
/// A handler that takes an `Upgrade` can use other extractors too, and refuse a client with any
/// status:
///
/// ```
/// use axum::extract::State;
/// use axum::http::{HeaderMap, StatusCode};
/// use axum::response::{IntoResponse, Response};
/// use socketio::{Hub, Upgrade};
///
/// async fn ws(State(hub): State<Hub>, headers: HeaderMap, upgrade: Upgrade) -> Response {
///     if !headers.contains_key("authorization") {
///         return StatusCode::UNAUTHORIZED.into_response();
///     }
///     hub.websocket().accept(upgrade.with_extension("a user"))
/// }
/// ```
#[derive(Debug)]
pub struct Upgrade {
    parts: Parts,
    on_upgrade: OnUpgrade,
    params: Vec<(String, String)>,
    /// The subprotocol that the route has selected.
    protocol: Option<HeaderValue>,
}

/// Why a request was not accepted as a WebSocket handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UpgradeRejection {
    /// The headers `Connection: Upgrade` and `Upgrade: websocket` are missing. Status 426.
    #[error("this is a WebSocket endpoint: connect with a WebSocket client")]
    NotRequested,
    /// The version of the WebSocket protocol is not 13. Status 426.
    #[error("the version of the WebSocket protocol must be 13")]
    Version,
    /// There is not one header `Sec-WebSocket-Key` with 16 bytes in base64. Status 400.
    #[error("the header `Sec-WebSocket-Key` must be there once, with 16 bytes in base64")]
    Key,
    /// The request does not have one valid `Host` header. HTTP/1.0 needs none. Status 400.
    #[error("the request must have one valid `Host` header")]
    Host,
    /// The header `Sec-WebSocket-Protocol` is not a list of different names. Status 400.
    #[error("the header `Sec-WebSocket-Protocol` is not a list of different names")]
    Protocols,
    /// The method is not GET. Status 405, with `Allow: GET`.
    #[error("a WebSocket begins with a GET request")]
    Method,
    /// The HTTP connection does not support upgrades: it is not HTTP/1.1, or the HTTP server has
    /// upgrades disabled. Status 426.
    #[error("this HTTP connection can't be upgraded: WebSockets need HTTP/1.1")]
    Impossible,
}

impl IntoResponse for UpgradeRejection {
    fn into_response(self) -> Response {
        let status = match self {
            Self::NotRequested | Self::Version | Self::Impossible => StatusCode::UPGRADE_REQUIRED,
            Self::Key | Self::Host | Self::Protocols => StatusCode::BAD_REQUEST,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
        };
        let mut response = (status, self.to_string()).into_response();
        let headers = response.headers_mut();
        if status == StatusCode::UPGRADE_REQUIRED {
            headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
            headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
            headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
        }
        if self == Self::Method {
            headers.insert(ALLOW, HeaderValue::from_static("GET"));
        }
        response
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Upgrade {
    type Rejection = UpgradeRejection;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, UpgradeRejection> {
        Self::from_parts(parts)
    }
}

impl Upgrade {
    pub(crate) fn from_parts(parts: &mut Parts) -> Result<Self, UpgradeRejection> {
        if !has_valid_host(parts.version, &parts.headers) {
            return Err(UpgradeRejection::Host);
        }
        if parts.method != Method::GET {
            return Err(UpgradeRejection::Method);
        }
        if !has_token(&parts.headers, &CONNECTION, "upgrade") || !has_token(&parts.headers, &UPGRADE, "websocket") {
            return Err(UpgradeRejection::NotRequested);
        }
        if only(&parts.headers, &SEC_WEBSOCKET_VERSION).is_none_or(|version| version != "13") {
            return Err(UpgradeRejection::Version);
        }
        if !only(&parts.headers, &SEC_WEBSOCKET_KEY).is_some_and(is_key) {
            return Err(UpgradeRejection::Key);
        }
        if !is_valid_offer(&parts.headers) {
            return Err(UpgradeRejection::Protocols);
        }
        let on_upgrade = parts.extensions.remove::<OnUpgrade>().ok_or(UpgradeRejection::Impossible)?;
        let params = path_params(parts);
        Ok(Self { parts: parts.clone(), on_upgrade, params, protocol: None })
    }

    /// Adds an extension for the socket. See [`Socket::extension`](crate::Socket::extension).
    #[must_use]
    pub fn with_extension<T: Clone + Send + Sync + 'static>(mut self, value: T) -> Self {
        self.parts.extensions.insert(value);
        self
    }

    /// Returns the request's headers.
    pub fn headers(&self) -> &HeaderMap {
        &self.parts.headers
    }

    pub(crate) fn parts(&self) -> &Parts {
        &self.parts
    }

    /// Selects a subprotocol, and returns the response that completes the handshake.
    pub(super) fn response(&mut self, protocols: &Subprotocols) -> Response {
        self.protocol = protocols.select(&self.parts.headers);
        let key = self.parts.headers.get(SEC_WEBSOCKET_KEY).map_or(&[][..], HeaderValue::as_bytes);
        let mut response = StatusCode::SWITCHING_PROTOCOLS.into_response();
        let headers = response.headers_mut();
        headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        if let Ok(accept) = HeaderValue::from_str(&derive_accept_key(key)) {
            headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
        }
        if let Some(protocol) = self.protocol.clone() {
            headers.insert(SEC_WEBSOCKET_PROTOCOL, protocol);
        }
        response
    }

    /// Splits the handshake into the pending stream, the compact request, and the application's
    /// extensions.
    pub(crate) fn into_parts(self, config: &Config) -> (Upgrading, Request, Extensions) {
        let peer = self.parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0);
        let params = self.params.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let is_secure = is_secure(&self.parts, config.trust_forwarded_proto);
        let is_kept = |name: &HeaderName| config.keep_headers.contains(name);
        let request = Request::new(&self.parts, params, peer, is_secure, is_kept);
        let request = request.with_protocol(self.protocol.as_ref());
        let by_axum = usize::from(!self.params.is_empty());
        (Upgrading(self.on_upgrade), request, kept_extensions(&self.parts.extensions, by_axum))
    }
}

/// The parameters of a route's path, by name.
pub(super) type PathParams = [(String, String)];

/// Returns the path parameters of a request. They are empty if the route has none.
pub(super) fn path_params(parts: &mut Parts) -> Vec<(String, String)> {
    // The extractor's future never waits.
    let params = RawPathParams::from_request_parts(parts, &()).now_or_never().and_then(Result::ok);
    params.iter().flatten().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// Returns the extensions that the application has added to a request. `by_axum` is the number of
/// axum's own extensions whose types are private.
pub(crate) fn kept_extensions(extensions: &Extensions, by_axum: usize) -> Extensions {
    let mut extensions = extensions.clone();
    extensions.remove::<ConnectInfo<SocketAddr>>();
    extensions.remove::<SecureConnection>();
    // axum's own extensions keep hyper's read buffer in memory.
    extensions.remove::<OriginalUri>();
    extensions.remove::<MatchedPath>();
    if extensions.len() <= by_axum { Extensions::new() } else { extensions }
}

/// A pending upgrade. It resolves to the stream, and the bytes that hyper has read after the
/// handshake.
pub(crate) struct Upgrading(OnUpgrade);

impl Upgrading {
    /// Waits for the upgrade, and extracts the TCP stream if there is one.
    async fn stream(self) -> hyper::Result<(Stream, Vec<u8>)> {
        Ok(match tcp(self.0.await?) {
            Ok((stream, received)) => {
                // Otherwise Nagle's algorithm delays small messages.
                let _ = stream.set_nodelay(true);
                (Stream::tcp(stream), received.to_vec())
            }
            Err(upgraded) => (Stream::Other(Box::new(TokioIo::new(upgraded))), Vec::new()),
        })
    }

    /// Waits for the upgrade. `None` if it fails, takes longer than `timeout`, or `ending`
    /// completes first because the hub shuts down.
    pub(crate) async fn wait(self, timeout: Duration, ending: impl Future<Output = ()>) -> Option<(Stream, Vec<u8>)> {
        let upgraded = pin!(tokio::time::timeout(timeout, self.stream()));
        match select(upgraded, pin!(ending)).await {
            Either::Left((Ok(Ok(upgraded)), _)) => return Some(upgraded),
            Either::Left((Ok(Err(error)), _)) => tracing::debug!(%error, "the WebSocket upgrade failed"),
            Either::Left((Err(_), _)) => tracing::debug!("the WebSocket upgrade timed out"),
            Either::Right(_) => tracing::debug!("the hub shut down during a WebSocket upgrade"),
        }
        None
    }
}

/// Extracts the TCP stream. `axum::serve` wraps it in one more type than hyper's HTTP/1.1 server
/// does.
fn tcp(upgraded: Upgraded) -> Result<(TcpStream, Bytes), Upgraded> {
    let upgraded = match downcast::<TokioIo<TcpStream>>(upgraded) {
        Ok(parts) => return Ok((parts.io.into_inner(), parts.read_buf)),
        Err(upgraded) => upgraded,
    };
    let parts = upgraded.downcast::<TokioIo<TcpStream>>()?;
    Ok((parts.io.into_inner(), parts.read_buf))
}

/// Returns the value of a header that is there once.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a HeaderValue> {
    let mut values = headers.get_all(name).into_iter();
    values.next().filter(|_| values.next().is_none())
}

/// Whether this is the base64 form of 16 bytes.
fn is_key(value: &HeaderValue) -> bool {
    STANDARD.decode(value).is_ok_and(|key| key.len() == 16)
}

/// Returns the comma-separated values of a header.
pub(super) fn tokens<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    let values = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim)
}

fn has_token(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    tokens(headers, name).any(|found| found.eq_ignore_ascii_case(token))
}
