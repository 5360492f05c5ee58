//! [`Cluster`]: the masters of a Redis Cluster, each of which carries the channels of its slots.
//!
//! Each master has a [`Node`] with connections of its own, which looks after itself. A task follows
//! the slots, and moves subscriptions to the node that has them.

mod slots;
mod topology;

use futures_util::future::join_all;
use parking_lot::Mutex;
use socketio::cluster::{PublishBatch, PublishError, Topic};
use std::collections::HashMap;
use std::mem;
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::address::{Address, Login, Place};
use crate::channels::{Channels, Subscription};
use crate::node::{Context, Node, Report};
use crate::server::Server;
use slots::{SlotMap, slot};
use topology::Topology;

/// How often messages are sent that belong to another node each time.
const ATTEMPTS: u32 = 5;
/// How long to wait before the next attempt, for the slots and beyond. All attempts take at most a
/// few seconds.
const SLOTS_TIMEOUT: Duration = Duration::from_millis(200);
const PAUSE: Duration = Duration::from_millis(50);

/// The nodes, and the task that follows the slots.
pub(crate) struct Cluster {
    seeds: Vec<Address>,
    shared: Arc<Shared>,
    task: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    /// Wakes the task that follows the slots.
    events: Notify,
    /// Wakes those who wait for subscriptions, when these were moved.
    moved: Notify,
}

#[derive(Default)]
struct State {
    map: SlotMap,
    /// The nodes, with the indexes of the map.
    nodes: Vec<Arc<Master>>,
    /// What is wanted and belongs to no known node.
    unrouted: HashMap<Arc<str>, Subscription>,
    /// How often subscriptions were moved.
    generation: u64,
    /// The slots have to be asked for.
    is_stale: bool,
    /// Why connections were lost, since that was last reported.
    lost: Vec<String>,
}

/// A master.
struct Master {
    place: Place,
    node: Node,
    is_connected: Mutex<bool>,
}

/// The messages of a batch that go to one master.
struct Part<'a> {
    master: Arc<Master>,
    messages: Vec<(Topic<'a>, &'a [u8])>,
    /// The length of the messages and their channels.
    length: usize,
}

/// Tells the task about a master.
struct MasterReport {
    shared: Arc<Shared>,
    /// The master has this too, until it is dropped.
    master: Weak<Master>,
}

impl Cluster {
    pub(crate) fn new(seeds: Vec<Address>) -> Self {
        Self { seeds, shared: Arc::default(), task: Mutex::new(None) }
    }

    pub(crate) fn seeds(&self) -> &Vec<Address> {
        &self.seeds
    }

    /// Changes the credentials for all nodes.
    pub(crate) fn logins(&mut self, change: impl Fn(&mut Login)) {
        self.seeds.iter_mut().for_each(|seed| change(&mut seed.login));
    }

    pub(crate) fn start(&self, context: Context) {
        let topology = Topology::new(self.seeds.clone(), Arc::clone(&self.shared), context);
        let mut task = self.task.lock();
        if task.is_none() {
            *task = Some(tokio::spawn(topology.run()));
        }
    }

    pub(crate) fn subscribe(&self, subscription: Subscription) {
        if !self.shared.state.lock().route(subscription) {
            self.shared.stale();
        }
    }

    pub(crate) fn unsubscribe(&self, subscription: &Subscription) {
        let mut state = self.shared.state.lock();
        match state.master(&subscription.channel) {
            Some(master) => master.node.wanted().unsubscribe(subscription),
            None => _ = state.unrouted.remove(&subscription.channel),
        }
    }

    pub(crate) async fn subscribed(&self) {
        self.shared.subscribed().await;
    }

    /// Publishes a batch. Messages that were sent to the wrong node are sent again, to the right
    /// one: it is certain that they were not published. They stay in order, since all messages of
    /// a channel behind the first of them are refused too.
    pub(crate) async fn publish(&self, channels: &Channels, batch: &PublishBatch) -> Result<(), PublishError> {
        let mut error = PublishError { unpublished: 0, reason: String::new() };
        let mut messages: Vec<_> = batch.iter().collect();
        for attempt in 1..=ATTEMPTS {
            let applied = self.shared.moved.notified();
            messages = self.publish_once(channels, &messages, &mut error).await;
            if messages.is_empty() || attempt == ATTEMPTS {
                break;
            }
            self.shared.stale();
            _ = timeout(SLOTS_TIMEOUT, applied).await;
            sleep(PAUSE * attempt).await;
        }
        if !messages.is_empty() {
            error.unpublished += messages.len();
            error.reason = "no known node has the slot".into();
        }
        if error.unpublished == 0 { Ok(()) } else { Err(error) }
    }

    /// Publishes messages, and returns those that were sent to the wrong node.
    async fn publish_once<'a>(
        &self,
        channels: &Channels,
        messages: &[(Topic<'a>, &'a [u8])],
        error: &mut PublishError,
    ) -> Vec<(Topic<'a>, &'a [u8])> {
        let mut moved = Vec::new();
        let parts = {
            let state = self.shared.state.lock();
            let mut parts: Vec<_> = state.nodes.iter().map(Part::new).collect();
            let mut channel = Vec::new();
            for (topic, body) in messages {
                channel.clear();
                channels.parts(topic).iter().for_each(|part| channel.extend_from_slice(part.as_bytes()));
                match state.map.node(slot(&channel)).and_then(|node| parts.get_mut(node)) {
                    Some(part) => {
                        part.messages.push((*topic, *body));
                        part.length += body.len() + channel.len();
                    }
                    None => moved.push((*topic, *body)),
                }
            }
            parts
        };
        let outcomes = parts.iter().map(|Part { master, messages, length }| {
            let write =
                |bytes: &mut Vec<u8>, topic: &Topic<'_>, body: &[u8]| channels.write_message(bytes, topic, body);
            master.node.publish_some(*length, messages.iter().copied(), write)
        });
        for (part, outcome) in parts.iter().zip(join_all(outcomes).await) {
            match outcome {
                Ok(indexes) => moved.extend(indexes.into_iter().filter_map(|index| part.messages.get(index).copied())),
                Err(failure) => {
                    error.unpublished += failure.unpublished;
                    error.reason = failure.reason;
                }
            }
        }
        moved
    }

    pub(crate) async fn subscribers(&self, channels: &Channels, topic: Topic<'_>) -> Result<usize, String> {
        let master = self.shared.state.lock().master(&channels.channel(&topic));
        let master = master.ok_or("no node has the slot")?;
        master.node.subscribers(channels, topic).await
    }

    pub(crate) fn reconnect(&self) {
        let nodes = self.shared.state.lock().nodes.clone();
        for master in nodes {
            master.node.reconnect();
        }
        self.shared.stale();
    }

    pub(crate) async fn stop(&self) {
        let task = self.task.lock().take();
        if let Some(task) = task {
            task.abort();
            _ = task.await;
        }
        let nodes = mem::take(&mut self.shared.state.lock().nodes);
        for master in nodes {
            master.node.stop().await;
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if let Some(task) = self.task.get_mut() {
            task.abort();
        }
        // Their tasks refer to the shared state, and end with them.
        self.shared.state.lock().nodes.clear();
    }
}

impl Shared {
    /// The slots have to be asked for.
    fn stale(&self) {
        self.state.lock().is_stale = true;
        self.events.notify_one();
    }

    /// Waits until all subscriptions are in effect.
    async fn subscribed(&self) {
        loop {
            let moved = self.moved.notified();
            let (generation, nodes) = {
                let state = self.state.lock();
                let is_routed = state.unrouted.is_empty() && !state.nodes.is_empty();
                (state.generation, is_routed.then(|| state.nodes.clone()))
            };
            let Some(nodes) = nodes else {
                moved.await;
                continue;
            };
            let subscribed = join_all(nodes.iter().map(|master| master.node.wanted().subscribed()));
            tokio::select! {
                _ = subscribed => {}
                () = moved => {}
            }
            // It may have moved while it was awaited.
            if self.state.lock().generation == generation {
                return;
            }
        }
    }
}

impl State {
    /// The master that has a channel.
    fn master(&self, channel: &str) -> Option<Arc<Master>> {
        self.nodes.get(self.map.node(slot(channel.as_bytes()))?).cloned()
    }

    /// Returns whether the node is known.
    fn route(&mut self, subscription: Subscription) -> bool {
        match self.master(&subscription.channel) {
            Some(master) => {
                master.node.wanted().subscribe(subscription);
                true
            }
            None => {
                self.unrouted.insert(Arc::clone(&subscription.channel), subscription);
                false
            }
        }
    }
}

impl Master {
    /// Starts to connect to a master.
    fn start(place: Place, login: &Login, context: &Context, shared: &Arc<Shared>) -> Arc<Self> {
        let master = Arc::new(Self { place: place.clone(), node: Node::new(), is_connected: Mutex::new(false) });
        let report = MasterReport { shared: Arc::clone(shared), master: Arc::downgrade(&master) };
        master.node.start(Server::At(Address { place, login: login.clone(), database: 0 }), context.clone(), report);
        master
    }
}

impl Part<'_> {
    fn new(master: &Arc<Master>) -> Self {
        Self { master: Arc::clone(master), messages: Vec::new(), length: 0 }
    }
}

impl MasterReport {
    fn set_connected(&self, is_connected: bool) {
        if let Some(master) = self.master.upgrade() {
            *master.is_connected.lock() = is_connected;
        }
    }
}

impl Report for MasterReport {
    fn connected(&self) {
        self.set_connected(true);
        self.shared.events.notify_one();
    }

    fn disconnected(&self, reason: String) {
        self.set_connected(false);
        if let Some(master) = self.master.upgrade() {
            let mut state = self.shared.state.lock();
            // What is said about a node that was removed is of no interest.
            if state.nodes.iter().any(|node| Arc::ptr_eq(node, &master)) {
                state.is_stale = true;
                state.lost.push(reason);
            }
        }
        self.shared.events.notify_one();
    }

    fn moved(&self) -> bool {
        self.shared.stale();
        true
    }
}
