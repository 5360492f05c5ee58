//! [`Upgrade`]: a request for a WebSocket.

use axum::extract::{ConnectInfo, FromRequestParts, MatchedPath, OriginalUri, RawPathParams};
use axum::response::{IntoResponse, Response};
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

use super::secure::{SecureConnection, is_secure};
use crate::connection_handle::request::Request;
use crate::connection_handle::stream::Stream;
use crate::hub::config::Config;

/// A request for a WebSocket, as an axum extractor.
///
/// A handler that takes it can use other extractors first, and can refuse a client with any status:
///
/// ```
/// use axum::{extract::State, http::StatusCode, response::{IntoResponse, Response}};
/// use socketio::{Hub, Upgrade};
///
/// async fn ws(State(hub): State<Hub>, headers: axum::http::HeaderMap, upgrade: Upgrade) -> Response {
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
}

/// Why a request can't become a WebSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UpgradeRejection {
    /// It does not ask for an upgrade. Status 426.
    #[error("this is a WebSocket endpoint: connect with a WebSocket client")]
    NotRequested,
    /// It asks for another version of the WebSocket protocol than 13. Status 426.
    #[error("the version of the WebSocket protocol must be 13")]
    Version,
    /// The WebSocket key is missing. Status 400.
    #[error("the header `Sec-WebSocket-Key` is missing")]
    Key,
    /// The method is not GET. Status 405, with `Allow: GET`.
    #[error("a WebSocket begins with a GET request")]
    Method,
    /// The HTTP connection can't be upgraded. Status 426.
    #[error("this HTTP connection can't be upgraded: WebSockets need HTTP/1.1")]
    Impossible,
}

impl IntoResponse for UpgradeRejection {
    fn into_response(self) -> Response {
        let status = match self {
            Self::NotRequested | Self::Version | Self::Impossible => StatusCode::UPGRADE_REQUIRED,
            Self::Key => StatusCode::BAD_REQUEST,
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
        if parts.method != Method::GET {
            return Err(UpgradeRejection::Method);
        }
        if !has_token(&parts.headers, &CONNECTION, "upgrade") || !has_token(&parts.headers, &UPGRADE, "websocket") {
            return Err(UpgradeRejection::NotRequested);
        }
        if parts.headers.get(SEC_WEBSOCKET_VERSION).is_none_or(|version| version != "13") {
            return Err(UpgradeRejection::Version);
        }
        if !parts.headers.contains_key(SEC_WEBSOCKET_KEY) {
            return Err(UpgradeRejection::Key);
        }
        let on_upgrade = parts.extensions.remove::<OnUpgrade>().ok_or(UpgradeRejection::Impossible)?;
        let params = path_params(parts);
        Ok(Self { parts: parts.clone(), on_upgrade, params })
    }

    /// Keeps a value for the socket: see [`Socket::extension`](crate::Socket::extension).
    #[must_use]
    pub fn with_extension<T: Clone + Send + Sync + 'static>(mut self, value: T) -> Self {
        self.parts.extensions.insert(value);
        self
    }

    /// The request's headers.
    pub fn headers(&self) -> &HeaderMap {
        &self.parts.headers
    }

    pub(crate) fn parts(&self) -> &Parts {
        &self.parts
    }

    /// The response that makes the connection a WebSocket.
    pub(crate) fn response(&self, protocol: Option<HeaderValue>) -> Response {
        let key = self.parts.headers.get(SEC_WEBSOCKET_KEY).map_or(&[][..], HeaderValue::as_bytes);
        let mut response = StatusCode::SWITCHING_PROTOCOLS.into_response();
        let headers = response.headers_mut();
        headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        if let Ok(accept) = HeaderValue::from_str(&derive_accept_key(key)) {
            headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
        }
        if let Some(protocol) = protocol {
            headers.insert(SEC_WEBSOCKET_PROTOCOL, protocol);
        }
        response
    }

    /// The first of `protocols` that the client offers.
    pub(crate) fn choose_protocol(&self, protocols: &[HeaderValue]) -> Option<HeaderValue> {
        let offered = |protocol: &&HeaderValue| {
            let protocol = protocol.to_str().unwrap_or_default();
            tokens(&self.parts.headers, &SEC_WEBSOCKET_PROTOCOL).any(|offer| offer == protocol)
        };
        protocols.iter().find(offered).cloned()
    }

    /// Splits it into the stream to come, the kept part of the request, and its extensions.
    pub(crate) fn into_parts(self, config: &Config) -> (Upgrading, Request, Extensions) {
        let peer = self.parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0);
        let params = self.params.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let is_secure = is_secure(&self.parts, config.trust_forwarded_proto);
        let keep = config.keep_headers.as_deref();
        let request = Request::new(&self.parts, params, peer, is_secure, keep);
        let by_axum = usize::from(!self.params.is_empty());
        (Upgrading(self.on_upgrade), request, kept_extensions(&self.parts.extensions, by_axum))
    }
}

/// The parameters of a route's path, by name.
pub(super) type PathParams = [(String, String)];

/// The path parameters of a request; empty for a route without any.
pub(super) fn path_params(parts: &mut Parts) -> Vec<(String, String)> {
    // The extractor is always ready.
    let params = RawPathParams::from_request_parts(parts, &()).now_or_never().and_then(Result::ok);
    params.iter().flatten().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// The extensions that the application has added to a request. `by_axum`: how many of them belong
/// to axum and can't be named.
pub(crate) fn kept_extensions(extensions: &Extensions, by_axum: usize) -> Extensions {
    let mut extensions = extensions.clone();
    extensions.remove::<ConnectInfo<SocketAddr>>();
    extensions.remove::<SecureConnection>();
    // Axum's own extensions are of no use here, and keep hyper's read buffer in memory.
    extensions.remove::<OriginalUri>();
    extensions.remove::<MatchedPath>();
    if extensions.len() <= by_axum { Extensions::new() } else { extensions }
}

/// The stream to come, with the bytes that were read beyond the handshake.
pub(crate) struct Upgrading(OnUpgrade);

impl Upgrading {
    /// Waits for the upgrade, and unwraps the TCP stream if there is one.
    async fn stream(self) -> hyper::Result<(Stream, Vec<u8>)> {
        Ok(match tcp(self.0.await?) {
            Ok((stream, received)) => {
                // Without it small messages wait for the acknowledgement of those before.
                let _ = stream.set_nodelay(true);
                (Stream::tcp(stream), received.to_vec())
            }
            Err(upgraded) => (Stream::Other(Box::new(TokioIo::new(upgraded))), Vec::new()),
        })
    }

    /// Waits until `timeout`, or until the hub shuts down.
    pub(crate) async fn wait(self, timeout: Duration, ending: impl Future<Output = ()>) -> Option<(Stream, Vec<u8>)> {
        let upgraded = pin!(tokio::time::timeout(timeout, self.stream()));
        match select(upgraded, pin!(ending)).await {
            Either::Left((Ok(Ok(upgraded)), _)) => return Some(upgraded),
            Either::Left((Ok(Err(error)), _)) => tracing::debug!(%error, "the upgrade failed"),
            Either::Left((Err(_), _)) => tracing::debug!("the upgrade took too long"),
            Either::Right(_) => tracing::debug!("the hub shuts down before the upgrade is done"),
        }
        None
    }
}

/// `axum::serve` wraps the stream once more than a plain server of HTTP/1.1 does.
fn tcp(upgraded: Upgraded) -> Result<(TcpStream, Bytes), Upgraded> {
    let upgraded = match downcast::<TokioIo<TcpStream>>(upgraded) {
        Ok(parts) => return Ok((parts.io.into_inner(), parts.read_buf)),
        Err(upgraded) => upgraded,
    };
    let parts = upgraded.downcast::<TokioIo<TcpStream>>()?;
    Ok((parts.io.into_inner(), parts.read_buf))
}

/// The comma-separated values of a header.
fn tokens<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    let values = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim)
}

fn has_token(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    tokens(headers, name).any(|found| found.eq_ignore_ascii_case(token))
}
