//! Engine.IO sessions, looked up by their `sid`.
//!
//! The tasks that serve a client's HTTP requests share an [`EngineSession`] with the connection's
//! task.

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

/// How long a poll waits for a pending WebSocket upgrade of the same session.
const MAX_PENDING_UPGRADE: Duration = Duration::from_millis(100);

/// The transport of an Engine.IO session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Transport {
    /// HTTP long-polling.
    Polling,
    /// A WebSocket.
    WebSocket,
}

impl Transport {
    /// Returns the transport's name in the Engine.IO protocol: `polling` or `websocket`.
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

/// The sessions of one Engine.IO endpoint, by session id.
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
            let replaced = self.0.lock().insert(Arc::clone(&session.sid), Arc::clone(peer));
            drop(replaced);
        }
    }
}

/// The state of one session that HTTP requests read and change.
#[derive(Debug)]
pub(crate) struct EngineSession<S: SocketHandle> {
    sid: Arc<str>,
    sessions: Weak<EngineSessions<S>>,
    /// Whether the transport is still long-polling.
    is_polling: AtomicBool,
    /// Whether a POST is in progress.
    posting: AtomicBool,
    /// Whether the session has ended.
    ended: AtomicBool,
    /// Notified when the session has upgraded to a WebSocket, and when it has ended.
    changed: Notify,
    /// The number of WebSockets that are being opened and have not reached the connection's task.
    pending_upgrades: AtomicUsize,
    /// Notified when `pending_upgrades` drops to zero.
    upgrades_done: Notify,
}

/// A WebSocket that is being opened for a session. Dropping it ends the pending upgrade.
pub(crate) struct PendingUpgrade<S: SocketHandle>(Arc<Peer<S>>);

impl<S: SocketHandle> PendingUpgrade<S> {
    pub(crate) fn of(peer: Arc<Peer<S>>) -> Self {
        if let Some(session) = &peer.session {
            session.pending_upgrades.fetch_add(1, Ordering::AcqRel);
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
            && session.pending_upgrades.fetch_sub(1, Ordering::AcqRel) == 1
        {
            session.upgrades_done.notify_waiters();
        }
    }
}

impl<S: SocketHandle> EngineSession<S> {
    pub(crate) fn new(sessions: &Arc<EngineSessions<S>>, is_polling: bool) -> Self {
        Self {
            sid: random_id().into(),
            sessions: Arc::downgrade(sessions),
            is_polling: AtomicBool::new(is_polling),
            posting: AtomicBool::new(false),
            ended: AtomicBool::new(false),
            changed: Notify::new(),
            pending_upgrades: AtomicUsize::new(0),
            upgrades_done: Notify::new(),
        }
    }

    /// Waits until no WebSocket upgrade is pending, at most for [`MAX_PENDING_UPGRADE`].
    ///
    /// The client may have sent messages over a WebSocket that is open on its side. They must be
    /// handled before the client's next poll.
    pub(crate) async fn wait_for_pending_upgrades(&self) {
        let mut upgrades_done = std::pin::pin!(self.upgrades_done.notified());
        upgrades_done.as_mut().enable();
        if self.pending_upgrades.load(Ordering::Acquire) > 0 {
            // If it takes longer, the client does not see an open WebSocket yet.
            let _ = tokio::time::timeout(MAX_PENDING_UPGRADE, upgrades_done).await;
        }
    }

    pub(crate) fn sid(&self) -> &str {
        &self.sid
    }

    pub(crate) fn is_polling(&self) -> bool {
        self.is_polling.load(Ordering::Acquire)
    }

    pub(crate) fn set_upgraded(&self) {
        self.is_polling.store(false, Ordering::Release);
        self.changed.notify_waiters();
    }

    /// Waits until the session has upgraded to a WebSocket. Returns `false` if it ended first.
    pub(crate) async fn wait_for_upgrade(&self) -> bool {
        let mut changed = std::pin::pin!(self.changed.notified());
        changed.as_mut().enable();
        if self.is_polling() && !self.ended.load(Ordering::Acquire) {
            changed.await;
        }
        !self.is_polling()
    }

    /// Begins a POST. Returns `false` if another one is in progress.
    pub(crate) fn begin_post(&self) -> bool {
        !self.posting.swap(true, Ordering::AcqRel)
    }

    pub(crate) fn end_post(&self) {
        self.posting.store(false, Ordering::Release);
    }

    /// Ends the session and removes it, so that requests no longer find it.
    pub(crate) fn remove(&self) {
        self.ended.store(true, Ordering::Release);
        self.changed.notify_waiters();
        if let Some(sessions) = self.sessions.upgrade() {
            let removed = sessions.0.lock().remove(&*self.sid);
            drop(removed);
        }
    }
}

/// Returns an unguessable id: 15 random bytes as 20 characters of base64url. The reference server
/// uses the same format.
///
/// # Panics
///
/// Panics if the operating system provides no random bytes.
pub(crate) fn random_id() -> String {
    let mut bytes = [0; 15];
    getrandom::fill(&mut bytes).expect("the system provides random bytes");
    URL_SAFE_NO_PAD.encode(bytes)
}
