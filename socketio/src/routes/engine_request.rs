//! Serves the HTTP requests of Engine.IO clients: handshakes, WebSocket upgrades, polls (GET) and
//! posts (POST).

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use futures_util::future::pending;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, SET_COOKIE};
use http::request::Parts;
use http::{Extensions, HeaderValue, Method, Request, StatusCode};
use std::borrow::Cow;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

use super::engine_routes::EngineEndpoint;
use super::head;
use super::refusal::{Refusal, Refused, report};
use super::secure::is_secure;
use super::session_request::SessionRequest;
use super::upgrade::{PathParams, Upgrade, kept_extensions, path_params};
use crate::connection::Connection;
use crate::connection::websocket::WebSocketTransport;
use crate::connection_handle::ProbeStream;
use crate::connection_handle::engine_session::Transport;
use crate::connection_handle::poll_request::{PollRequest, Post};
use crate::connection_handle::request::Request as ConnectionRequest;
use crate::hooks::catch::{catch, catch_future};
use crate::hub::aliases::Peer;
use crate::hub::aliases::{Command, ConnectionHandle};
use crate::hub::aliases::{EngineSession, PendingUpgrade};
use crate::hub::connections::ConnectionPermit;
use crate::hub::origins::Access;
use crate::hub::socket::{Identity, Socket};
use crate::session::engineio::Flavour;
use crate::session::time::after;
use crate::wire::engineio;
use crate::wire::frame::EncodedFrame;

/// The Engine.IO parameters of the query string.
#[derive(Default)]
struct Query<'a> {
    transport: Option<Cow<'a, str>>,
    sid: Option<Cow<'a, str>>,
    version: Option<Cow<'a, str>>,
}

impl<'a> Query<'a> {
    fn parse(parts: &'a Parts) -> Self {
        let mut query = Self::default();
        for (name, value) in form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes()) {
            match &*name {
                "transport" => query.transport = Some(value),
                "sid" => query.sid = Some(value),
                "EIO" => query.version = Some(value),
                _ => {}
            }
        }
        query
    }
}

/// A request that has passed all checks.
enum Verified {
    /// It begins a session.
    Handshake,
    /// It belongs to an existing session.
    InSession(Arc<Peer>, Transport),
}

impl EngineEndpoint {
    /// Serves one request. If a callback panics, the response has the status 500.
    pub(super) async fn respond(self: &Arc<Self>, request: Request<Body>) -> Response {
        catch_future(self.serve_request(request)).await.unwrap_or_else(|_panicked| panicked())
    }

    async fn serve_request(self: &Arc<Self>, request: Request<Body>) -> Response {
        let (mut parts, body) = request.into_parts();
        // `OnUpgrade` is taken out before the parts are shared, so that it is not cloned.
        let upgrade = Upgrade::from_parts(&mut parts).ok();
        let params = if upgrade.is_none() { path_params(&mut parts) } else { Vec::new() };
        let (parts, is_upgrade) = (Arc::new(parts), upgrade.is_some());
        let served = match self.verify(&parts, is_upgrade).await {
            Ok(verified) => self.serve_verified(verified, upgrade, &parts, &params, body).await,
            Err(refusal) => Err(refusal),
        };
        served.unwrap_or_else(|refusal| {
            let (code, message) = (refusal.code(), refusal.message().into_owned());
            let response = refusal.into_response(is_upgrade);
            let refused = Refused { request: &parts, status: response.status(), code, message: &message };
            report(&self.hub, self.on_refused.as_ref(), refused);
            response
        })
    }

    async fn serve_verified(
        self: &Arc<Self>,
        verified: Verified,
        upgrade: Option<Upgrade>,
        parts: &Parts,
        params: &PathParams,
        body: Body,
    ) -> Result<Response, Refusal> {
        Ok(match (verified, upgrade) {
            (Verified::Handshake, Some(upgrade)) => self.begin_websocket(upgrade, parts)?,
            (Verified::Handshake, None) => self.begin_polling(parts, params)?,
            (Verified::InSession(peer, Transport::WebSocket), Some(upgrade)) => {
                self.upgrade_session(peer, upgrade, parts)
            }
            (Verified::InSession(peer, _), _) => {
                let mut response = match parts.method {
                    Method::GET => poll(&peer).await?,
                    _ => self.post(&peer, parts, params, body).await?,
                };
                if catch(|| self.add_headers(&mut response, parts, false)).is_err() {
                    // The response is lost, and with it the packets of a poll.
                    peer.handle.post(Command::PollRequest(PollRequest::Broken("a callback panicked")));
                    response = panicked();
                }
                response
            }
        })
    }

    /// Checks a request. The checks after that of the head, and their order, are those of the
    /// reference server.
    async fn verify(&self, parts: &Arc<Parts>, is_upgrade: bool) -> Result<Verified, Refusal> {
        head::check(parts, self.hub.config().max_header_bytes).map_err(Refusal::Head)?;
        let query = Query::parse(parts);
        let transport = query.transport.as_deref().and_then(Transport::named);
        let transport =
            transport.filter(|transport| self.transports.contains(transport)).ok_or(Refusal::UnknownTransport)?;
        if let Access::Refused(refused) = self.hub.config().origins.check(&parts.headers, &parts.uri) {
            self.hub.refused_origins().report(&refused);
            return Err(Refusal::Forbidden(refused.message()));
        }
        let is_current = query.version.as_deref() == Some("4");
        if let Some(sid) = query.sid.as_deref().filter(|sid| !sid.is_empty()) {
            let peer = self.sessions.find(sid).ok_or_else(|| self.unknown_session())?;
            let is_polling = peer.session.as_ref().is_some_and(|session| session.is_polling());
            let is_allowed = match transport {
                Transport::WebSocket => is_upgrade,
                Transport::Polling => is_polling && !is_upgrade && matches!(parts.method, Method::GET | Method::POST),
            };
            return if is_allowed && is_current {
                Ok(Verified::InSession(peer, transport))
            } else {
                Err(Refusal::BadRequest)
            };
        }
        if parts.method != Method::GET {
            return Err(Refusal::HandshakeMethod);
        }
        if is_upgrade != (transport == Transport::WebSocket) {
            return Err(Refusal::BadRequest);
        }
        if let Some(allow) = &self.allow_request {
            allow(SessionRequest::new(Arc::clone(parts), self.hub.config().trust_forwarded_proto))
                .await
                .map_err(|error| Refusal::Forbidden(error.message().to_owned()))?;
        }
        if is_current { Ok(Verified::Handshake) } else { Err(Refusal::Version) }
    }

    /// The refusal of a request whose session is not here. While this server refuses clients, a
    /// load balancer has sent them elsewhere, and may pass their requests to this server
    /// nevertheless. It tries the next server after a 503, but not after a 400.
    fn unknown_session(&self) -> Refusal {
        self.hub.connections().refusal().map_or(Refusal::UnknownSession, Refusal::Unavailable)
    }

    /// Adds the application's headers to a response. This may panic, so that the session must not
    /// have begun.
    fn add_headers(&self, response: &mut Response, parts: &Parts, is_handshake: bool) {
        let headers = response.headers_mut();
        if let Some(add) = self.initial_headers.as_ref().filter(|_| is_handshake) {
            add(headers, parts);
        }
        if let Some(add) = &self.headers {
            add(headers, parts);
        }
    }

    fn connection_request(&self, parts: &Parts, params: &PathParams) -> ConnectionRequest {
        let params = params.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let peer = parts.extensions.get::<axum::extract::ConnectInfo<SocketAddr>>().map(|info| info.0);
        let config = self.hub.config();
        let is_secure = is_secure(parts, config.trust_forwarded_proto);
        ConnectionRequest::new(parts, params, peer, is_secure, |name| config.keep_headers.contains(name))
    }

    /// Begins a session over long-polling. The response to the handshake has the `open` packet.
    fn begin_polling(&self, parts: &Parts, params: &PathParams) -> Result<Response, Refusal> {
        let permit = ConnectionPermit::acquire(&self.hub).map_err(Refusal::Unavailable)?;
        let session = EngineSession::new(&self.sessions, true);
        let mut response = poll_response(self.open_packet(session.sid(), Transport::Polling).into());
        self.add_cookie(&mut response, session.sid());
        self.add_headers(&mut response, parts, true);
        let peer = self.peer(session, self.connection_request(parts, params));
        let extensions = kept_extensions(&parts.extensions, usize::from(!params.is_empty()));
        tokio::spawn(self.connection(&peer, None, extensions, permit));
        Ok(response)
    }

    /// Adds the session cookie, if one is configured.
    fn add_cookie(&self, response: &mut Response, sid: &str) {
        if let Some(name) = &self.cookie
            && let Ok(cookie) = HeaderValue::from_str(&format!("{name}={sid}; Path=/; HttpOnly; SameSite=Lax"))
        {
            response.headers_mut().append(SET_COOKIE, cookie);
        }
    }

    /// Begins a session over a WebSocket.
    fn begin_websocket(self: &Arc<Self>, mut upgrade: Upgrade, parts: &Parts) -> Result<Response, Refusal> {
        let permit = ConnectionPermit::acquire(&self.hub).map_err(Refusal::Unavailable)?;
        let session = EngineSession::new(&self.sessions, false);
        let mut response = upgrade.response(&self.protocols);
        self.add_cookie(&mut response, session.sid());
        self.add_headers(&mut response, parts, true);
        let routes = Arc::clone(self);
        tokio::spawn(async move {
            let config = routes.hub.config();
            let (upgrading, mut request, extensions) = upgrade.into_parts(config);
            let upgraded = upgrading.wait(config.upgrade_timeout, permit.ending());
            let Some((stream, received)) = upgraded.await else { return routes.hub.counters().refused() };
            request.set_peer(&stream);
            let websocket = WebSocketTransport::new(stream, received, config.max_payload);
            tokio::spawn(routes.websocket_connection(session, websocket, request, extensions, permit));
        });
        Ok(response)
    }

    /// Returns the future of a session's connection, over a WebSocket whose handshake is complete.
    pub(crate) fn websocket_connection(
        &self,
        session: EngineSession,
        mut websocket: WebSocketTransport,
        request: ConnectionRequest,
        extensions: Extensions,
        permit: ConnectionPermit,
    ) -> impl Future<Output = ()> + Send + use<> {
        let mut open = Vec::new();
        EncodedFrame::text(&self.open_packet(session.sid(), Transport::WebSocket)).append_to(&mut open);
        // Beside the outbox, because it is a packet of the transport, and not a message.
        websocket.append(&open);
        let peer = self.peer(session, request);
        self.connection(&peer, Some(websocket), extensions, permit)
    }

    /// Accepts the WebSocket that a long-polling client has opened, and passes it to the session's
    /// connection. If upgrades are disabled, the WebSocket is closed.
    fn upgrade_session(&self, peer: Arc<Peer>, mut upgrade: Upgrade, parts: &Parts) -> Response {
        let mut response = upgrade.response(&self.protocols);
        self.add_headers(&mut response, parts, false);
        let (hub, upgrades) = (self.hub.clone(), self.upgrades);
        let pending_upgrade = PendingUpgrade::of(peer);
        tokio::spawn(async move {
            let config = hub.config();
            let (upgrading, request, _) = upgrade.into_parts(config);
            let upgraded = upgrading.wait(config.upgrade_timeout, pending());
            let Some((stream, received)) = upgraded.await else { return hub.counters().refused() };
            if upgrades {
                let stream = ProbeStream { stream, received, request: Arc::new(request) };
                pending_upgrade.peer().handle.post(Command::Probe(Box::new(stream)));
            }
        });
        response
    }

    fn open_packet(&self, sid: &str, transport: Transport) -> String {
        let config = self.hub.config();
        let upgrades =
            transport == Transport::Polling && self.upgrades && self.transports.contains(&Transport::WebSocket);
        let upgrades: &[_] = if upgrades { &[Transport::WebSocket.as_str()] } else { &[] };
        engineio::open(sid, upgrades, config.ping_interval, config.ping_timeout, config.max_payload)
    }

    fn peer(&self, session: EngineSession, request: ConnectionRequest) -> Arc<Peer> {
        let handle = ConnectionHandle::new(self.hub.shared());
        Arc::new(Peer::new(handle, request, self.encoding.clone(), Some(session)))
    }

    /// Registers the session, so that requests can find it, and returns the future of its
    /// connection.
    fn connection(
        &self,
        peer: &Arc<Peer>,
        websocket: Option<WebSocketTransport>,
        extensions: Extensions,
        permit: ConnectionPermit,
    ) -> impl Future<Output = ()> + Send + use<> {
        let is_bare = self.flavour == Flavour::Bare;
        // Clones values of the application, which may panic: not while the session is registered.
        let own_extensions = extensions.clone();
        self.sessions.add(peer);
        permit.fill(peer);
        let mut connection =
            Connection::engine(self.hub.clone(), Arc::clone(peer), websocket, self.flavour, own_extensions, permit);
        if is_bare {
            let identity = Identity::Session(peer.session.as_ref().map_or("", |session| session.sid()));
            let (hub, namespace) = (self.hub.clone(), Arc::clone(&self.namespace));
            hub.acquire(&namespace);
            let socket = Socket::register(hub, namespace, Arc::clone(peer), extensions, identity);
            connection.add_socket(socket, self.on_open.as_ref());
        }
        connection.run()
    }

    /// Serves a POST, whose body has packets.
    async fn post(&self, peer: &Peer, parts: &Parts, params: &PathParams, body: Body) -> Result<Response, Refusal> {
        let Some(mut guard) = PostGuard::begin(peer) else {
            let why = "two POST requests at once";
            peer.handle.post(Command::PollRequest(PollRequest::Broken(why)));
            return Err(Refusal::InvalidRequest(why));
        };
        if parts.headers.get(CONTENT_TYPE).is_some_and(|kind| kind == "application/octet-stream") {
            return Err(Refusal::InvalidRequest("the body of a POST is not text"));
        }
        let config = self.hub.config();
        // The client can't answer a heartbeat while its POST is in progress, so the session has
        // timed out by then.
        let silence = config.ping_interval.saturating_add(config.ping_timeout);
        let deadline = after(Instant::now(), config.message_timeout.min(silence));
        let mut collected = BytesMut::new();
        let mut body = body.into_data_stream();
        while let Some(chunk) = timeout_at(deadline, body.next()).await.transpose() {
            let Ok(Ok(chunk)) = chunk else {
                return Err(Refusal::InvalidRequest("the body of a POST did not arrive completely"));
            };
            if collected.len().saturating_add(chunk.len()) > config.max_payload {
                guard.is_complete = true;
                return Err(Refusal::BodyTooLarge);
            }
            collected.extend_from_slice(&chunk);
        }
        let body = engineio::Body::new(collected.freeze()).ok();
        let Some(body) = body.filter(|body| body.packets() <= config.max_packets) else {
            return Err(Refusal::InvalidRequest("the body of a POST is invalid"));
        };
        guard.is_complete = true;
        let (done, understood) = oneshot::channel();
        let request = Arc::new(self.connection_request(parts, params).into_post());
        let post = Post { body, request, done };
        if !peer.handle.post(Command::PollRequest(PollRequest::Post(post))) {
            return Err(Refusal::UnknownSession);
        }
        match understood.await {
            Ok(true) => Ok(([(CONTENT_TYPE, "text/html"), (CACHE_CONTROL, "no-store")], "ok").into_response()),
            Ok(false) | Err(_) => Err(Refusal::InvalidRequest("a packet in the body of a POST is invalid")),
        }
    }
}

/// Returns the response to a request whose callback panicked.
pub(super) fn panicked() -> Response {
    tracing::error!("a callback panicked while it served a request");
    StatusCode::INTERNAL_SERVER_ERROR.into_response()
}

/// Serves a poll: a GET that waits for packets.
async fn poll(peer: &Peer) -> Result<Response, Refusal> {
    if let Some(session) = &peer.session {
        session.wait_for_pending_upgrades().await;
    }
    let (waiting, body) = oneshot::channel();
    let is_queued = peer.handle.post(Command::PollRequest(PollRequest::Poll(waiting)));
    match body.await {
        Ok(Some(body)) => Ok(poll_response(body)),
        Ok(None) => Err(Refusal::InvalidRequest("two polls at once")),
        // The session has upgraded to a WebSocket, or it has ended.
        Err(_) if is_queued && peer.session.as_ref().is_some_and(|session| !session.is_polling()) => {
            Err(Refusal::BadRequest)
        }
        Err(_) => Err(Refusal::UnknownSession),
    }
}

/// Returns the response to a poll.
fn poll_response(body: Bytes) -> Response {
    ([(CONTENT_TYPE, "text/plain; charset=UTF-8"), (CACHE_CONTROL, "no-store")], body).into_response()
}

/// A guard for a POST in progress. Dropping it before the POST is complete ends the session.
struct PostGuard<'a> {
    peer: &'a Peer,
    is_complete: bool,
}

impl<'a> PostGuard<'a> {
    /// Returns `None` if another POST is in progress.
    fn begin(peer: &'a Peer) -> Option<Self> {
        peer.session.as_ref()?.begin_post().then_some(Self { peer, is_complete: false })
    }
}

impl Drop for PostGuard<'_> {
    fn drop(&mut self) {
        if !self.is_complete {
            self.peer.handle.post(Command::PollRequest(PollRequest::Broken("a POST request was aborted")));
        }
        if let Some(session) = &self.peer.session {
            session.end_post();
        }
    }
}
