//! [`Socket`]: a connection within one namespace, as handlers and listeners hold it.

pub(crate) mod answer;
pub(crate) mod answers;
pub(crate) mod attributes;
mod emitting;
mod ending;
pub(crate) mod events;
pub(crate) mod handshake;
pub(crate) mod id;
mod notices;
mod rates;
pub(crate) mod remote;
mod request;
pub(crate) mod requests;
pub(crate) mod rooms;

use http::Extensions;
use parking_lot::{Mutex, RwLock};
use std::collections::HashSet;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::time::SystemTime;
use tokio::sync::Notify;

use crate::event::listener::Listeners;
use crate::event::middleware::EventMiddleware;
use crate::event::rate::Buckets;
use crate::handle::engine_session::Transport;
use crate::handle::engine_session::random_id;
use crate::handle::outbox::Outbox;
use crate::hub::Hub;
use crate::hub::namespace::inner::NamespaceInner;
use crate::hub::peer::Peer;
use attributes::SocketAttributes;
use events::OutgoingListener;
use handshake::ConnectInfo;
pub use id::SocketId;
use notices::{Notice, Notices};
use requests::Requests;

/// A connection within one namespace: what handlers and listeners hold.
///
/// Cloning is cheap, and all clones are the same socket. Emitting never blocks: messages are queued in the client's
/// outbox and written by its connection's task, in the order in which one task emits them.
#[derive(Clone)]
pub struct Socket(Arc<Inner>);

struct Inner {
    id: RwLock<SocketId>,
    hub: Hub,
    namespace: Arc<NamespaceInner>,
    peer: Arc<Peer>,
    /// How far it has come, for all tasks to read. Its connection's session decides.
    phase: AtomicU8,
    connect_info: Option<Box<ConnectInfo>>,
    rooms: Mutex<HashSet<Arc<str>>>,
    /// What most sockets have none of.
    side: Mutex<Option<Box<Side>>>,
    /// Whether `side` has listeners: those are looked up for every event.
    has_listeners: AtomicBool,
    /// Whether it has middleware, likewise.
    has_middleware: AtomicBool,
    /// Whether it has listeners to what is sent.
    has_outgoing: AtomicBool,
    /// Notified when the connection has begun to end.
    ended: Notify,
}

#[derive(Default)]
struct Side {
    attributes: SocketAttributes,
    extensions: Extensions,
    /// What waits for the socket to be accepted.
    held: Option<Box<Outbox>>,
    listeners: Option<Arc<Listeners>>,
    event_middleware: Vec<EventMiddleware>,
    outgoing: Option<Arc<[OutgoingListener]>>,
    requests: Requests,
    buckets: Option<Box<Buckets>>,
    /// What an adapter of the application's own is still to be told.
    notices: Option<Box<Notices>>,
}

const CONNECTING: u8 = 0;
const CONNECTED: u8 = 1;
/// It takes no more messages, and still has its rooms.
const LEAVING: u8 = 2;
/// The same, and what waits to be handled is dropped: this side wants it to leave.
const SENT_AWAY: u8 = 3;
const GONE: u8 = 4;

/// How a new socket is to be called, and what it is known of it.
pub(crate) enum Identity<'a> {
    /// A random UUID, until the application gives it another id.
    Uuid,
    /// The id of its Engine.IO session.
    Session(&'a str),
    /// An id in the form of the reference server, for a Socket.IO client that connects with this JSON text.
    Generated { auth: &'a str },
}

impl Identity<'_> {
    fn id(&self) -> SocketId {
        match self {
            Self::Uuid => SocketId::random(),
            Self::Session(sid) => SocketId::from(*sid),
            Self::Generated { .. } => SocketId::from(&*random_id()),
        }
    }
}

/// Why a socket did not get another id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SetIdError {
    /// The socket is gone.
    #[error("the socket is closed")]
    Closed,
    /// Another socket of the namespace has the id.
    #[error("the id is taken")]
    Taken,
    /// An id is not empty.
    #[error("the id is empty")]
    Empty,
    /// A Socket.IO client has been told its id, once it is connected.
    #[error("the client knows its id already")]
    Known,
}

impl Socket {
    /// A new socket, registered and able to be addressed, but not yet connected.
    pub(crate) fn register(
        hub: Hub,
        namespace: Arc<NamespaceInner>,
        peer: Arc<Peer>,
        extensions: Extensions,
        identity: Identity<'_>,
    ) -> Self {
        let side = (!extensions.is_empty()).then(|| Box::new(Side { extensions, ..Side::default() }));
        let connect_info = match identity {
            Identity::Generated { auth } => Some(Box::new(ConnectInfo { auth: auth.into(), time: SystemTime::now() })),
            Identity::Uuid | Identity::Session(_) => None,
        };
        let socket = Self(Arc::new(Inner {
            id: RwLock::new(identity.id()),
            connect_info,
            hub,
            namespace,
            peer,
            phase: AtomicU8::new(CONNECTING),
            rooms: Mutex::default(),
            side: Mutex::new(side),
            has_listeners: AtomicBool::new(false),
            has_middleware: AtomicBool::new(false),
            has_outgoing: AtomicBool::new(false),
            ended: Notify::new(),
        }));
        socket.namespace_inner().open();
        socket.begin_notices();
        let mut id = socket.id();
        while !socket.namespace_inner().registry().add(id.clone(), &socket) {
            id = identity.id();
            *socket.0.id.write() = id.clone();
        }
        socket.tell_added(id);
        socket
    }

    /// Tells the client that it is connected, sends what was put aside, and counts the socket as connected.
    pub(crate) fn accepted(&self) {
        // The client is told the id that the socket has from now on.
        let id = self.0.id.read();
        // Whoever emits meanwhile waits for this lock, as long as the socket is not connected, and comes behind.
        let mut side = self.0.side.lock();
        if !self.is_connecting() {
            return;
        }
        let greeting = self.peer().encoding.connect(self.namespace(), &id);
        let held = side.as_mut().and_then(|side| side.held.take());
        if greeting.is_some() || held.is_some() {
            self.peer().handle.send_always(greeting.as_ref(), held.map_or_else(Outbox::default, |held| *held));
        }
        let _ = self.0.phase.compare_exchange(CONNECTING, CONNECTED, Ordering::AcqRel, Ordering::Acquire);
        drop(side);
        drop(id);
        self.namespace_inner().registry().count_connected();
    }

    /// What was put aside until the socket is accepted.
    pub(crate) fn take_held(&self) -> Outbox {
        let held = self.0.side.lock().as_mut().and_then(|side| side.held.take());
        held.map_or_else(Outbox::default, |held| *held)
    }

    /// Takes no more messages.
    pub(crate) fn leaving(&self) {
        let _ = self.0.phase.compare_exchange(CONNECTED, LEAVING, Ordering::AcqRel, Ordering::Acquire);
    }

    /// Leaves hub and rooms, once. `Some`: it was the first time, and whether the socket had been connected.
    pub(crate) fn depart(&self) -> Option<bool> {
        let before = self.0.phase.swap(GONE, Ordering::AcqRel);
        if before == GONE {
            return None;
        }
        drop(self.take_held());
        let mut joined = self.0.rooms.lock();
        for room in std::mem::take(&mut *joined) {
            self.namespace_inner().registry().rooms().leave(&room, self);
            self.note(|| Notice::Left(room));
        }
        drop(joined);
        let id = self.0.id.read();
        self.namespace_inner().registry().remove(&id, self, before != CONNECTING);
        self.note(|| Notice::Removed(id.clone()));
        drop(id);
        self.tell_waiting();
        match self.namespace_inner().has_own_adapter() {
            true => self.tell_adapter(),
            false => self.hub().release(self.namespace_inner()),
        }
        Some(before != CONNECTING)
    }

    /// Lets everyone know who waits for the client's answers or for the end that the end has begun.
    pub(crate) fn tell_waiting(&self) {
        let abandoned = self.0.side.lock().as_mut().map(|side| side.requests.abandon());
        for waiter in abandoned.into_iter().flatten() {
            waiter.close(self);
        }
        self.tell_ending();
    }

    /// Lets everyone know who waits for the end that it has begun.
    pub(crate) fn tell_ending(&self) {
        self.0.ended.notify_waiters();
    }

    fn with_side<R>(&self, change: impl FnOnce(&mut Side) -> R) -> R {
        change(self.0.side.lock().get_or_insert_default())
    }

    fn is_gone(&self) -> bool {
        self.0.phase.load(Ordering::Acquire) == GONE
    }

    /// Whether it is accepted, and not gone yet.
    pub(crate) fn is_connected(&self) -> bool {
        !matches!(self.0.phase.load(Ordering::Acquire), CONNECTING | GONE)
    }

    fn is_connecting(&self) -> bool {
        self.0.phase.load(Ordering::Acquire) == CONNECTING
    }

    /// Whether it takes no more messages.
    fn is_leaving(&self) -> bool {
        self.0.phase.load(Ordering::Acquire) >= LEAVING
    }

    /// Whether this side wants it to end, so that what waits to be handled is dropped.
    pub(crate) fn is_ending(&self) -> bool {
        self.peer().handle.is_ending() || self.0.phase.load(Ordering::Acquire) == SENT_AWAY
    }

    pub(crate) fn connect_info(&self) -> Option<&ConnectInfo> {
        self.0.connect_info.as_deref()
    }

    /// The socket's id.
    pub fn id(&self) -> SocketId {
        self.0.id.read().clone()
    }

    /// Gives the socket another id, under which the hub finds it from then on; its own room moves along.
    ///
    /// # Errors
    ///
    /// The id is empty or another socket of the namespace has it, or the socket is gone. The id stays what it was.
    pub fn set_id(&self, id: impl AsRef<str>) -> Result<(), SetIdError> {
        let id = id.as_ref();
        if id.is_empty() {
            return Err(SetIdError::Empty);
        }
        let mut current = self.0.id.write();
        if self.is_gone() {
            return Err(SetIdError::Closed);
        }
        if **current == *id {
            return Ok(());
        }
        if self.0.connect_info.is_some() && !self.is_connecting() {
            return Err(SetIdError::Known);
        }
        let id = SocketId::from(id);
        if !self.namespace_inner().registry().rename(self, &current, &id) {
            return Err(SetIdError::Taken);
        }
        let from = std::mem::replace(&mut *current, id.clone());
        self.note(|| Notice::Renamed { from, to: id });
        drop(current);
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

    /// Whether the socket is connected: it has been accepted, and `disconnect` has not fired yet.
    pub fn connected(&self) -> bool {
        self.is_connected()
    }

    /// How the client's messages travel now.
    pub fn transport(&self) -> Transport {
        match &self.peer().session {
            Some(session) if session.polls() => Transport::Polling,
            _ => Transport::WebSocket,
        }
    }

    /// Waits until the client has gone over from long-polling to a WebSocket, and is `true`; at once if it has one. `false`: the
    /// connection has ended before.
    pub async fn upgraded(&self) -> bool {
        match &self.peer().session {
            Some(session) => session.upgrade().await,
            None => true,
        }
    }

    /// Whether messages can be emitted to the socket: it has not begun to close.
    pub fn is_alive(&self) -> bool {
        !self.is_leaving() && !self.peer().handle.is_shut()
    }

    /// Waits until the connection has begun to end, whoever ended it: for handlers to notice that nobody waits for them
    /// any more. They are never cancelled; `disconnecting` and `disconnect` fire when they are done.
    pub async fn closed(&self) {
        let notified = self.0.ended.notified();
        tokio::pin!(notified);
        notified.as_mut().enable();
        if self.is_alive() && !self.is_ending() {
            notified.await;
        }
    }
}

impl Socket {
    /// Tells it from all other sockets that there are now.
    pub(crate) fn address(&self) -> usize {
        Arc::as_ptr(&self.0).addr()
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
