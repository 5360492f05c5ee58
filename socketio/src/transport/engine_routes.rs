//! [`EngineRoutes`]: where Socket.IO and Engine.IO clients connect.

use axum::Router;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::request::Parts;
use http::{HeaderMap, Request, StatusCode};
use http_body::Body as HttpBody;
use std::convert::Infallible;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::task::{Context, Poll};
use tower_http::cors::{AllowHeaders, AllowMethods, AllowOrigin, CorsLayer};
use tower_layer::Layer;

use super::client;
use crate::connection::lifecycle::OnOpen;
use crate::event::error::EventError;
use crate::event::listener::ListenerOutput;
use crate::handle::engine_session::Transport;
use crate::hub::Hub;
use crate::hub::namespace::Namespace;
use crate::hub::namespace::inner::NamespaceInner;
use crate::hub::peer::EngineSessions;
use crate::hub::socket::Socket;
use crate::session::engineio::Flavour;
use crate::wire::encoding::Encoding;
use crate::wire::parser::Parser;

pub(super) type AllowRequest = Arc<dyn Fn(Arc<Parts>) -> BoxFuture<'static, Result<(), EventError>> + Send + Sync>;
pub(super) type AddHeaders = Arc<dyn Fn(&mut HeaderMap, &Parts) + Send + Sync>;
pub(super) type OnRefused = Arc<dyn Fn(Refused<'_>) + Send + Sync>;

/// A request that was refused, for who wants to know. See [`EngineRoutes::on_refused`].
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Refused<'a> {
    /// The request.
    pub request: &'a Parts,
    /// The reference server's number for the reason, as the client is told it.
    pub code: u8,
    /// The reason, as the client is told it.
    pub message: &'a str,
}

/// The routes for Socket.IO clients ([`Hub::socketio`]) or for Engine.IO clients ([`Namespace::engine`]).
///
/// [`Namespace::engine`]: crate::Namespace::engine
///
/// ```
/// use axum::Router;
/// use socketio::Hub;
///
/// let hub = Hub::builder().build()?;
/// let app: Router = Router::new().merge(hub.socketio());
/// # Ok::<(), socketio::BuildError>(())
/// ```
///
/// They are a tower service as well, for any other server over hyper; it answers every request that it gets, whatever the path.
///
/// Web pages of other origins are let in by [`allow_origins`](crate::HubBuilder::allow_origins), which opens both the handshake
/// and, for polling, CORS, with credentials. Requests that are none of the protocol's are answered with the status 400 and the
/// reference server's JSON, `{"code": 1, "message": "Session ID unknown"}`; with 403 where they are not allowed, and with 503
/// where there are too many connections or the hub shuts down. To requests for a WebSocket the answer is always 400, and the
/// message alone, as the reference server has it.
#[derive(Clone)]
#[must_use = "merge them into a router"]
pub struct EngineRoutes(Arc<Options>);

/// What requests are answered by.
#[derive(Clone)]
pub(crate) struct Options {
    pub(super) hub: Hub,
    pub(super) namespace: Arc<NamespaceInner>,
    pub(super) flavour: Flavour,
    pub(super) encoding: Encoding,
    pub(crate) sessions: Arc<EngineSessions>,
    pub(super) transports: Vec<Transport>,
    pub(super) upgrades: bool,
    pub(super) cookie: Option<Arc<str>>,
    pub(super) allow_request: Option<AllowRequest>,
    pub(super) first_headers: Option<AddHeaders>,
    pub(super) headers: Option<AddHeaders>,
    pub(super) on_refused: Option<OnRefused>,
    pub(super) on_open: Option<OnOpen>,
    path: String,
    client: Option<PathBuf>,
}

/// Routes.
impl Hub {
    /// The routes for Socket.IO clients, to be merged into an axum router. Clients connect to all namespaces by way of them.
    pub fn socketio(&self) -> EngineRoutes {
        EngineRoutes::new(self.clone(), Arc::clone(self.namespace_inner()), Flavour::SocketIo, "/socket.io/")
    }
}

/// Routes.
impl Namespace {
    /// The routes for Engine.IO clients without Socket.IO, at a path such as `/engine.io/`, to be merged into an axum router.
    /// Each session is a socket of this namespace: its messages are `message` events, and `emit(text)` or `emit(bytes)` answers.
    pub fn engine(&self, path: impl AsRef<str>) -> EngineRoutes {
        EngineRoutes::new(self.hub(), Arc::clone(self.namespace_inner()), Flavour::Bare, path.as_ref())
    }
}

impl EngineRoutes {
    pub(crate) fn new(hub: Hub, namespace: Arc<NamespaceInner>, flavour: Flavour, path: &str) -> Self {
        let encoding = match flavour {
            Flavour::Bare => Encoding::Engine,
            Flavour::SocketIo => Encoding::SocketIo,
        };
        Self(Arc::new(Options {
            hub,
            namespace,
            flavour,
            encoding,
            sessions: Arc::default(),
            transports: vec![Transport::Polling, Transport::WebSocket],
            upgrades: true,
            cookie: None,
            allow_request: None,
            first_headers: None,
            headers: None,
            on_refused: None,
            on_open: None,
            path: path.to_owned(),
            client: None,
        }))
    }

    fn with(mut self, change: impl FnOnce(&mut Options)) -> Self {
        change(Arc::make_mut(&mut self.0));
        self
    }

    /// The path. With and without a slash at its end it is the same. It may have parameters, as in `/chat/{room}`, for
    /// [`params`](crate::Socket::params). Default: `/socket.io/`.
    pub fn path(self, path: impl Into<String>) -> Self {
        self.with(|options| options.path = path.into())
    }

    /// The transports that clients may begin with. Default: both.
    pub fn transports(self, transports: impl IntoIterator<Item = Transport>) -> Self {
        self.with(|options| options.transports = transports.into_iter().collect())
    }

    /// Whether a client that polls may go over to a WebSocket. Default: yes.
    pub fn upgrades(self, upgrades: bool) -> Self {
        self.with(|options| options.upgrades = upgrades)
    }

    /// Another encoding of Socket.IO packets than the default one; the clients must have the same.
    pub fn parser(self, parser: impl Parser) -> Self {
        match self.0.flavour {
            Flavour::SocketIo => self.with(|options| options.encoding = Encoding::Parsed(Arc::new(parser))),
            Flavour::Bare => self,
        }
    }

    /// Sets a cookie of this name with the session's id in the answer that begins a session, for load balancers that send all
    /// requests of a session to the same server. Default: none.
    pub fn cookie(self, name: impl AsRef<str>) -> Self {
        self.with(|options| options.cookie = Some(name.as_ref().into()))
    }

    /// Decides whether a request may begin a session. An `Err` answers it with the status 403 and the error's message.
    ///
    /// ```
    /// # use socketio::Hub;
    /// # let hub = Hub::builder().build()?;
    /// let routes = hub.socketio().allow_request(|request| async move {
    ///     match request.headers.get("x-api-key") {
    ///         Some(_) => Ok(()),
    ///         None => Err("an API key is needed"),
    ///     }
    /// });
    /// # Ok::<(), socketio::BuildError>(())
    /// ```
    pub fn allow_request<F, R, E>(self, decide: F) -> Self
    where
        F: Fn(Arc<Parts>) -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), E>> + Send + 'static,
        E: Into<EventError>,
    {
        let decide = Arc::new(decide);
        let allow: AllowRequest = Arc::new(move |parts| {
            let decide = Arc::clone(&decide);
            Box::pin(async move { decide(parts).await.map_err(Into::into) })
        });
        self.with(|options| options.allow_request = Some(allow))
    }

    /// Adds headers to the answer that begins a session.
    pub fn initial_headers(self, add: impl Fn(&mut HeaderMap, &Parts) + Send + Sync + 'static) -> Self {
        self.with(|options| options.first_headers = Some(Arc::new(add)))
    }

    /// Adds headers to every answer to a request that is not refused.
    ///
    /// ```
    /// # use socketio::Hub;
    /// use http::HeaderValue;
    ///
    /// # let hub = Hub::builder().build()?;
    /// let routes = hub.socketio().headers(|headers, _request| {
    ///     headers.append("set-cookie", HeaderValue::from_static("a=b"));
    /// });
    /// # Ok::<(), socketio::BuildError>(())
    /// ```
    pub fn headers(self, add: impl Fn(&mut HeaderMap, &Parts) + Send + Sync + 'static) -> Self {
        self.with(|options| options.headers = Some(Arc::new(add)))
    }

    /// Calls `listener` for each request that is refused with one of the protocol's numbers. One client too many, or one that
    /// comes while the hub shuts down, is answered with status 503 and has none.
    pub fn on_refused(self, listener: impl Fn(Refused<'_>) + Send + Sync + 'static) -> Self {
        self.with(|options| options.on_refused = Some(Arc::new(listener)))
    }

    /// Calls `callback` for the socket of each new session of an Engine.IO client, before the `connect` handler. It may be sync
    /// or async. For Socket.IO clients, whose sockets belong to namespaces, there is
    /// [`middleware`](crate::NamespaceBuilder::middleware).
    pub fn on_open<F, R, M>(self, callback: F) -> Self
    where
        F: Fn(Socket) -> R + Send + Sync + 'static,
        R: ListenerOutput<M>,
    {
        let on_open: OnOpen = Arc::new(move |socket| callback(socket).into_future());
        self.with(|options| options.on_open = Some(on_open))
    }

    /// Serves the client's own files, such as `socket.io.min.js`, below the path: those in this directory, which is
    /// `node_modules/socket.io-client/dist` where npm has installed it. Default: no files.
    pub fn serve_client(self, directory: impl Into<PathBuf>) -> Self {
        self.with(|options| options.client = Some(directory.into()))
    }

    #[cfg(fuzzing)]
    pub(crate) fn options(&self) -> &Options {
        &self.0
    }

    fn cors(&self) -> Option<CorsLayer> {
        let origins = self.0.hub.config().origins.clone();
        origins.is_open().then(|| {
            CorsLayer::new()
                .allow_origin(AllowOrigin::predicate(move |origin, _| origins.allows(origin)))
                .allow_credentials(true)
                .allow_methods(AllowMethods::list([http::Method::GET, http::Method::POST]))
                .allow_headers(AllowHeaders::mirror_request())
        })
    }

    async fn answer(self, request: Request<Body>) -> Response {
        let file = request.uri().path().rsplit('/').next().filter(|name| name.starts_with("socket.io"));
        match (&self.0.client, file) {
            (Some(directory), Some(file)) if request.uri().query().is_none() => {
                client::file(directory.join(file), file).await
            }
            _ => self.0.respond(request).await,
        }
    }
}

impl<S: Clone + Send + Sync + 'static> From<EngineRoutes> for Router<S> {
    fn from(routes: EngineRoutes) -> Self {
        let path = routes.0.path.trim_matches('/').to_owned();
        let mut router = match &*path {
            "" => Self::new().route_service("/", routes.clone()),
            path => Self::new()
                .route_service(&format!("/{path}"), routes.clone())
                .route_service(&format!("/{path}/"), routes.clone()),
        };
        if routes.0.client.is_some() {
            router = router.route_service(&format!("/{path}/{{file}}"), routes);
        }
        router
    }
}

impl<B> tower_service::Service<Request<B>> for EngineRoutes
where
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<axum::BoxError>,
{
    type Response = Response;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response, Infallible>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (request, routes) = (request.map(Body::new), self.clone());
        match self.cors() {
            None => Box::pin(async move { Ok(routes.answer(request).await) }),
            Some(cors) => Box::pin(cors.layer(Uncrossed(routes)).call(request)),
        }
    }
}

/// The routes behind CORS.
#[derive(Clone)]
struct Uncrossed(EngineRoutes);

impl tower_service::Service<Request<Body>> for Uncrossed {
    type Response = Response;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response, Infallible>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let routes = self.0.clone();
        Box::pin(async move { Ok(routes.answer(request).await) })
    }
}

impl fmt::Debug for EngineRoutes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("EngineRoutes")
            .field("path", &self.0.path)
            .field("flavour", &self.0.flavour)
            .field("transports", &self.0.transports)
            .finish_non_exhaustive()
    }
}

/// Why a request is refused, as the reference server says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    UnknownTransport,
    UnknownSession,
    HandshakeMethod,
    BadRequest,
    Forbidden(String),
    Version,
}

impl Refusal {
    fn code(&self) -> u8 {
        match self {
            Self::UnknownTransport => 0,
            Self::UnknownSession => 1,
            Self::HandshakeMethod => 2,
            Self::BadRequest => 3,
            Self::Forbidden(_) => 4,
            Self::Version => 5,
        }
    }

    fn message(&self) -> &str {
        match self {
            Self::UnknownTransport => "Transport unknown",
            Self::UnknownSession => "Session ID unknown",
            Self::HandshakeMethod => "Bad handshake method",
            Self::BadRequest => "Bad request",
            Self::Forbidden(message) => message,
            Self::Version => "Unsupported protocol version",
        }
    }

    /// The answer to a request for a WebSocket: text alone, and no status but 400.
    pub(super) fn of_upgrade(&self) -> Response {
        let headers = [(http::header::CONTENT_TYPE, "text/html"), (http::header::CONNECTION, "close")];
        (StatusCode::BAD_REQUEST, headers, self.message().to_owned()).into_response()
    }

    pub(super) fn tell(&self, routes: &Options, request: &Parts) {
        tracing::debug!(refusal = self.message(), "refused a request");
        if let Some(listener) = &routes.on_refused {
            listener(Refused { request, code: self.code(), message: self.message() });
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = match self {
            Self::Forbidden(_) => StatusCode::FORBIDDEN,
            _ => StatusCode::BAD_REQUEST,
        };
        let body = serde_json::json!({ "code": self.code(), "message": self.message() });
        (status, [(http::header::CONTENT_TYPE, "application/json")], body.to_string()).into_response()
    }
}
