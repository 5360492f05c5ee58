//! Figures for operators.

use std::sync::atomic::{AtomicU64, Ordering};

/// What a hub has seen since it was built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HubStats {
    /// How many connections there are, those in their handshake included.
    pub connections: usize,
    /// How many events came that nobody handles.
    pub unknown_events: u64,
    /// How often a client's outbox was full.
    pub overflows: u64,
    /// How many events were dropped because of a [rate limit](crate::HubBuilder::rate_limit).
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
