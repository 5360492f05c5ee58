//! [`Stage`]: the servers and clients of a [`Plan`], and a model of who must receive what.

use socketio::cluster::{ClusterStats, EngineTraits, RoomTopics};
use socketio::testing::Client;
use socketio::testing::cluster::SimNet;
use socketio::{Hub, Socket};
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::time::sleep;

use crate::plan::{CLIENTS_PER_SERVER, Change, Fault, Plan, ROOMS, Round, Step, Target};

/// How a test fails.
pub(crate) type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

const PATIENCE: Duration = Duration::from_secs(60);
const NAMES: [&str; 3] = ["a", "b", "c"];

pub(crate) struct Stage {
    net: SimNet,
    rooms: RoomTopics,
    hubs: Vec<Hub>,
    clients: Vec<Member>,
    /// The number of the last emit.
    emits: u64,
}

/// A client, and in which rooms it is.
struct Member {
    server: usize,
    client: Client,
    rooms: BTreeSet<usize>,
    /// It changed during the steps of the round.
    is_vague: bool,
    expected: Vec<Expected>,
}

/// An emit that a client should receive in this round.
struct Expected {
    number: u64,
    /// The server of the client emitted it, so it can't be lost.
    is_local: bool,
    /// The emits with the same key arrive in order.
    order: (usize, Vec<usize>, Option<usize>),
}

impl Stage {
    pub(crate) async fn new(plan: &Plan) -> Outcome<Self> {
        let net = SimNet::seeded(plan.seed);
        let traits = EngineTraits::new(plan.dialect).rooms(plan.rooms);
        let mut hubs = Vec::new();
        for name in &NAMES[..plan.servers] {
            let hub = Hub::builder().cluster(net.engine_with(name, traits)).build()?;
            hub.ready(PATIENCE).await?;
            hubs.push(hub);
        }
        let mut stage = Self { net, rooms: plan.rooms, hubs, clients: Vec::new(), emits: 0 };
        for number in 0..plan.servers * CLIENTS_PER_SERVER {
            let member = Member::new(&stage.hubs, number % plan.servers, number).await?;
            stage.clients.push(member);
        }
        stage.flushed().await;
        // Losses are counted from the first message of a server.
        for hub in &stage.hubs {
            hub.emit(("first",))?;
        }
        for member in &mut stage.clients {
            for _ in 0..plan.servers {
                member.client.expect_event("first").await?;
            }
        }
        Ok(stage)
    }

    async fn flushed(&self) {
        for hub in &self.hubs {
            if let Some(cluster) = hub.cluster() {
                cluster.flushed().await;
            }
        }
    }

    fn stats(&self) -> Vec<ClusterStats> {
        self.hubs.iter().filter_map(Hub::cluster).map(|cluster| cluster.stats()).collect()
    }

    pub(crate) async fn play(&mut self, round: &Round) -> Outcome {
        for change in &round.changes {
            self.change(*change).await?;
        }
        self.flushed().await;
        let mut sent = vec![0; self.hubs.len()];
        let mut has_faults = false;
        let before = self.stats();
        for step in &round.steps {
            match *step {
                Step::Emit { server, target } => {
                    if let Some(server) = self.emit(server % self.hubs.len(), target)? {
                        sent[server] += 1;
                    }
                }
                Step::Change(change) => {
                    // Who leaves a server takes messages with it that are not lost.
                    let client = self.change(change).await?;
                    self.clients[client].is_vague = true;
                }
                Step::Fault(fault) => {
                    has_faults |= !matches!(fault, Fault::Delay { .. } | Fault::ReorderTopics);
                    self.fault(fault).await;
                }
                Step::Wait(milliseconds) => sleep(Duration::from_millis(milliseconds)).await,
            }
        }
        self.heal().await?;
        for (server, hub) in self.hubs.iter().enumerate() {
            hub.emit(("last",))?;
            sent[server] += 1;
        }
        self.flushed().await;
        self.arrived().await?;
        self.check_counts(&before, &sent, has_faults)?;
        self.check_clients(has_faults).await
    }

    /// Ends all faults, and waits until the servers are connected.
    async fn heal(&self) -> Outcome {
        let net = &self.net;
        net.drop_messages(0.0);
        net.fail_publish(0.0);
        net.reorder_topics(false);
        net.delay(Duration::ZERO..=Duration::from_millis(1));
        net.heal();
        net.start();
        for name in NAMES {
            net.resume(name);
            net.slow(name, Duration::ZERO);
        }
        self.arrived().await?;
        // A lost connection is found by the next probe.
        sleep(Duration::from_secs(5)).await;
        for hub in &self.hubs {
            hub.ready(PATIENCE).await?;
        }
        self.flushed().await;
        Ok(())
    }

    /// Waits until nothing is on its way.
    async fn arrived(&self) -> Outcome {
        for _ in 0..100_000 {
            if self.net.stats().waiting == 0 {
                sleep(Duration::from_millis(20)).await;
                return Ok(());
            }
            sleep(Duration::from_millis(10)).await;
        }
        Err(format!("messages do not arrive: {:?}", self.net.stats()).into())
    }

    /// Makes a change at once, in the model too. Returns the client that it concerns.
    async fn change(&mut self, change: Change) -> Outcome<usize> {
        let (Change::Join { client, .. } | Change::Leave { client, .. } | Change::Reconnect { client }) = change;
        let at = client % self.clients.len();
        match change {
            Change::Join { room, .. } => {
                self.clients[at].rooms.insert(room);
                self.socket(at)?.join(ROOMS[room])?;
            }
            Change::Leave { room, .. } => {
                self.clients[at].rooms.remove(&room);
                self.socket(at)?.leave(ROOMS[room]);
            }
            Change::Reconnect { .. } => {
                let new = Member::new(&self.hubs, self.clients[at].server, at).await?;
                std::mem::replace(&mut self.clients[at], new).client.disconnect().await;
            }
        }
        Ok(at)
    }

    fn socket(&self, client: usize) -> Outcome<Socket> {
        let member = &self.clients[client];
        Ok(self.hubs[member.server].socket(member.client.id()).ok_or("a client has no socket")?)
    }

    /// Emits, and notes who should receive it. Returns the server that published the message with a
    /// number, by which others find its loss.
    fn emit(&mut self, server: usize, target: Target) -> Outcome<Option<usize>> {
        self.emits += 1;
        let (number, hub) = (self.emits, &self.hubs[server]);
        let message = ("emit", number);
        let index = |client: usize| client % self.clients.len();
        let mut audience = Audience { emitter: server, ..Audience::default() };
        match target {
            Target::All => hub.emit(message)?,
            Target::Local => {
                audience.is_local = true;
                hub.local().emit(message)?;
            }
            Target::Room(room) => {
                audience.rooms = vec![room];
                hub.to(ROOMS[room]).emit(message)?;
            }
            Target::Rooms(one, other) => {
                audience.rooms = vec![one, other];
                hub.to(ROOMS[one]).to(ROOMS[other]).emit(message)?;
            }
            Target::Except(room) => {
                audience.except = Some(room);
                hub.except(ROOMS[room]).emit(message)?;
            }
            Target::RoomExceptId { room, client } => {
                (audience.rooms, audience.left_out) = (vec![room], Some(index(client)));
                let id = self.clients[index(client)].client.id();
                hub.to(ROOMS[room]).except_id(id).emit(message)?;
            }
            Target::OthersIn { client, room } => {
                let sender = index(client);
                (audience.rooms, audience.left_out) = (vec![room], Some(sender));
                audience.emitter = self.clients[sender].server;
                self.socket(sender)?.to(ROOMS[room]).emit(message)?;
            }
            Target::Id(client) => {
                audience.only = Some(index(client));
                hub.emit_to(self.clients[index(client)].client.id(), message)?;
            }
        }
        let emitter = audience.emitter;
        for (at, member) in self.clients.iter_mut().enumerate() {
            if audience.has(at, member) {
                let (is_local, order) = (member.server == emitter, (emitter, audience.rooms.clone(), audience.only));
                member.expected.push(Expected { number, is_local, order });
            }
        }
        let is_here = audience.only.is_some_and(|only| self.clients[only].server == emitter);
        let is_published = !audience.is_local && !is_here;
        Ok((is_published && self.is_numbered(&audience)).then_some(emitter))
    }

    /// Whether all servers receive the message. Topics of rooms are only for those with members.
    fn is_numbered(&self, audience: &Audience) -> bool {
        let is_dynamic = |name: &str| match self.rooms {
            RoomTopics::Dynamic => name.len() != 20,
            RoomTopics::DynamicPrivate => true,
            _ => false,
        };
        match (&audience.rooms[..], audience.only) {
            ([room], _) => !is_dynamic(ROOMS[*room]),
            (_, Some(only)) => !is_dynamic(self.clients[only].client.id().as_str()),
            _ => true,
        }
    }

    async fn fault(&self, fault: Fault) {
        let net = &self.net;
        let name = |server: usize| NAMES[server % self.hubs.len()];
        let probability = |percent: u8| f64::from(percent) / 100.0;
        match fault {
            Fault::Drop(percent) => net.drop_messages(probability(percent)),
            Fault::Partition(one, other) => net.partition(name(one), name(other)),
            Fault::Heal => net.heal(),
            Fault::Cut(server) => net.cut(name(server)),
            Fault::Restart => net.restart(),
            Fault::Outage { milliseconds } => {
                net.stop();
                sleep(Duration::from_millis(milliseconds)).await;
                net.start();
            }
            Fault::Slow(server) => net.slow(name(server), Duration::from_millis(100)),
            Fault::Hang(server) => net.hang(name(server)),
            Fault::Resume(server) => net.resume(name(server)),
            Fault::Delay { milliseconds } => net.delay(Duration::ZERO..=Duration::from_millis(milliseconds)),
            Fault::FailPublish(percent) => net.fail_publish(probability(percent)),
            // Numbers are for topics that keep their order among each other.
            Fault::ReorderTopics => net.reorder_topics(self.rooms != RoomTopics::Included),
        }
    }

    /// What others sent was received, or is counted as lost.
    fn check_counts(&self, before: &[ClusterStats], sent: &[u64], has_faults: bool) -> Outcome {
        let after = self.stats();
        let dropped: Vec<_> = after.iter().zip(before).map(|(after, before)| after.dropped - before.dropped).collect();
        for (server, (after, before)) in after.iter().zip(before).enumerate() {
            let sum = |numbers: &[u64]| numbers.iter().sum::<u64>() - numbers[server];
            let received = after.delivered + after.skipped - before.delivered - before.skipped;
            let missed = after.missed - before.missed;
            let (found, expected) = (received + missed + sum(&dropped), sum(sent));
            let is_exact = matches!(self.rooms, RoomTopics::None | RoomTopics::Included);
            if found < expected || is_exact && found != expected || !has_faults && missed > 0 {
                let dropped = sum(&dropped);
                return Err(format!(
                    "server {}: {expected} messages were sent to it, {received} received, {missed} missed, {dropped} dropped",
                    NAMES[server]
                )
                .into());
            }
            if after.malformed + after.oversized > 0 {
                return Err(format!("server {} did not understand a message", NAMES[server]).into());
            }
        }
        match self.net.stats().is_balanced() {
            true => Ok(()),
            false => Err(format!("the network lost count: {:?}", self.net.stats()).into()),
        }
    }

    /// Each client received what it should, once and in order.
    async fn check_clients(&mut self, has_faults: bool) -> Outcome {
        for (at, member) in self.clients.iter_mut().enumerate() {
            let received = member.received(self.hubs.len()).await?;
            let fails = |why: String| format!("client {at} of server {}: {why}", NAMES[member.server]);
            let distinct: BTreeSet<_> = received.iter().collect();
            if distinct.len() != received.len() {
                return Err(fails(format!("a message came twice: {received:?}")).into());
            }
            let expected = std::mem::take(&mut member.expected);
            if std::mem::take(&mut member.is_vague) {
                continue;
            }
            for number in &received {
                if !expected.iter().any(|expected| expected.number == *number) {
                    return Err(fails(format!("{number} was not for it")).into());
                }
            }
            for Expected { number, is_local, .. } in &expected {
                if (*is_local || !has_faults) && !distinct.contains(number) {
                    return Err(fails(format!("{number} did not arrive: {received:?}")).into());
                }
            }
            let orders: BTreeSet<_> = expected.iter().map(|expected| &expected.order).collect();
            for order in orders {
                let of_order = |number: &u64| {
                    expected.iter().any(|expected| expected.number == *number && expected.order == *order)
                };
                let numbers: Vec<_> = received.iter().copied().filter(of_order).collect();
                if !numbers.is_sorted() {
                    return Err(fails(format!("the order is lost: {numbers:?}")).into());
                }
            }
        }
        Ok(())
    }
}

/// Who is to receive an emit.
#[derive(Default)]
struct Audience {
    /// The server that emits.
    emitter: usize,
    rooms: Vec<usize>,
    except: Option<usize>,
    left_out: Option<usize>,
    only: Option<usize>,
    is_local: bool,
}

impl Audience {
    fn has(&self, at: usize, member: &Member) -> bool {
        if let Some(only) = self.only {
            return at == only;
        }
        let is_in = |room: &usize| member.rooms.contains(room);
        (self.rooms.is_empty() || self.rooms.iter().any(is_in))
            && !self.except.as_ref().is_some_and(is_in)
            && self.left_out != Some(at)
            && (!self.is_local || member.server == self.emitter)
    }
}

impl Member {
    async fn new(hubs: &[Hub], server: usize, number: usize) -> Outcome<Self> {
        let builder = hubs[server].test_client().patience(PATIENCE);
        // Both kinds of clients take part.
        let client =
            if number.is_multiple_of(2) { builder.connect().await? } else { builder.plain().connect().await? };
        Ok(Self { server, client, rooms: BTreeSet::new(), is_vague: false, expected: Vec::new() })
    }

    /// The numbers of the emits that it received in a round.
    async fn received(&mut self, servers: usize) -> Outcome<Vec<u64>> {
        let (mut numbers, mut ends) = (Vec::new(), 0);
        while ends < servers {
            match self.client.expect_event("emit").await {
                Ok(emit) => numbers.push(emit.json()?),
                Err(_) => {
                    self.client.expect_event("last").await?;
                    ends += 1;
                }
            }
        }
        self.client.expect_nothing().await?;
        Ok(numbers)
    }
}
