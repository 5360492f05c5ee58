//! [`Session`]: what a socket keeps, so that its client can resume.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use parking_lot::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use tokio::sync::Notify;

use super::RecoveryState;
use super::history::{Change, History};
use super::shared::InCluster;
use crate::wire::offset::Offset;

/// The session of a socket that can be resumed. All of it but `ended` is changed by tasks that hold
/// the order of the namespace.
#[derive(Debug)]
pub(crate) struct Session {
    /// The secret with which the client resumes: the `pid` of Socket.IO. It is set when it is known
    /// whether the client resumes an earlier session.
    token: OnceLock<Arc<str>>,
    /// Tells the session from others of its namespace. It stays when the client resumes.
    number: AtomicU64,
    state: Mutex<RecoveryState>,
    /// The last message before the session began. The default offset: this server has read nothing
    /// of the log.
    start: AtomicOffset,
    /// The socket is not a recipient of messages up to this one: they are earlier than it, or it
    /// gets them when it is accepted.
    live_after: AtomicOffset,
    /// The last message that was queued for the client. The default offset: none.
    sent: AtomicOffset,
    /// The first message that was rejected because the connection was closing. The default offset:
    /// none. All later ones were rejected too.
    unsent: AtomicOffset,
    /// The client received, or should have, a message that is in no log before this offset. The
    /// default offset: none.
    unlogged: AtomicOffset,
    /// Whether a message was dropped in between, so that the client can't resume.
    is_broken: AtomicBool,
    /// Whether the client is cut off, and can resume.
    is_kept: AtomicBool,
    #[cfg_attr(not(feature = "cluster"), allow(dead_code))]
    pub(super) in_cluster: InCluster,
    history: Mutex<History>,
    ended: Ended,
}

/// An offset that is changed by tasks that hold the order of the namespace.
#[derive(Debug, Default)]
struct AtomicOffset {
    epoch: AtomicU64,
    number: AtomicU64,
}

impl AtomicOffset {
    fn new(offset: Offset) -> Self {
        Self { epoch: offset.epoch.into(), number: offset.number.into() }
    }

    fn get(&self) -> Offset {
        Offset { epoch: self.epoch.load(Ordering::Relaxed), number: self.number.load(Ordering::Relaxed) }
    }

    fn set(&self, offset: Offset) {
        self.epoch.store(offset.epoch, Ordering::Relaxed);
        self.number.store(offset.number, Ordering::Relaxed);
    }
}

/// Whether the last event of a socket has run.
#[derive(Debug, Default)]
struct Ended {
    is_over: AtomicBool,
    notify: Notify,
}

impl Session {
    /// A session of which it is not yet known whether it resumes an earlier one. Messages of the
    /// log do not reach it.
    pub(crate) fn undecided() -> Self {
        Self {
            token: OnceLock::new(),
            number: AtomicU64::new(0),
            state: Mutex::new(RecoveryState::New),
            start: AtomicOffset::default(),
            live_after: AtomicOffset::new(Offset::MAX),
            sent: AtomicOffset::default(),
            unsent: AtomicOffset::default(),
            unlogged: AtomicOffset::default(),
            is_broken: AtomicBool::new(false),
            is_kept: AtomicBool::new(false),
            in_cluster: InCluster::default(),
            history: Mutex::default(),
            ended: Ended::default(),
        }
    }

    /// A new session that begins after the message at `start`.
    pub(crate) fn new(number: u64, state: RecoveryState, start: Offset) -> Self {
        let session = Self::undecided();
        session.begin(number, state, start);
        session
    }

    /// Begins a new session after the message at `start`.
    pub(crate) fn begin(&self, number: u64, state: RecoveryState, start: Offset) {
        self.number.store(number, Ordering::Relaxed);
        self.decide(state);
        self.start.set(start);
        self.live_after.set(start);
    }

    /// The server begins to read the log, after `start`.
    #[cfg(feature = "cluster")]
    pub(crate) fn begins_after(&self, start: Offset) {
        if self.start.get() != Offset::default() {
            return;
        }
        self.start.set(start);
        if self.unlogged.get() != Offset::default() {
            self.unlogged.set(start.next());
        }
    }

    /// Continues an earlier session. What was emitted up to the message at `replayed` is queued
    /// when the socket is accepted. `sent` is the last of it that is for the client.
    pub(crate) fn resume(&self, token: Arc<str>, past: Past, sent: Offset, replayed: Offset) {
        let Past { number, start, history, unlogged, .. } = past;
        let _ = self.token.set(token);
        self.number.store(number, Ordering::Relaxed);
        self.start.set(start);
        self.live_after.set(replayed);
        self.sent_at_least(sent);
        self.unlogged.set(unlogged.max(self.unlogged.get()));
        *self.history.lock() = history;
    }

    pub(crate) fn decide(&self, state: RecoveryState) {
        *self.state.lock() = state;
    }

    pub(crate) fn token(&self) -> &Arc<str> {
        self.token.get_or_init(new_token)
    }

    pub(crate) fn number(&self) -> u64 {
        self.number.load(Ordering::Relaxed)
    }

    pub(crate) fn state(&self) -> RecoveryState {
        *self.state.lock()
    }

    /// Whether messages of the log at this offset are for the socket.
    pub(crate) fn is_live_at(&self, message: Offset) -> bool {
        self.live_after.get() < message
    }

    /// The client receives a message that is not in the log, between `last` and the next one.
    pub(crate) fn sent_unlogged(&self, last: Offset) {
        self.unlogged.set(last.next());
    }

    /// The client is cut off, and can resume.
    pub(crate) fn set_kept(&self) {
        self.is_kept.store(true, Ordering::Relaxed);
    }

    #[cfg_attr(not(feature = "cluster"), allow(dead_code))]
    pub(crate) fn is_kept(&self) -> bool {
        self.is_kept.load(Ordering::Relaxed)
    }

    /// A message up to this one was queued for the client, or will be.
    pub(crate) fn sent_at_least(&self, message: Offset) {
        self.sent.set(message.max(self.sent.get()));
    }

    pub(crate) fn sent(&self, message: Offset) {
        self.sent.set(message);
    }

    pub(crate) fn not_sent(&self, message: Offset) {
        if self.unsent.get() == Offset::default() {
            self.unsent.set(message);
        }
    }

    /// The client can't resume, because it will not receive a message.
    pub(crate) fn break_off(&self) {
        self.is_broken.store(true, Ordering::Relaxed);
    }

    /// The client has missed messages of the log. It gets no later ones before it is told.
    #[cfg(feature = "cluster")]
    pub(crate) fn interrupt(&self) {
        self.break_off();
        self.live_after.set(Offset::MAX);
    }

    pub(crate) fn is_broken(&self) -> bool {
        self.is_broken.load(Ordering::Relaxed)
    }

    pub(crate) fn room_changed(&self, change: Change, oldest: Offset) {
        self.history.lock().add(change, oldest);
    }

    /// What is known of the client when the socket has left the namespace, after the message at
    /// `last`.
    pub(crate) fn past(&self, last: Offset) -> Past {
        let unsent = self.unsent.get();
        let replayed = self.live_after.get();
        let last = if replayed == Offset::MAX { last } else { last.max(replayed) };
        let settled = if unsent == Offset::default() { last } else { unsent.before().min(last) };
        let start = self.start.get();
        Past {
            number: self.number(),
            start,
            sent: self.sent.get().max(start),
            settled,
            unlogged: self.unlogged.get(),
            history: self.history.lock().clone(),
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
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Past {
    pub(crate) number: u64,
    /// The last message before the session began.
    pub(crate) start: Offset,
    /// The last message that was queued for the client.
    pub(crate) sent: Offset,
    /// Up to this message, all those for the client were queued. All later ones were not.
    pub(crate) settled: Offset,
    /// The client received, or should have, a message that is in no log before this offset. The
    /// default offset: none.
    pub(crate) unlogged: Offset,
    pub(crate) history: History,
}

impl Past {
    /// The client can only have missed messages after this one, if `received` is the last that it
    /// has received.
    ///
    /// If it has received all that was queued, older messages need not be known any more.
    pub(crate) fn missed_after(&self, received: Option<Offset>) -> Offset {
        let received = self.received(received);
        if received >= self.sent { self.settled.max(received) } else { received }
    }

    /// A client that has received nothing in this session may send an offset of an earlier one.
    pub(crate) fn received(&self, received: Option<Offset>) -> Offset {
        received.unwrap_or_default().max(self.start)
    }
}

/// A secret of 160 bits.
pub(super) fn new_token() -> Arc<str> {
    let mut bytes = [0; 20];
    getrandom::fill(&mut bytes).expect("the system provides random bytes");
    URL_SAFE_NO_PAD.encode(bytes).into()
}

/// The number of a new session. It is unique in the cluster, and exact in JavaScript.
pub(super) fn new_number() -> u64 {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).expect("the system provides random bytes");
    u64::from_le_bytes(bytes) >> 12
}
