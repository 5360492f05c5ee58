//! Limits and times of a hub, with their defaults.

use http::HeaderName;
use std::time::Duration;

use crate::connection::outbox::Bounds;
use crate::event::rate::RateLimit;
use crate::transport::origin::Origins;

/// What happens when a client takes its messages too slowly and its outbox is full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OverflowPolicy {
    /// The client is disconnected, with the cause `overflow`. It never misses a message unknowingly.
    #[default]
    Disconnect,
    /// The newest message is dropped, and `error` fires once until there is room again.
    DropNewest,
}

/// How many levels serde_json decodes, the list of arguments counted as one.
pub(crate) const MAX_DEPTH: usize = 128;

#[derive(Clone, Debug)]
pub(crate) struct Config {
    pub(crate) max_payload: usize,
    pub(crate) max_connections: usize,
    pub(crate) max_rooms: usize,
    pub(crate) max_attachments: usize,
    pub(crate) max_packets: usize,
    pub(crate) max_event_name: usize,
    pub(crate) max_depth: usize,
    pub(crate) max_pending_acks: usize,
    pub(crate) rate_limit: Option<RateLimit>,
    pub(crate) inbox: Bounds,
    pub(crate) outbox: Bounds,
    pub(crate) overflow: OverflowPolicy,
    pub(crate) answer_unknown_events: bool,
    pub(crate) ping_interval: Duration,
    pub(crate) ping_timeout: Duration,
    pub(crate) upgrade_timeout: Duration,
    pub(crate) connect_timeout: Duration,
    pub(crate) join_timeout: Duration,
    pub(crate) close_timeout: Duration,
    pub(crate) ack_timeout: Duration,
    pub(crate) origins: Origins,
    pub(crate) keep_headers: Option<Vec<HeaderName>>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            max_payload: 1_000_000,
            max_connections: 100_000,
            max_rooms: 1_000,
            max_attachments: 10,
            max_packets: 100_000,
            max_event_name: 256,
            max_depth: MAX_DEPTH,
            max_pending_acks: 1_000,
            rate_limit: None,
            inbox: Bounds { messages: 256, bytes: 64 * 1024 },
            outbox: Bounds { messages: 16_384, bytes: 8 * 1024 * 1024 },
            overflow: OverflowPolicy::default(),
            answer_unknown_events: true,
            ping_interval: Duration::from_secs(25),
            ping_timeout: Duration::from_secs(20),
            upgrade_timeout: Duration::from_secs(10),
            connect_timeout: Duration::from_secs(10),
            join_timeout: Duration::from_secs(45),
            close_timeout: Duration::from_secs(5),
            ack_timeout: Duration::from_secs(30),
            origins: Origins::default(),
            keep_headers: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_nested_as_deeply_as_may_be_is_decoded() {
        // In a list of arguments, which is the first level.
        let nested = |levels: usize| "[".repeat(levels - 1) + &"]".repeat(levels - 1);
        serde_json::from_str::<serde_json::Value>(&nested(MAX_DEPTH)).expect("as deep as may be");
        serde_json::from_str::<serde_json::Value>(&nested(MAX_DEPTH + 1)).expect_err("deeper");
    }
}
