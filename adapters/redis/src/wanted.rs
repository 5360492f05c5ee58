//! [`Wanted`]: the subscriptions that the hub wants, and which of them a connection has.

use parking_lot::Mutex;
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::mem;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::channels::{Kind, Shape, Subscription};

/// How long a room without members stays subscribed, since members may come back.
const ROOM_DELAY: Duration = Duration::from_secs(2);

/// The wanted subscriptions. They outlive connections.
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
    /// Rooms that are left when their time has come.
    leaving: VecDeque<(Instant, Arc<str>)>,
    /// The numbers of subscriptions that are not confirmed.
    unconfirmed: BTreeSet<u64>,
    last: u64,
    /// The last number when the connection began.
    before_connection: u64,
    /// All subscriptions that were wanted when the connection began are confirmed.
    restored: bool,
    /// A subscription that was in effect was ended by the server.
    has_ended: bool,
    /// The channel on which the node is probed.
    probe: Option<Arc<str>>,
}

struct Entry {
    shape: Shape,
    /// When it will no longer be wanted.
    until: Option<Instant>,
    wanted: bool,
    /// The connection was told to subscribe.
    sent: bool,
    number: u64,
}

/// A command that changes a subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) channel: Arc<str>,
    pub(crate) shape: Shape,
    pub(crate) subscribes: bool,
    number: u64,
}

impl Wanted {
    pub(crate) fn subscribe(&self, subscription: Subscription) {
        let Subscription { channel, shape } = subscription;
        let mut state = self.state.lock();
        let state = &mut *state;
        state.last += 1;
        let number = state.last;
        match state.entries.get_mut(&channel) {
            // It is subscribed, or about to be, and was to be left.
            Some(entry) if entry.wanted || entry.sent => (entry.wanted, entry.until) = (true, None),
            Some(entry) => {
                state.unconfirmed.remove(&entry.number);
                (entry.wanted, entry.until, entry.number) = (true, None, number);
                state.unconfirmed.insert(number);
                state.queue.push_back(channel);
            }
            None => {
                let entry = Entry { shape, until: None, wanted: true, sent: false, number };
                state.entries.insert(Arc::clone(&channel), entry);
                state.unconfirmed.insert(number);
                state.queue.push_back(channel);
            }
        }
        self.changed.notify_one();
    }

    pub(crate) fn unsubscribe(&self, subscription: &Subscription) {
        let mut state = self.state.lock();
        let state = &mut *state;
        let Some(entry) = state.entries.get_mut(&subscription.channel) else { return };
        if entry.shape.kind == Kind::Room {
            let until = Instant::now() + ROOM_DELAY;
            entry.until = Some(until);
            state.leaving.push_back((until, Arc::clone(&subscription.channel)));
        } else {
            entry.wanted = false;
            state.queue.push_back(Arc::clone(&subscription.channel));
        }
        self.changed.notify_one();
    }

    /// The connection was lost, or could not be made. Forgets what only a connection needs, so that
    /// rooms that come and go meanwhile take no memory.
    pub(crate) fn lost(&self) {
        let mut state = self.state.lock();
        let state = &mut *state;
        state.restored = false;
        state.entries.retain(|_, entry| entry.wanted && entry.until.is_none());
        state.leaving.clear();
        state.queue.clear();
        state.unconfirmed.clear();
        release(&mut state.entries, &mut state.queue, &mut state.leaving);
    }

    /// A new connection begins, which has no subscription.
    pub(crate) fn restart(&self) {
        self.lost();
        let mut state = self.state.lock();
        let state = &mut *state;
        for (channel, entry) in &mut state.entries {
            entry.sent = false;
            state.unconfirmed.insert(entry.number);
            state.queue.push_back(Arc::clone(channel));
        }
        state.before_connection = state.last;
    }

    /// Whether all subscriptions that were wanted when the connection began are confirmed.
    pub(crate) fn is_restored(&self) -> bool {
        let state = self.state.lock();
        state.unconfirmed.first().is_none_or(|first| *first > state.before_connection)
    }

    /// Takes the changes that come next, at most `most`.
    pub(crate) fn take(&self, most: usize, into: &mut Vec<Change>) {
        let mut state = self.state.lock();
        let state = &mut *state;
        let now = Instant::now();
        while state.leaving.front().is_some_and(|(until, _)| *until <= now) {
            let Some((until, channel)) = state.leaving.pop_front() else { break };
            if let Some(entry) = state.entries.get_mut(&channel)
                && entry.until == Some(until)
            {
                entry.wanted = false;
                state.queue.push_back(channel);
            }
        }
        while into.len() < most
            && let Some(channel) = state.queue.pop_front()
        {
            let Some(entry) = state.entries.get_mut(&channel) else { continue };
            let (shape, number) = (entry.shape, entry.number);
            match (entry.wanted, entry.sent) {
                (true, false) => {
                    entry.sent = true;
                    into.push(Change { channel, shape, subscribes: true, number });
                }
                (false, sent) => {
                    state.entries.remove(&channel);
                    if !sent {
                        // Nobody confirms it.
                        state.unconfirmed.remove(&number);
                        self.confirmed.notify_waiters();
                    } else {
                        into.push(Change { channel, shape, subscribes: false, number });
                    }
                }
                (true, true) => {}
            }
        }
        release(&mut state.entries, &mut state.queue, &mut state.leaving);
    }

    /// A change was confirmed.
    pub(crate) fn confirm(&self, change: &Change) {
        if self.state.lock().unconfirmed.remove(&change.number) {
            self.confirmed.notify_waiters();
        }
    }

    /// All subscriptions that were wanted when the connection began are confirmed.
    pub(crate) fn restored(&self) {
        self.state.lock().restored = true;
        self.confirmed.notify_waiters();
    }

    /// The shape of a channel that is subscribed.
    pub(crate) fn shape(&self, channel: &str) -> Option<Shape> {
        Some(self.state.lock().entries.get(channel)?.shape)
    }

    /// Waits until there is something to take.
    pub(crate) async fn changed(&self) {
        loop {
            let changed = self.changed.notified();
            let next = {
                let state = self.state.lock();
                if !state.queue.is_empty() {
                    return;
                }
                state.leaving.front().map(|(until, _)| *until)
            };
            match next {
                Some(until) => tokio::select! {
                    () = changed => {}
                    () = tokio::time::sleep_until(until) => return,
                },
                None => changed.await,
            }
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

    /// A subscription was refused, since another node of the cluster has the slot.
    pub(crate) fn refused(&self, change: &Change) {
        if change.subscribes {
            self.ended(&change.channel);
        }
    }

    /// The server ended a subscription. It waits until it is moved to another node or retried.
    pub(crate) fn ended(&self, channel: &str) {
        let mut state = self.state.lock();
        let state = &mut *state;
        if let Some(entry) = state.entries.get_mut(channel) {
            entry.sent = false;
            state.has_ended |= state.unconfirmed.insert(entry.number) && entry.shape.kind != Kind::Probe;
        }
    }

    /// Takes the subscriptions away that belong to another node, and retries those that ended.
    /// Returns whether any of them was in effect.
    pub(crate) fn reroute(&self, moved: &mut Vec<Subscription>, is_here: impl Fn(&str) -> bool) -> bool {
        let mut state = self.state.lock();
        let state = &mut *state;
        let mut were_in_effect = mem::take(&mut state.has_ended);
        state.entries.retain(|channel, entry| {
            if is_here(channel) || entry.shape.kind == Kind::Probe {
                if entry.wanted && !entry.sent {
                    state.queue.push_back(Arc::clone(channel));
                }
                return true;
            }
            let was_in_effect = !state.unconfirmed.remove(&entry.number);
            if entry.wanted && entry.until.is_none() {
                were_in_effect |= was_in_effect;
                moved.push(Subscription { channel: Arc::clone(channel), shape: entry.shape });
            }
            false
        });
        self.changed.notify_one();
        self.confirmed.notify_waiters();
        were_in_effect
    }

    /// The channel on which the node is probed.
    pub(crate) fn probe(&self) -> Option<Arc<str>> {
        self.state.lock().probe.clone()
    }

    /// Sets the channel on which the node is probed.
    pub(crate) fn set_probe(&self, channel: Arc<str>) {
        let before = self.state.lock().probe.replace(Arc::clone(&channel));
        if let Some(channel) = before {
            self.unsubscribe(&Subscription { channel, shape: Shape::PROBE });
        }
        self.subscribe(Subscription { channel, shape: Shape::PROBE });
    }
}

/// Gives memory back after many rooms were left.
fn release(
    entries: &mut HashMap<Arc<str>, Entry>,
    queue: &mut VecDeque<Arc<str>>,
    leaving: &mut VecDeque<(Instant, Arc<str>)>,
) {
    const KEPT: usize = 1024;
    if entries.capacity() > KEPT && entries.len() < entries.capacity() / 8 {
        entries.shrink_to(KEPT);
    }
    if queue.capacity() > KEPT && queue.is_empty() {
        queue.shrink_to(KEPT);
    }
    if leaving.capacity() > KEPT && leaving.is_empty() {
        leaving.shrink_to(KEPT);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channels::{Channels, Form};
    use socketio::cluster::Topic;
    use std::pin::pin;
    use tokio::time::timeout;

    fn subscription(topic: Topic<'_>) -> Subscription {
        let channels = Channels { prefix: "p".into(), form: Form::Sharded };
        channels.subscription(&topic).unwrap()
    }

    fn main(namespace: &str) -> Subscription {
        subscription(Topic::Main { namespace })
    }

    fn room(room: &str) -> Subscription {
        subscription(Topic::Room { namespace: "/", room })
    }

    /// What is sent next, as `+channel` or `-channel`.
    fn sent(wanted: &Wanted) -> Vec<Change> {
        let mut changes = Vec::new();
        wanted.take(usize::MAX, &mut changes);
        changes
    }

    fn names(changes: &[Change]) -> Vec<String> {
        let sign = |change: &Change| if change.subscribes { '+' } else { '-' };
        changes.iter().map(|change| format!("{}{}", sign(change), change.channel)).collect()
    }

    fn connected() -> Wanted {
        let wanted = Wanted::default();
        wanted.restart();
        wanted.restored();
        wanted
    }

    #[tokio::test(start_paused = true)]
    async fn a_subscription_that_ends_before_it_is_sent_is_not_awaited() {
        let wanted = connected();
        for last in [false, true] {
            wanted.subscribe(main("/a"));
            wanted.unsubscribe(&main("/a"));
            wanted.subscribe(main("/a"));
            let mut waiting = pin!(wanted.subscribed());
            assert!(timeout(Duration::ZERO, &mut waiting).await.is_err());
            if last {
                let changes = sent(&wanted);
                assert_eq!(names(&changes), ["+p#/a#"]);
                wanted.confirm(&changes[0]);
            } else {
                wanted.unsubscribe(&main("/a"));
                assert_eq!(names(&sent(&wanted)), [""; 0]);
            }
            assert!(timeout(Duration::ZERO, waiting).await.is_ok());
        }
        wanted.unsubscribe(&main("/a"));
        assert_eq!(names(&sent(&wanted)), ["-p#/a#"]);
    }

    #[tokio::test(start_paused = true)]
    async fn rooms_are_left_after_a_delay() {
        let wanted = connected();
        wanted.subscribe(room("r"));
        assert_eq!(names(&sent(&wanted)), ["+p#/#r#"]);
        wanted.unsubscribe(&room("r"));
        tokio::time::advance(ROOM_DELAY / 2).await;
        wanted.subscribe(room("r"));
        tokio::time::advance(ROOM_DELAY).await;
        assert_eq!(names(&sent(&wanted)), [""; 0]);
        wanted.unsubscribe(&room("r"));
        wanted.changed().await;
        assert_eq!(names(&sent(&wanted)), ["-p#/#r#"]);
        assert!(wanted.state.lock().entries.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn rooms_that_come_and_go_without_a_connection_take_no_memory() {
        let wanted = Wanted::default();
        for number in 0..10_000 {
            let room = room(&number.to_string());
            wanted.subscribe(room.clone());
            wanted.unsubscribe(&room);
        }
        wanted.subscribe(main("/"));
        wanted.lost();
        let state = wanted.state.lock();
        assert_eq!((state.entries.len(), state.queue.len(), state.leaving.len()), (1, 0, 0));
        assert!(state.unconfirmed.is_empty() && state.entries.capacity() < 4096);
        drop(state);
        wanted.restart();
        assert_eq!(names(&sent(&wanted)), ["+p#/#"]);
    }
}
