//! [`Socket`]: a client's connection to one namespace, as handlers and listeners receive it.

pub(crate) mod ack_future;
pub(crate) mod ack_stream;
pub(crate) mod attributes;
mod disconnecting;
mod emitting;
pub(crate) mod events;
mod expiry;
mod extensions;
pub(crate) mod from_answer;
pub(crate) mod handshake;
mod http_request;
pub(crate) mod id;
mod lifecycle;
mod notices;
mod rate_limits;
mod recovery;
pub(crate) mod reliable;
pub(crate) mod remote;
pub(crate) mod request_trace;
pub(crate) mod rooms;
mod trace;

use http::Extensions;
use parking_lot::{Mutex, RwLock};
use std::collections::HashSet;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::time::SystemTime;
use tokio::sync::Notify;

use crate::connection_handle::engine_session::Transport;
use crate::connection_handle::engine_session::random_id;
use crate::connection_handle::outbox::Outbox;
use crate::event::listener::Listeners;
use crate::event::middleware::EventMiddleware;
use crate::event::rate_limit::Buckets;
use crate::hub::Hub;
use crate::hub::aliases::Peer;
use crate::hub::namespace::inner::NamespaceInner;
use crate::hub::recovery::resuming::Claim;
use crate::hub::recovery::session::Session;
use crate::hub::revoking::Revoked;
use crate::wire::shown::Shown;
use ack_future::Requests;
use attributes::SocketAttributes;
pub(crate) use emitting::Undelivered;
use events::OutgoingListener;
use expiry::Expiry;
pub(crate) use expiry::{Due, Expires};
use extensions::SocketExtensions;
use handshake::ConnectInfo;
pub use id::SocketId;
use lifecycle::CONNECTING;
use notices::{Notice, Notices};
use reliable::queue::ReliableQueue;
use trace::SocketTrace;

/// A client's connection to one namespace, which handlers and listeners receive.
///
/// Cloning is cheap, and all clones are the same socket. Emits never block: they queue messages in
/// the client's outbox, and the connection's task sends them. The messages that one task emits keep
/// their order.
#[derive(Clone)]
pub struct Socket(Arc<Inner>);

struct Inner {
    id: RwLock<SocketId>,
    /// Whether a Socket.IO client has been told the id. Written under the lock of the id.
    is_id_known: AtomicBool,
    hub: Hub,
    namespace: Arc<NamespaceInner>,
    peer: Arc<Peer>,
    /// One of the constants of [`lifecycle`]. All tasks read it. The connection's session decides
    /// it.
    phase: AtomicU8,
    connect_info: Option<Box<ConnectInfo>>,
    /// What is known of the client, so that it can resume. `None` if it can't.
    session: Option<Box<Session>>,
    rooms: Mutex<HashSet<Arc<str>>>,
    /// Data that most sockets don't need.
    side: Mutex<Option<Box<Side>>>,
    /// Whether `side` has listeners. Every event checks this without taking the lock.
    has_listeners: AtomicBool,
    /// Whether `side` has event middleware. Every event checks this without taking the lock.
    has_middleware: AtomicBool,
    /// Whether `side` has listeners for outgoing messages.
    has_outgoing: AtomicBool,
    /// Whether `side` has a deadline for the client's proof of identity. Each poll of the
    /// connection's task checks this without taking the lock.
    has_expiry: AtomicBool,
    /// Notified when the connection begins to end.
    ended: Notify,
}

#[derive(Default)]
struct Side {
    attributes: SocketAttributes,
    extensions: SocketExtensions,
    /// Messages that the client of a resumed session has missed, until the socket is accepted.
    replay: Option<Box<Outbox>>,
    /// The session that the client wants to resume, if the cluster has to be asked about it.
    claim: Option<Box<Claim<'static>>>,
    /// The socket whose session this one has resumed, if the events of its end still run.
    previous: Option<Socket>,
    /// Messages that are held back until the socket is accepted.
    held: Option<Box<Outbox>>,
    listeners: Option<Arc<Listeners>>,
    event_middleware: Vec<EventMiddleware>,
    outgoing: Option<Arc<[OutgoingListener]>>,
    requests: Requests,
    /// Events that are repeated until the client has acked them.
    reliable: Option<Arc<ReliableQueue>>,
    buckets: Option<Box<Buckets>>,
    /// When the client's proof of identity runs out, and the new one that is being decided.
    expiry: Option<Box<Expiry>>,
    /// What was revoked while the application decided whether to accept the socket.
    revoked: Vec<Arc<Revoked>>,
    /// Changes that the application's adapter has not been told yet.
    notices: Option<Box<Notices>>,
    /// The span of the socket, if somebody wants it.
    trace: Option<Arc<SocketTrace>>,
}

/// The kind of id that a new socket gets.
pub(crate) enum Identity<'a> {
    /// A random UUID, until the application sets another id. In a cluster it has the format of the
    /// reference server, because servers on Node.js tell ids by their length.
    Uuid,
    /// The id of its Engine.IO session.
    Session(&'a str),
    /// Like `Uuid`, for a plain client whose first message may resume a session.
    Claimed(&'a str),
    /// A random id in the format of the reference server, for a Socket.IO client. `auth` is the
    /// JSON text of its auth payload.
    Generated { auth: &'a str },
}

impl Identity<'_> {
    fn id(&self, hub: &Hub) -> SocketId {
        match self {
            Self::Uuid | Self::Claimed(_) if hub.config().has_cluster => SocketId::from(&*random_id()),
            Self::Uuid | Self::Claimed(_) => SocketId::random(),
            Self::Session(sid) => SocketId::from(*sid),
            Self::Generated { .. } => SocketId::from(&*random_id()),
        }
    }
}

/// The error of a socket whose id could not be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SetIdError {
    /// The socket is gone.
    #[error("the socket is closed")]
    Closed,
    /// Another socket of the namespace has the id.
    #[error("the id is taken")]
    Taken,
    /// The id is empty.
    #[error("the id is empty")]
    Empty,
    /// A Socket.IO client learns its id when it connects. After that the id can't change.
    #[error("the client already knows its id")]
    Known,
}

impl Socket {
    /// Creates a socket and registers it. Messages can be emitted to it, but it is not connected
    /// yet.
    pub(crate) fn register(
        hub: Hub,
        namespace: Arc<NamespaceInner>,
        peer: Arc<Peer>,
        extensions: Extensions,
        identity: Identity<'_>,
    ) -> Self {
        namespace.open();
        hub.remember_runtime();
        if let Some(recovery) = namespace.recovery().filter(|_| peer.encoding.has_offsets()).cloned() {
            let claim = match &identity {
                Identity::Generated { auth } => Claim::of_auth(auth),
                Identity::Claimed(message) => Claim::of_message(message),
                Identity::Uuid | Identity::Session(_) => None,
            };
            let claim = claim.as_ref();
            return Self::register_resumable(&recovery, hub, namespace, peer, extensions, identity, claim);
        }
        let id = identity.id(&hub);
        let socket = Self::new(hub, namespace, peer, extensions, &identity, id, None);
        socket.begin_notices();
        let mut id = socket.id();
        while !socket.namespace_inner().registry().add(id.clone(), &socket) {
            id = identity.id(socket.hub());
            *socket.0.id.write() = id.clone();
        }
        socket.tell_added(id);
        socket
    }

    fn new(
        hub: Hub,
        namespace: Arc<NamespaceInner>,
        peer: Arc<Peer>,
        extensions: Extensions,
        identity: &Identity<'_>,
        id: SocketId,
        session: Option<Box<Session>>,
    ) -> Self {
        let side = (!extensions.is_empty())
            .then(|| Box::new(Side { extensions: SocketExtensions::new(extensions), ..Side::default() }));
        let connect_info = match identity {
            Identity::Generated { auth } => {
                Some(Box::new(ConnectInfo { auth: (*auth).into(), time: SystemTime::now() }))
            }
            Identity::Uuid | Identity::Claimed(_) | Identity::Session(_) => None,
        };
        let socket = Self(Arc::new(Inner {
            id: RwLock::new(id),
            is_id_known: AtomicBool::new(false),
            connect_info,
            session,
            hub,
            namespace,
            peer,
            phase: AtomicU8::new(CONNECTING),
            rooms: Mutex::default(),
            side: Mutex::new(side),
            has_listeners: AtomicBool::new(false),
            has_middleware: AtomicBool::new(false),
            has_outgoing: AtomicBool::new(false),
            has_expiry: AtomicBool::new(false),
            ended: Notify::new(),
        }));
        socket.begin_trace();
        socket
    }

    fn with_side<R>(&self, change: impl FnOnce(&mut Side) -> R) -> R {
        change(self.0.side.lock().get_or_insert_default())
    }

    #[cfg(feature = "admin")]
    pub(crate) fn downgrade(&self) -> WeakSocket {
        WeakSocket(Arc::downgrade(&self.0))
    }

    pub(crate) fn connect_info(&self) -> Option<&ConnectInfo> {
        self.0.connect_info.as_deref()
    }

    /// The socket's id.
    pub fn id(&self) -> SocketId {
        self.0.id.read().clone()
    }

    /// The id as the log shows it.
    pub(crate) fn shown_id(&self) -> Shown<SocketId> {
        Shown(self.id())
    }

    /// Changes the socket's id. The room with the socket's id changes too.
    ///
    /// # Errors
    ///
    /// The id is empty or another socket of the namespace has it, the client already knows its id,
    /// or the socket is gone. The id does not change.
    pub fn set_id(&self, id: impl AsRef<str>) -> Result<(), SetIdError> {
        let id = id.as_ref();
        if id.is_empty() {
            return Err(SetIdError::Empty);
        }
        let order = self.order();
        let mut current = self.0.id.write();
        if self.is_gone() {
            return Err(SetIdError::Closed);
        }
        if **current == *id {
            return Ok(());
        }
        if self.0.connect_info.is_some() && self.0.is_id_known.load(Ordering::Relaxed) {
            return Err(SetIdError::Known);
        }
        let id = SocketId::from(id);
        if !self.namespace_inner().registry().rename(self, &current, &id) {
            return Err(SetIdError::Taken);
        }
        let from = std::mem::replace(&mut *current, id.clone());
        if let Some(order) = &order {
            order.renamed(self, &from, &id);
        }
        self.note(|| Notice::Renamed { from, to: id });
        drop(current);
        drop(order);
        self.tell_changed();
        self.tell_adapter();
        Ok(())
    }

    /// The hub.
    pub fn hub(&self) -> &Hub {
        &self.0.hub
    }

    pub(crate) fn namespace_inner(&self) -> &Arc<NamespaceInner> {
        &self.0.namespace
    }

    pub(crate) fn peer(&self) -> &Arc<Peer> {
        &self.0.peer
    }

    /// The path of the socket's namespace.
    pub fn namespace(&self) -> &str {
        self.namespace_inner().path()
    }

    /// Returns `true` if the socket has been accepted and has not left the hub. It leaves when its
    /// client is gone, even while handlers of it run.
    pub fn connected(&self) -> bool {
        self.is_connected()
    }

    /// The current transport of the client's connection.
    pub fn transport(&self) -> Transport {
        match &self.peer().session {
            Some(session) if session.is_polling() => Transport::Polling,
            _ => Transport::WebSocket,
        }
    }

    /// Waits until the client has upgraded from long-polling to a WebSocket. Returns `true` at once
    /// if it already has one. Returns `false` if the connection ends first.
    pub async fn upgraded(&self) -> bool {
        match &self.peer().session {
            Some(session) => session.wait_for_upgrade().await,
            None => true,
        }
    }

    /// Returns `true` if messages can be emitted to the socket, which means that it has not begun
    /// to close.
    pub fn is_alive(&self) -> bool {
        !self.is_leaving() && !self.peer().handle.is_shut()
    }

    /// Waits until the connection begins to end, for any reason. With it, a long-running handler
    /// notices that its client has gone. Handlers are not cancelled, except by the
    /// [`handler_timeout`](crate::HubBuilder::handler_timeout); `disconnecting` and `disconnect`
    /// fire after they finish.
    pub async fn closed(&self) {
        let notified = self.0.ended.notified();
        tokio::pin!(notified);
        notified.as_mut().enable();
        if self.is_alive() && !self.is_ending() {
            notified.await;
        }
    }
}

/// A socket that may be gone.
#[cfg(feature = "admin")]
pub(crate) struct WeakSocket(std::sync::Weak<Inner>);

#[cfg(feature = "admin")]
impl WeakSocket {
    pub(crate) fn upgrade(&self) -> Option<Socket> {
        self.0.upgrade().map(Socket)
    }
}

impl PartialEq for Socket {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Socket {}

impl Hash for Socket {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.0).hash(state);
    }
}

impl fmt::Debug for Socket {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Socket")
            .field("id", &self.id())
            .field("namespace", &self.namespace())
            .finish_non_exhaustive()
    }
}
