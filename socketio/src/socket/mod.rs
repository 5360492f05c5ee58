//! [`Socket`]: a connection within one namespace, as handlers and listeners hold it.

pub(crate) mod attributes;
mod emitting;
pub(crate) mod events;
pub(crate) mod handshake;
pub(crate) mod id;
pub(crate) mod requests;

use http::Extensions;
use parking_lot::{Mutex, RwLock};
use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use tokio::sync::Notify;

use crate::connection::end::End;
use crate::connection::mailbox::Mail;
use crate::connection::peer::Peer;
use crate::event::disconnect::DisconnectReason;
use crate::event::listener::Listeners;
use crate::hub::Hub;
use crate::namespace::space::Space;
use crate::wire::frame::{FrameWriter, Opcode};
use attributes::SocketAttributes;
use handshake::Handshake;
pub use id::SocketId;
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
    space: Arc<Space>,
    peer: Arc<Peer>,
    phase: AtomicU8,
    rooms: Mutex<HashSet<Arc<str>>>,
    /// What most sockets have none of.
    side: Mutex<Option<Box<Side>>>,
    /// Whether `side` has listeners: those are looked up for every event.
    has_listeners: AtomicBool,
    /// Told when the connection has begun to end.
    ended: Notify,
}

#[derive(Default)]
struct Side {
    attributes: SocketAttributes,
    extensions: Extensions,
    listeners: Option<Arc<Listeners>>,
    requests: Requests,
}

const CONNECTING: u8 = 0;
const CONNECTED: u8 = 1;
const GONE: u8 = 2;

/// Why a socket did not join a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JoinError {
    /// The socket is gone.
    #[error("the socket is closed")]
    Closed,
    /// The socket is in as many rooms as it may be in.
    #[error("the socket is in too many rooms")]
    TooManyRooms,
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
}

impl Socket {
    /// A new socket, registered and able to be addressed, but not yet connected.
    pub(crate) fn register(hub: Hub, space: Arc<Space>, peer: Arc<Peer>, extensions: Extensions) -> Self {
        let side = (!extensions.is_empty()).then(|| Box::new(Side { extensions, ..Side::default() }));
        let socket = Self(Arc::new(Inner {
            id: RwLock::new(SocketId::random()),
            hub,
            space,
            peer,
            phase: AtomicU8::new(CONNECTING),
            rooms: Mutex::default(),
            side: Mutex::new(side),
            has_listeners: AtomicBool::new(false),
            ended: Notify::new(),
        }));
        while !socket.space().registry().add(socket.id(), &socket) {
            *socket.0.id.write() = SocketId::random();
        }
        socket
    }

    /// Counts the socket as connected.
    pub(crate) fn connected(&self) {
        if self.0.phase.compare_exchange(CONNECTING, CONNECTED, Ordering::AcqRel, Ordering::Acquire).is_ok() {
            self.space().registry().count_connected();
        }
    }

    /// Leaves hub and rooms, once. `Some`: it was the first time, and whether the socket had been connected.
    pub(crate) fn depart(&self) -> Option<bool> {
        let before = self.0.phase.swap(GONE, Ordering::AcqRel);
        if before == GONE {
            return None;
        }
        let rooms = std::mem::take(&mut *self.0.rooms.lock());
        for room in rooms {
            // The application may have made the adapter: whatever becomes of it, the socket goes.
            if catch_unwind(AssertUnwindSafe(|| self.space().adapter().leave(self, &room))).is_err() {
                tracing::error!(namespace = self.namespace(), "an adapter panicked as a socket left a room");
                self.space().registry().rooms().leave(&room, self);
            }
        }
        let id = self.0.id.read();
        self.space().registry().remove(&id, self, before == CONNECTED);
        drop(id);
        self.tell_waiting();
        Some(before == CONNECTED)
    }

    /// Lets everyone know who waits for the client's answers or for the end that the end has begun.
    pub(crate) fn tell_waiting(&self) {
        let abandoned = self.0.side.lock().as_mut().map(|side| side.requests.abandon());
        drop(abandoned);
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

    pub(crate) fn is_connected(&self) -> bool {
        self.0.phase.load(Ordering::Acquire) == CONNECTED
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
        let id = SocketId::from(id);
        if !self.space().registry().rename(self, &current, &id) {
            return Err(SetIdError::Taken);
        }
        *current = id;
        Ok(())
    }

    /// The hub.
    pub fn hub(&self) -> &Hub {
        &self.0.hub
    }

    pub(crate) fn space(&self) -> &Arc<Space> {
        &self.0.space
    }

    pub(crate) fn peer(&self) -> &Arc<Peer> {
        &self.0.peer
    }

    /// The path of the socket's namespace.
    pub fn namespace(&self) -> &str {
        self.space().path()
    }

    /// Whether messages can be emitted to the socket: it has not begun to close.
    pub fn is_alive(&self) -> bool {
        !self.is_gone() && !self.peer().mailbox.is_shut()
    }

    /// Waits until the connection has begun to end, whoever ended it: for handlers to notice that nobody waits for them
    /// any more. They are never cancelled; `disconnecting` and `disconnect` fire when they are done.
    pub async fn closed(&self) {
        let notified = self.0.ended.notified();
        tokio::pin!(notified);
        notified.as_mut().enable();
        if self.is_alive() && !self.peer().mailbox.is_ending() {
            notified.await;
        }
    }
}

/// Rooms.
impl Socket {
    /// Joins a room. Once this returns, emits to the room reach the socket.
    ///
    /// # Errors
    ///
    /// The socket is gone, or in as many rooms as [`max_rooms`](crate::Builder::max_rooms) allows.
    pub fn join(&self, room: impl AsRef<str>) -> Result<(), JoinError> {
        let room = room.as_ref();
        let mut rooms = self.0.rooms.lock();
        if self.is_gone() {
            return Err(JoinError::Closed);
        }
        if rooms.contains(room) {
            return Ok(());
        }
        if rooms.len() >= self.hub().config().max_rooms {
            return Err(JoinError::TooManyRooms);
        }
        rooms.insert(self.space().adapter().join(self, room));
        Ok(())
    }

    /// Leaves a room. To leave one that the socket is not in does nothing.
    pub fn leave(&self, room: impl AsRef<str>) {
        let mut rooms = self.0.rooms.lock();
        if rooms.remove(room.as_ref()) {
            self.space().adapter().leave(self, room.as_ref());
        }
    }

    /// Whether the socket has joined a room.
    pub fn is_in(&self, room: impl AsRef<str>) -> bool {
        self.0.rooms.lock().contains(room.as_ref())
    }

    /// The rooms that the socket has joined. The room of its own id, in which it always is, is not among them.
    pub fn rooms(&self) -> Vec<String> {
        self.0.rooms.lock().iter().map(ToString::to_string).collect()
    }
}

/// The request that the connection began with.
impl Socket {
    /// Everything that is known of it.
    pub fn handshake(&self) -> Handshake<'_> {
        Handshake::new(&self.peer().request)
    }

    /// A parameter of the route's path: `params("id")` for `/ws/{id}`.
    pub fn params(&self, key: &str) -> Option<&str> {
        self.handshake().param(key)
    }

    /// A parameter of the query string, decoded.
    pub fn query(&self, key: &str) -> Option<Cow<'_, str>> {
        self.handshake().query(key)
    }

    /// The value of a cookie.
    pub fn cookie(&self, name: &str) -> Option<&str> {
        self.handshake().cookie(name)
    }

    /// The value of a header, its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.handshake().header(name)
    }

    /// The client's address; behind a proxy, the proxy's.
    pub fn peer_addr(&self) -> Option<SocketAddr> {
        self.handshake().peer_addr()
    }
}

/// Ending.
impl Socket {
    /// Closes the connection with code 1000, after everything that is queued has been delivered. Events that wait are not
    /// handled any more.
    pub fn close(&self) {
        self.close_with(1000, "");
    }

    /// Closes the connection with a code and a reason, after everything that is queued has been delivered. The reason is
    /// cut to the 123 bytes that a close frame can hold; a code that must not be sent becomes 1000.
    pub fn close_with(&self, code: u16, reason: impl Into<String>) {
        self.end(DisconnectReason::ServerClose, code, reason.into());
    }

    /// Leaves the namespace; as a plain WebSocket connection has only one, it is closed.
    pub fn disconnect(&self) {
        self.end(DisconnectReason::ServerDisconnect, 1000, String::new());
    }

    fn end(&self, reason: DisconnectReason, code: u16, text: String) {
        self.peer().mailbox.post(Mail::End(End::on_purpose(reason, code, text)));
    }

    /// Sends a WebSocket ping with a payload of up to 125 bytes; a longer one is cut. The answer fires `pong`.
    pub fn ping(&self, payload: impl AsRef<[u8]>) {
        let payload = payload.as_ref();
        let payload = &payload[..payload.len().min(125)];
        let mut writer = FrameWriter::new();
        writer.payload().extend_from_slice(payload);
        if let Err(rejected) = self.peer().mailbox.send(&writer.finish(Opcode::Ping), false) {
            self.rejected(rejected);
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
