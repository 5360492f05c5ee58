//! [`RecoveryOf`]: the log and the sessions of one namespace.
//!
//! A client says which message it has received last. From that the server knows what it has missed
//! only if each client receives messages in the order of their numbers. So an emit holds the order
//! of its namespace while it numbers the message and queues it for its recipients. Changes of rooms
//! and of ids hold it too, so that it is known who was a recipient.
//!
//! What the application may have written does not run in the meantime, except for a custom
//! [`Parser`](crate::Parser).

use parking_lot::{ReentrantMutex, ReentrantMutexGuard};
use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::{Duration, Instant};
use tokio::runtime::Handle;

use super::Recovery;
use super::block::Target;
use super::history::Change;
use super::log::{Dropped, Log, LogBounds};
use super::session::Session;
use super::sessions::{CutOff, DroppedSessions, Sessions};
use super::shared::{Shared, Store};
use crate::connection_handle::queue::Rejected;
use crate::hub::adapter::{Audience, Packet};
use crate::hub::config::Config;
use crate::hub::namespace::registry::Registry;
use crate::hub::revoking::Revoked;
use crate::hub::selection::EmitError;
use crate::hub::socket::{Socket, SocketId, Undelivered};
use crate::session::limits::Bounds;
use crate::wire::offset::Offset;
use crate::wire::packet::Frames;

#[derive(Debug)]
pub(crate) struct RecoveryOf {
    pub(super) settings: Recovery,
    /// The bounds of what a client that resumes can have missed.
    pub(super) outbox: Bounds,
    /// For how long messages are kept.
    pub(super) age: Duration,
    order: ReentrantMutex<RefCell<State>>,
    is_swept: AtomicBool,
    /// The log and the sessions of the cluster, if its engine has them. Those of the state are not
    /// used then, except for the sessions of connected clients.
    shared: OnceLock<Shared>,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) log: Log,
    pub(super) sessions: Sessions,
    /// The last entry of the shared log that was delivered in this namespace.
    pub(super) delivered: Offset,
}

/// The order of a namespace is held until this is dropped.
pub(crate) struct Order<'a> {
    recovery: &'a RecoveryOf,
    state: ReentrantMutexGuard<'a, RefCell<State>>,
}

/// The time of the runtime's clock, which tests can pause.
pub(super) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// Whether a message is numbered: it may be kept for clients that are cut off, or it ends in a
/// string, which Socket.IO clients take for an offset.
fn is_numbered(packet: &Packet) -> bool {
    !packet.expects_answer() && (!packet.is_volatile() || packet.ends_in_string())
}

impl RecoveryOf {
    pub(crate) fn new(settings: &Recovery, config: &Config) -> Self {
        let age = settings.retained(config);
        let log = Log::new(LogBounds { age, bytes: settings.max_bytes, packets: settings.max_packets });
        let sessions = Sessions::new(settings.max_sessions, settings.max_disconnection);
        let state = State { log, sessions, delivered: Offset::default() };
        Self {
            settings: settings.clone(),
            outbox: config.outbox,
            age,
            order: ReentrantMutex::new(RefCell::new(state)),
            is_swept: AtomicBool::new(false),
            shared: OnceLock::new(),
        }
    }

    /// What the namespace shares with other servers of its cluster.
    pub(crate) fn shared(&self) -> Option<&Shared> {
        self.shared.get()
    }

    pub(crate) fn skips_middleware(&self) -> bool {
        self.settings.skip_middleware
    }

    pub(crate) fn max_disconnection(&self) -> Duration {
        self.settings.max_disconnection
    }

    #[cfg(feature = "cluster")]
    pub(super) fn set_shared(&self, shared: Shared) {
        let _ = self.shared.set(shared);
    }

    /// The sockets of clients that are connected and can resume.
    #[cfg(feature = "cluster")]
    pub(super) fn live_sockets(&self) -> Vec<Socket> {
        self.order().with(|state| state.sessions.live_sockets()).unwrap_or_default()
    }

    /// Waits until no message is being queued in the namespace, and holds the order.
    pub(crate) fn order(&self) -> Order<'_> {
        Order { recovery: self, state: self.order.lock() }
    }

    /// Emits to an audience.
    pub(crate) fn emit(&self, packet: &Packet, audience: &Audience, registry: &Registry) {
        if !is_numbered(packet) {
            return registry.for_each(audience, |socket| drop(socket.deliver(packet)));
        }
        if self.shared().is_some() {
            return self.emit_unlogged(packet, audience, registry, false);
        }
        if registry.has_outgoing_listeners() {
            registry.for_each(audience, |socket| socket.call_outgoing_listeners(packet));
        }
        let mut overflows: Vec<(Socket, Rejected)> = Vec::new();
        let emitted = self.in_order(packet, Target::Audience(audience), |frames, number| {
            registry.for_each(audience, |socket| {
                if let Err(Undelivered::Rejected(rejected @ Rejected::Overflow { .. })) =
                    socket.deliver_at(packet, frames, number)
                {
                    overflows.push((socket.clone(), rejected));
                }
            });
        });
        if let Err(error) = emitted {
            tracing::error!(%error, "a parser emits while it encodes: the message was not sent");
        }
        for (socket, rejected) in overflows {
            socket.rejected(rejected);
        }
    }

    /// Emits to one socket. If it has left the namespace, its client may come back, or may have
    /// come back already.
    pub(crate) fn emit_to_socket(&self, packet: &Packet, socket: &Socket) -> Result<(), EmitError> {
        let Some(session) = socket.session().filter(|_| is_numbered(packet)) else { return socket.deliver(packet) };
        if self.shared().is_some() {
            return self.emit_unlogged_to(packet, socket, session, false);
        }
        let mut current = Some(socket.clone());
        if socket.is_gone() {
            let order = self.order();
            let state = order.state.try_borrow().map_err(|_| EmitError::Nested)?;
            current = state.sessions.live(session.token()).cloned();
            if current.as_ref().is_none_or(|current| current == socket)
                && state.sessions.cut_off(session.token()).is_none()
            {
                return Err(EmitError::Closed);
            }
        }
        let Some(socket) = current else { return self.log_for(packet, session.number()) };
        socket.call_outgoing_listeners(packet);
        let target = Target::Session(session.number());
        let (number, delivered) =
            self.in_order(packet, target, |frames, number| (number, socket.deliver_at(packet, frames, number)))?;
        match delivered {
            Ok(()) => Ok(()),
            // The client gets the message when it comes back.
            Err(Undelivered::Rejected(Rejected::Closed)) if number.is_some() && !socket.is_ending() => Ok(()),
            Err(Undelivered::Rejected(rejected)) => Err(socket.rejected(rejected)),
            Err(Undelivered::NotEncoded) => Err(EmitError::not_encoded()),
        }
    }

    /// Emits to the socket with this id, or to a client that is cut off.
    pub(crate) fn emit_to(&self, packet: &Packet, id: &str, registry: &Registry) -> Result<(), EmitError> {
        if let Some(socket) = registry.get(id) {
            return self.emit_to_socket(packet, &socket);
        }
        let session = (is_numbered(packet) && self.shared().is_none()).then(|| {
            let order = self.order();
            let state = order.state.try_borrow().ok()?;
            state.sessions.with_id(id).map(|session| session.past.number)
        });
        match session.flatten() {
            Some(session) => self.log_for(packet, session),
            None => Err(EmitError::NotFound(id.to_owned())),
        }
    }

    /// Logs a message for a client that is cut off.
    fn log_for(&self, packet: &Packet, session: u64) -> Result<(), EmitError> {
        self.in_order(packet, Target::Session(session), |_, _| {})
    }

    /// Numbers a message and logs it, if there are clients that can resume. `deliver` gets its
    /// frames, and its number if it was logged.
    fn in_order<R>(
        &self,
        packet: &Packet,
        target: Target<'_>,
        deliver: impl FnOnce(&Frames, Option<Offset>) -> R,
    ) -> Result<R, EmitError> {
        let mut dropped = Dropped::default();
        let order = self.order.lock();
        // It stays borrowed: if a parser emits to the same namespace, that message would overtake
        // this one.
        let mut state = order.try_borrow_mut().map_err(|_| EmitError::Nested)?;
        if state.sessions.is_empty() {
            return Ok(deliver(&Frames::default(), None));
        }
        let logged = (!packet.is_volatile()).then(|| state.log.append(target, packet, now, &mut dropped));
        let offset = logged.unwrap_or_else(|| state.log.last());
        let result = deliver(&Frames::at(offset), logged);
        drop(state);
        drop(order);
        drop(dropped);
        Ok(result)
    }

    /// The last event of a socket has run.
    pub(crate) fn ended(&self, socket: &Socket, session: &Session) {
        let attributes = socket.attributes();
        let order = self.order();
        let ended = order.with(|state| state.sessions.ended(session.token(), socket, attributes));
        drop(order);
        drop(ended);
        session.set_ended();
    }

    /// The socket of a session whose client is connected as far as this server knows.
    pub(super) fn live(&self, token: &str) -> Option<Socket> {
        self.order().with(|state| state.sessions.live(token).cloned()).flatten()
    }

    /// Ends the sessions of clients that are cut off and have an attribute. Returns the number of
    /// those that this server keeps. The ones that the cluster stores end when their clients come
    /// back.
    pub(crate) fn revoke(&self, revoked: &Arc<Revoked>) -> usize {
        if let Some(shared) = self.shared() {
            shared.revoke(revoked, self.age);
        }
        let mut dropped = DroppedSessions::default();
        let order = self.order();
        let count = order.with(|state| state.sessions.revoke(revoked, &mut dropped));
        drop(order);
        drop(dropped);
        count.unwrap_or_default()
    }

    /// Drops the sessions of all clients that are cut off.
    pub(crate) fn clear(&self) {
        let mut dropped = DroppedSessions::default();
        self.order().with(|state| state.sessions.clear(&mut dropped));
    }

    /// Drops what has become too old. Returns `false` if nothing is left that can.
    fn sweep(&self) -> bool {
        let (mut messages, mut sessions) = (Dropped::default(), DroppedSessions::default());
        let order = self.order();
        let is_needed = order.with(|state| {
            state.log.trim(now(), &mut messages);
            state.sessions.expire(now(), &mut sessions);
            !(state.sessions.is_empty() && state.log.is_empty())
        });
        let is_needed = is_needed.unwrap_or(true);
        if !is_needed {
            // New sockets are added under the same lock.
            self.is_swept.store(false, Ordering::Relaxed);
        }
        is_needed
    }

    /// Starts the task that drops what is too old, unless it runs.
    pub(super) fn keep_swept(self: &Arc<Self>) {
        let Ok(runtime) = Handle::try_current() else { return };
        if self.is_swept.swap(true, Ordering::Relaxed) {
            return;
        }
        let period = (self.settings.max_disconnection / 4).clamp(Duration::from_millis(10), Duration::from_secs(30));
        let mut sweeper = Sweeper { recovery: Arc::downgrade(self), is_done: false };
        runtime.spawn(async move {
            while !sweeper.is_done {
                tokio::time::sleep(period).await;
                sweeper.is_done = !sweeper.recovery.upgrade().is_some_and(|recovery| recovery.sweep());
            }
        });
    }
}

/// The task that drops what is too old.
struct Sweeper {
    recovery: Weak<RecoveryOf>,
    is_done: bool,
}

impl Drop for Sweeper {
    /// The runtime may shut down, and the next socket be one of another runtime.
    fn drop(&mut self) {
        if !self.is_done
            && let Some(recovery) = self.recovery.upgrade()
        {
            recovery.is_swept.store(false, Ordering::Relaxed);
        }
    }
}

impl Order<'_> {
    /// Calls `use_state` unless a parser is running, which the calling code is then a part of.
    pub(super) fn with<R>(&self, use_state: impl FnOnce(&mut State) -> R) -> Option<R> {
        self.state.try_borrow_mut().ok().map(|mut state| use_state(&mut state))
    }

    /// The last message of the log that was delivered to this server's sockets.
    pub(super) fn last(&self) -> Option<Offset> {
        self.with(|state| match self.recovery.shared() {
            Some(shared) => shared.position().max(state.delivered),
            None => state.log.last(),
        })
    }

    /// The oldest message of the log, as far as it is known.
    fn oldest(&self, last: Offset) -> Option<Offset> {
        self.with(|state| match self.recovery.shared() {
            Some(_) => {
                let age = u64::try_from(self.recovery.age.as_millis()).unwrap_or(u64::MAX);
                Offset { epoch: last.epoch.saturating_sub(age), number: 0 }
            }
            None => state.log.oldest(),
        })
    }

    /// Notes that a socket has joined or left a room.
    pub(crate) fn room_changed(&self, socket: &Socket, room: &Arc<str>, joined: bool) {
        let Some(session) = socket.session() else { return };
        let last = self.last();
        match last.and_then(|last| self.oldest(last)).zip(last) {
            Some((oldest, last)) => {
                session.room_changed(Change { from: last.next(), room: Arc::clone(room), joined }, oldest);
            }
            None => session.break_off(),
        }
    }

    /// Notes that a socket has changed its id.
    pub(crate) fn renamed(&self, socket: &Socket, from: &SocketId, to: &SocketId) {
        self.room_changed(socket, &from.clone().into(), false);
        self.room_changed(socket, &to.clone().into(), true);
    }

    /// Keeps the session of a socket that has left the namespace, or ends it. The caller drops what
    /// this returns when it has dropped the order.
    pub(crate) fn left(&self, socket: &Socket, session: &Session, kept: Option<(SocketId, Vec<Arc<str>>)>) -> Left {
        let kept = kept.filter(|_| !session.is_broken());
        if kept.is_some() {
            session.set_kept();
        }
        if let Some(shared) = self.recovery.shared() {
            self.with(|state| state.sessions.remove(session.token(), socket));
            return Left { sessions: DroppedSessions::default(), store: shared.left(self, socket, session, kept) };
        }
        let mut sessions = DroppedSessions::default();
        self.with(|state| match kept {
            Some((id, rooms)) => {
                let past = session.past(state.log.last());
                state.sessions.keep(session.token(), CutOff::new(id, rooms, past, socket), now(), &mut sessions);
            }
            None => state.sessions.remove(session.token(), socket),
        });
        Left { sessions, store: None }
    }
}

/// What is done with a session when no order is held: old ones are dropped, and this one is stored
/// in the cluster.
#[must_use]
pub(crate) struct Left {
    sessions: DroppedSessions,
    store: Option<Store>,
}

impl Left {
    pub(crate) fn finish(self, recovery: Option<&Arc<RecoveryOf>>) {
        drop(self.sessions);
        if let (Some(store), Some(shared)) = (self.store, recovery.and_then(|recovery| recovery.shared())) {
            shared.store(store);
        }
    }
}
