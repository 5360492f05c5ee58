//! What the page at `/` shows: the figures of the server, sent once a second to those who observe.

use schemars::JsonSchema;
use serde::Serialize;
use socketio::{EmitError, EventError, Events, Hub, IncomingEvent, JoinError, Next, Socket, SocketId, event, events};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};
use ts_rs::TS;

use crate::project;

pub(crate) const EVENTS: Events = events![observe, wave];

/// The room of the sockets that receive the figures.
const OBSERVERS: &str = "observers";

/// The number of events that clients have sent to `/`.
#[derive(Clone, Default)]
pub(crate) struct Received(Arc<AtomicU64>);

impl Received {
    /// Middleware of `/` that counts each event.
    pub(crate) async fn count(self, event: IncomingEvent, next: Next) -> Result<(), EventError> {
        self.0.fetch_add(1, Ordering::Relaxed);
        next.run(event).await
    }
}

/// The figures at one moment.
#[event("figures")]
#[derive(Serialize, JsonSchema, TS)]
pub(crate) struct Figures {
    /// How many events clients have sent to `/` since the start.
    received: u64,
    clients: Vec<Client>,
    projects: Vec<Project>,
}

/// A socket in `/`.
#[derive(Serialize, JsonSchema, TS)]
struct Client {
    id: SocketId,
    /// `websocket` or `polling`.
    transport: &'static str,
    /// How long it has been connected.
    seconds: u64,
}

/// A project that has viewers.
#[derive(Serialize, JsonSchema, TS)]
struct Project {
    id: String,
    viewers: usize,
}

/// A client has sent `wave`.
#[event("waved")]
#[derive(Serialize, JsonSchema, TS)]
pub(crate) struct Waved {
    id: SocketId,
}

impl Figures {
    fn of(hub: &Hub, received: &Received) -> Self {
        let mut clients: Vec<_> = hub.sockets().iter().map(Client::of).collect();
        clients.sort_by(|one, other| other.seconds.cmp(&one.seconds).then_with(|| one.id.cmp(&other.id)));
        let namespaces = hub.namespaces();
        let projects = namespaces.iter().filter_map(|path| {
            let id = project::id_of(path)?.to_owned();
            Some(Project { id, viewers: hub.of(path).len() })
        });
        Self { received: received.0.load(Ordering::Relaxed), clients, projects: projects.collect() }
    }
}

impl Client {
    fn of(socket: &Socket) -> Self {
        let since = SystemTime::now().duration_since(socket.handshake().time());
        Self {
            id: socket.id(),
            transport: socket.transport().as_str(),
            seconds: since.map_or(0, |since| since.as_secs()),
        }
    }
}

/// Sends the figures once a second, as long as the program runs.
pub(crate) async fn send_figures(hub: Hub, received: Received) {
    let mut seconds = tokio::time::interval(Duration::from_secs(1));
    loop {
        seconds.tick().await;
        // A client that is too slow misses old figures.
        if let Err(error) = hub.to(OBSERVERS).volatile().emit(&Figures::of(&hub, &received)) {
            eprintln!("the figures were not sent: {error}");
        }
    }
}

/// Answers with the client's own id. From now on it receives `figures`.
#[event("observe")]
pub(crate) fn observe(socket: &Socket) -> Result<SocketId, String> {
    socket.join(OBSERVERS).map_err(|error: JoinError| error.to_string())?;
    Ok(socket.id())
}

/// Tells everyone who observes.
#[event("wave")]
pub(crate) fn wave(socket: &Socket) -> Result<(), EmitError> {
    socket.within(OBSERVERS).emit(&Waved { id: socket.id() })
}
