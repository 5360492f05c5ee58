//! [`Limits`]: the sizes and timeouts that the protocol enforces.

use std::time::Duration;

use crate::wire::scan::UNBOUNDED;
use crate::wire::socketio::is_reserved;

pub(crate) use crate::wire::payload::MAX_DEPTH;

/// Returns the error message for a payload of this depth.
pub(crate) fn too_deep(depth: usize) -> &'static str {
    if depth == UNBOUNDED { "an object has a reserved key" } else { "nested too deeply" }
}

/// The maximum number of queued messages and bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) messages: usize,
    pub(crate) bytes: usize,
}

/// The protocol settings, shared by all connections of a hub.
#[derive(Debug)]
pub(crate) struct Limits {
    /// The maximum size in bytes of a message, and of all attachments of a packet together.
    pub(crate) max_payload: usize,
    pub(crate) max_namespaces: usize,
    pub(crate) max_attachments: usize,
    /// The maximum length of an event name, in bytes.
    pub(crate) max_event_name: usize,
    /// The maximum nesting of an event's arguments. The argument list is the first level.
    pub(crate) max_depth: usize,
    /// The size of the queue of received events. Reading pauses when it is full.
    pub(crate) inbox: Bounds,
    pub(crate) ping_interval: Duration,
    pub(crate) ping_timeout: Duration,
    /// How long the application may take to accept a socket.
    pub(crate) connect_timeout: Duration,
    /// How long a message may take to arrive, with all its fragments and attachments.
    pub(crate) message_timeout: Duration,
    /// How long a Socket.IO client may take to connect to a namespace.
    pub(crate) join_timeout: Duration,
    /// How long a polling client may take to upgrade to a WebSocket.
    pub(crate) upgrade_timeout: Duration,
    /// How long a connection may take to close.
    pub(crate) close_timeout: Duration,
    /// How long after a ping a client may stay connected of which nothing is read.
    pub(crate) pause_timeout: Duration,
}

impl Limits {
    /// Returns which rule of the protocol an event violates, if any.
    pub(super) fn violation(&self, name: &str, depth: usize) -> Option<Violation> {
        if is_reserved(name) {
            return Some(Violation::Reserved);
        }
        if name.len() > self.max_event_name {
            return Some(Violation::TooLong);
        }
        (depth > self.max_depth).then_some(Violation::TooDeep(depth))
    }
}

/// A rule that an event violates. The event is not handled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Violation {
    /// Clients may not send an event with this reserved name.
    Reserved,
    /// The event name is too long.
    TooLong,
    /// The payload is nested too deeply. Contains its depth.
    TooDeep(usize),
}
