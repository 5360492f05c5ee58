//! [`Wanted`]: the channels that the hub wants, and which of them a connection listens to.

use parking_lot::Mutex;
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use tokio::sync::Notify;

/// The wanted channels. They outlive connections.
#[derive(Default)]
pub(crate) struct Wanted {
    state: Mutex<State>,
    /// Wakes the task that sends changes.
    changed: Notify,
    /// Wakes those who wait for confirmations.
    confirmed: Notify,
}

#[derive(Default)]
struct State {
    entries: HashMap<Arc<str>, Entry>,
    /// What may have to be sent, in the order of the calls.
    queue: VecDeque<Arc<str>>,
    /// The numbers of channels that are not confirmed.
    unconfirmed: BTreeSet<u64>,
    last: u64,
    /// All channels that were wanted when the connection began are confirmed.
    restored: bool,
}

struct Entry {
    namespace: Arc<str>,
    /// The topics whose channel it is.
    topics: usize,
    /// The connection was told to listen.
    sent: bool,
    number: u64,
}

/// A command that changes what a connection listens to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) channel: Arc<str>,
    pub(crate) listens: bool,
    number: u64,
}

impl Wanted {
    /// One topic more needs a channel.
    pub(crate) fn add(&self, channel: &str, namespace: &str) {
        let mut state = self.state.lock();
        let state = &mut *state;
        if let Some(entry) = state.entries.get_mut(channel) {
            entry.topics += 1;
            if entry.topics > 1 || entry.sent {
                return;
            }
            // It is about to be removed, and nobody waits for it.
            state.last += 1;
            state.unconfirmed.remove(&entry.number);
            entry.number = state.last;
        } else {
            state.last += 1;
            let entry = Entry { namespace: namespace.into(), topics: 1, sent: false, number: state.last };
            state.entries.insert(channel.into(), entry);
        }
        state.unconfirmed.insert(state.last);
        state.queue.push_back(channel.into());
        self.changed.notify_one();
    }

    /// A topic no longer needs a channel.
    pub(crate) fn remove(&self, channel: &str) {
        let mut state = self.state.lock();
        let Some(entry) = state.entries.get_mut(channel) else { return };
        entry.topics = entry.topics.saturating_sub(1);
        if entry.topics == 0 {
            state.queue.push_back(channel.into());
            self.changed.notify_one();
        }
    }

    /// The connection was lost, or could not be made. Forgets what only a connection needs.
    pub(crate) fn lost(&self) {
        let mut state = self.state.lock();
        state.restored = false;
        state.entries.retain(|_, entry| entry.topics > 0);
        state.queue.clear();
        state.unconfirmed.clear();
        release(&mut state);
    }

    /// A new connection begins, which listens to nothing.
    pub(crate) fn restart(&self) {
        self.lost();
        let mut state = self.state.lock();
        let state = &mut *state;
        for (channel, entry) in &mut state.entries {
            entry.sent = false;
            state.unconfirmed.insert(entry.number);
            state.queue.push_back(Arc::clone(channel));
        }
    }

    /// Takes the changes that come next, at most `most`.
    pub(crate) fn take(&self, most: usize) -> Vec<Change> {
        let mut changes = Vec::new();
        let mut state = self.state.lock();
        let state = &mut *state;
        while changes.len() < most
            && let Some(channel) = state.queue.pop_front()
        {
            let Some(entry) = state.entries.get_mut(&channel) else { continue };
            let number = entry.number;
            match (entry.topics > 0, entry.sent) {
                (true, false) => {
                    entry.sent = true;
                    changes.push(Change { channel, listens: true, number });
                }
                (false, sent) => {
                    state.entries.remove(&channel);
                    if sent {
                        changes.push(Change { channel, listens: false, number });
                    } else {
                        // Nobody confirms it.
                        state.unconfirmed.remove(&number);
                        self.confirmed.notify_waiters();
                    }
                }
                (true, true) => {}
            }
        }
        release(state);
        changes
    }

    /// Changes were confirmed.
    pub(crate) fn confirm(&self, changes: &[Change]) {
        let mut state = self.state.lock();
        for change in changes {
            state.unconfirmed.remove(&change.number);
        }
        self.confirmed.notify_waiters();
    }

    /// All channels that were wanted when the connection began are confirmed.
    pub(crate) fn restored(&self) {
        self.state.lock().restored = true;
        self.confirmed.notify_waiters();
    }

    /// The namespace of a channel that is listened to.
    pub(crate) fn namespace(&self, channel: &str) -> Option<Arc<str>> {
        Some(Arc::clone(&self.state.lock().entries.get(channel)?.namespace))
    }

    /// Waits until there is something to take.
    pub(crate) async fn changed(&self) {
        loop {
            let changed = self.changed.notified();
            if !self.state.lock().queue.is_empty() {
                return;
            }
            changed.await;
        }
    }

    /// Waits until all that is wanted now is confirmed.
    pub(crate) async fn subscribed(&self) {
        let last = self.state.lock().last;
        loop {
            let confirmed = self.confirmed.notified();
            tokio::pin!(confirmed);
            confirmed.as_mut().enable();
            {
                let state = self.state.lock();
                if state.restored && state.unconfirmed.first().is_none_or(|first| *first > last) {
                    return;
                }
            }
            confirmed.await;
        }
    }
}

/// Gives memory back after many namespaces have ended.
fn release(state: &mut State) {
    const KEPT: usize = 1024;
    if state.entries.capacity() > KEPT && state.entries.len() < state.entries.capacity() / 8 {
        state.entries.shrink_to(KEPT);
    }
    if state.queue.capacity() > KEPT && state.queue.is_empty() {
        state.queue.shrink_to(KEPT);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::pin::pin;
    use std::time::Duration;
    use tokio::time::timeout;

    /// What is sent next, as `+channel` or `-channel`.
    fn names(changes: &[Change]) -> Vec<String> {
        let sign = |change: &Change| if change.listens { '+' } else { '-' };
        changes.iter().map(|change| format!("{}{}", sign(change), change.channel)).collect()
    }

    fn connected() -> Wanted {
        let wanted = Wanted::default();
        wanted.restart();
        wanted.restored();
        wanted
    }

    #[tokio::test(start_paused = true)]
    async fn a_channel_is_listened_to_until_its_last_topic_ends() {
        let wanted = connected();
        wanted.add("p#/a", "/a");
        wanted.add("p#/a", "/a");
        let changes = wanted.take(10);
        assert_eq!(names(&changes), ["+p#/a"]);
        assert_eq!(wanted.namespace("p#/a").as_deref(), Some("/a"));
        assert!(timeout(Duration::ZERO, wanted.subscribed()).await.is_err());
        wanted.confirm(&changes);
        wanted.subscribed().await;
        wanted.remove("p#/a");
        assert_eq!(names(&wanted.take(10)), [""; 0]);
        wanted.remove("p#/a");
        assert_eq!(names(&wanted.take(10)), ["-p#/a"]);
        assert_eq!(wanted.namespace("p#/a"), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_channel_that_ends_before_it_is_sent_is_not_awaited() {
        let wanted = connected();
        wanted.add("a", "/a");
        wanted.remove("a");
        wanted.add("a", "/a");
        let mut waiting = pin!(wanted.subscribed());
        assert!(timeout(Duration::ZERO, &mut waiting).await.is_err());
        wanted.remove("a");
        assert_eq!(names(&wanted.take(10)), [""; 0]);
        assert!(timeout(Duration::ZERO, waiting).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_channel_that_comes_back_while_it_is_left_stays() {
        let wanted = connected();
        wanted.add("a", "/a");
        wanted.confirm(&wanted.take(10));
        wanted.remove("a");
        wanted.add("a", "/a");
        assert_eq!(names(&wanted.take(10)), [""; 0]);
        wanted.subscribed().await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_new_connection_listens_to_everything() {
        let wanted = connected();
        wanted.add("a", "/a");
        wanted.add("b", "/b");
        wanted.confirm(&wanted.take(10));
        wanted.remove("b");
        wanted.lost();
        assert!(timeout(Duration::ZERO, wanted.subscribed()).await.is_err());
        wanted.restart();
        let changes = wanted.take(10);
        assert_eq!(names(&changes), ["+a"]);
        wanted.confirm(&changes);
        wanted.restored();
        wanted.subscribed().await;
    }

    #[test]
    fn channels_that_come_and_go_without_a_connection_take_no_memory() {
        let wanted = Wanted::default();
        for number in 0..10_000 {
            wanted.add(&number.to_string(), "/");
            wanted.remove(&number.to_string());
        }
        wanted.lost();
        let state = wanted.state.lock();
        assert_eq!((state.entries.len(), state.queue.len(), state.unconfirmed.len()), (0, 0, 0));
        assert!(state.entries.capacity() < 4096);
    }
}
