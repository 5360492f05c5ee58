//! [`HubStats`]: statistics of a hub.

use std::sync::atomic::{AtomicU64, Ordering};

/// Statistics of a hub. The counters start when the hub is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HubStats {
    /// The current number of connections, including those in their handshake.
    pub connections: usize,
    /// How many events were received that have neither handler nor listener.
    pub unknown_events: u64,
    /// How often a queue of a client was full: its outbox, or that of the server's own events. A
    /// queue counts once until it is empty again.
    pub overflows: u64,
    /// How many events a [rate limit](crate::HubBuilder::rate_limit) has dropped.
    pub rate_limited: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    unknown_events: AtomicU64,
    overflows: AtomicU64,
    rate_limited: AtomicU64,
}

impl Counters {
    pub(crate) fn unknown_event(&self) {
        self.unknown_events.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn overflow(&self) {
        self.overflows.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn rate_limited(&self) {
        self.rate_limited.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn stats(&self, connections: usize) -> HubStats {
        HubStats {
            connections,
            unknown_events: self.unknown_events.load(Ordering::Relaxed),
            overflows: self.overflows.load(Ordering::Relaxed),
            rate_limited: self.rate_limited.load(Ordering::Relaxed),
        }
    }
}
