//! [`PublishQueue`]: the messages that wait to be published.

use parking_lot::Mutex;
use std::sync::Arc;
use tokio::sync::Notify;

use super::{PublishBatch, Topic};

/// The memory that an empty queue keeps.
const KEPT_BYTES: usize = 256 << 10;

/// A bounded queue. Emits add to it without waiting, and one task publishes what it holds.
#[derive(Debug)]
pub(crate) struct PublishQueue {
    waiting: Mutex<PublishBatch>,
    added: Notify,
    max_bytes: usize,
    max_messages: usize,
}

/// The queue is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Full;

impl PublishQueue {
    pub(crate) fn new(max_bytes: usize, max_messages: usize) -> Self {
        Self { waiting: Mutex::default(), added: Notify::new(), max_bytes, max_messages }
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

    pub(crate) fn len(&self) -> usize {
        self.waiting.lock().len()
    }
}
