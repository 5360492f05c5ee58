//! [`ShardedCounters`]: the counters of a hub that change with each message.
//!
//! Each thread adds to a shard of its own, so that threads do not contend for a cache line. A
//! connection's task adds once for all that it has read or written together.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// The number of shards. Further threads share them.
const SHARDS: usize = 16;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Count {
    ReceivedMessages,
    ReceivedBytes,
    SentMessages,
    SentBytes,
    /// Messages that did not fit into an outbox.
    Dropped,
    /// Volatile messages that a client could not receive when they were emitted.
    DroppedVolatile,
    /// Requests for an acknowledgement.
    AckRequests,
    /// Those of them that no longer wait.
    AcksSettled,
}

const COUNTS: usize = Count::AcksSettled as usize + 1;

/// A processor may fetch cache lines in pairs.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Shard([AtomicU64; COUNTS]);

#[derive(Debug, Default)]
pub(crate) struct ShardedCounters {
    shards: [Shard; SHARDS],
}

/// The number of threads that have a shard.
static THREADS: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// The shard of this thread, counted from 1. 0: it has none yet.
    static SHARD: Cell<usize> = const { Cell::new(0) };
}

fn shard() -> usize {
    let known = SHARD.get();
    if known != 0 {
        return known - 1;
    }
    let new = THREADS.fetch_add(1, Ordering::Relaxed) % SHARDS;
    SHARD.set(new + 1);
    new
}

impl ShardedCounters {
    pub(crate) fn add(&self, count: Count, number: u64) {
        self.shards[shard()].0[count as usize].fetch_add(number, Ordering::Relaxed);
    }

    /// Adds messages and their bytes. Mostly both are known together, and often none came.
    pub(crate) fn add_received(&self, messages: u64, bytes: u64) {
        self.add_both(Count::ReceivedMessages, messages, Count::ReceivedBytes, bytes);
    }

    /// Like [`add_received`](Self::add_received).
    pub(crate) fn add_sent(&self, messages: u64, bytes: u64) {
        self.add_both(Count::SentMessages, messages, Count::SentBytes, bytes);
    }

    fn add_both(&self, messages: Count, of_messages: u64, bytes: Count, of_bytes: u64) {
        let Shard(counts) = &self.shards[shard()];
        for (count, number) in [(messages, of_messages), (bytes, of_bytes)] {
            if number > 0 {
                counts[count as usize].fetch_add(number, Ordering::Relaxed);
            }
        }
    }

    /// The sum of all shards. Threads that count meanwhile may be in it or not.
    pub(crate) fn total(&self, count: Count) -> u64 {
        let counts = self.shards.iter().map(|shard| shard.0[count as usize].load(Ordering::Relaxed));
        counts.fold(0, u64::wrapping_add)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_total_has_what_all_threads_have_added() {
        let counters = ShardedCounters::default();
        std::thread::scope(|scope| {
            for _ in 0..2 * SHARDS {
                scope.spawn(|| {
                    for _ in 0..1_000 {
                        counters.add_received(2, 30);
                    }
                    counters.add_sent(1, 0);
                });
            }
        });
        assert_eq!(counters.total(Count::ReceivedMessages), 2 * SHARDS as u64 * 2_000);
        assert_eq!(counters.total(Count::ReceivedBytes), 2 * SHARDS as u64 * 30_000);
        assert_eq!((counters.total(Count::SentMessages), counters.total(Count::SentBytes)), (2 * SHARDS as u64, 0));
        assert_eq!(counters.total(Count::AcksSettled), 0);
    }
}
