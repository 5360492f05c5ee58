//! The numbers of the types of messages.

/// Those of the classic dialect.
pub(super) mod classic {
    pub(in super::super) const SOCKET_IDS: u64 = 0;
    pub(in super::super) const ALL_ROOMS: u64 = 1;
    pub(in super::super) const JOIN: u64 = 2;
    pub(in super::super) const LEAVE: u64 = 3;
    pub(in super::super) const DISCONNECT: u64 = 4;
    pub(in super::super) const FETCH: u64 = 5;
    pub(in super::super) const SERVER_EMIT: u64 = 6;
    pub(in super::super) const BROADCAST: u64 = 7;
    pub(in super::super) const CLIENT_COUNT: u64 = 8;
    pub(in super::super) const ACK: u64 = 9;
}

/// Those of the dialects `Messages` and `Streams`.
pub(super) mod messages {
    /// No message of Node.js has it.
    pub(in super::super) const PROBE: u64 = 0;
    pub(in super::super) const INITIAL_HEARTBEAT: u64 = 1;
    pub(in super::super) const HEARTBEAT: u64 = 2;
    pub(in super::super) const BROADCAST: u64 = 3;
    pub(in super::super) const JOIN: u64 = 4;
    pub(in super::super) const LEAVE: u64 = 5;
    pub(in super::super) const DISCONNECT: u64 = 6;
    pub(in super::super) const FETCH: u64 = 7;
    pub(in super::super) const SOCKETS: u64 = 8;
    pub(in super::super) const SERVER_EMIT: u64 = 9;
    pub(in super::super) const SERVER_ANSWER: u64 = 10;
    pub(in super::super) const CLIENT_COUNT: u64 = 11;
    pub(in super::super) const ACK: u64 = 12;
    pub(in super::super) const CLOSE: u64 = 13;
}

/// The types of these messages as entries of a log.
pub(crate) const PROBE_IN_LOG: u8 = messages::PROBE as u8;
pub(crate) const BROADCAST_IN_LOG: u8 = messages::BROADCAST as u8;
