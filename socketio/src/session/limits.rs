//! [`Limits`]: what the protocol enforces, in sizes and times.

use std::time::Duration;

use crate::wire::scan::UNBOUNDED;

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
