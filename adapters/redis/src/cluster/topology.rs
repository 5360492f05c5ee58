//! [`Topology`]: the task that follows the slots of a cluster.

use socketio::cluster::GapReason;
use std::mem;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep};

use super::{Master, Shared, SlotMap, slot};
use crate::address::{Address, Login, Place};
use crate::backoff::Backoff;
use crate::node::Context;
use crate::stream::Found;

/// After this time without a change the slots are asked for at once.
const QUIET: Duration = Duration::from_secs(4);

/// Asks for the slots when something says that they changed, moves subscriptions, and reports.
pub(super) struct Topology {
    seeds: Vec<Address>,
    shared: Arc<Shared>,
    context: Context,
    /// What was reported last.
    is_connected: bool,
    /// Subscriptions were moved and are not confirmed.
    has_moved: bool,
}

impl Topology {
    pub(super) fn new(seeds: Vec<Address>, shared: Arc<Shared>, context: Context) -> Self {
        Self { seeds, shared, context, is_connected: false, has_moved: false }
    }

    pub(super) async fn run(mut self) {
        let mut backoff = Backoff::default();
        let mut asked: Option<Instant> = None;
        self.shared.state.lock().is_stale = true;
        loop {
            if mem::take(&mut self.shared.state.lock().is_stale) {
                // Nodes may not know yet what changed, and then nothing gets better by asking.
                if asked.is_some_and(|asked| asked.elapsed() < QUIET) {
                    sleep(backoff.next()).await;
                } else {
                    backoff = Backoff::default();
                }
                match self.ask().await {
                    Ok(map) => self.apply(map),
                    Err(reason) => {
                        tracing::debug!(%reason, "the slots of the Redis Cluster could not be asked for");
                        let mut state = self.shared.state.lock();
                        state.is_stale = true;
                        // The nodes report themselves.
                        if state.nodes.is_empty() {
                            state.lost.push(reason);
                        }
                    }
                }
                asked = Some(Instant::now());
            }
            self.report();
            if self.shared.state.lock().is_stale {
                continue;
            }
            tokio::select! {
                () = self.shared.events.notified() => {}
                () = self.shared.subscribed(), if self.has_moved && self.is_connected => {
                    self.has_moved = false;
                    self.context.inbox.gap(GapReason::Moved);
                }
            }
        }
    }

    /// Asks the nodes and the seeds for the slots, until one answers.
    async fn ask(&self) -> Result<SlotMap, String> {
        let mut nodes = self.shared.state.lock().nodes.clone();
        nodes.sort_by_key(|master| !*master.is_connected.lock());
        let login = self.login();
        let nodes = nodes.iter().map(|master| Address { place: master.place.clone(), login: login.clone() });
        let mut failure = String::new();
        for Address { place, login } in nodes.chain(self.seeds.iter().cloned()) {
            match self.ask_one(place, login).await {
                Ok(map) => return Ok(map),
                Err(reason) => failure = reason,
            }
        }
        Err(failure)
    }

    async fn ask_one(&self, place: Place, login: Login) -> Result<SlotMap, String> {
        let asked = async {
            let mut stream = Found::new(place.clone(), login).connect(&self.context.tls).await?;
            match stream.ask(&[b"CLUSTER", b"SLOTS"], |reply| SlotMap::read(reply, &place)).await? {
                map if map.places.is_empty() => Err("no node has slots".to_owned()),
                map => Ok(map),
            }
        };
        asked.await.map_err(|reason| format!("{place}: {reason}"))
    }

    /// Nodes have the credentials of the first seed.
    fn login(&self) -> Login {
        self.seeds.first().map(|seed| seed.login.clone()).unwrap_or_default()
    }

    /// Starts new nodes, ends old ones, and gives each subscription to the node of its slot.
    fn apply(&mut self, map: SlotMap) {
        let login = self.login();
        let mut state = self.shared.state.lock();
        let state = &mut *state;
        let mut before = mem::take(&mut state.nodes);
        for place in &map.places {
            let known = before.iter().position(|master| master.place == *place);
            state.nodes.push(match known {
                Some(index) => before.swap_remove(index),
                None => Master::start(place.clone(), &login, &self.context, &self.shared),
            });
        }
        let mut moved = Vec::new();
        for master in before {
            self.has_moved |= master.node.wanted().reroute(&mut moved, |_| false);
        }
        for (index, master) in state.nodes.iter().enumerate() {
            let is_here = |channel: &str| map.node(slot(channel.as_bytes())) == Some(index);
            self.has_moved |= master.node.wanted().reroute(&mut moved, is_here);
            if master.node.wanted().probe().is_none_or(|channel| !is_here(&channel))
                && let Some(channel) = self.probe_channel(is_here)
            {
                master.node.wanted().set_probe(channel);
            }
        }
        state.map = map;
        moved.extend(mem::take(&mut state.unrouted).into_values());
        for subscription in moved {
            state.route(subscription);
        }
        state.generation += 1;
        self.shared.moved.notify_waiters();
    }

    /// A channel that nobody else has, in a slot of a node.
    fn probe_channel(&self, is_here: impl Fn(&str) -> bool) -> Option<Arc<str>> {
        let id = getrandom::u64().unwrap_or_default();
        let mut channels =
            (0..1 << 20).map(|number| format!("{}-probe#{id:016x}{number}#", self.context.channels.prefix));
        Some(channels.find(|channel| is_here(channel))?.into())
    }

    /// Tells the hub what changed.
    fn report(&mut self) {
        let (lost, is_connected) = {
            let mut state = self.shared.state.lock();
            let nodes_are = !state.nodes.is_empty() && state.nodes.iter().all(|master| *master.is_connected.lock());
            (mem::take(&mut state.lost), nodes_are && state.unrouted.is_empty())
        };
        for reason in lost {
            self.is_connected = false;
            self.has_moved = false;
            self.context.inbox.disconnected(reason);
        }
        if is_connected && !self.is_connected {
            self.is_connected = true;
            self.context.inbox.connected();
        }
    }
}
