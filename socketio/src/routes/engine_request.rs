//! Handles one request of an Engine.IO client. It begins a session or belongs to one.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use futures_util::future::pending;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ORIGIN, SET_COOKIE};
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
use super::too_many;
use super::upgrade::{PathParams, Upgrade, kept_extensions, path_params};
use crate::connection::Connection;
use crate::connection::websocket::WebSocketTransport;
use crate::connection_handle::ProbeStream;
use crate::connection_handle::engine_session::Transport;
use crate::connection_handle::poll_request::{PollRequest, Post};
use crate::connection_handle::request::Request as Kept;
use crate::hub::aliases::Peer;
use crate::hub::aliases::{Command, ConnectionHandle};
use crate::hub::aliases::{EngineSession, PendingUpgrade};
use crate::hub::connections::ConnectionPermit;
use crate::hub::socket::{Identity, Socket};
use crate::session::engineio::Flavour;
use crate::session::time::after;
use crate::wire::engineio;
use crate::wire::frame::EncodedFrame;

/// The parameters in the query string.
#[derive(Default)]
struct Query<'a> {
    transport: Option<Cow<'a, str>>,
    sid: Option<Cow<'a, str>>,
    version: Option<Cow<'a, str>>,
}

impl<'a> Query<'a> {
    fn of(parts: &'a Parts) -> Self {
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

/// A request that passed all checks.
enum Verified {
    Begins,
    Belongs(Arc<Peer>, Transport),
}

impl EngineEndpoint {
    pub(super) async fn respond(self: &Arc<Self>, request: Request<Body>) -> Response {
        let (mut parts, body) = request.into_parts();
        // Taking the upgrade out of the request avoids a clone of it.
        let upgrade = Upgrade::from_parts(&mut parts).ok();
        let params = if upgrade.is_none() { path_params(&mut parts) } else { Vec::new() };
        let parts = Arc::new(parts);
        match self.verify(&parts, upgrade.is_some()).await {
            Err(refusal) => {
                refusal.tell(self, &parts);
                if upgrade.is_some() { refusal.of_upgrade() } else { refusal.into_response() }
            }
            Ok(verified) => {
                let is_first = matches!(verified, Verified::Begins);
                let mut response = match (verified, upgrade) {
                    (Verified::Begins, Some(upgrade)) => self.begin_websocket(upgrade),
                    (Verified::Begins, None) => self.begin_polling(&parts, &params),
                    (Verified::Belongs(peer, Transport::WebSocket), Some(upgrade)) => self.try_websocket(peer, upgrade),
                    (Verified::Belongs(peer, _), _) if parts.method == Method::GET => poll(&peer).await,
                    (Verified::Belongs(peer, _), _) => self.post(peer, &parts, &params, body).await,
                };
                self.add_headers(&mut response, &parts, is_first);
                response
            }
        }
    }

    /// Checks a request as the reference server does, in the same order.
    async fn verify(&self, parts: &Arc<Parts>, is_upgrade: bool) -> Result<Verified, Refusal> {
        let query = Query::of(parts);
        let transport = query.transport.as_deref().and_then(Transport::named);
        let transport =
            transport.filter(|transport| self.transports.contains(transport)).ok_or(Refusal::UnknownTransport)?;
        if !self.hub.config().origins.permit(&parts.headers, &parts.uri) {
            tracing::debug!(origin = ?parts.headers.get(ORIGIN), "refused a page of another origin");
            return Err(Refusal::Forbidden("Forbidden".to_owned()));
        }
        let is_current = query.version.as_deref() == Some("4");
        if let Some(sid) = query.sid.as_deref().filter(|sid| !sid.is_empty()) {
            let peer = self.sessions.find(sid).ok_or(Refusal::UnknownSession)?;
            let polls = peer.session.as_ref().is_some_and(|session| session.is_polling());
            let fits = match transport {
                Transport::WebSocket => is_upgrade,
                Transport::Polling => polls && !is_upgrade && matches!(parts.method, Method::GET | Method::POST),
            };
            return if fits && is_current { Ok(Verified::Belongs(peer, transport)) } else { Err(Refusal::BadRequest) };
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
        if is_current { Ok(Verified::Begins) } else { Err(Refusal::Version) }
    }

    fn add_headers(&self, response: &mut Response, parts: &Parts, is_first: bool) {
        let headers = response.headers_mut();
        if let Some(add) = self.first_headers.as_ref().filter(|_| is_first) {
            add(headers, parts);
        }
        if let Some(add) = &self.headers {
            add(headers, parts);
        }
    }

    fn kept(&self, parts: &Parts, params: &PathParams) -> Kept {
        let params = params.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let peer = parts.extensions.get::<axum::extract::ConnectInfo<SocketAddr>>().map(|info| info.0);
        let config = self.hub.config();
        let is_secure = is_secure(parts, config.trust_forwarded_proto);
        Kept::new(parts, params, peer, is_secure, config.keep_headers.as_deref())
    }

    /// Begins a session over polling. The response to its first request is the `open` packet.
    fn begin_polling(&self, parts: &Parts, params: &PathParams) -> Response {
        let Some(permit) = ConnectionPermit::acquire(&self.hub) else { return too_many() };
        let session = EngineSession::new(&self.sessions, true);
        let sid = session.sid().to_owned();
        let open = self.open_packet(&sid, Transport::Polling);
        let peer = self.peer(session, self.kept(parts, params));
        let extensions = kept_extensions(&parts.extensions, usize::from(!params.is_empty()));
        tokio::spawn(self.connection(&peer, None, extensions, permit));
        let mut response = polled(open.into());
        self.add_cookie(&mut response, &sid);
        response
    }

    fn add_cookie(&self, response: &mut Response, sid: &str) {
        if let Some(name) = &self.cookie
            && let Ok(cookie) = HeaderValue::from_str(&format!("{name}={sid}; Path=/; HttpOnly; SameSite=Lax"))
        {
            response.headers_mut().append(SET_COOKIE, cookie);
        }
    }

    /// Begins a session over a WebSocket.
    fn begin_websocket(self: &Arc<Self>, upgrade: Upgrade) -> Response {
        let Some(permit) = ConnectionPermit::acquire(&self.hub) else { return too_many() };
        let session = EngineSession::new(&self.sessions, false);
        let mut response = upgrade.response(None);
        self.add_cookie(&mut response, session.sid());
        let routes = Arc::clone(self);
        tokio::spawn(async move {
            let config = routes.hub.config();
            let (upgrading, mut request, extensions) = upgrade.into_parts(config);
            let upgraded = upgrading.wait(config.upgrade_timeout, permit.ending());
            let Some((stream, received)) = upgraded.await else { return };
            request.set_peer(&stream);
            let websocket = WebSocketTransport::new(stream, received, config.max_payload);
            tokio::spawn(routes.opened(session, websocket, request, extensions, permit));
        });
        response
    }

    /// The connection of a session that begins over a WebSocket whose handshake is done.
    pub(crate) fn opened(
        &self,
        session: EngineSession,
        websocket: WebSocketTransport,
        request: Kept,
        extensions: Extensions,
        permit: ConnectionPermit,
    ) -> impl Future<Output = ()> + Send + use<> {
        let open = self.open_packet(session.sid(), Transport::WebSocket);
        let peer = self.peer(session, request);
        // The outbox is empty, so the packet always fits.
        let _ = peer.send(&EncodedFrame::text(&open), false);
        self.connection(&peer, Some(websocket), extensions, permit)
    }

    /// Opens a WebSocket for a polling session.
    fn try_websocket(&self, peer: Arc<Peer>, upgrade: Upgrade) -> Response {
        let response = upgrade.response(None);
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

    fn peer(&self, session: EngineSession, request: Kept) -> Arc<Peer> {
        let config = self.hub.config();
        let handle = ConnectionHandle::new(config.outbox, config.overflow);
        Arc::new(Peer::new(handle, request, self.encoding.clone(), Some(session)))
    }

    /// The connection of a session. From now on requests can find the session.
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

    /// Handles a POST, which brings packets.
    async fn post(&self, peer: Arc<Peer>, parts: &Parts, params: &PathParams, body: Body) -> Response {
        let Some(mut posting) = Posting::begin(&peer) else {
            peer.handle.post(Command::PollRequest(PollRequest::Broken("two requests with data at once")));
            return StatusCode::BAD_REQUEST.into_response();
        };
        if parts.headers.get(CONTENT_TYPE).is_some_and(|kind| kind == "application/octet-stream") {
            return StatusCode::BAD_REQUEST.into_response();
        }
        let config = self.hub.config();
        // At this time the session has ended: its heartbeat can't be answered while the POST is in
        // progress.
        let by = after(Instant::now(), config.ping_interval.saturating_add(config.ping_timeout));
        let mut collected = BytesMut::new();
        let mut body = body.into_data_stream();
        while let Some(chunk) = timeout_at(by, body.next()).await.transpose() {
            let Ok(Ok(chunk)) = chunk else { return StatusCode::BAD_REQUEST.into_response() };
            if collected.len() + chunk.len() > config.max_payload {
                posting.is_over = true;
                return StatusCode::PAYLOAD_TOO_LARGE.into_response();
            }
            collected.extend_from_slice(&chunk);
        }
        let body = engineio::Body::new(collected.freeze()).ok();
        let Some(body) = body.filter(|body| body.packets() <= config.max_packets) else {
            return StatusCode::BAD_REQUEST.into_response();
        };
        posting.is_over = true;
        let (done, understood) = oneshot::channel();
        let request = Arc::new(self.kept(parts, params).divided_among(body.packets()));
        let post = Post { body, request, done };
        if !peer.handle.post(Command::PollRequest(PollRequest::Post(post))) {
            return self.unknown(parts);
        }
        match understood.await {
            Ok(true) => ([(CONTENT_TYPE, "text/html"), (CACHE_CONTROL, "no-store")], "ok").into_response(),
            Ok(false) | Err(_) => StatusCode::BAD_REQUEST.into_response(),
        }
    }

    fn unknown(&self, parts: &Parts) -> Response {
        Refusal::UnknownSession.tell(self, parts);
        Refusal::UnknownSession.into_response()
    }
}

/// Handles a GET, which waits for packets.
async fn poll(peer: &Peer) -> Response {
    if let Some(session) = &peer.session {
        session.wait_for_pending_upgrades().await;
    }
    let (waiting, body) = oneshot::channel();
    let is_there = peer.handle.post(Command::PollRequest(PollRequest::Poll(waiting)));
    match body.await {
        Ok(Some(body)) => polled(body),
        Ok(None) => StatusCode::BAD_REQUEST.into_response(),
        // The session was upgraded to a WebSocket, or it has ended.
        Err(_) if is_there && peer.session.as_ref().is_some_and(|session| !session.is_polling()) => {
            Refusal::BadRequest.into_response()
        }
        Err(_) => Refusal::UnknownSession.into_response(),
    }
}

fn polled(body: Bytes) -> Response {
    ([(CONTENT_TYPE, "text/plain; charset=UTF-8"), (CACHE_CONTROL, "no-store")], body).into_response()
}

/// A POST in progress. If it is dropped before its end, the session breaks.
struct Posting<'a> {
    peer: &'a Peer,
    is_over: bool,
}

impl<'a> Posting<'a> {
    /// `None` if another POST is in progress.
    fn begin(peer: &'a Peer) -> Option<Self> {
        peer.session.as_ref()?.begin_post().then_some(Self { peer, is_over: false })
    }
}

impl Drop for Posting<'_> {
    fn drop(&mut self) {
        if !self.is_over {
            self.peer.handle.post(Command::PollRequest(PollRequest::Broken("a request with data was cut")));
        }
        if let Some(session) = &self.peer.session {
            session.end_post();
        }
    }
}
