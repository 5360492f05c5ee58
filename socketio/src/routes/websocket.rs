//! [`WebSocketRoute`]: the route for plain WebSocket clients.

use axum::extract::Request as HttpRequest;
use axum::handler::Handler;
use axum::response::{IntoResponse, Response};
use futures_util::future::{Ready, ready};
use http::request::Parts;
use http::{Extensions, Request, StatusCode};
use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::engine_request::panicked;
use super::head;
use super::refusal::{OnRefused, Refused, report};
use super::subprotocols::Subprotocols;
use super::upgrade::Upgrade;
use super::{UNAVAILABLE, unavailable};
use crate::connection::lifecycle::OnOpen;
use crate::connection::websocket::WebSocketTransport;
use crate::connection::{Awaited, Connection};
use crate::connection_handle::request::{Kind, Request as ConnectionRequest};
use crate::connection_handle::stream::Stream;
use crate::event::listener::ListenerOutput;
use crate::hooks::catch::catch;
use crate::hub::Hub;
use crate::hub::aliases::ConnectionHandle;
use crate::hub::aliases::Peer;
use crate::hub::connections::ConnectionPermit;
use crate::hub::namespace::Namespace;
use crate::hub::namespace::inner::NamespaceInner;
use crate::hub::origins::Access;
use crate::hub::socket::{Identity, Socket};
use crate::wire::encoding::Encoding;

/// The route for plain WebSocket clients. It is an axum handler, and a tower service for other
/// servers based on hyper.
///
/// ```
/// use axum::{Router, routing::get};
/// use socketio::Hub;
///
/// let hub = Hub::builder().build()?;
/// let app: Router = Router::new().route("/ws/{id}", get(hub.websocket()));
/// # Ok::<(), socketio::BuildError>(())
/// ```
///
/// The route refuses requests with these statuses:
///
/// - 426, 405 and 400: the request is not a WebSocket handshake, or does not have one valid `Host`.
///   [`UpgradeRejection`](crate::UpgradeRejection) lists the details.
/// - 403: the request comes from a web page of another origin. See
///   [`allow_origins`](crate::HubBuilder::allow_origins). The body says which one.
/// - 431: the URL and headers are larger than
///   [`max_header_bytes`](crate::HubBuilder::max_header_bytes).
/// - 500: [`on_refused`](Self::on_refused) or the `Clone` of a request's extension panicked.
/// - 503: the hub has too many connections, drains or shuts down.
///
/// [`on_refused`](Self::on_refused) observes all of them but 500. [`serve`](crate::serve()) itself
/// refuses some requests with 400 or 431; these do not reach it.
#[derive(Clone)]
pub struct WebSocketRoute {
    hub: Hub,
    namespace: Arc<NamespaceInner>,
    envelopes: bool,
    protocols: Subprotocols,
    on_open: Option<OnOpen>,
    on_refused: Option<OnRefused>,
}

/// The session of a client that can resume: the value of `resume` in the URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Resuming {
    /// `1`: a new one.
    New,
    /// `token`: the client's first message says which one.
    Known,
}

/// Routes.
impl Hub {
    /// Returns the route for plain WebSocket clients in the namespace `/`, to be mounted in an axum
    /// router. See [`Namespace::websocket`].
    pub fn websocket(&self) -> WebSocketRoute {
        self.root().websocket()
    }
}

/// Routes.
impl Namespace {
    /// Returns the route for plain WebSocket clients in this namespace, to be mounted in an axum
    /// router.
    pub fn websocket(&self) -> WebSocketRoute {
        WebSocketRoute::new(self.hub(), Arc::clone(self.namespace_inner()))
    }
}

impl WebSocketRoute {
    pub(crate) fn new(hub: Hub, namespace: Arc<NamespaceInner>) -> Self {
        let protocols = Subprotocols::supported([""; 0]);
        Self { hub, namespace, envelopes: true, protocols, on_open: None, on_refused: None }
    }

    /// Disables JSON envelopes: every text or binary message is a `message` event. Default:
    /// envelopes are enabled.
    #[must_use]
    pub fn messages_only(self) -> Self {
        Self { envelopes: false, ..self }
    }

    /// Sets the supported subprotocols, the preferred one first. The server selects the first one
    /// that the client offers. A client that offers none of them is accepted without a subprotocol.
    /// [`Handshake::protocol`](crate::Handshake::protocol) returns the selected one. Default: none.
    ///
    /// # Panics
    ///
    /// Panics if a name is not an HTTP token, which consists of letters, digits and characters such
    /// as `-`, `.` and `_`.
    #[must_use]
    #[track_caller]
    pub fn protocols<I>(self, protocols: I) -> Self
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        Self { protocols: Subprotocols::supported(protocols), ..self }
    }

    /// Calls `callback` for each new socket, before the `connect` handler. The callback may be sync
    /// or async. Messages that it emits are sent once the connection is accepted.
    #[must_use]
    pub fn on_open<F, R, M>(self, callback: F) -> Self
    where
        F: Fn(Socket) -> R + Send + Sync + 'static,
        R: ListenerOutput<M>,
    {
        Self { on_open: Some(Arc::new(move |socket| callback(socket).into_future())), ..self }
    }

    /// Calls `listener` for each request that is refused with a [status](Self) of this route,
    /// except 500. A handler that extracts an [`Upgrade`] itself gets its
    /// [rejection](crate::UpgradeRejection) instead.
    #[must_use]
    pub fn on_refused(self, listener: impl Fn(Refused<'_>) + Send + Sync + 'static) -> Self {
        Self { on_refused: Some(Arc::new(listener)), ..self }
    }

    /// Accepts an [`Upgrade`] as a connection of the hub, and returns the response to it. Axum
    /// handlers that extract an `Upgrade` call this.
    pub fn accept(&self, upgrade: Upgrade) -> Response {
        // `on_refused` and extensions are of the application.
        catch(|| self.accept_upgrade(upgrade)).unwrap_or_else(|_panicked| panicked())
    }

    fn accept_upgrade(&self, mut upgrade: Upgrade) -> Response {
        let config = self.hub.config();
        let parts = upgrade.parts();
        if let Err(error) = head::check(parts, config.max_header_bytes) {
            return self.refuse(parts, error.into_response(), &error.to_string());
        }
        if let Access::Refused(refused) = config.origins.check(&parts.headers, &parts.uri) {
            self.hub.refused_origins().report(&refused);
            let message = refused.message();
            return self.refuse(parts, (StatusCode::FORBIDDEN, message.clone()).into_response(), &message);
        }
        let permit = match ConnectionPermit::acquire(&self.hub) {
            Ok(permit) => permit,
            Err(why) => return self.refuse(parts, unavailable(why), UNAVAILABLE),
        };
        let response = upgrade.response(&self.protocols);
        tokio::spawn(self.clone().connect(upgrade, permit));
        response
    }

    /// Reports a refusal, and returns its response.
    fn refuse(&self, request: &Parts, response: Response, message: &str) -> Response {
        report(
            &self.hub,
            self.on_refused.as_ref(),
            Refused { request, status: response.status(), code: None, message },
        );
        response
    }

    /// Waits for the upgraded stream, then spawns a task for the connection. The connection needs a
    /// new task because this one keeps hyper's read buffer in memory.
    async fn connect(self, upgrade: Upgrade, permit: ConnectionPermit) {
        let config = self.hub.config();
        let (upgrading, mut request, extensions) = upgrade.into_parts(config);
        let upgraded = upgrading.wait(config.upgrade_timeout, permit.ending());
        let Some((stream, received)) = upgraded.await else { return self.hub.counters().refused() };
        request.set_peer(&stream);
        tokio::spawn(self.begin(stream, received, request, extensions, permit));
    }

    /// Returns the future of the connection, over a stream whose WebSocket handshake is complete.
    pub(crate) fn begin(
        self,
        stream: Stream,
        received: Vec<u8>,
        request: ConnectionRequest,
        extensions: Extensions,
        permit: ConnectionPermit,
    ) -> impl Future<Output = ()> + Send + use<> {
        let config = self.hub.config();
        let websocket = WebSocketTransport::new(stream, received, config.max_payload);
        let handle = ConnectionHandle::new(self.hub.shared());
        let resuming = self.resuming(&request);
        let encoding = if resuming.is_some() { Encoding::ResumableEnvelopes } else { Encoding::Envelopes };
        let peer = Arc::new(Peer::new(handle, request, encoding, None));
        permit.fill(&peer);
        let Self { hub, namespace, envelopes, on_open, .. } = self;
        let connection = if resuming == Some(Resuming::Known) {
            Connection::resuming(websocket, hub, peer, Awaited { namespace, on_open }, extensions, permit)
        } else {
            hub.acquire(&namespace);
            let socket = Socket::register(hub, namespace, peer, extensions, Identity::Uuid);
            Connection::plain(websocket, socket, envelopes, on_open.as_ref(), permit)
        };
        connection.run()
    }

    /// Whether the client asks for a session that it can resume. `None` if it does not, or if the
    /// hub has no recovery.
    fn resuming(&self, request: &ConnectionRequest) -> Option<Resuming> {
        self.namespace.recovery().filter(|_| self.envelopes)?;
        let (_, query) = request.entries(Kind::Uri).next()?;
        let value = form_urlencoded::parse(query).find_map(|(name, value)| (name == "resume").then_some(value))?;
        match &*value {
            "1" => Some(Resuming::New),
            "token" => Some(Resuming::Known),
            _ => None,
        }
    }

    fn respond(&self, mut parts: Parts) -> Response {
        // Extensions of the application are cloned.
        let responded = catch(|| match Upgrade::from_parts(&mut parts) {
            Ok(upgrade) => self.accept(upgrade),
            Err(rejection) => self.refuse(&parts, rejection.into_response(), &rejection.to_string()),
        });
        responded.unwrap_or_else(|_panicked| panicked())
    }
}

impl<S> Handler<((),), S> for WebSocketRoute {
    type Future = Ready<Response>;

    fn call(self, request: HttpRequest, _state: S) -> Self::Future {
        ready(self.respond(request.into_parts().0))
    }
}

impl<B> tower_service::Service<Request<B>> for WebSocketRoute {
    type Response = Response;
    type Error = Infallible;
    type Future = Ready<Result<Response, Infallible>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        ready(Ok(self.respond(request.into_parts().0)))
    }
}

impl fmt::Debug for WebSocketRoute {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("WebSocketRoute")
            .field("namespace", &self.namespace.path())
            .field("envelopes", &self.envelopes)
            .field("protocols", &self.protocols)
            .finish_non_exhaustive()
    }
}
