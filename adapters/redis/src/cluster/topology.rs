//! [`Topology`]: the task that follows the slots of a cluster.

use futures_util::future::select_ok;
use socketio::cluster::GapReason;
use std::mem;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep};

use super::{Master, Shared, SlotMap, slot};
use crate::address::{Address, Login};
use crate::backoff::Backoff;
use crate::node::Context;
use crate::stream::Found;
use crate::tls::Tls;

/// After this time without a change the slots are asked for at once.
const QUIET: Duration = Duration::from_secs(4);
/// How long to wait for a node before the next one is asked too.
const STAGGER: Duration = Duration::from_millis(100);

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
            self.report();
            if mem::take(&mut self.shared.state.lock().is_stale) {
                // Nodes may not know yet what changed, and then nothing gets better by asking.
                let wait = if asked.is_some_and(|asked| asked.elapsed() < QUIET) {
                    backoff.next()
                } else {
                    backoff = Backoff::default();
                    Duration::ZERO
                };
                let mut answer = pin!(ask(self.addresses(), self.context.tls.clone(), wait));
                let answer = loop {
                    tokio::select! {
                        answer = &mut answer => break answer,
                        // It may take seconds.
                        () = self.shared.events.notified() => self.report(),
                    }
                };
                match answer {
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

    /// The nodes and the seeds. Nodes that are connected come first.
    fn addresses(&self) -> Vec<Address> {
        let mut nodes = self.shared.state.lock().nodes.clone();
        nodes.sort_by_key(|master| !*master.is_connected.lock());
        let login = self.login();
        let nodes =
            nodes.iter().map(|master| Address { place: master.place.clone(), login: login.clone(), database: 0 });
        nodes.chain(self.seeds.iter().cloned()).collect()
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

/// Asks for the slots after a wait. Returns the first answer, or the last failure.
async fn ask(addresses: Vec<Address>, tls: Tls, wait: Duration) -> Result<SlotMap, String> {
    sleep(wait).await;
    let asked = addresses.into_iter().zip(0..).map(|(address, index)| {
        let tls = &tls;
        Box::pin(async move {
            sleep(STAGGER * index).await;
            ask_one(address, tls).await
        })
    });
    Ok(select_ok(asked).await?.0)
}

async fn ask_one(Address { place, login, .. }: Address, tls: &Tls) -> Result<SlotMap, String> {
    let asked = async {
        let mut stream = Found::new(place.clone(), login).connect(tls).await?;
        match stream.ask(&[b"CLUSTER", b"SLOTS"], |reply| SlotMap::read(reply, &place)).await? {
            map if map.places.is_empty() => Err("no node has slots".to_owned()),
            map => Ok(map),
        }
    };
    asked.await.map_err(|reason| format!("{place}: {reason}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio::time::timeout;

    #[tokio::test]
    async fn a_node_that_does_not_answer_is_not_awaited() {
        let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let other = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = |listener: &TcpListener| format!("redis://{}", listener.local_addr().unwrap());
        let addresses = Address::parse_all([url(&silent), url(&other)]).unwrap();
        let answer = tokio::spawn(ask(addresses, Tls::default(), Duration::ZERO));
        let (mut silent, _) = silent.accept().await.unwrap();
        let (mut other, _) = other.accept().await.unwrap();
        let was_given_up = timeout(Duration::ZERO, silent.read_to_end(&mut Vec::new())).await.is_ok();
        assert!(!was_given_up);
        other.write_all(b"*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n$1\r\nh\r\n:7000\r\n").await.unwrap();
        assert_eq!(answer.await.unwrap().unwrap().places.len(), 1);
    }
}
