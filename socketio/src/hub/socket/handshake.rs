//! [`Handshake`]: the first HTTP request of a connection, as handlers receive it.

use http::{HeaderMap, HeaderName};
use serde::Deserialize;
use std::borrow::Cow;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::connection_handle::request::{Kind, Request, milliseconds};
use crate::event::argument::{Argument, Arguments};
use crate::event::decode::ArgumentDecoder;
use crate::event::error::{EventError, PayloadError};
use crate::hub::kept_headers::KeptHeaders;
use crate::hub::socket::Socket;
use crate::wire::envelope::ArgumentText;

/// The first HTTP request of a connection.
///
/// It provides the nine fields of `socket.handshake` in the JavaScript server:
///
/// | JavaScript | this type |
/// | --- | --- |
/// | `headers` | [`headers`](Self::headers), [`header`](Self::header), [`cookie`](Self::cookie) |
/// | `time` | [`time`](Self::time) |
/// | `address` | [`peer_addr`](Self::peer_addr) |
/// | `xdomain` | [`is_cross_domain`](Self::is_cross_domain) |
/// | `secure` | [`is_secure`](Self::is_secure) |
/// | `issued` | [`issued`](Self::issued) |
/// | `url` | [`url`](Self::url), [`path`](Self::path), [`query_string`](Self::query_string) |
/// | `query` | [`queries`](Self::queries), [`query`](Self::query) |
/// | `auth` | [`auth`](Self::auth) |
///
/// ```
/// use socketio::{Handshake, Refusal, Socket, event};
///
/// #[event(connect)]
/// fn join(socket: &Socket, handshake: Handshake<'_>) -> Result<(), Refusal> {
///     let room = handshake.query("room").ok_or("which room?")?;
///     socket.join(room).map_err(|error| error.to_string().into())
/// }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Handshake<'a> {
    request: &'a Request,
    /// The data of a Socket.IO client's CONNECT packet.
    connect_info: Option<&'a ConnectInfo>,
    kept: &'a KeptHeaders,
}

/// The auth payload of a Socket.IO client's CONNECT packet, and the time of its arrival.
#[derive(Debug)]
pub(crate) struct ConnectInfo {
    pub(crate) auth: Box<str>,
    pub(crate) time: SystemTime,
}

impl<'a> Handshake<'a> {
    pub(crate) fn new(request: &'a Request, socket: &'a Socket) -> Self {
        Self { request, connect_info: socket.connect_info(), kept: &socket.hub().config().keep_headers }
    }

    /// Decodes the `auth` payload that a Socket.IO client connected with. Without a payload, and
    /// for other clients, it is `{}`.
    ///
    /// ```
    /// use socketio::{Handshake, Refusal, event};
    ///
    /// #[derive(serde::Deserialize)]
    /// struct Auth {
    ///     token: String,
    /// }
    ///
    /// #[event(connect)]
    /// fn check(handshake: Handshake<'_>) -> Result<(), Refusal> {
    ///     let auth: Auth = handshake.auth().map_err(|_| "a token is needed")?;
    ///     if auth.token == "secret" { Ok(()) } else { Err("the wrong token".into()) }
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// The payload does not decode as `T`.
    pub fn auth<T: Deserialize<'a>>(&self) -> Result<T, PayloadError> {
        ArgumentDecoder::new(ArgumentText::One(self.auth_json())).next()
    }

    /// The JSON text of the `auth` payload.
    pub fn auth_json(&self) -> &'a str {
        self.connect_info.map_or("{}", |connect_info| &connect_info.auth)
    }

    /// When the client connected to the namespace, in whole milliseconds. For plain WebSocket and
    /// bare Engine.IO clients it is the time of the request.
    pub fn time(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(self.issued())
    }

    /// Like [`time`](Self::time), in milliseconds since the Unix epoch.
    pub fn issued(&self) -> u64 {
        self.connect_info.map_or(self.request.issued, |connect_info| milliseconds(connect_info.time))
    }

    /// Returns `true` if the client's connection is known to be encrypted.
    ///
    /// The connection counts as encrypted if:
    ///
    /// - [`serve`](crate::serve()) was configured with [`secure`](crate::Serve::secure);
    /// - a layer added [`SecureConnection`](crate::SecureConnection) to the request;
    /// - a proxy sent `https` or `wss` and
    ///   [`trust_forwarded_proto`](crate::HubBuilder::trust_forwarded_proto) is on. The value of
    ///   such a proxy takes precedence over the others.
    pub fn is_secure(&self) -> bool {
        self.request.is_secure
    }

    /// The requested path and query string, not decoded.
    pub fn url(&self) -> String {
        match (self.path(), self.query_string()) {
            (path, "") => path.to_owned(),
            (path, query) => format!("{path}?{query}"),
        }
    }

    /// All parameters of the query string, decoded.
    pub fn queries(&self) -> impl Iterator<Item = (Cow<'a, str>, Cow<'a, str>)> {
        form_urlencoded::parse(self.uri().1)
    }

    /// Returns `true` if the request has an `Origin` header, so a web page of another site may have
    /// sent it.
    pub fn is_cross_domain(&self) -> bool {
        self.request.is_cross_domain
    }

    /// The subprotocol that the server selected for the WebSocket. `None` if it selected none, or
    /// if the request is not a WebSocket handshake, as when a session begins with polling.
    pub fn protocol(&self) -> Option<&'a str> {
        self.text(Kind::Protocol, "")
    }

    /// A parameter of the route's path, percent-decoded: `id` in `/ws/{id}`.
    pub fn param(&self, key: &str) -> Option<&'a str> {
        self.text(Kind::Path, key)
    }

    /// The first parameter of the query string with this name, decoded.
    pub fn query(&self, key: &str) -> Option<Cow<'a, str>> {
        let query = self.uri().1;
        form_urlencoded::parse(query).find(|(name, _)| name == key).map(|(_, value)| value)
    }

    /// The requested path, not decoded.
    pub fn path(&self) -> &'a str {
        self.uri().0
    }

    /// The query string without the `?`, not decoded.
    pub fn query_string(&self) -> &'a str {
        std::str::from_utf8(self.uri().1).unwrap_or_default()
    }

    /// The first header with this name, if it is UTF-8 and [kept](crate::HubBuilder::keep_headers).
    /// `name` is in lower case. In debug builds, asking for a header that is not kept logs a
    /// warning.
    pub fn header(&self, name: &str) -> Option<&'a str> {
        self.kept.warn_if_dropped(name);
        self.text(Kind::Header, name)
    }

    /// All headers that are kept.
    pub fn headers(&self) -> HeaderMap {
        let parsed = self.request.entries(Kind::Header).filter_map(|(name, value)| {
            Some((HeaderName::from_bytes(name.as_bytes()).ok()?, http::HeaderValue::from_bytes(value).ok()?))
        });
        let mut headers = HeaderMap::new();
        for (name, value) in parsed {
            headers.append(name, value);
        }
        headers
    }

    /// The value of a cookie, not decoded. The header `cookie` must be
    /// [kept](crate::HubBuilder::keep_headers), as it is by default.
    pub fn cookie(&self, name: &str) -> Option<&'a str> {
        self.kept.warn_if_dropped("cookie");
        let cookies = self.request.entries(Kind::Header).filter(|(header, _)| *header == "cookie");
        let pairs = cookies.filter_map(|(_, value)| std::str::from_utf8(value).ok()).flat_map(|value| value.split(';'));
        pairs.filter_map(|pair| pair.trim().split_once('=')).find(|(key, _)| *key == name).map(|(_, value)| value)
    }

    /// The client's address, or that of the proxy in front of the server.
    pub fn peer_addr(&self) -> Option<SocketAddr> {
        self.request.peer
    }

    fn uri(&self) -> (&'a str, &'a [u8]) {
        self.request.entries(Kind::Uri).next().unwrap_or_default()
    }

    fn text(&self, kind: Kind, key: &str) -> Option<&'a str> {
        let (_, value) = self.request.entries(kind).find(|(name, _)| *name == key)?;
        std::str::from_utf8(value).ok()
    }
}

impl<'a> Argument<'a> for Handshake<'a> {
    fn from_event(arguments: &mut Arguments<'a>) -> Result<Self, EventError> {
        Ok(arguments.socket().handshake())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(kept: &KeptHeaders) -> Request {
        let request = http::Request::builder()
            .uri("/ws/a%20b?room=x%20y&room=z&empty=")
            .header("cookie", "a=1; session=abc=; b=2")
            .header("cookie", "c=3")
            .header("x-raw", http::HeaderValue::from_bytes(b"\xff").expect("opaque bytes are allowed"))
            .body(())
            .expect("a valid request");
        let params = [("id", "a b")];
        let address = Some(([127, 0, 0, 1], 80).into());
        Request::new(&request.into_parts().0, params.into_iter(), address, false, |name| kept.contains(name))
    }

    #[test]
    fn a_handshake_returns_all_parts_of_the_request() {
        let kept = &KeptHeaders::All;
        let request = request(kept);
        let handshake = Handshake { request: &request, connect_info: None, kept };
        assert_eq!(handshake.param("id"), Some("a b"));
        assert_eq!(handshake.param("room"), None);
        assert_eq!(handshake.query("room").as_deref(), Some("x y"));
        assert_eq!(handshake.query("empty").as_deref(), Some(""));
        assert_eq!(handshake.query("none"), None);
        assert_eq!(handshake.path(), "/ws/a%20b");
        assert_eq!(handshake.query_string(), "room=x%20y&room=z&empty=");
        assert_eq!(handshake.cookie("session"), Some("abc="));
        assert_eq!(handshake.cookie("c"), Some("3"));
        assert_eq!(handshake.header("x-raw"), None);
        assert_eq!(handshake.headers().len(), 3);
        assert_eq!(handshake.headers()["x-raw"].as_bytes(), b"\xff");
        assert_eq!(handshake.peer_addr(), Some(([127, 0, 0, 1], 80).into()));
    }

    #[test]
    fn only_the_listed_headers_are_kept() {
        let kept = &KeptHeaders::Only(vec![HeaderName::from_static("x-raw")]);
        let request = request(kept);
        let handshake = Handshake { request: &request, connect_info: None, kept };
        assert_eq!(handshake.cookie("a"), None);
        assert_eq!(handshake.headers().len(), 1);
    }
}
