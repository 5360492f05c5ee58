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

use super::engine_routes::{EngineEndpoint, Refusal};
use super::secure::is_secure;
use super::session_request::SessionRequest;
use super::unavailable;
use super::upgrade::{PathParams, Upgrade, kept_extensions, path_params};
use crate::connection::Connection;
use crate::connection::websocket::WebSocketTransport;
use crate::connection_handle::ProbeStream;
use crate::connection_handle::engine_session::Transport;
use crate::connection_handle::poll_request::{PollRequest, Post};
use crate::connection_handle::request::Request as ConnectionRequest;
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
    /// Serves one request.
    pub(super) async fn respond(self: &Arc<Self>, request: Request<Body>) -> Response {
        let (mut parts, body) = request.into_parts();
        // `OnUpgrade` is taken out before the parts are shared, so that it is not cloned.
        let upgrade = Upgrade::from_parts(&mut parts).ok();
        let params = if upgrade.is_none() { path_params(&mut parts) } else { Vec::new() };
        let parts = Arc::new(parts);
        match self.verify(&parts, upgrade.is_some()).await {
            Err(refusal) => {
                refusal.report(self, &parts);
                if upgrade.is_some() { refusal.into_upgrade_response() } else { refusal.into_response() }
            }
            Ok(verified) => {
                let is_handshake = matches!(verified, Verified::Handshake);
                let mut response = match (verified, upgrade) {
                    (Verified::Handshake, Some(upgrade)) => self.begin_websocket(upgrade),
                    (Verified::Handshake, None) => self.begin_polling(&parts, &params),
                    (Verified::InSession(peer, Transport::WebSocket), Some(upgrade)) => {
                        self.upgrade_session(peer, upgrade)
                    }
                    (Verified::InSession(peer, _), _) if parts.method == Method::GET => poll(&peer).await,
                    (Verified::InSession(peer, _), _) => self.post(peer, &parts, &params, body).await,
                };
                self.add_headers(&mut response, &parts, is_handshake);
                response
            }
        }
    }

    /// Checks a request. The checks and their order are those of the reference server.
    async fn verify(&self, parts: &Arc<Parts>, is_upgrade: bool) -> Result<Verified, Refusal> {
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
            let peer = self.sessions.find(sid).ok_or(Refusal::UnknownSession)?;
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

    /// Adds the application's headers to a response.
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
        ConnectionRequest::new(parts, params, peer, is_secure, config.keep_headers.as_deref())
    }

    /// Begins a session over long-polling. The response to the handshake has the `open` packet.
    fn begin_polling(&self, parts: &Parts, params: &PathParams) -> Response {
        let Some(permit) = ConnectionPermit::acquire(&self.hub) else { return unavailable() };
        let session = EngineSession::new(&self.sessions, true);
        let sid = session.sid().to_owned();
        let open = self.open_packet(&sid, Transport::Polling);
        let peer = self.peer(session, self.connection_request(parts, params));
        let extensions = kept_extensions(&parts.extensions, usize::from(!params.is_empty()));
        tokio::spawn(self.connection(&peer, None, extensions, permit));
        let mut response = poll_response(open.into());
        self.add_cookie(&mut response, &sid);
        response
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
    fn begin_websocket(self: &Arc<Self>, mut upgrade: Upgrade) -> Response {
        let Some(permit) = ConnectionPermit::acquire(&self.hub) else { return unavailable() };
        let session = EngineSession::new(&self.sessions, false);
        let mut response = upgrade.response(&self.protocols);
        self.add_cookie(&mut response, session.sid());
        let routes = Arc::clone(self);
        tokio::spawn(async move {
            let config = routes.hub.config();
            let (upgrading, mut request, extensions) = upgrade.into_parts(config);
            let upgraded = upgrading.wait(config.upgrade_timeout, permit.ending());
            let Some((stream, received)) = upgraded.await else { return };
            request.set_peer(&stream);
            let websocket = WebSocketTransport::new(stream, received, config.max_payload);
            tokio::spawn(routes.websocket_connection(session, websocket, request, extensions, permit));
        });
        response
    }

    /// Returns the future of a session's connection, over a WebSocket whose handshake is complete.
    pub(crate) fn websocket_connection(
        &self,
        session: EngineSession,
        websocket: WebSocketTransport,
        request: ConnectionRequest,
        extensions: Extensions,
        permit: ConnectionPermit,
    ) -> impl Future<Output = ()> + Send + use<> {
        let open = self.open_packet(session.sid(), Transport::WebSocket);
        let peer = self.peer(session, request);
        // The outbox is empty, so the packet always fits.
        let _ = peer.send(&EncodedFrame::text(&open), false);
        self.connection(&peer, Some(websocket), extensions, permit)
    }

    /// Accepts the WebSocket that a long-polling client has opened, and passes it to the session's
    /// connection. If upgrades are disabled, the WebSocket is closed.
    fn upgrade_session(&self, peer: Arc<Peer>, mut upgrade: Upgrade) -> Response {
        let response = upgrade.response(&self.protocols);
        let (hub, upgrades) = (self.hub.clone(), self.upgrades);
        let pending_upgrade = PendingUpgrade::of(peer);
        tokio::spawn(async move {
            let config = hub.config();
            let (upgrading, request, _) = upgrade.into_parts(config);
            let upgraded = upgrading.wait(config.upgrade_timeout, pending());
            let Some((stream, received)) = upgraded.await else { return };
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
        let config = self.hub.config();
        let handle = ConnectionHandle::new(config.outbox, config.overflow);
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
        self.sessions.add(peer);
        permit.fill(peer);
        let mut connection =
            Connection::engine(self.hub.clone(), Arc::clone(peer), websocket, self.flavour, extensions.clone(), permit);
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
    async fn post(&self, peer: Arc<Peer>, parts: &Parts, params: &PathParams, body: Body) -> Response {
        let Some(mut guard) = PostGuard::begin(&peer) else {
            peer.handle.post(Command::PollRequest(PollRequest::Broken("two POST requests at once")));
            return StatusCode::BAD_REQUEST.into_response();
        };
        if parts.headers.get(CONTENT_TYPE).is_some_and(|kind| kind == "application/octet-stream") {
            return StatusCode::BAD_REQUEST.into_response();
        }
        let config = self.hub.config();
        // The client can't answer a heartbeat while its POST is in progress, so the session has
        // timed out by then.
        let deadline = after(Instant::now(), config.ping_interval.saturating_add(config.ping_timeout));
        let mut collected = BytesMut::new();
        let mut body = body.into_data_stream();
        while let Some(chunk) = timeout_at(deadline, body.next()).await.transpose() {
            let Ok(Ok(chunk)) = chunk else { return StatusCode::BAD_REQUEST.into_response() };
            if collected.len() + chunk.len() > config.max_payload {
                guard.is_complete = true;
                return StatusCode::PAYLOAD_TOO_LARGE.into_response();
            }
            collected.extend_from_slice(&chunk);
        }
        let body = engineio::Body::new(collected.freeze()).ok();
        let Some(body) = body.filter(|body| body.packets() <= config.max_packets) else {
            return StatusCode::BAD_REQUEST.into_response();
        };
        guard.is_complete = true;
        let (done, understood) = oneshot::channel();
        let request = Arc::new(self.connection_request(parts, params).divided_among(body.packets()));
        let post = Post { body, request, done };
        if !peer.handle.post(Command::PollRequest(PollRequest::Post(post))) {
            return self.refuse_unknown_session(parts);
        }
        match understood.await {
            Ok(true) => ([(CONTENT_TYPE, "text/html"), (CACHE_CONTROL, "no-store")], "ok").into_response(),
            Ok(false) | Err(_) => StatusCode::BAD_REQUEST.into_response(),
        }
    }

    fn refuse_unknown_session(&self, parts: &Parts) -> Response {
        Refusal::UnknownSession.report(self, parts);
        Refusal::UnknownSession.into_response()
    }
}

/// Serves a poll: a GET that waits for packets.
async fn poll(peer: &Peer) -> Response {
    if let Some(session) = &peer.session {
        session.wait_for_pending_upgrades().await;
    }
    let (waiting, body) = oneshot::channel();
    let is_queued = peer.handle.post(Command::PollRequest(PollRequest::Poll(waiting)));
    match body.await {
        Ok(Some(body)) => poll_response(body),
        Ok(None) => StatusCode::BAD_REQUEST.into_response(),
        // The session has upgraded to a WebSocket, or it has ended.
        Err(_) if is_queued && peer.session.as_ref().is_some_and(|session| !session.is_polling()) => {
            Refusal::BadRequest.into_response()
        }
        Err(_) => Refusal::UnknownSession.into_response(),
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
