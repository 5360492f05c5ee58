//! [`Publisher`]: the messages of an emitter that wait, and the task that publishes them.

use bytes::Bytes;
use parking_lot::Mutex;
use std::mem;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, oneshot, watch};
use tokio::time::{Instant, timeout, timeout_at};

use super::error::{EmitterError, Published};
use crate::cluster::{Engine, GapReason, LogEntry, PublishBatch, Receive, Topic};
use crate::hooks::catch::catch_future;

/// The memory that an empty queue keeps.
const KEPT_BYTES: usize = 256 << 10;
/// The most that waits to be published: as much as that of a hub, unless it is set.
const MAX_BYTES: usize = 16 << 20;
const MAX_MESSAGES: usize = 65_536;
/// How long the engine may take to stop.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);

/// An engine, and what it shall publish.
#[derive(Debug)]
pub(super) struct Publisher {
    engine: Box<dyn Engine>,
    waiting: Mutex<Waiting>,
    /// Wakes the task.
    added: Notify,
    link: Arc<Link>,
    /// Whether the task has ended.
    is_stopped: watch::Sender<bool>,
}

#[derive(Debug, Default)]
struct Waiting {
    batch: PublishBatch,
    /// Who waits for the messages of the batch, in their order.
    results: Vec<oneshot::Sender<Result<(), EmitterError>>>,
    is_closed: bool,
}

/// Whether the engine is connected.
#[derive(Debug)]
pub(super) struct Link(watch::Sender<LinkState>);

#[derive(Clone, Debug)]
enum LinkState {
    Up,
    Down { since: Instant, reason: Option<Arc<str>> },
}

impl Default for Link {
    fn default() -> Self {
        Self(watch::Sender::new(LinkState::Down { since: Instant::now(), reason: None }))
    }
}

impl Link {
    /// The engine begins to connect.
    pub(super) fn begin(&self) {
        self.0.send_replace(LinkState::Down { since: Instant::now(), reason: None });
    }

    /// Waits until the engine is connected.
    pub(super) async fn up(&self, until: Instant) -> Result<(), Arc<str>> {
        let mut state = self.0.subscribe();
        let _ = timeout_at(until, state.wait_for(|state| matches!(state, LinkState::Up))).await;
        match &*state.borrow() {
            LinkState::Up => Ok(()),
            LinkState::Down { reason, .. } => Err(reason.clone().unwrap_or_else(|| "it does not connect".into())),
        }
    }

    /// Waits as long as an engine may be disconnected.
    async fn usable(&self, patience: Duration) -> Result<(), Arc<str>> {
        let until = match &*self.0.borrow() {
            LinkState::Up => return Ok(()),
            LinkState::Down { since, .. } => crate::session::time::after(*since, patience),
        };
        self.up(until).await
    }
}

/// An emitter subscribes to nothing, so that it only hears of the connection.
impl Receive for Link {
    fn deliver(&self, _topic: Topic<'_>, _body: Bytes) {}

    fn deliver_entry(&self, _entry: LogEntry<'_>) {}

    fn connected(&self) {
        self.0.send_replace(LinkState::Up);
    }

    fn disconnected(&self, reason: String) {
        self.0.send_modify(|state| {
            let since = match state {
                LinkState::Up => Instant::now(),
                LinkState::Down { since, .. } => *since,
            };
            *state = LinkState::Down { since, reason: Some(reason.into()) };
        });
    }

    fn gap(&self, _reason: GapReason) {}

    fn malformed(&self, _bytes: &[u8]) {}
}

impl Publisher {
    pub(super) fn new(engine: Box<dyn Engine>) -> Self {
        Self {
            engine,
            waiting: Mutex::default(),
            added: Notify::new(),
            link: Arc::default(),
            is_stopped: watch::Sender::new(false),
        }
    }

    pub(super) fn engine(&self) -> &dyn Engine {
        &*self.engine
    }

    pub(super) fn link(&self) -> &Arc<Link> {
        &self.link
    }

    /// Queues a message.
    pub(super) fn publish(&self, namespace: &Arc<str>, topic: Topic<'_>, is_volatile: bool, body: &[u8]) -> Published {
        let max = self.engine.traits().max_body;
        if body.len() > max {
            return Published::failed(EmitterError::TooLarge { bytes: body.len(), max });
        }
        let (sender, receiver) = oneshot::channel();
        let mut waiting = self.waiting.lock();
        if waiting.is_closed {
            return Published::failed(EmitterError::Closed);
        }
        // Volatile messages only take the first half.
        let share = if is_volatile { 2 } else { 1 };
        // A single message may be larger than the queue.
        let is_full = !waiting.batch.is_empty() && waiting.batch.byte_len() + body.len() > MAX_BYTES / share;
        if is_full || waiting.batch.len() >= MAX_MESSAGES / share {
            return Published::failed(EmitterError::Full);
        }
        waiting.batch.push(namespace, topic, |out| out.extend_from_slice(body));
        waiting.results.push(sender);
        drop(waiting);
        self.added.notify_one();
        Published::waiting(receiver)
    }

    /// Accepts no more messages. What waits is published, and the engine stops.
    pub(super) fn close(&self) {
        self.waiting.lock().is_closed = true;
        self.added.notify_one();
    }

    /// Waits until the engine has stopped.
    pub(super) async fn stopped(&self) {
        // The sender is a field, so it exists.
        let _ = self.is_stopped.subscribe().wait_for(|is_stopped| *is_stopped).await;
    }

    /// Nothing was started, so that nothing has to end.
    pub(super) fn set_stopped(&self) {
        self.is_stopped.send_replace(true);
    }

    /// Publishes what is queued, a batch at a time, until it is closed.
    pub(super) async fn run(self: Arc<Self>, patience: Duration) {
        let _end = End(&self);
        let mut taken = Waiting::default();
        while self.take(&mut taken).await {
            let result = self.publish_batch(&taken.batch, patience).await;
            for waiter in taken.results.drain(..) {
                if let Err(Err(error)) = waiter.send(result.clone()) {
                    tracing::warn!(%error, "an emitter lost a message whose result nobody waits for");
                }
            }
        }
        let _ = timeout(STOP_TIMEOUT, catch_future(async { self.engine.stop().await })).await;
    }

    /// Waits until there are messages, and swaps them with `taken`. Returns `false` if there will
    /// be no more.
    async fn take(&self, taken: &mut Waiting) -> bool {
        taken.batch.clear(KEPT_BYTES);
        loop {
            {
                let mut waiting = self.waiting.lock();
                if !waiting.batch.is_empty() {
                    mem::swap(&mut waiting.batch, &mut taken.batch);
                    mem::swap(&mut waiting.results, &mut taken.results);
                    return true;
                }
                if waiting.is_closed {
                    return false;
                }
            }
            self.added.notified().await;
        }
    }

    async fn publish_batch(&self, batch: &PublishBatch, patience: Duration) -> Result<(), EmitterError> {
        self.link.usable(patience).await.map_err(EmitterError::Unreachable)?;
        match catch_future(async { self.engine.publish(batch).await }).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(EmitterError::Unconfirmed(error.reason.into())),
            Err(_) => Err(EmitterError::Unconfirmed("the engine panicked".into())),
        }
    }
}

/// Ends the publisher when its task ends, which may be dropped with its runtime.
struct End<'a>(&'a Publisher);

impl Drop for End<'_> {
    fn drop(&mut self) {
        let closed = Waiting { is_closed: true, ..Waiting::default() };
        // Dropped after the lock, it tells those who wait.
        let waiting = mem::replace(&mut *self.0.waiting.lock(), closed);
        drop(waiting);
        self.0.set_stopped();
    }
}
