//! [`Stage`]: the servers and clients of a [`Plan`], and what happens to them.

use axum::Router;
use axum::routing::get;
use socketio::cluster::{Dialect, EngineTraits, Offset};
use socketio::testing::cluster::SimNet;
use socketio::{Cluster, Hub, Persist, Recovery, Socket, State, event, events};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::task::yield_now;
use tokio::time::{sleep, timeout};

use super::client::{Address, Client, Kind, Line, Seen, Segment};
use super::model::{Model, ROOMS};
use super::plan::{Fault, Op, Plan};

/// How a test fails.
pub(crate) type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

pub(super) const PATIENCE: Duration = Duration::from_secs(60);
/// Longer than changes of a session wait until they are stored.
const SAVE_TIME: Duration = Duration::from_millis(150);

/// What the `connect` handlers of a server tell the model.
#[derive(Clone)]
struct Notes {
    model: Arc<Mutex<Model>>,
    net: SimNet,
    server: usize,
}

#[event(connect)]
fn connect(socket: &Socket, notes: State<Notes>) {
    let attempt = socket.handshake().query("attempt").and_then(|attempt| attempt.parse().ok());
    let position = notes.net.log_position(name(notes.server));
    notes.model.lock().expect("no panic").accepted(socket, notes.server, attempt.unwrap_or(usize::MAX), position);
}

pub(super) fn name(server: usize) -> String {
    format!("server {server}")
}

/// What the clients of a run have experienced.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) emitted: usize,
    pub(crate) resumed: usize,
    /// At another server than the one before.
    pub(crate) moved: usize,
    pub(crate) renewed: usize,
    pub(crate) forgotten: usize,
}

pub(crate) struct Stage {
    pub(super) net: SimNet,
    pub(super) persist: Persist,
    pub(super) servers: Vec<Server>,
    /// Of the servers that are gone.
    pub(super) gone: Vec<Cluster>,
    pub(super) clients: Vec<Client>,
    /// Connections that their clients have left.
    left: Vec<Line>,
    pub(super) model: Arc<Mutex<Model>>,
    pub(super) started: usize,
    pub(super) attempts: usize,
    pub(super) counts: Counts,
}

impl Drop for Stage {
    /// The sockets of the model own their hub, whose state owns the model.
    fn drop(&mut self) {
        if let Ok(mut model) = self.model.lock() {
            model.sessions.clear();
        }
    }
}

pub(super) struct Server {
    pub(super) number: usize,
    pub(super) hub: Hub,
    pub(super) cluster: Cluster,
    app: Router,
}

impl Stage {
    pub(crate) async fn new(plan: &Plan) -> Outcome<Self> {
        let kind = |is_plain: &bool| if *is_plain { Kind::Plain } else { Kind::SocketIo };
        let mut stage = Self {
            net: SimNet::seeded(plan.seed),
            persist: if plan.is_eager { Persist::Eager } else { Persist::AtEnd },
            servers: Vec::new(),
            gone: Vec::new(),
            clients: plan.clients.iter().map(|is_plain| Client::new(kind(is_plain))).collect(),
            left: Vec::new(),
            model: Arc::default(),
            started: 0,
            attempts: 0,
            counts: Counts::default(),
        };
        for _ in 0..plan.servers {
            let server = stage.server()?;
            server.hub.ready(PATIENCE).await?;
            stage.servers.push(server);
        }
        Ok(stage)
    }

    fn server(&mut self) -> Outcome<Server> {
        let number = self.started;
        self.started += 1;
        let engine = self.net.engine_with(name(number), EngineTraits::new(Dialect::Streams));
        let notes = Notes { model: Arc::clone(&self.model), net: self.net.clone(), server: number };
        let recovery = Recovery::new().max_disconnection(Duration::from_secs(20)).persist(self.persist);
        let builder = Hub::builder().state(notes).events(events![connect]).cluster(engine).recovery(recovery);
        let hub = builder.build()?;
        let cluster = hub.cluster().ok_or("the hub has no cluster")?;
        let app: Router = hub.socketio().into();
        let app = app.route("/ws", get(hub.websocket()));
        Ok(Server { number, hub, cluster, app })
    }

    /// What a server has read of the log.
    fn position(&self, server: usize) -> Offset {
        self.net.log_position(name(server)).unwrap_or_default()
    }

    fn client(&self, client: usize) -> usize {
        client % self.clients.len()
    }

    /// The id and the socket of the session that a client had last.
    pub(super) fn session(&self, client: usize) -> Option<(String, Socket)> {
        let sid = &self.clients[self.client(client)].segments.last()?.sid;
        Some((sid.clone(), self.model.lock().expect("no panic").sessions.get(sid)?.socket.clone()))
    }

    pub(crate) async fn play(&mut self, op: Op) -> Outcome {
        match op {
            Op::Emit { server, target } => self.emit(server % self.servers.len(), target)?,
            Op::Volatile { server } => {
                let hub = &self.servers[server % self.servers.len()].hub;
                hub.volatile().emit(("hint", "not an offset"))?;
            }
            Op::Ask { server } => {
                let hub = &self.servers[server % self.servers.len()].hub;
                drop(hub.emit_with_ack::<u8>(("ask?", "not an offset")));
            }
            Op::Join { client, room, is_saved } => self.change_room(client, ROOMS[room % 3], true, is_saved).await,
            Op::Leave { client, room, is_saved } => self.change_room(client, ROOMS[room % 3], false, is_saved).await,
            Op::Read { client, most } => {
                let client = self.client(client);
                self.clients[client].read(most).await;
                self.handle(client).await?;
            }
            Op::ReadAll { client } => self.read_all(self.client(client)).await?,
            Op::Arrive { client, server } => self.arrive(self.client(client), server).await?,
            Op::Connect { client, server, again } => {
                if again || self.clients[self.client(client)].line.is_none() {
                    self.connect(client, server, None).await;
                }
            }
            Op::ConnectInVain { client, server, bytes } => self.connect(client, server, Some(bytes)).await,
            Op::Cut { client } => {
                let client = self.client(client);
                self.clients[client].line = None;
            }
            Op::Yield(polls) => {
                for _ in 0..polls {
                    yield_now().await;
                }
            }
            Op::Sleep { milliseconds } => sleep(Duration::from_millis(milliseconds)).await,
            Op::Kill { server } => self.kill(server % self.servers.len()).await?,
            Op::Shutdown { server } => {
                let server = server % self.servers.len();
                self.servers[server].hub.shutdown(Duration::from_secs(1)).await;
                self.replace(server)?;
            }
            Op::Fault(Fault::TrimLog) => self.trim_log()?,
            Op::Fault(fault) => self.fault(fault),
        }
        self.note_beginnings();
        match self.model.lock().expect("no panic").errors.pop() {
            Some(error) => Err(error.into()),
            None => Ok(()),
        }
    }

    /// A server that was just started may have accepted clients before it could read the log.
    pub(super) fn note_beginnings(&self) {
        for server in &self.servers {
            if let Some(position) = self.net.log_position(name(server.number)) {
                self.model.lock().expect("no panic").begins(server.number, position);
            }
        }
    }

    /// Lets the socket of a client join or leave a room. If `is_saved`, that is stored before
    /// anything else happens.
    async fn change_room(&mut self, client: usize, room: &'static str, joins: bool, is_saved: bool) {
        let Some((sid, socket)) = self.session(client) else { return };
        let server = self.model.lock().expect("no panic").sessions.get(&sid).map(|session| session.server);
        let Some(server) = self.servers.iter().find(|other| Some(other.number) == server) else { return };
        if server.hub.socket(sid.as_str()).as_ref() != Some(&socket) || socket.is_in(room) == joins {
            return;
        }
        let after = self.position(server.number);
        if joins && socket.join(room).is_err() {
            return;
        }
        if !joins {
            socket.leave(room);
        }
        if let Some(session) = self.model.lock().expect("no panic").sessions.get_mut(&sid) {
            session.room_changed(room, after, joins);
            if self.persist == Persist::Eager {
                session.unsaved(after);
            }
        }
        if self.persist == Persist::Eager && is_saved && server.cluster.health().is_up() {
            let failed = || {
                let stats = server.cluster.stats();
                stats.unpublished + stats.dropped
            };
            let before = failed();
            sleep(SAVE_TIME).await;
            let is_flushed = timeout(SAVE_TIME, server.cluster.flushed()).await.is_ok();
            let is_there = server.hub.socket(sid.as_str()).as_ref() == Some(&socket);
            if let Some(session) = self.model.lock().expect("no panic").sessions.get_mut(&sid)
                && is_there
                && is_flushed
                && failed() == before
            {
                session.saved();
            }
        }
    }

    pub(super) async fn connect(&mut self, client: usize, server: usize, most: Option<usize>) {
        let (client, server) = (self.client(client), server % self.servers.len());
        let (attempt, number) = (self.attempts, self.servers[server].number);
        self.attempts += 1;
        let (opened_at, emits) = (self.position(number), self.model.lock().expect("no panic").emits.len());
        let address = Address { app: &self.servers[server].app, server: number, attempt, opened_at, emits };
        let left = self.clients[client].connect(address, most).await;
        self.left.extend(left);
    }

    /// Connects a client, and waits until it is accepted, but not for long.
    async fn arrive(&mut self, client: usize, server: usize) -> Outcome {
        if self.clients[client].line.is_none() {
            self.connect(client, server, None).await;
        }
        for _ in 0..100 {
            self.read_all(client).await?;
            match &self.clients[client].line {
                Some(line) if !line.is_connected => sleep(Duration::from_millis(1)).await,
                _ => break,
            }
        }
        Ok(())
    }

    pub(super) async fn read_all(&mut self, client: usize) -> Outcome {
        while self.clients[client].read(100_000).await > 0 {
            self.handle(client).await?;
        }
        Ok(())
    }

    /// Handles what a client has read.
    async fn handle(&mut self, client: usize) -> Outcome {
        while let Some(seen) = self.clients[client].next().await {
            match seen {
                Seen::Connected { recovered } => self
                    .connected(client, recovered)
                    .map_err(|error| format!("client {client} is connected ({recovered}): {error}"))?,
                Seen::News(received) => match self.clients[client].segment() {
                    Some(segment) => segment.received.push(received),
                    None => return Err("a message came before the session".into()),
                },
                Seen::Other => {}
            }
        }
        Ok(())
    }

    fn connected(&mut self, client: usize, recovered: bool) -> Outcome {
        let client = &mut self.clients[client];
        let line = client.line.as_mut().ok_or("it has no connection")?;
        line.is_connected = true;
        let (server, opened_at, emits) = (line.server, line.opened_at, line.emits);
        let model = self.model.lock().expect("no panic");
        let (sid, was_resumed) = model.accepted.get(&line.attempt).cloned().ok_or("no server has accepted it")?;
        if recovered != was_resumed {
            return Err(format!("the server says that it has resumed its session: {was_resumed}").into());
        }
        if !recovered {
            self.counts.renewed += 1;
            let known = client.offset();
            client.segments.push(Segment { sid, opened_at, known, received: Vec::new(), server });
            return Ok(());
        }
        self.counts.resumed += 1;
        let segment = client.segment().ok_or("it had no session")?;
        if segment.sid != sid {
            return Err(format!("it had the session {}, and not {sid}", segment.sid).into());
        }
        self.counts.moved += usize::from(segment.server != server);
        segment.server = server;
        // Later ones may come with this connection. A server that can't reach the log can't store
        // either that something is missing.
        if self.persist == Persist::AtEnd
            && let Some(number) = model.missing_unlogged(segment, emits)
        {
            return Err(format!("it has missed {number}, which was not logged").into());
        }
        Ok(())
    }

    async fn kill(&mut self, server: usize) -> Outcome {
        let number = self.servers[server].number;
        self.net.isolate(name(number));
        for client in &mut self.clients {
            client.line = client.line.take().filter(|line| line.server != number);
        }
        self.left.retain(|line| line.server != number);
        self.servers[server].hub.shutdown(Duration::from_millis(1)).await;
        self.replace(server)
    }

    /// Another server takes the place of one that is gone.
    fn replace(&mut self, server: usize) -> Outcome {
        let new = self.server()?;
        let old = std::mem::replace(&mut self.servers[server], new);
        self.gone.push(old.cluster);
        Ok(())
    }

    fn fault(&self, fault: Fault) {
        let net = &self.net;
        let name = |server: usize| name(self.servers[server % self.servers.len()].number);
        match fault {
            Fault::Cut(server) => net.cut(name(server)),
            Fault::Isolate(server) => net.isolate(name(server)),
            Fault::Hang(server) => net.hang(name(server)),
            Fault::Resume(server) => net.resume(name(server)),
            Fault::Partition(one, other) => net.partition(name(one), name(other)),
            Fault::Slow(server) => net.slow(name(server), Duration::from_millis(100)),
            Fault::Heal => net.heal(),
            Fault::Stop => net.stop(),
            Fault::Start => net.start(),
            Fault::TrimLog => net.trim_log(0),
            Fault::Restart => net.restart(),
            Fault::FailPublish { percent } => net.fail_publish(f64::from(percent) / 100.0),
            Fault::Delay { milliseconds } => net.delay(Duration::ZERO..=Duration::from_millis(milliseconds)),
        }
    }

    /// Removes all entries, which some servers may not have read.
    fn trim_log(&self) -> Outcome {
        self.note_log()?;
        let end = self.net.log_entries().last().map(|entry| entry.offset).unwrap_or_default();
        for server in &self.servers {
            let position = self.position(server.number);
            self.model.lock().expect("no panic").removed(server.number, position, end);
        }
        self.net.trim_log(0);
        Ok(())
    }
}
