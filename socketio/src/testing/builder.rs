//! [`ClientBuilder`]: configures and connects a test client.

use axum::Router;
use axum::routing::get;
use futures_util::future::{Either, select};
use http::{HeaderName, HeaderValue, Request};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde::Serialize;
use std::fmt;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{DuplexStream, duplex};
use tokio::time::{sleep, timeout};
use tokio_tungstenite::client_async_with_config;
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::client::Request as ClientRequest;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

use super::POLL_INTERVAL;
use super::client::Client;
use super::connection::Connection;
use super::error::{Refused, TestError};
use super::inbox::Inbox;
use super::wire::ROOT;
use crate::hub::Hub;
use crate::hub::namespace::Namespace;
use crate::hub::socket::SocketId;
use crate::routes::serve::call_app;
use crate::wire::encoding::Encoding;

/// Capacity in bytes of the in-memory stream, per direction.
const STREAM_CAPACITY: usize = 64 * 1024;

/// How long a client waits for an expected message.
const DEFAULT_PATIENCE: Duration = Duration::from_secs(5);

/// The `Host` of every request.
const HOST: &str = "localhost";

impl Namespace {
    /// Returns a builder for a test client of this namespace. It builds a Socket.IO client, or a
    /// [plain](ClientBuilder::plain) WebSocket client. See [`testing`](crate::testing).
    pub fn test_client(&self) -> ClientBuilder {
        ClientBuilder {
            namespace: self.clone(),
            app: None,
            is_plain: false,
            auth: None,
            path: None,
            params: Vec::new(),
            query: Vec::new(),
            headers: Vec::new(),
            cookies: Vec::new(),
            peer: None,
            secure: false,
            patience: DEFAULT_PATIENCE,
        }
    }
}

impl Hub {
    /// Returns a builder for a test client of the namespace `/`. See [`Namespace::test_client`].
    pub fn test_client(&self) -> ClientBuilder {
        self.root().test_client()
    }
}

/// Configures a test client. [`connect`](Self::connect) connects it.
///
/// ```
/// use serde_json::json;
/// use socketio::{Handshake, Hub, Refusal, event, events};
///
/// #[event(connect)]
/// fn check(handshake: Handshake<'_>) -> Result<(), Refusal> {
///     let auth: serde_json::Value = handshake.auth().map_err(|_| "who are you?")?;
///     let (room, theme) = (handshake.query("room"), handshake.cookie("theme"));
///     match (auth["token"].as_str(), room.as_deref(), theme) {
///         (Some("secret"), Some("a b"), Some("dark")) => Ok(()),
///         _ => Err("no".into()),
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let hub = Hub::builder().events(events![check]).build()?;
/// let client = hub.test_client().auth(json!({ "token": "secret" })).query("room", "a b");
/// let client = client.cookie("theme", "dark");
/// let client = client.connect().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[must_use = "it does nothing before `connect`"]
pub struct ClientBuilder {
    namespace: Namespace,
    app: Option<Router>,
    is_plain: bool,
    auth: Option<Result<String, String>>,
    path: Option<String>,
    params: Vec<(String, String)>,
    query: Vec<(String, String)>,
    headers: Vec<(String, String)>,
    cookies: Vec<String>,
    peer: Option<SocketAddr>,
    secure: bool,
    patience: Duration,
}

/// An extension that marks one client's request, so that the builder finds the client's socket.
#[derive(Clone)]
struct RequestMarker(Arc<()>);

impl ClientBuilder {
    /// Makes this a plain WebSocket client, which sends and receives JSON envelopes and raw
    /// messages. Default: a Socket.IO client over WebSocket, in the default encoding.
    pub fn plain(self) -> Self {
        Self { is_plain: true, ..self }
    }

    /// Sets the `auth` object that a Socket.IO client sends when it connects to its namespace.
    pub fn auth(self, auth: impl Serialize) -> Self {
        let auth = serde_json::to_string(&auth).map_err(|error| format!("`auth` does not serialize: {error}"));
        Self { auth: Some(auth), ..self }
    }

    /// Sets the path to request, with or without a query string. Parameters such as `{id}` in
    /// `/ws/{id}` are filled in by [`param`](Self::param). Default: `/ws` for a plain client,
    /// `/socket.io/` for a Socket.IO client.
    pub fn path(mut self, path: impl AsRef<str>) -> Self {
        let (path, query) = path.as_ref().split_once('?').unwrap_or((path.as_ref(), ""));
        let query = form_urlencoded::parse(query.as_bytes());
        self.query.extend(query.map(|(name, value)| (name.into_owned(), value.into_owned())));
        Self { path: Some(format!("/{}", path.trim_start_matches('/'))), ..self }
    }

    /// Sets a path parameter. If the path does not contain the parameter, it is appended as a
    /// segment.
    ///
    /// ```
    /// # use socketio::Hub;
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let hub = Hub::builder().build()?;
    /// let client = hub.test_client().param("id", "7 of 9").connect().await?;
    /// let socket = hub.socket(client.id()).unwrap();
    /// assert_eq!(socket.params("id").as_deref(), Some("7 of 9"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn param(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.params.push((name.into(), value.into()));
        self
    }

    /// Adds a parameter to the query string.
    pub fn query(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.query.push((name.into(), value.into()));
        self
    }

    /// Adds a header. The `Host` is always `localhost`. No `Origin` is sent unless you add one.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Adds a cookie.
    pub fn cookie(mut self, name: impl AsRef<str>, value: impl AsRef<str>) -> Self {
        self.cookies.push(format!("{}={}", name.as_ref(), value.as_ref()));
        self
    }

    /// Sets the peer address that the server sees. Default: none.
    pub fn peer_addr(self, address: SocketAddr) -> Self {
        Self { peer: Some(address), ..self }
    }

    /// Sets whether the server treats the connection as encrypted. Default: `false`.
    pub fn secure(self, secure: bool) -> Self {
        Self { secure, ..self }
    }

    /// Connects through this router, with its paths, its layers, its
    /// [`allow_request`](crate::EngineRoutes::allow_request) and its
    /// [`on_open`](crate::WebSocketRoute::on_open). Default: the namespace's own routes, as
    /// [`Hub::socketio`] and [`Namespace::websocket`] return them.
    ///
    /// ```
    /// use axum::{Router, routing::get};
    /// # use socketio::Hub;
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let hub = Hub::builder().build()?;
    /// let app = Router::new().route("/chat/{room}", get(hub.websocket())).merge(hub.socketio());
    ///
    /// let plain = hub.test_client().plain().through(app.clone()).path("/chat/lobby");
    /// let plain = plain.connect().await?;
    /// let socketio = hub.test_client().through(app.clone()).connect().await?;
    ///
    /// let refused = hub.test_client().plain().through(app).path("/cat");
    /// let error = refused.connect().await.unwrap_err();
    /// assert_eq!(error.refused().unwrap().status().unwrap(), 404);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// The client requests the path of [`path`](Self::path). For routes that are nested under
    /// `/rt`, set it to `/rt/socket.io/`.
    pub fn through(self, app: impl Into<Router>) -> Self {
        Self { app: Some(app.into()), ..self }
    }

    /// Sets how long the client waits for an expected message, in tokio's time. Default: 5 seconds.
    /// With tokio's time paused, the wait takes no real time.
    pub fn patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// Connects, and waits until the server has accepted the client.
    ///
    /// # Errors
    ///
    /// [`TestError::Refused`] if the HTTP request, the `connect` handler or a middleware refuses
    /// the client. [`TestError::Impossible`] if the settings contradict each other or make no valid
    /// request.
    pub async fn connect(self) -> Result<Client, TestError> {
        let auth = self.auth.clone().transpose().map_err(TestError::Impossible)?;
        if self.is_plain && auth.is_some() {
            let why = "only Socket.IO clients send `auth`; a plain client has `query`, `header` and `cookie`";
            return Err(TestError::Impossible(why.to_owned()));
        }
        let encoding = if self.is_plain { Encoding::Envelopes } else { Encoding::SocketIo };
        let marker = RequestMarker(Arc::default());
        let connection = Arc::new(self.open(&marker, encoding).await?);
        if !self.is_plain {
            return Client::join(connection, self.namespace.path(), auth.as_deref(), self.patience).await;
        }
        let inbox = connection.join(ROOT).unwrap_or_default();
        let id = self.accepted_socket(&marker, &inbox).await?;
        Ok(Client::new(connection, inbox, ROOT, id, self.patience))
    }

    /// Opens the stream and performs the WebSocket handshake.
    async fn open(&self, marker: &RequestMarker, encoding: Encoding) -> Result<Connection, TestError> {
        let (route, path) = self.route_and_path();
        let app = self.app.clone().unwrap_or_else(|| match self.is_plain {
            true => Router::new().route(&route, get(self.namespace.websocket())),
            false => self.hub().socketio().path(route).into(),
        });
        let request = self.request(&path)?;
        let (ours, theirs) = duplex(STREAM_CAPACITY);
        tokio::spawn(serve(theirs, app, marker.clone(), self.peer, self.secure));
        // A test may have thousands of clients, so the read buffers are small.
        let config = WebSocketConfig::default().read_buffer_size(4096).max_message_size(None).max_frame_size(None);
        match timeout(self.accept_timeout(), client_async_with_config(request, ours, Some(config))).await {
            Ok(Ok((stream, _))) => Ok(Connection::new(stream, encoding, self.accept_timeout())),
            Ok(Err(Error::Http(response))) => {
                let body = response.body().as_deref().unwrap_or_default();
                Err(Refused::by_status(response.status(), &path, body).into())
            }
            Ok(Err(error)) => Err(TestError::Impossible(format!("the WebSocket handshake failed: {error}"))),
            Err(_) => Err(TestError::Impossible("the server did not answer the WebSocket handshake".to_owned())),
        }
    }

    /// Returns the route for a router, and the path with its parameters filled in.
    fn route_and_path(&self) -> (String, String) {
        let default = if self.is_plain { "/ws" } else { "/socket.io/" };
        let mut route = self.path.clone().unwrap_or_else(|| default.to_owned());
        let placeholder = |name: &str| format!("{{{name}}}");
        for (name, _) in &self.params {
            if !route.contains(&placeholder(name)) {
                route = format!("{}/{}", route.trim_end_matches('/'), placeholder(name));
            }
        }
        let path = self
            .params
            .iter()
            .fold(route.clone(), |path, (name, value)| path.replace(&placeholder(name), &percent_encoded(value)));
        (route, path)
    }

    fn request(&self, path: &str) -> Result<ClientRequest, TestError> {
        let impossible = |error: &dyn fmt::Display| TestError::Impossible(format!("the request is invalid: {error}"));
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(&self.query);
        if !self.is_plain {
            query.extend_pairs([("EIO", "4"), ("transport", "websocket")]);
        }
        let query = query.finish();
        let separator = if query.is_empty() { "" } else { "?" };
        let mut request =
            format!("ws://{HOST}{path}{separator}{query}").into_client_request().map_err(|error| impossible(&error))?;
        let cookies = (!self.cookies.is_empty()).then(|| ("cookie".to_owned(), self.cookies.join("; ")));
        for (name, value) in self.headers.iter().cloned().chain(cookies) {
            let name = HeaderName::try_from(name).map_err(|error| impossible(&error))?;
            let value = HeaderValue::try_from(value).map_err(|error| impossible(&error))?;
            request.headers_mut().append(name, value);
        }
        Ok(request)
    }

    fn hub(&self) -> Hub {
        Hub::from_core(self.namespace.core())
    }

    /// How long the server may take to accept the client. The hub itself refuses the client after
    /// `connect_timeout`, so the client waits longer than that.
    fn accept_timeout(&self) -> Duration {
        self.patience.saturating_add(self.hub().config().connect_timeout)
    }

    /// Waits until the hub has accepted the client, and returns the id of its socket. The server
    /// sends nothing to a plain client at that point, so this polls the hub.
    async fn accepted_socket(&self, marker: &RequestMarker, inbox: &Inbox) -> Result<SocketId, TestError> {
        let hub = self.hub();
        let searched = async {
            loop {
                if let Some(id) = marker.find(&hub) {
                    return id;
                }
                sleep(POLL_INTERVAL).await;
            }
        };
        match select(pin!(timeout(self.accept_timeout(), searched)), pin!(inbox.wait_for_end())).await {
            Either::Left((Ok(id), _)) => Ok(id),
            Either::Left((Err(_), _)) => {
                Err(TestError::Impossible("the client is connected, but this hub has no socket for it".to_owned()))
            }
            Either::Right((ended, _)) => Err(Refused::by_end(ended).into()),
        }
    }
}

impl RequestMarker {
    fn find(&self, hub: &Hub) -> Option<SocketId> {
        let mut sockets = hub.namespaces().into_iter().flat_map(|namespace| hub.of(namespace).sockets());
        let is_same = |marker: Self| Arc::ptr_eq(&self.0, &marker.0);
        sockets.find(|socket| socket.extension().is_some_and(is_same)).map(|socket| socket.id())
    }
}

/// Serves the server's end of the stream: HTTP, then the upgraded WebSocket.
async fn serve(stream: DuplexStream, app: Router, marker: RequestMarker, peer: Option<SocketAddr>, secure: bool) {
    let service = service_fn(move |mut request: Request<hyper::body::Incoming>| {
        request.extensions_mut().insert(marker.clone());
        call_app(app.clone(), request, peer, secure)
    });
    let served = http1::Builder::new().serve_connection(TokioIo::new(stream), service).with_upgrades().await;
    if let Err(error) = served {
        tracing::debug!(%error, "an HTTP connection failed");
    }
}

/// Percent-encodes a path segment.
fn percent_encoded(text: &str) -> String {
    let is_unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let encode = |byte: u8| if is_unreserved(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    text.bytes().map(encode).collect()
}

impl fmt::Debug for ClientBuilder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ClientBuilder")
            .field("namespace", &self.namespace.path())
            .field("is_plain", &self.is_plain)
            .finish_non_exhaustive()
    }
}
