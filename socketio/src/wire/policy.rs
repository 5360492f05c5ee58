//! [`Policy`]: what happens to a message that its client can't take now.

use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;

/// What happens to a message that its client can't take now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Policy {
    /// It waits.
    #[default]
    Wait,
    /// It is dropped.
    Volatile,
    /// It waits, and a waiting message with the same id is dropped.
    Latest(LatestId),
}

impl Policy {
    /// The policy of a message that is in no log. It does not replace one of the log: the client
    /// would receive it without an offset, and the one that it has replaced after resuming.
    pub(crate) fn of_unlogged(self) -> Self {
        match self {
            Self::Latest(LatestId([one, two])) => Self::Latest(LatestId([one, !two])),
            Self::Wait | Self::Volatile => self,
        }
    }
}

/// Of messages with the same key, namespace and event, only the latest waits for a client.
#[derive(Clone, Debug)]
pub(crate) struct LatestKey(String);

impl LatestKey {
    pub(crate) fn new(key: String) -> Self {
        Self(key)
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The id of messages with this key. The event has no name if it is a raw message.
    pub(crate) fn id(&self, namespace: &str, event: Option<&str>) -> LatestId {
        LatestId([0_u8, 1].map(|half| HASHER.hash_one((half, namespace, event, &self.0))))
    }
}

/// Tells messages with different keys, events or namespaces apart.
///
/// It is a hash of 128 bits, so that keys of any length take up the same space in an outbox. The
/// hasher is seeded at random, so that nobody can choose keys that have the same hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct LatestId([u64; 2]);

static HASHER: LazyLock<RandomState> = LazyLock::new(RandomState::new);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_tell_keys_events_and_namespaces_apart() {
        let id = |namespace, event, key: &str| LatestKey::new(key.to_owned()).id(namespace, event);
        assert_eq!(id("/", Some("price"), "AAPL"), id("/", Some("price"), "AAPL"));
        let different = [
            id("/", Some("price"), "AAPL"),
            id("/", Some("price"), ""),
            id("/", Some("priceAAPL"), ""),
            id("/", Some("pric"), "eAAPL"),
            id("/", Some("trade"), "AAPL"),
            id("/a", Some("price"), "AAPL"),
            id("/", Some(""), "AAPL"),
            id("/", None, "AAPL"),
        ];
        for (at, one) in different.iter().enumerate() {
            assert!(different[..at].iter().all(|other| one != other), "{at}");
            assert_ne!(one.0[0], one.0[1], "the halves are independent");
            assert_ne!(Policy::Latest(*one).of_unlogged(), Policy::Latest(*one));
        }
    }
}
