//! [`PublishQueue`]: the messages that wait to be published.

use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use tokio::sync::{Notify, watch};

use super::{PublishBatch, Topic};

/// The memory that an empty queue keeps.
const KEPT_BYTES: usize = 256 << 10;

/// A bounded queue. Emits add to it without waiting, and one task publishes what it holds.
#[derive(Debug)]
pub(crate) struct PublishQueue {
    waiting: Mutex<PublishBatch>,
    added: Notify,
    /// The number of messages that were ever added. It changes under the lock of `waiting`.
    pushed: AtomicU64,
    /// The number of messages that the publisher is done with.
    done: watch::Sender<u64>,
    max_bytes: usize,
    max_messages: usize,
    /// No more messages are accepted. It changes under the lock of `waiting`.
    is_closed: AtomicBool,
}

/// The queue is full or closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Full;

impl PublishQueue {
    pub(crate) fn new(max_bytes: usize, max_messages: usize) -> Self {
        Self {
            waiting: Mutex::default(),
            added: Notify::new(),
            pushed: AtomicU64::new(0),
            done: watch::Sender::new(0),
            max_bytes,
            max_messages,
            is_closed: AtomicBool::new(false),
        }
    }

    /// Adds a message. `finish` is called under the lock with the copied body, which is the end of
    /// the buffer, and may append to it.
    pub(crate) fn push(
        &self,
        namespace: &Arc<str>,
        topic: Topic<'_>,
        is_volatile: bool,
        body: &[u8],
        finish: impl FnOnce(&mut Vec<u8>),
    ) -> Result<(), Full> {
        let mut waiting = self.waiting.lock();
        if self.is_closed.load(Ordering::Relaxed) {
            return Err(Full);
        }
        // Volatile messages only take the first half.
        let share = if is_volatile { 2 } else { 1 };
        let bytes = waiting.byte_len().saturating_add(body.len());
        if waiting.len() >= self.max_messages / share || bytes > self.max_bytes / share {
            return Err(Full);
        }
        let was_empty = waiting.is_empty();
        waiting.push(namespace, topic, |out| {
            out.extend_from_slice(body);
            finish(out);
        });
        self.pushed.fetch_add(1, Ordering::Relaxed);
        drop(waiting);
        if was_empty {
            self.added.notify_one();
        }
        Ok(())
    }

    /// Waits until there are messages, and swaps them with `batch`, which is cleared.
    pub(crate) async fn take(&self, batch: &mut PublishBatch) {
        batch.clear(KEPT_BYTES);
        loop {
            {
                let mut waiting = self.waiting.lock();
                if !waiting.is_empty() {
                    std::mem::swap(&mut *waiting, batch);
                    return;
                }
            }
            self.added.notified().await;
        }
    }

    /// Reports that messages which [`take`](Self::take) returned are published or failed.
    pub(crate) fn done(&self, messages: usize) {
        self.done.send_modify(|done| *done += messages as u64);
    }

    /// Closes the queue after its publisher has ended. Returns how many messages are lost.
    pub(crate) fn close(&self) -> u64 {
        let mut waiting = self.waiting.lock();
        self.is_closed.store(true, Ordering::Relaxed);
        waiting.clear(0);
        drop(waiting);
        let pushed = self.pushed.load(Ordering::Relaxed);
        pushed.saturating_sub(self.done.send_replace(pushed))
    }

    /// Waits until all messages that were added before are done.
    pub(crate) async fn flushed(&self) {
        let pushed = self.pushed.load(Ordering::Relaxed);
        // The sender is a field, so it exists.
        let _ = self.done.subscribe().wait_for(|done| *done >= pushed).await;
    }
}
