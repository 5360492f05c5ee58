//! Engine.IO sessions, looked up by their `sid`: what the tasks of a client's requests share with
//! that of its connection.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::Notify;

use super::SocketHandle;
use super::peer::Peer;

/// How long a request waits for a WebSocket that is being opened for the same session.
const MAX_PENDING_UPGRADE: Duration = Duration::from_millis(100);

/// How an Engine.IO session travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Transport {
    /// HTTP long-polling.
    Polling,
    /// A WebSocket.
    WebSocket,
}

impl Transport {
    /// Its name in Engine.IO.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Polling => "polling",
            Self::WebSocket => "websocket",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        [Self::Polling, Self::WebSocket].into_iter().find(|transport| transport.as_str() == name)
    }
}

/// The sessions of one Engine.IO endpoint, by their ids.
#[derive(Debug)]
pub(crate) struct EngineSessions<S: SocketHandle>(Mutex<HashMap<Arc<str>, Arc<Peer<S>>>>);

impl<S: SocketHandle> Default for EngineSessions<S> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<S: SocketHandle> EngineSessions<S> {
    pub(crate) fn find(&self, sid: &str) -> Option<Arc<Peer<S>>> {
        self.0.lock().get(sid).cloned()
    }

    pub(crate) fn add(&self, peer: &Arc<Peer<S>>) {
        if let Some(session) = &peer.session {
            self.0.lock().insert(Arc::clone(&session.sid), Arc::clone(peer));
        }
    }
}

/// One session.
#[derive(Debug)]
pub(crate) struct EngineSession<S: SocketHandle> {
    sid: Arc<str>,
    sessions: Weak<EngineSessions<S>>,
    /// Whether it still travels by long-polling.
    polls: AtomicBool,
    /// Whether a POST is under way.
    posting: AtomicBool,
    /// Whether it is over.
    over: AtomicBool,
    /// Notified when the session travels by WebSocket, and when it is over.
    changed: Notify,
    /// How many WebSockets are being opened for it and have not reached its connection yet.
    arriving: AtomicUsize,
    arrived: Notify,
}

/// A WebSocket that is being opened for a session.
pub(crate) struct PendingUpgrade<S: SocketHandle>(Arc<Peer<S>>);

impl<S: SocketHandle> PendingUpgrade<S> {
    pub(crate) fn of(peer: Arc<Peer<S>>) -> Self {
        if let Some(session) = &peer.session {
            session.arriving.fetch_add(1, Ordering::AcqRel);
        }
        Self(peer)
    }

    pub(crate) fn peer(&self) -> &Peer<S> {
        &self.0
    }
}

impl<S: SocketHandle> Drop for PendingUpgrade<S> {
    fn drop(&mut self) {
        if let Some(session) = &self.0.session
            && session.arriving.fetch_sub(1, Ordering::AcqRel) == 1
        {
            session.arrived.notify_waiters();
        }
    }
}

impl<S: SocketHandle> EngineSession<S> {
    pub(crate) fn new(sessions: &Arc<EngineSessions<S>>, polls: bool) -> Self {
        Self {
            sid: random_id().into(),
            sessions: Arc::downgrade(sessions),
            polls: AtomicBool::new(polls),
            posting: AtomicBool::new(false),
            over: AtomicBool::new(false),
            changed: Notify::new(),
            arriving: AtomicUsize::new(0),
            arrived: Notify::new(),
        }
    }

    /// Waits until no WebSocket is being opened for the session any more, but not for long: what
    /// the client has sent by a WebSocket that it sees open comes before what it sends by another
    /// way.
    pub(crate) async fn settled(&self) {
        let mut arrived = std::pin::pin!(self.arrived.notified());
        arrived.as_mut().enable();
        if self.arriving.load(Ordering::Acquire) > 0 {
            // A WebSocket that takes longer is not open for the client yet.
            let _ = tokio::time::timeout(MAX_PENDING_UPGRADE, arrived).await;
        }
    }

    pub(crate) fn sid(&self) -> &str {
        &self.sid
    }

    pub(crate) fn polls(&self) -> bool {
        self.polls.load(Ordering::Acquire)
    }

    pub(crate) fn upgraded(&self) {
        self.polls.store(false, Ordering::Release);
        self.changed.notify_waiters();
    }

    /// Waits until the session travels by WebSocket. `false`: it ended before.
    pub(crate) async fn upgrade(&self) -> bool {
        let mut changed = std::pin::pin!(self.changed.notified());
        changed.as_mut().enable();
        if self.polls() && !self.over.load(Ordering::Acquire) {
            changed.await;
        }
        !self.polls()
    }

    /// Begins a POST. `false`: another one is under way.
    pub(crate) fn begin_post(&self) -> bool {
        !self.posting.swap(true, Ordering::AcqRel)
    }

    pub(crate) fn end_post(&self) {
        self.posting.store(false, Ordering::Release);
    }

    /// Removes the session: no request finds it any more.
    pub(crate) fn forget(&self) {
        self.over.store(true, Ordering::Release);
        self.changed.notify_waiters();
        if let Some(sessions) = self.sessions.upgrade() {
            let forgotten = sessions.0.lock().remove(&*self.sid);
            drop(forgotten);
        }
    }
}

/// An id that nobody can guess: 20 characters of base64url, made of 15 random bytes, as the
/// reference server has them.
///
/// # Panics
///
/// The system has no random bytes to give.
pub(crate) fn random_id() -> String {
    let mut bytes = [0; 15];
    getrandom::fill(&mut bytes).expect("the system gives random bytes");
    URL_SAFE_NO_PAD.encode(bytes)
}
