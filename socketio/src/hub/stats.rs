//! [`HubStats`]: statistics of a hub.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::session::Fault;

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
    /// How many messages were not sent because a [later](crate::Selection::latest) one took their
    /// place in the outbox of a slow client.
    pub conflated: u64,
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

#[derive(Debug, Default)]
pub(crate) struct Counters {
    unknown_events: AtomicU64,
    overflows: AtomicU64,
    conflated: AtomicU64,
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
    pub(crate) fn unknown_event(&self) {
        self.unknown_events.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn overflow(&self) {
        self.overflows.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn conflated(&self) {
        self.conflated.fetch_add(1, Ordering::Relaxed);
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

    pub(crate) fn stats(&self, connections: usize) -> HubStats {
        HubStats {
            connections,
            unknown_events: self.unknown_events.load(Ordering::Relaxed),
            overflows: self.overflows.load(Ordering::Relaxed),
            conflated: self.conflated.load(Ordering::Relaxed),
            rate_limited: self.rate_limited.load(Ordering::Relaxed),
            invalid_payloads: self.invalid_payloads.load(Ordering::Relaxed),
            errors: self.errors.load(Ordering::Relaxed),
            protocol_errors: self.protocol_errors.load(Ordering::Relaxed),
            timeouts: self.timeouts.load(Ordering::Relaxed),
            repeated: self.repeated.load(Ordering::Relaxed),
            undelivered: self.undelivered.load(Ordering::Relaxed),
            refused: self.refused.load(Ordering::Relaxed),
        }
    }
}
