//! [`Session`]: what a socket keeps, so that its client can resume.

use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use tokio::sync::Notify;

use super::RecoveryState;
use super::history::History;

/// The session of a socket that can be resumed. All of it but `ended` is changed by tasks that hold
/// the order of the namespace.
#[derive(Debug)]
pub(crate) struct Session {
    /// The secret with which the client resumes: the `pid` of Socket.IO.
    token: Arc<str>,
    /// The number of the session in its namespace. It stays when the client resumes.
    number: u64,
    state: RecoveryState,
    /// The client has not received messages with lower numbers, because the session began later.
    start: u64,
    /// The number of the last message that was queued for the client. 0: none.
    sent: AtomicU64,
    /// The number of the first message that was rejected because the connection was closing. 0:
    /// none. All later ones were rejected too.
    unsent: AtomicU64,
    /// Whether a message was dropped in between, so that the client can't resume.
    is_broken: AtomicBool,
    history: Mutex<History>,
    ended: Ended,
}

/// Whether the last event of a socket has run.
#[derive(Debug, Default)]
struct Ended {
    is_over: AtomicBool,
    notify: Notify,
}

impl Session {
    /// A new session. `next` is the number of the next message.
    pub(crate) fn new(token: Arc<str>, number: u64, state: RecoveryState, next: u64) -> Self {
        Self {
            token,
            number,
            state,
            start: next,
            sent: AtomicU64::new(0),
            unsent: AtomicU64::new(0),
            is_broken: AtomicBool::new(false),
            history: Mutex::default(),
            ended: Ended::default(),
        }
    }

    /// The session of a client that resumes: it has received everything up to `sent`, or it is
    /// queued.
    pub(crate) fn resumed(token: Arc<str>, past: Past, state: RecoveryState, sent: u64) -> Self {
        let Past { number, start, history, .. } = past;
        let mut session = Self::new(token, number, state, start);
        session.sent = AtomicU64::new(sent);
        session.history = Mutex::new(history);
        session
    }

    pub(crate) fn token(&self) -> &Arc<str> {
        &self.token
    }

    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    pub(crate) fn state(&self) -> RecoveryState {
        self.state
    }

    pub(crate) fn sent(&self, number: u64) {
        self.sent.store(number, Ordering::Relaxed);
    }

    pub(crate) fn not_sent(&self, number: u64) {
        let _ = self.unsent.compare_exchange(0, number, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// The client can't resume, because it will not receive a message.
    pub(crate) fn break_off(&self) {
        self.is_broken.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_broken(&self) -> bool {
        self.is_broken.load(Ordering::Relaxed)
    }

    pub(crate) fn room_changed(&self, number: u64, room: Arc<str>, joined: bool, oldest: u64) {
        self.history.lock().add(number, room, joined, oldest);
    }

    /// What is known of the client when the socket has left the namespace. `next` is the number of
    /// the next message.
    pub(crate) fn past(&self, next: u64) -> Past {
        let unsent = match self.unsent.load(Ordering::Relaxed) {
            0 => next,
            unsent => unsent.min(next),
        };
        Past {
            number: self.number,
            start: self.start,
            sent: self.sent.load(Ordering::Relaxed).max(self.start - 1),
            unsent,
            history: std::mem::take(&mut self.history.lock()),
        }
    }

    /// Wakes what waits for the last event of the socket.
    pub(crate) fn set_ended(&self) {
        self.ended.is_over.store(true, Ordering::Release);
        self.ended.notify.notify_waiters();
    }

    /// Waits until the last event of the socket has run.
    pub(crate) async fn ended(&self) {
        let notified = self.ended.notify.notified();
        tokio::pin!(notified);
        notified.as_mut().enable();
        if !self.ended.is_over.load(Ordering::Acquire) {
            notified.await;
        }
    }
}

/// What is known of a client that is cut off.
#[derive(Debug, Default)]
pub(crate) struct Past {
    pub(crate) number: u64,
    pub(crate) start: u64,
    /// The number of the last message that was queued for the client.
    sent: u64,
    /// The number of the first message that was certainly not queued.
    unsent: u64,
    pub(crate) history: History,
}

impl Past {
    /// The number of the first message that the client may have missed, if `received` is the last
    /// that it has received.
    ///
    /// If it has received all that was queued, older messages need not be known any more.
    pub(crate) fn missed_from(&self, received: Option<u64>) -> u64 {
        let received = self.received(received);
        if received >= self.sent { self.unsent } else { received + 1 }
    }

    /// A client that has received nothing in this session may send an offset of an earlier one.
    pub(crate) fn received(&self, received: Option<u64>) -> u64 {
        received.unwrap_or(0).max(self.start - 1)
    }
}
