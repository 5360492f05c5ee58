//! [`Topics`]: counts who needs a subscription.

use parking_lot::Mutex;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

use crate::cluster::{Engine, OwnedTopic, Topic};

/// The topics that a hub subscribes to, with the number of users of each. A namespace that comes
/// back while its predecessor leaves shares the subscription with it.
#[derive(Debug, Default)]
pub(super) struct Topics(Mutex<HashMap<OwnedTopic, usize>>);

impl Topics {
    /// The engine is called under the lock, so that its calls have the order of the changes.
    pub(super) fn subscribe(&self, topic: Topic<'_>, engine: &dyn Engine) {
        let mut topics = self.0.lock();
        let users = topics.entry(topic.into()).or_default();
        *users += 1;
        if *users == 1 {
            engine.subscribe(topic);
        }
    }

    pub(super) fn unsubscribe(&self, topic: Topic<'_>, engine: &dyn Engine) {
        let mut topics = self.0.lock();
        let Entry::Occupied(mut users) = topics.entry(topic.into()) else { return };
        *users.get_mut() -= 1;
        if *users.get() == 0 {
            users.remove();
            engine.unsubscribe(topic);
            if topics.is_empty() || topics.capacity() > 8 * topics.len().max(64) {
                topics.shrink_to_fit();
            }
        }
    }
}
