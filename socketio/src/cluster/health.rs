//! [`Health`] and [`ClusterEvent`]: what a hub reports about its cluster.

use std::time::{Duration, SystemTime};

/// Whether a server reaches the other servers of its cluster.
///
/// Every few seconds the hub publishes a probe and waits until it receives it. Only this decides,
/// and not whether a connection is open.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Health {
    /// The last probe arrived.
    Up {
        /// How long it took to be published and received.
        lag: Duration,
    },
    /// The engine has not been connected yet.
    Starting {
        /// Why it is not connected, if an attempt failed.
        error: Option<String>,
    },
    /// The engine is disconnected, or probes do not arrive. Messages to other servers are lost.
    /// Clients stay connected and messages to the sockets of this server are delivered.
    Degraded {
        /// Since when.
        since: SystemTime,
        /// Why.
        error: String,
    },
    /// The hub has shut down.
    Stopped,
}

/// What a hub does with new clients while the [`Health`] of its cluster is not `Up`. Clients that
/// are connected always stay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum WhileDown {
    /// They are served, and reach the clients of this server alone.
    #[default]
    Serve,
    /// They are refused with 503, so that a load balancer may send them to another server.
    RefuseNew,
}

impl Health {
    /// Returns `true` if other servers are reached.
    pub fn is_up(&self) -> bool {
        matches!(self, Self::Up { .. })
    }
}

/// An event of a hub's cluster, from [`Cluster::events`](crate::Cluster::events).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClusterEvent {
    /// The engine connected, and a probe has arrived.
    Connected,
    /// The engine lost its connection, or a probe did not arrive.
    Disconnected {
        /// Why.
        error: String,
    },
    /// Messages to other servers were lost before they were published. It is reported at most once
    /// per second.
    Dropped {
        /// How many since the last such event.
        messages: u64,
    },
    /// Messages of other servers may have been lost.
    Gap {
        /// Why.
        reason: GapReason,
    },
    /// Messages of other servers were not understood. It is reported at most once per second.
    Malformed {
        /// How many since the last such event.
        messages: u64,
    },
    /// The receiver of the events was too slow and missed some.
    Missed {
        /// How many.
        events: u64,
    },
}

/// Why messages of other servers may have been lost.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum GapReason {
    /// The engine was disconnected from `from` to `to`.
    Disconnected {
        /// When the connection was lost or found to be lost.
        from: SystemTime,
        /// When all subscriptions were in effect again.
        to: SystemTime,
    },
    /// The engine's server disconnected this server because it read too slowly.
    Slow,
    /// Messages were received whose contents could not be read where they are stored.
    Attachment {
        /// How many.
        messages: u64,
    },
    /// A subscription was lost and restored, for example because a Redis Cluster moved its slot.
    Moved,
    /// Entries of the engine's [log](super::EventLog) may have been removed before this server has
    /// read them. Also if the log was replaced or has fallen back to an older state, for example
    /// because its server was restarted without its data.
    Trimmed,
    /// Numbers are missing in the sequence of another server's messages. Only servers that number
    /// their messages are counted, which those on Node.js do not.
    Sequence {
        /// How many messages are missing.
        missing: u64,
    },
}
