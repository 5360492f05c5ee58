//! [`ClusterStats`]: what a hub counts in its cluster.

use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! stats {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// What a server counted in its cluster since it started. All numbers only grow, except
        /// `pending_requests`.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct ClusterStats {
            $($(#[$doc])* pub $name: u64,)*
            /// The requests to other servers that wait for answers now.
            pub pending_requests: u64,
        }

        /// The counters of [`ClusterStats`].
        #[derive(Debug, Default)]
        pub(crate) struct ClusterCounters {
            $(pub(crate) $name: Counter,)*
        }

        impl ClusterCounters {
            pub(crate) fn stats(&self, pending_requests: usize) -> ClusterStats {
                ClusterStats { $($name: self.$name.get(),)* pending_requests: pending_requests as u64 }
            }
        }
    };
}

stats! {
    /// Messages that were ever queued for other servers: events, requests, answers, and this
    /// server's own probes. Those that wait now are `queued - published - unpublished`.
    queued,
    /// Messages that the engine published.
    published,
    /// Messages that were dropped because the queue for the engine was full, or the message too
    /// large, or the engine stopped.
    dropped,
    /// Queued messages whose publishing failed. Some may have been published.
    unpublished,
    /// Events that clients could not get back after a cut, because the engine's log could not be
    /// reached when they were emitted. They were delivered to this server's clients alone.
    unlogged,
    /// Messages received from other servers and emitters.
    received,
    /// Received events to sockets that had an audience on this server.
    delivered,
    /// Received events to sockets that had no audience on this server.
    skipped,
    /// Messages of this server that came back.
    own,
    /// Messages that are missing in the sequences of other servers.
    missed,
    /// Received messages that were not understood.
    malformed,
    /// Received messages that were larger than the hub accepts.
    oversized,
    /// Requests to which other servers did not answer in time. Each silent server counts.
    silent,
    /// How often the engine was connected again.
    reconnects,
    /// How often messages of other servers may have been lost.
    gaps,
}

/// A number that only grows.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
