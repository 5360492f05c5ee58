//! [`Limits`]: what the protocol enforces, in sizes and times.

use std::time::Duration;

use crate::wire::scan::UNBOUNDED;
use crate::wire::socketio::is_reserved;

pub(crate) use crate::wire::payload::MAX_DEPTH;

/// Says why a payload of this depth is not decoded.
pub(crate) fn too_deep(depth: usize) -> &'static str {
    if depth == UNBOUNDED { "an object has a reserved key" } else { "nested too deeply" }
}

/// How many messages and bytes may wait.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) messages: usize,
    pub(crate) bytes: usize,
}

/// The settings that a connection's protocol needs. All connections of a hub share them.
#[derive(Debug)]
pub(crate) struct Limits {
    /// How long a message may be, in bytes, and all attachments of a packet together.
    pub(crate) max_payload: usize,
    pub(crate) max_namespaces: usize,
    pub(crate) max_attachments: usize,
    /// In bytes.
    pub(crate) max_event_name: usize,
    /// How many levels the arguments of an event may have, their list being the first.
    pub(crate) max_depth: usize,
    /// How many events may wait for their handlers before reading pauses.
    pub(crate) inbox: Bounds,
    pub(crate) ping_interval: Duration,
    pub(crate) ping_timeout: Duration,
    /// How long the application may take to accept a socket.
    pub(crate) connect_timeout: Duration,
    /// How long a Socket.IO client may take to connect to a namespace.
    pub(crate) join_timeout: Duration,
    /// How long a client that polls may try a WebSocket before it goes over to it.
    pub(crate) upgrade_timeout: Duration,
    /// How long a connection may take to close.
    pub(crate) close_timeout: Duration,
}

impl Limits {
    /// Whether an event keeps to the protocol.
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

/// Why the protocol does not let an event be handled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Violation {
    /// No client may send an event of its name.
    Reserved,
    /// No event has so long a name.
    TooLong,
    /// Its payload is nested too deeply: this deeply.
    TooDeep(usize),
}
