//! [`Config`]: the limits and times of a hub, with their defaults.
//! [`HubBuilder`](super::hub_builder::HubBuilder) sets them.

use std::time::Duration;

use super::build_error::BuildProblem;
use super::kept_headers::KeptHeaders;
use super::origins::Origins;
use super::reauthentication::Reauthentication;
use super::recovery::{Persist, Recovery};
use crate::connection_handle::OverflowPolicy;
use crate::event::rate_limit::RateLimit;
use crate::session::limits::{Bounds, Limits, MAX_DEPTH};

#[derive(Clone, Debug)]
pub(crate) struct Config {
    pub(crate) max_payload: usize,
    pub(crate) max_connections: usize,
    pub(crate) max_header_bytes: usize,
    pub(crate) max_rooms: usize,
    pub(crate) max_namespaces: usize,
    pub(crate) max_attachments: usize,
    pub(crate) max_packets: usize,
    pub(crate) max_event_name: usize,
    pub(crate) max_depth: usize,
    pub(crate) max_pending_acks: usize,
    /// The bounds of the reliable events of one socket.
    pub(crate) reliable_queue: Bounds,
    pub(crate) reliable_timeout: Duration,
    /// The time until a reliable event is repeated for the first time.
    pub(crate) reliable_interval: Duration,
    pub(crate) rate_limit: Option<RateLimit>,
    pub(crate) inbox: Bounds,
    pub(crate) outbox: Bounds,
    pub(crate) overflow: OverflowPolicy,
    pub(crate) answer_unknown_events: bool,
    pub(crate) ping_interval: Duration,
    pub(crate) ping_timeout: Duration,
    pub(crate) upgrade_timeout: Duration,
    pub(crate) connect_timeout: Duration,
    pub(crate) message_timeout: Duration,
    pub(crate) join_timeout: Duration,
    pub(crate) close_timeout: Duration,
    pub(crate) ack_timeout: Duration,
    /// `None`: handlers may run for any time.
    pub(crate) handler_timeout: Option<Duration>,
    pub(crate) pause_timeout: Duration,
    pub(crate) origins: Origins,
    pub(crate) keep_headers: KeptHeaders,
    pub(crate) trust_forwarded_proto: bool,
    pub(crate) reauthentication: Reauthentication,
    /// Whether clients are told the spans of requests to them.
    pub(crate) trace_requests: bool,
    /// `None`: clients can't resume their sessions.
    pub(crate) recovery: Option<Recovery>,
    /// The most bytes and messages that wait to be published to the cluster.
    pub(crate) publish_queue: (usize, usize),
    #[cfg(feature = "cluster")]
    pub(crate) while_down: crate::cluster::WhileDown,
    /// Whether the hub is in a cluster. Ids of sockets then have the length that its servers
    /// expect.
    pub(crate) has_cluster: bool,
    /// Whether this server receives the messages of a room only while it has members.
    pub(crate) has_room_subscriptions: bool,
    /// Whether the engine of the cluster has a log.
    pub(crate) has_log: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            max_payload: 1_000_000,
            max_connections: 100_000,
            max_header_bytes: 16 * 1024,
            max_rooms: 1_000,
            max_namespaces: 100,
            max_attachments: 10,
            max_packets: 100_000,
            max_event_name: 256,
            max_depth: MAX_DEPTH,
            max_pending_acks: 1_000,
            reliable_queue: Bounds { messages: 1_000, bytes: 1024 * 1024 },
            reliable_timeout: Duration::from_secs(300),
            reliable_interval: Duration::from_secs(5),
            rate_limit: None,
            inbox: Bounds { messages: 256, bytes: 64 * 1024 },
            outbox: Bounds { messages: 16_384, bytes: 8 * 1024 * 1024 },
            overflow: OverflowPolicy::default(),
            answer_unknown_events: true,
            ping_interval: Duration::from_secs(25),
            ping_timeout: Duration::from_secs(20),
            upgrade_timeout: Duration::from_secs(10),
            connect_timeout: Duration::from_secs(10),
            message_timeout: Duration::from_secs(30),
            join_timeout: Duration::from_secs(45),
            close_timeout: Duration::from_secs(5),
            ack_timeout: Duration::from_secs(30),
            handler_timeout: None,
            pause_timeout: Duration::from_secs(300),
            origins: Origins::default(),
            keep_headers: KeptHeaders::default(),
            trust_forwarded_proto: false,
            reauthentication: Reauthentication::default(),
            trace_requests: false,
            recovery: None,
            publish_queue: (16 << 20, 65_536),
            #[cfg(feature = "cluster")]
            while_down: Default::default(),
            has_cluster: false,
            has_room_subscriptions: false,
            has_log: false,
        }
    }
}

impl Config {
    /// Checks numbers and times. Zero is accepted where it turns a feature off.
    pub(super) fn check(&self, problems: &mut Vec<BuildProblem>) {
        let one_or_more = [
            ("max_payload", self.max_payload, " bytes"),
            ("max_connections", self.max_connections, ""),
            ("max_header_bytes", self.max_header_bytes, " bytes"),
            ("max_namespaces", self.max_namespaces, ""),
            ("max_packets", self.max_packets, ""),
            ("max_event_name", self.max_event_name, " bytes"),
            ("inbox", self.inbox.messages, " events"),
            ("inbox", self.inbox.bytes, " bytes"),
            ("outbox", self.outbox.messages, " messages"),
            ("outbox", self.outbox.bytes, " bytes"),
            ("publish_queue", self.publish_queue.0, " bytes"),
            ("publish_queue", self.publish_queue.1, " messages"),
        ];
        for (setting, number, unit) in one_or_more {
            if number == 0 {
                problems.push(BuildProblem::setting(setting, format!("0{unit}"), "1 or more"));
            }
        }
        if !(1..=MAX_DEPTH).contains(&self.max_depth) {
            let accepted = format!("1 to {MAX_DEPTH} levels");
            problems.push(BuildProblem::setting("max_depth", self.max_depth.to_string(), accepted));
        }
        self.reauthentication.check(problems);
        if let Some(recovery) = &self.recovery {
            recovery.check(problems);
            if recovery.persist != Persist::AtEnd && !self.has_log {
                let given = format!("{:?}", recovery.persist);
                let accepted = "`AtEnd`, unless the engine of the cluster has a log, such as `RedisStreams`";
                problems.push(BuildProblem::setting("recovery.persist", given, accepted));
            }
            if self.has_room_subscriptions {
                // A room whose last member is cut off would miss messages of other servers.
                let accepted = "no recovery with an engine that subscribes to each room";
                problems.push(BuildProblem::setting("recovery", "on", accepted));
            }
        }
        // Timers and the handshake of Engine.IO count whole milliseconds.
        let one_millisecond_or_more = [
            ("ping_interval", self.ping_interval),
            ("ping_timeout", self.ping_timeout),
            ("upgrade_timeout", self.upgrade_timeout),
            ("connect_timeout", self.connect_timeout),
            ("message_timeout", self.message_timeout),
            ("join_timeout", self.join_timeout),
            ("ack_timeout", self.ack_timeout),
            ("reliable_timeout", self.reliable_timeout),
            ("reliable_interval", self.reliable_interval),
            ("pause_timeout", self.pause_timeout),
        ];
        let optional = self.handler_timeout.map(|time| ("handler_timeout", time));
        for (setting, time) in one_millisecond_or_more.into_iter().chain(optional) {
            if time < Duration::from_millis(1) {
                problems.push(BuildProblem::setting(setting, format!("{time:?}"), "1 ms or more"));
            }
        }
    }

    /// The limits that the protocol of a connection enforces.
    pub(crate) fn limits(&self) -> Limits {
        Limits {
            max_payload: self.max_payload,
            max_namespaces: self.max_namespaces,
            max_attachments: self.max_attachments,
            max_event_name: self.max_event_name,
            max_depth: self.max_depth,
            inbox: self.inbox,
            ping_interval: self.ping_interval,
            ping_timeout: self.ping_timeout,
            connect_timeout: self.connect_timeout,
            message_timeout: self.message_timeout,
            join_timeout: self.join_timeout,
            upgrade_timeout: self.upgrade_timeout,
            close_timeout: self.close_timeout,
            pause_timeout: self.pause_timeout,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = include_str!("../docs/limits.md");

    /// The table with its links replaced by their texts.
    fn plain(table: &str) -> String {
        let mut plain = String::new();
        let mut rest = table;
        while let Some((before, link)) = rest.split_once("](") {
            plain.push_str(&before.replacen("[`", "`", 1));
            rest = link.split_once(')').map_or("", |(_, rest)| rest);
        }
        plain + rest
    }

    #[test]
    fn the_readme_has_the_same_table() {
        assert!(include_str!("../../../README.md").contains(&plain(TABLE)), "{}", plain(TABLE));
    }

    #[test]
    fn the_table_lists_the_defaults() {
        let config = Config::default();
        let thousands = |number: usize| match (number / 1_000_000, number / 1_000 % 1_000, number % 1_000) {
            (0, 0, ones) => format!("{ones}"),
            (0, thousands, ones) => format!("{thousands},{ones:03}"),
            (millions, thousands, ones) => format!("{millions},{thousands:03},{ones:03}"),
        };
        let seconds = |time: Duration| format!("{} s", time.as_secs());
        let rows = [
            ("max_payload", format!("{} bytes", thousands(config.max_payload))),
            ("max_depth", format!("{} levels", config.max_depth)),
            ("max_event_name", format!("{} bytes", config.max_event_name)),
            ("rate_limit", config.rate_limit.map_or("none".to_owned(), |limit| format!("{limit:?}"))),
            ("inbox", format!("{}, {} KiB", config.inbox.messages, config.inbox.bytes >> 10)),
            ("outbox", format!("{}, {} MiB", thousands(config.outbox.messages), config.outbox.bytes >> 20)),
            ("max_rooms", thousands(config.max_rooms)),
            ("max_namespaces", thousands(config.max_namespaces)),
            ("max_attachments", thousands(config.max_attachments)),
            ("max_packets", thousands(config.max_packets)),
            ("join_timeout", seconds(config.join_timeout)),
            ("max_pending_acks", thousands(config.max_pending_acks)),
            ("ack_timeout", seconds(config.ack_timeout)),
            (
                "reliable_queue",
                format!("{}, {} MiB", thousands(config.reliable_queue.messages), config.reliable_queue.bytes >> 20),
            ),
            ("reliable_timeout", seconds(config.reliable_timeout)),
            ("handler_timeout", config.handler_timeout.map_or("none".to_owned(), seconds)),
            ("pause_timeout", seconds(config.pause_timeout)),
            ("max_connections", thousands(config.max_connections)),
            ("max_header_bytes", format!("{} KiB", config.max_header_bytes >> 10)),
            ("message_timeout", seconds(config.message_timeout)),
            ("upgrade_timeout", seconds(config.upgrade_timeout)),
            ("connect_timeout", seconds(config.connect_timeout)),
            ("ping_interval", format!("{}, {}", seconds(config.ping_interval), seconds(config.ping_timeout))),
            ("close_timeout", seconds(config.close_timeout)),
        ];
        for (name, default) in rows {
            let row = TABLE.lines().find(|row| row.starts_with(&format!("| [`{name}`]"))).expect(name);
            assert_eq!(row.split('|').map(str::trim).nth(3), Some(&*default), "{name}");
        }
    }

    #[test]
    fn values_at_the_depth_limit_are_decoded() {
        // The arguments are in a list, which is the first level.
        let nested = |levels: usize| "[".repeat(levels - 1) + &"]".repeat(levels - 1);
        serde_json::from_str::<serde_json::Value>(&nested(MAX_DEPTH)).expect("the depth is allowed");
        serde_json::from_str::<serde_json::Value>(&nested(MAX_DEPTH + 1)).expect_err("deeper");
    }
}
