//! [`Member`]: the state of one engine, and what the network knows of its connection.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::time::Instant;

use super::super::OwnedTopic;
use super::event::Event;
use crate::cluster::{Dialect, EngineTraits, Inbox, Offset, RoomTopics, Topic};

/// For each order that must be kept, the time of its last event.
#[derive(Debug, Default)]
pub(super) struct Orders {
    last: BTreeMap<Option<OwnedTopic>, Instant>,
    /// Nothing happens before.
    start: Option<Instant>,
}

#[derive(Debug)]
pub(super) struct Member {
    pub(super) name: Box<str>,
    pub(super) traits: EngineTraits,
    /// What the engine reports to. `None` before it is started and after it is stopped.
    pub(super) inbox: Option<Inbox>,
    /// The topics that the hub has asked for.
    pub(super) wanted: BTreeSet<OwnedTopic>,
    /// How many changes of subscriptions the hub has asked for, and how many are in effect.
    pub(super) asked: u64,
    pub(super) confirmed: u64,
    pub(super) link: Link,
    /// The number of the current connection, which is increased when one ends.
    pub(super) connection: u64,
    /// How many attempts to connect have failed since the last connection.
    pub(super) failed_attempts: u32,
    /// The topics that are subscribed to at the network. They outlive a connection whose end the
    /// network does not notice.
    pub(super) subscribed: BTreeSet<OwnedTopic>,
    pub(super) upward: Orders,
    pub(super) downward: Orders,
    /// Added to the delay of each delivery.
    pub(super) slowness: Duration,
    pub(super) is_hung: bool,
    /// Its attempts to connect fail.
    pub(super) is_isolated: bool,
    /// What came while it was hung.
    pub(super) held: Vec<Event>,
    /// Whether the network sends entries of the log on this connection.
    pub(super) is_reading: bool,
    /// The last entry of the log that the engine has delivered.
    pub(super) position: Option<Offset>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Link {
    Down,
    Connecting,
    Up,
}

impl Member {
    pub(super) fn new(name: &str, traits: EngineTraits) -> Self {
        Self {
            name: name.into(),
            traits,
            inbox: None,
            wanted: BTreeSet::new(),
            asked: 0,
            confirmed: 0,
            link: Link::Down,
            connection: 0,
            failed_attempts: 0,
            subscribed: BTreeSet::new(),
            upward: Orders::default(),
            downward: Orders::default(),
            slowness: Duration::ZERO,
            is_hung: false,
            is_isolated: false,
            held: Vec::new(),
            is_reading: false,
            position: None,
        }
    }

    /// Whether a message on this topic is for this engine.
    pub(super) fn receives(&self, topic: &OwnedTopic) -> bool {
        if self.subscribed.contains(topic) {
            return true;
        }
        match topic.get() {
            Topic::Room { namespace, .. } if self.traits.rooms == RoomTopics::Included => {
                self.subscribed.contains(&Topic::Main { namespace }.into())
            }
            _ => false,
        }
    }

    /// Whether the engine's server is counted among those of the namespace.
    pub(super) fn is_counted(&self, namespace: &str) -> bool {
        let counted = match self.traits.dialect {
            Dialect::Classic => Topic::Requests { namespace },
            Dialect::Messages | Dialect::Streams => Topic::Main { namespace },
        };
        self.subscribed.contains(&counted.into())
    }
}

impl Orders {
    /// The time of an event that happens after `delay`, but not before the earlier ones of its
    /// order.
    pub(super) fn next(&mut self, order: Option<OwnedTopic>, now: Instant, delay: Duration) -> Instant {
        let earliest = self.start.map_or(now, |start| start.max(now));
        let last = self.last.entry(order).or_insert(earliest);
        *last = (*last).max(now + delay);
        *last
    }

    /// Begins new orders behind all events of the old ones.
    pub(super) fn begin(&mut self) {
        self.start = std::mem::take(&mut self.last).into_values().chain(self.start).max();
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}
