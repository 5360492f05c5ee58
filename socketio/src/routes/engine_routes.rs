//! [`EngineRoutes`]: the routes for Socket.IO and Engine.IO clients, and their settings.

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Request};
use http_body::Body as HttpBody;
use std::convert::Infallible;
use std::fmt;
use std::marker::PhantomData;
use std::path::PathBuf;
use std::sync::Arc;
use std::task::{Context, Poll};
use tower_http::cors::{AllowCredentials, AllowHeaders, AllowMethods, AllowOrigin, CorsLayer};
use tower_layer::Layer;

use super::client_files;
use super::refusal::{OnRefused, Refused};
use super::session_request::SessionRequest;
use super::setting::{invalid_setting, is_token};
use super::subprotocols::Subprotocols;
use crate::connection::lifecycle::OnOpen;
use crate::connection_handle::engine_session::Transport;
use crate::event::error::EventError;
use crate::event::listener::ListenerOutput;
use crate::hub::Hub;
use crate::hub::aliases::EngineSessions;
use crate::hub::namespace::Namespace;
use crate::hub::namespace::inner::NamespaceInner;
use crate::hub::origins::{Access, Origins};
use crate::hub::socket::Socket;
use crate::session::engineio::Flavour;
use crate::wire::encoding::Encoding;
use crate::wire::parser::Parser;

pub(super) type AllowRequest = Arc<dyn Fn(SessionRequest) -> BoxFuture<'static, Result<(), EventError>> + Send + Sync>;
pub(super) type AddHeaders = Arc<dyn Fn(&mut HeaderMap, &Parts) + Send + Sync>;

/// Marks [`EngineRoutes`] for Socket.IO clients.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct SocketIo;

/// Marks [`EngineRoutes`] for clients that use Engine.IO without Socket.IO.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct EngineIo;

/// The routes for Socket.IO clients ([`Hub::socketio`]) or, as `EngineRoutes<EngineIo>`, for
/// Engine.IO clients ([`Namespace::engine`]). Some settings exist for one of the protocols only.
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
/// They are also a tower service, for other servers based on hyper. The service ignores the path,
/// and answers every request.
///
/// [`allow_origins`](crate::HubBuilder::allow_origins) lets web pages of other origins connect. It
/// also sets the CORS headers for long-polling, with credentials.
///
/// The routes refuse requests with these statuses:
///
/// - 400: the request violates the protocol. The body is the JSON of the reference server, such as
///   `{"code": 1, "message": "Session ID unknown"}`. It is empty if a request of a session is
///   invalid, and text if the request does not have one valid `Host`.
/// - 403: the request is not allowed. The body has the same JSON.
/// - 413: the body of a POST is larger than [`max_payload`](crate::HubBuilder::max_payload).
/// - 431: the URL and headers are larger than
///   [`max_header_bytes`](crate::HubBuilder::max_header_bytes).
/// - 500: a callback of these routes panicked. No session begins, and a session that the request
///   belongs to ends.
/// - 503: the hub has too many connections, drains or shuts down. While it drains or shuts down,
///   also in place of `Session ID unknown`, so that a load balancer tries the next server.
///
/// [`on_refused`](Self::on_refused) observes all of them but 500. [`serve`](crate::serve()) itself
/// refuses some requests with 400 or 431; these do not reach it.
///
/// A refused WebSocket handshake gets the same status, and only the message as its body. (The
/// reference server refuses WebSockets with 400 in place of 403.)
#[must_use = "merge them into a router"]
pub struct EngineRoutes<P = SocketIo>(Arc<EngineEndpoint>, PhantomData<fn() -> P>);

/// The settings of the routes, shared by all requests.
#[derive(Clone)]
pub(crate) struct EngineEndpoint {
    pub(super) hub: Hub,
    pub(super) namespace: Arc<NamespaceInner>,
    pub(super) flavour: Flavour,
    pub(super) encoding: Encoding,
    pub(crate) sessions: Arc<EngineSessions>,
    pub(super) transports: Vec<Transport>,
    pub(super) upgrades: bool,
    pub(super) protocols: Subprotocols,
    pub(super) cookie: Option<Arc<str>>,
    pub(super) allow_request: Option<AllowRequest>,
    pub(super) initial_headers: Option<AddHeaders>,
    pub(super) headers: Option<AddHeaders>,
    pub(super) on_refused: Option<OnRefused>,
    pub(super) on_open: Option<OnOpen>,
    path: String,
    client: Option<PathBuf>,
    /// The CORS layer, if other origins may connect.
    cors: Option<CorsLayer>,
}

/// Routes.
impl Hub {
    /// Returns the routes for Socket.IO clients at `/socket.io/`, to be merged into an axum router.
    /// Clients connect to all namespaces through these routes.
    pub fn socketio(&self) -> EngineRoutes<SocketIo> {
        EngineRoutes::new(self.clone(), Arc::clone(self.root().namespace_inner()), Flavour::SocketIo, "/socket.io/")
    }

    /// Returns the routes for Engine.IO clients without Socket.IO, in the namespace `/`. See
    /// [`Namespace::engine`].
    ///
    /// # Panics
    ///
    /// Panics if no request can have the path. See [`EngineRoutes::path`].
    #[track_caller]
    pub fn engine(&self, path: impl AsRef<str>) -> EngineRoutes<EngineIo> {
        self.root().engine(path)
    }
}

/// Routes.
impl Namespace {
    /// Returns the routes for Engine.IO clients without Socket.IO, to be merged into an axum
    /// router. `path` is a path such as `/engine.io/`.
    ///
    /// Each session is a socket of this namespace. Received messages are `message` events.
    /// [`send`](crate::Socket::send) sends messages.
    ///
    /// # Panics
    ///
    /// Panics if no request can have the path. See [`EngineRoutes::path`].
    #[track_caller]
    pub fn engine(&self, path: impl AsRef<str>) -> EngineRoutes<EngineIo> {
        EngineRoutes::new(self.hub(), Arc::clone(self.namespace_inner()), Flavour::Bare, path.as_ref())
    }
}

impl EngineRoutes<SocketIo> {
    /// Sets the encoding of Socket.IO packets. The clients must use the same one. Default: JSON,
    /// the encoding of `socket.io-parser`.
    pub fn parser(self, parser: impl Parser) -> Self {
        self.with(|settings| settings.encoding = Encoding::Parsed(Arc::new(parser)))
    }
}

impl EngineRoutes<EngineIo> {
    /// Calls `callback` for the socket of each new session, before the `connect` handler. The
    /// callback may be sync or async. For Socket.IO clients, use a namespace's
    /// [`middleware`](crate::NamespaceBuilder::middleware) instead.
    pub fn on_open<F, R, M>(self, callback: F) -> Self
    where
        F: Fn(Socket) -> R + Send + Sync + 'static,
        R: ListenerOutput<M>,
    {
        let on_open: OnOpen = Arc::new(move |socket| callback(socket).into_future());
        self.with(|settings| settings.on_open = Some(on_open))
    }
}

impl<P> EngineRoutes<P> {
    pub(crate) fn new(hub: Hub, namespace: Arc<NamespaceInner>, flavour: Flavour, path: &str) -> Self {
        let encoding = match flavour {
            Flavour::Bare => Encoding::Engine,
            Flavour::SocketIo => Encoding::SocketIo,
        };
        let settings = EngineEndpoint {
            cors: cors(&hub.config().origins),
            hub,
            namespace,
            flavour,
            encoding,
            sessions: Arc::default(),
            transports: vec![Transport::Polling, Transport::WebSocket],
            upgrades: true,
            protocols: Subprotocols::FirstOffered,
            cookie: None,
            allow_request: None,
            initial_headers: None,
            headers: None,
            on_refused: None,
            on_open: None,
            path: checked_path(path).to_owned(),
            client: None,
        };
        Self(Arc::new(settings), PhantomData)
    }

    fn with(mut self, change: impl FnOnce(&mut EngineEndpoint)) -> Self {
        change(Arc::make_mut(&mut self.0));
        self
    }

    /// Sets the path, with or without a trailing slash. It may have parameters, as in
    /// `/chat/{room}`, which [`params`](crate::Socket::params) returns. Default: `/socket.io/`.
    ///
    /// # Panics
    ///
    /// Panics if no request can have the path: it has a query, a space or another character that
    /// clients percent-encode. Merging the routes panics if axum does not accept the path.
    #[track_caller]
    pub fn path(self, path: impl Into<String>) -> Self {
        let path = path.into();
        checked_path(&path);
        self.with(|settings| settings.path = path)
    }

    /// Sets the transports that clients may use. Default: both.
    ///
    /// # Panics
    ///
    /// Panics if `transports` is empty.
    #[track_caller]
    pub fn transports(self, transports: impl IntoIterator<Item = Transport>) -> Self {
        let transports: Vec<_> = transports.into_iter().collect();
        if transports.is_empty() {
            invalid_setting("transports", "[]", "`Transport::Polling`, `Transport::WebSocket` or both");
        }
        self.with(|settings| settings.transports = transports)
    }

    /// Sets whether a long-polling client may upgrade to a WebSocket. Default: `true`.
    pub fn upgrades(self, upgrades: bool) -> Self {
        self.with(|settings| settings.upgrades = upgrades)
    }

    /// Sets the supported subprotocols of WebSockets, the preferred one first. The server selects
    /// the first one that the client offers, and none if it offers other ones. A browser then
    /// closes the WebSocket. [`Handshake::protocol`](crate::Handshake::protocol) returns the
    /// selected one. Default: the first one that the client offers, as in the reference server.
    ///
    /// # Panics
    ///
    /// Panics if a name is not an HTTP token, which consists of letters, digits and characters such
    /// as `-`, `.` and `_`.
    #[track_caller]
    pub fn protocols<I>(self, protocols: I) -> Self
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        let protocols = Subprotocols::supported(protocols);
        self.with(|settings| settings.protocols = protocols)
    }

    /// Sets the name of a cookie that has the session's id. The response to a handshake sets the
    /// cookie. Load balancers can use it to send all requests of a session to the same server.
    /// Default: no cookie.
    ///
    /// # Panics
    ///
    /// Panics if browsers would ignore the cookie. The name must be an HTTP token, which consists
    /// of letters, digits and characters such as `-`, `.` and `_`. It must not begin with `__Host-`
    /// or `__Secure-`, which require the attribute `Secure`.
    #[track_caller]
    pub fn cookie(self, name: impl AsRef<str>) -> Self {
        let name = name.as_ref();
        let begins = |prefix: &str| name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix));
        if !is_token(name) || begins("__Host-") || begins("__Secure-") {
            let accepted =
                "a name of letters, digits, `-`, `.` and `_` without the prefix `__Host-` or `__Secure-`, such as `io`";
            invalid_setting("cookie", name, accepted);
        }
        self.with(|settings| settings.cookie = Some(name.into()))
    }

    /// Sets a callback that decides whether a request may begin a session. An `Err` refuses the
    /// request with the status 403 and the error's message. Default: every request may.
    ///
    /// ```
    /// # use socketio::Hub;
    /// # let hub = Hub::builder().build()?;
    /// let routes = hub.socketio().allow_request(|request| async move {
    ///     match request.query("key").as_deref() {
    ///         Some("secret") => Ok(()),
    ///         _ => Err("an API key is needed"),
    ///     }
    /// });
    /// # Ok::<(), socketio::BuildError>(())
    /// ```
    pub fn allow_request<F, R, E>(self, decide: F) -> Self
    where
        F: Fn(SessionRequest) -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), E>> + Send + 'static,
        E: Into<EventError>,
    {
        let decide = Arc::new(decide);
        let allow: AllowRequest = Arc::new(move |request| {
            let decide = Arc::clone(&decide);
            Box::pin(async move { decide(request).await.map_err(Into::into) })
        });
        self.with(|settings| settings.allow_request = Some(allow))
    }

    /// Sets a callback that adds headers to the response to each handshake.
    pub fn initial_headers(self, add: impl Fn(&mut HeaderMap, &Parts) + Send + Sync + 'static) -> Self {
        self.with(|settings| settings.initial_headers = Some(Arc::new(add)))
    }

    /// Sets a callback that adds headers to the response to every request that is not refused.
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
        self.with(|settings| settings.headers = Some(Arc::new(add)))
    }

    /// Calls `listener` for each request that is refused with a [status](Self) of these routes,
    /// except 500.
    pub fn on_refused(self, listener: impl Fn(Refused<'_>) + Send + Sync + 'static) -> Self {
        self.with(|settings| settings.on_refused = Some(Arc::new(listener)))
    }

    /// Serves the bundles of `socket.io-client`, such as `socket.io.min.js`, below the path.
    /// `directory` is where they are: npm installs them in `node_modules/socket.io-client/dist`.
    /// Default: no bundles are served.
    pub fn serve_client(self, directory: impl Into<PathBuf>) -> Self {
        self.with(|settings| settings.client = Some(directory.into()))
    }

    #[cfg(fuzzing)]
    pub(crate) fn settings(&self) -> &EngineEndpoint {
        &self.0
    }
}

impl EngineEndpoint {
    /// Serves a request for a client bundle, or of an Engine.IO client.
    async fn serve(self: Arc<Self>, request: Request<Body>) -> Response {
        let file = request.uri().path().rsplit('/').next().filter(|name| name.starts_with("socket.io"));
        match (&self.client, file) {
            (Some(directory), Some(file)) if request.uri().query().is_none() => {
                client_files::file(directory.join(file), file).await
            }
            _ => self.respond(request).await,
        }
    }
}

/// Returns the CORS layer, if other origins may connect.
fn cors(origins: &Origins) -> Option<CorsLayer> {
    let is_allowed = |origins: &Origins| {
        let origins = origins.clone();
        move |_: &HeaderValue, parts: &Parts| matches!(origins.check(&parts.headers, &parts.uri), Access::Allowed)
    };
    origins.is_open().then(|| {
        CorsLayer::new()
            .allow_origin(AllowOrigin::predicate(is_allowed(origins)))
            .allow_credentials(AllowCredentials::predicate(is_allowed(origins)))
            .allow_methods(AllowMethods::list([http::Method::GET, http::Method::POST]))
            .allow_headers(AllowHeaders::mirror_request())
    })
}

/// Returns the path, or panics if no request can have it.
#[track_caller]
pub(super) fn checked_path(path: &str) -> &str {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"/{}-._~!$&'()*+,;=:@%".contains(&byte);
    if !path.bytes().all(is_allowed) {
        invalid_setting("path", path, "a percent-encoded path without a query, such as `/socket.io/`");
    }
    path
}

impl<P> Clone for EngineRoutes<P> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0), PhantomData)
    }
}

/// # Panics
///
/// Panics if axum does not accept the [path](EngineRoutes::path), such as `/{a}{b}`.
impl<S: Clone + Send + Sync + 'static, P: 'static> From<EngineRoutes<P>> for Router<S> {
    fn from(routes: EngineRoutes<P>) -> Self {
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

impl<B, P> tower_service::Service<Request<B>> for EngineRoutes<P>
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
        let (request, routes) = (request.map(Body::new), Arc::clone(&self.0));
        // The layer answers a preflight itself. That of a refused page must be refused and logged.
        let is_refused =
            |origins: &Origins| matches!(origins.check(request.headers(), request.uri()), Access::Refused(_));
        match &self.0.cors {
            Some(cors) if !is_refused(&self.0.hub.config().origins) => {
                Box::pin(cors.layer(CorsInner(routes)).call(request))
            }
            _ => Box::pin(async move { Ok(routes.serve(request).await) }),
        }
    }
}

/// The inner service of the CORS layer.
#[derive(Clone)]
struct CorsInner(Arc<EngineEndpoint>);

impl tower_service::Service<Request<Body>> for CorsInner {
    type Response = Response;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response, Infallible>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let routes = Arc::clone(&self.0);
        Box::pin(async move { Ok(routes.serve(request).await) })
    }
}

impl<P> fmt::Debug for EngineRoutes<P> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("EngineRoutes")
            .field("path", &self.0.path)
            .field("flavour", &self.0.flavour)
            .field("transports", &self.0.transports)
            .finish_non_exhaustive()
    }
}
