//! Recovery with a log and sessions that all servers of a cluster share.
//!
//! What is emitted is published to the log. This server's own sockets get it when it is read back,
//! because only then its offset is known ([`delivering`]). When a client is cut off, its session is
//! stored in the cluster ([`saved`]). Any server can take it, and reads from the log what the
//! client has missed ([`restoring`]). With [`Persist::Eager`], a server that still has the client
//! stores the session again first ([`handover`]).

pub(crate) mod delivering;
mod handover;
mod restoring;
mod revoked;
mod saved;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use std::fmt::Debug;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout_at};

use super::Persist;
use super::namespace::{Order, RecoveryOf};
use super::session::Session;
use crate::cluster::ReadError;
use crate::hub::adapter::{Audience, Packet};
use crate::hub::aliases::Command;
use crate::hub::revoking::Revoked;
use crate::hub::socket::reliable::queue::Unresumed;
use crate::hub::socket::{Socket, SocketId};
use crate::session::end::End;
use crate::wire::offset::Offset;
use revoked::RevokedSessions;
use saved::SavedSession;

/// How long changes of a session are collected before it is stored.
const SAVE_DELAY: Duration = Duration::from_millis(50);
/// How long a client that resumes its session waits for the cluster.
const MAX_WAIT: Duration = Duration::from_secs(5);

/// The log and the sessions of a namespace in the cluster.
pub(crate) trait SharedLog: Debug + Send + Sync {
    /// The id of this server.
    fn server(&self) -> &str;

    /// All entries up to this one were delivered, in all namespaces.
    fn position(&self) -> Offset;

    /// Stores a session, after what was published before. An empty one is removed.
    fn save(&self, token: &str, session: &[u8]);

    /// Takes a session, and returns the last entry of the log at that moment.
    fn take<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Result<(Option<Bytes>, Offset), String>>;

    /// Reads a page of events after one offset up to another.
    fn read(&self, after: Offset, to: Offset) -> BoxFuture<'_, Result<Page, ReadError>>;

    /// Lets the server that has the socket of a session end it, and store the session. It returns
    /// when that is published.
    fn request_end<'a>(&'a self, id: &'a str) -> BoxFuture<'a, ()>;

    /// Ends the socket of a session that was resumed here, if another server still has it. It
    /// returns when that is published.
    fn end_elsewhere<'a>(&'a self, id: &'a str) -> BoxFuture<'a, ()>;
}

/// Events that were read from the log.
#[derive(Debug, Default)]
pub(crate) struct Page {
    pub(crate) events: Vec<LoggedEvent>,
    pub(crate) resumed: Vec<Resumed>,
    /// All events up to this offset have been read.
    pub(crate) up_to: Offset,
}

/// An event of the log that clients who missed it get.
#[derive(Debug)]
pub(crate) struct LoggedEvent {
    pub(crate) offset: Offset,
    pub(crate) packet: Packet,
    pub(crate) audience: Audience,
    /// The number of the only session that gets it.
    pub(crate) session: Option<u64>,
}

/// An entry by which a server tells the others that it has resumed a session.
#[derive(Debug)]
pub(crate) struct Resumed {
    /// The id of the socket.
    pub(crate) id: String,
    pub(crate) server: String,
}

#[derive(Debug)]
pub(crate) struct Shared {
    log: Box<dyn SharedLog>,
    /// The sockets whose sessions have changed since they were stored. `None`: sessions are only
    /// stored at their end.
    changed: Option<Changed>,
    /// How often entries were removed before this server has read them.
    gaps: AtomicU64,
    revoked: RevokedSessions,
}

#[derive(Debug, Default)]
struct Changed {
    sockets: Mutex<Vec<Socket>>,
    added: Arc<Notify>,
    is_watched: AtomicBool,
}

/// What a session has only in a cluster.
#[derive(Debug, Default)]
pub(crate) struct InCluster {
    /// Whether another server has resumed it.
    is_moved: AtomicBool,
    /// Whether it has changed since it was stored.
    has_changed: AtomicBool,
}

impl Session {
    /// Another server has resumed the session.
    pub(crate) fn set_moved(&self) {
        self.in_cluster.is_moved.store(true, Ordering::Relaxed);
    }

    fn is_moved(&self) -> bool {
        self.in_cluster.is_moved.load(Ordering::Relaxed)
    }
}

/// What is to be stored.
pub(crate) struct Store {
    token: Arc<str>,
    /// `None`: the stored session is removed.
    session: Option<SavedSession>,
    reliable: Option<Unresumed>,
}

impl RecoveryOf {
    /// Shares the log and the sessions of the namespace with other servers.
    pub(crate) fn share(&self, log: impl SharedLog + 'static) {
        let changed = (self.settings.persist == Persist::Eager).then(Changed::default);
        self.set_shared(Shared {
            log: Box::new(log),
            changed,
            gaps: AtomicU64::new(0),
            revoked: RevokedSessions::default(),
        });
    }

    /// Entries of the log were removed before this server has read them. Clients that are connected
    /// may have missed messages. They are disconnected, and are told when they come back.
    pub(crate) fn log_has_gap(&self) {
        let Some(shared) = self.shared() else { return };
        let order = self.order();
        shared.gaps.fetch_add(1, Ordering::Relaxed);
        let sockets = order.with(|state| state.sessions.live_sockets()).unwrap_or_default();
        sockets.iter().filter_map(Socket::session).for_each(Session::interrupt);
        drop(order);
        for socket in &sockets {
            socket.peer().handle.post(Command::End(End::log_unavailable()));
        }
    }

    /// This server begins to read the log, after `start`. It has accepted clients before.
    pub(crate) fn begins_after(&self, start: Offset) {
        let order = self.order();
        let sockets = order.with(|state| state.sessions.live_sockets()).unwrap_or_default();
        for session in sockets.iter().filter_map(Socket::session) {
            session.begins_after(start);
        }
    }
}

impl Shared {
    pub(super) fn position(&self) -> Offset {
        self.log.position()
    }

    /// A socket has left the namespace. Returns what is to be stored.
    pub(super) fn left(
        &self,
        order: &Order<'_>,
        socket: &Socket,
        session: &Session,
        kept: Option<(SocketId, Vec<Arc<str>>)>,
    ) -> Option<Store> {
        // What is stored now is that of another server.
        if session.is_moved() {
            return None;
        }
        let token = Arc::clone(session.token());
        match kept {
            Some((id, rooms)) => {
                let past = session.past(order.last()?);
                let session = SavedSession::new(self.log.server(), &token, &id, &rooms, socket.attributes(), past);
                let session = Some(session.with_expiry(socket.expiry()));
                Some(Store { session, token, reliable: socket.cut_reliable() })
            }
            None => self.changed.is_some().then_some(Store { token, session: None, reliable: None }),
        }
    }

    /// Sessions with an attribute can't be resumed. They are stored for `kept`.
    pub(super) fn revoke(&self, revoked: &Arc<Revoked>, kept: Duration) {
        self.revoked.add(revoked, kept);
    }

    pub(super) fn store(&self, Store { token, session, reliable }: Store) {
        let reliable = reliable.map(Unresumed::hand_over).unwrap_or_default();
        let session = session.map(|session| session.with_reliable(reliable).encode());
        self.log.save(&token, &session.unwrap_or_default());
    }

    /// The rooms or the attributes of a socket have changed, or it was accepted.
    pub(crate) fn changed(&self, recovery: &Arc<RecoveryOf>, socket: &Socket) {
        let (Some(changed), Some(session)) = (&self.changed, socket.session()) else { return };
        if !session.in_cluster.has_changed.swap(true, Ordering::Relaxed) {
            changed.sockets.lock().push(socket.clone());
            changed.added.notify_one();
        }
        let Ok(runtime) = Handle::try_current() else { return };
        if !changed.is_watched.swap(true, Ordering::Relaxed) {
            let watcher = Watcher { recovery: Arc::downgrade(recovery), added: Arc::clone(&changed.added) };
            runtime.spawn(watcher.store_changes(recovery.settings.max_disconnection / 2));
        }
    }

    /// Stores the sessions that have changed.
    fn store_changed(&self, recovery: &RecoveryOf) {
        let Some(changed) = &self.changed else { return };
        let sockets = std::mem::take(&mut *changed.sockets.lock());
        sockets.iter().for_each(|socket| self.store_live(recovery, socket));
    }

    /// Stores the session of a client that is connected.
    fn store_live(&self, recovery: &RecoveryOf, socket: &Socket) {
        let Some(session) = socket.session() else { return };
        session.in_cluster.has_changed.store(false, Ordering::Relaxed);
        let order = recovery.order();
        let Some(last) = order.last().filter(|_| socket.is_connected() && !session.is_broken()) else { return };
        let past = session.past(last);
        let (id, rooms) = socket.id_and_rooms();
        drop(order);
        let reliable = socket.known_reliable_queue().map(|queue| queue.stored()).unwrap_or_default();
        let saved = SavedSession::new(self.log.server(), session.token(), &id, &rooms, socket.attributes(), past);
        let saved = saved.with_expiry(socket.expiry()).with_reliable(reliable).while_connected().encode();
        // What is stored at the end must be later.
        let _order = recovery.order();
        if socket.is_connected() && !session.is_moved() {
            self.log.save(session.token(), &saved);
        }
    }
}

impl Drop for Changed {
    fn drop(&mut self) {
        self.added.notify_one();
    }
}

/// Stores the sessions of connected clients.
struct Watcher {
    recovery: Weak<RecoveryOf>,
    added: Arc<Notify>,
}

impl Watcher {
    /// Stores what has changed, and all of it in each `period`, before it expires. It ends with the
    /// namespace.
    async fn store_changes(self, period: Duration) {
        let mut refresh_at = Instant::now() + period;
        loop {
            if timeout_at(refresh_at, self.added.notified()).await.is_ok() {
                sleep(SAVE_DELAY).await;
            }
            let Some(recovery) = self.recovery.upgrade() else { return };
            let Some(shared) = recovery.shared() else { return };
            shared.store_changed(&recovery);
            if refresh_at <= Instant::now() {
                refresh_at = Instant::now() + period;
                for socket in recovery.live_sockets() {
                    shared.store_live(&recovery, &socket);
                }
            }
        }
    }
}

impl Drop for Watcher {
    /// The runtime may shut down, and the next change be made on another runtime.
    fn drop(&mut self) {
        let recovery = self.recovery.upgrade();
        if let Some(changed) = recovery.as_ref().and_then(|recovery| recovery.shared()?.changed.as_ref()) {
            changed.is_watched.store(false, Ordering::Relaxed);
        }
    }
}
