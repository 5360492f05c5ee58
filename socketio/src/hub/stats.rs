//! [`HubStats`]: statistics of a hub.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use super::recovery::{RecoveryFailure, RecoveryState};
use crate::connection_handle::sharded::{Count, ShardedCounters};
use crate::session::Fault;
use crate::session::disconnect::DisconnectReason;

/// Statistics of a hub. The counters start when the hub is built.
///
/// Counters cost a few instructions each time a connection reads or writes. The numbers of sockets,
/// rooms and namespaces are counted when the statistics are taken.
///
/// ```
/// # fn example(hub: &socketio::Hub) {
/// use socketio::DisconnectReason;
///
/// let stats = hub.stats();
/// println!("{} messages received, {} sent", stats.received.messages, stats.sent.messages);
/// println!("{} clients were too slow", stats.closed.by(DisconnectReason::Overflow));
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct HubStats {
    /// The current number of connections, including those in their handshake.
    pub connections: usize,
    /// How many of them use long-polling now.
    pub polling: usize,
    /// How many connections were opened: their handshake is finished.
    pub opened: u64,
    /// How many connections were closed, by reason. They count when they begin to close.
    pub closed: ClosedConnections,
    /// The current number of sockets that are connected to a namespace.
    pub sockets: usize,
    /// The current number of rooms in all namespaces of this server.
    pub rooms: usize,
    /// The current number of namespaces.
    pub namespaces: usize,
    /// What clients have sent.
    pub received: Traffic,
    /// What was written to clients.
    pub sent: Traffic,
    /// How many messages were not queued, because the outbox of their client was full.
    pub dropped: u64,
    /// How many [volatile](crate::Socket::volatile) messages were dropped, because their client
    /// could not receive them when they were emitted.
    pub dropped_volatile: u64,
    /// How many requests for an acknowledgement were sent to clients, each client counted.
    /// [Reliable](crate::Socket::reliable) events are not among them.
    pub ack_requests: u64,
    /// How many of these requests wait for their answer now.
    pub pending_acks: usize,
    /// How many of these requests were not answered in time.
    pub ack_timeouts: u64,
    /// How many clients tried to resume a session, by outcome.
    pub recoveries: Recoveries,
    /// How many events were received that have neither handler nor listener.
    pub unknown_events: u64,
    /// How often a queue of a client was full: its outbox, or that of the server's own events. A
    /// queue counts once until it is empty again.
    pub overflows: u64,
    /// How many events a [rate limit](crate::HubBuilder::rate_limit) has dropped.
    pub rate_limited: u64,
    /// How many events failed with `invalid_payload`.
    pub invalid_payloads: u64,
    /// How many errors `error` handlers and listeners were told, those above included. Without such
    /// a handler they are log records.
    pub errors: u64,
    /// How many times a client violated the protocol, which ends its connection or session.
    pub protocol_errors: u64,
    /// How many times a client, or its `connect` handler, let a deadline pass: of the heartbeat, an
    /// upgrade, a message, or the connection to a namespace.
    pub timeouts: u64,
    /// How many times a [reliable](crate::Socket::reliable) event was sent again to a client that
    /// is connected, because it was not acked. What is sent again after a session was resumed does
    /// not count.
    pub repeated: u64,
    /// How many [reliable](crate::Socket::reliable) events were not acked: in time, before the
    /// client was gone for good, or because the client answered with an error.
    pub undelivered: u64,
    /// How many requests were refused, and how many WebSocket upgrades failed, before there was a
    /// connection.
    pub refused: u64,
}

/// What went through the connections of a hub in one direction: part of [`HubStats`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Traffic {
    /// The number of messages: the Socket.IO packets of Socket.IO clients, and the text and binary
    /// messages of others. A packet with attachments counts once. Heartbeats do not count.
    pub messages: u64,
    /// The number of bytes in WebSockets, with the headers of their frames, and in the bodies of
    /// long-polling requests. HTTP headers and TLS do not count.
    pub bytes: u64,
}

/// How many connections were closed, by reason: part of [`HubStats`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClosedConnections([u64; DisconnectReason::ALL.len()]);

impl ClosedConnections {
    /// How many connections were closed for this reason.
    pub fn by(&self, reason: DisconnectReason) -> u64 {
        self.0[reason as usize]
    }

    /// How many connections were closed.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// The numbers of all reasons.
    pub fn iter(&self) -> impl Iterator<Item = (DisconnectReason, u64)> + use<> {
        DisconnectReason::ALL.into_iter().zip(self.0)
    }
}

/// How many clients tried to resume a session, by outcome: part of [`HubStats`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recoveries {
    restored: u64,
    failed: [u64; RecoveryFailure::ALL.len()],
}

impl Recoveries {
    /// How many sessions were resumed.
    pub fn restored(&self) -> u64 {
        self.restored
    }

    /// How many sessions were not resumed for this reason.
    pub fn failed(&self, reason: RecoveryFailure) -> u64 {
        self.failed[reason as usize]
    }

    /// How many sessions were not resumed.
    pub fn total_failed(&self) -> u64 {
        self.failed.iter().sum()
    }

    /// The numbers of all failures.
    pub fn failures(&self) -> impl Iterator<Item = (RecoveryFailure, u64)> + use<> {
        RecoveryFailure::ALL.into_iter().zip(self.failed)
    }
}

/// The counters that change seldom. Those that change with each message are
/// [sharded](ShardedCounters).
#[derive(Debug, Default)]
pub(crate) struct Counters {
    opened: AtomicU64,
    closed: [AtomicU64; DisconnectReason::ALL.len()],
    polling: AtomicUsize,
    ack_timeouts: AtomicU64,
    restored: AtomicU64,
    not_restored: [AtomicU64; RecoveryFailure::ALL.len()],
    unknown_events: AtomicU64,
    overflows: AtomicU64,
    rate_limited: AtomicU64,
    invalid_payloads: AtomicU64,
    errors: AtomicU64,
    protocol_errors: AtomicU64,
    timeouts: AtomicU64,
    repeated: AtomicU64,
    undelivered: AtomicU64,
    refused: AtomicU64,
}

impl Counters {
    /// Counts a connection that begins with long-polling if it `polls`, else with a WebSocket.
    pub(crate) fn opened(&self, polls: bool) {
        self.opened.fetch_add(1, Ordering::Relaxed);
        self.polling.fetch_add(usize::from(polls), Ordering::Relaxed);
    }

    /// Counts that a connection no longer polls: it was upgraded, or is gone.
    pub(crate) fn stopped_polling(&self) {
        self.polling.fetch_sub(1, Ordering::Relaxed);
    }

    pub(crate) fn closed(&self, reason: DisconnectReason) {
        self.closed[reason as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn ack_timeout(&self) {
        self.ack_timeouts.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a client that tried to resume its session.
    pub(crate) fn recovery(&self, state: RecoveryState) {
        let counter = match state {
            RecoveryState::New => return,
            RecoveryState::Restored { .. } => &self.restored,
            RecoveryState::Failed(reason) => &self.not_restored[reason as usize],
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn unknown_event(&self) {
        self.unknown_events.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn overflow(&self) {
        self.overflows.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn rate_limited(&self) {
        self.rate_limited.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts an error that the application is told.
    pub(crate) fn error(&self, code: &str) {
        self.errors.fetch_add(1, Ordering::Relaxed);
        if code == "invalid_payload" {
            self.invalid_payloads.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn fault(&self, fault: Fault) {
        let counter = match fault {
            Fault::Protocol => &self.protocol_errors,
            Fault::Timeout => &self.timeouts,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn repeated(&self) {
        self.repeated.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn undelivered(&self) {
        self.undelivered.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn refused(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    /// The counters. The numbers that the hub must count are 0.
    pub(crate) fn stats(&self, sharded: &ShardedCounters) -> HubStats {
        // In this order, so that a request that was settled meanwhile was counted.
        let settled = sharded.total(Count::AcksSettled);
        let ack_requests = sharded.total(Count::AckRequests);
        let traffic = |messages, bytes| Traffic { messages: sharded.total(messages), bytes: sharded.total(bytes) };
        HubStats {
            opened: self.opened.load(Ordering::Relaxed),
            closed: ClosedConnections(load(&self.closed)),
            polling: self.polling.load(Ordering::Relaxed),
            received: traffic(Count::ReceivedMessages, Count::ReceivedBytes),
            sent: traffic(Count::SentMessages, Count::SentBytes),
            dropped: sharded.total(Count::Dropped),
            dropped_volatile: sharded.total(Count::DroppedVolatile),
            ack_requests,
            pending_acks: ack_requests.saturating_sub(settled) as usize,
            ack_timeouts: self.ack_timeouts.load(Ordering::Relaxed),
            recoveries: Recoveries {
                restored: self.restored.load(Ordering::Relaxed),
                failed: load(&self.not_restored),
            },
            unknown_events: self.unknown_events.load(Ordering::Relaxed),
            overflows: self.overflows.load(Ordering::Relaxed),
            rate_limited: self.rate_limited.load(Ordering::Relaxed),
            invalid_payloads: self.invalid_payloads.load(Ordering::Relaxed),
            errors: self.errors.load(Ordering::Relaxed),
            protocol_errors: self.protocol_errors.load(Ordering::Relaxed),
            timeouts: self.timeouts.load(Ordering::Relaxed),
            repeated: self.repeated.load(Ordering::Relaxed),
            undelivered: self.undelivered.load(Ordering::Relaxed),
            refused: self.refused.load(Ordering::Relaxed),
            ..HubStats::default()
        }
    }
}

fn load<const N: usize>(counters: &[AtomicU64; N]) -> [u64; N] {
    std::array::from_fn(|at| counters[at].load(Ordering::Relaxed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_its_own_counter() {
        let counters = Counters::default();
        DisconnectReason::ALL.into_iter().for_each(|reason| counters.closed(reason));
        RecoveryFailure::ALL.into_iter().for_each(|reason| counters.recovery(RecoveryState::Failed(reason)));
        counters.recovery(RecoveryState::New);
        counters.recovery(RecoveryState::Restored { missed: 3 });
        let HubStats { closed, recoveries, .. } = counters.stats(&ShardedCounters::default());
        assert!(closed.iter().all(|(reason, number)| number == 1 && closed.by(reason) == 1));
        assert_eq!(closed.total(), DisconnectReason::ALL.len() as u64);
        assert!(recoveries.failures().all(|(reason, number)| number == 1 && recoveries.failed(reason) == 1));
        assert_eq!((recoveries.restored(), recoveries.total_failed()), (1, RecoveryFailure::ALL.len() as u64));
    }
}
