//! [`Hub`]: the server object.

pub(crate) mod builder;
pub(crate) mod config;
pub(crate) mod counters;

use parking_lot::RwLock;
use std::collections::HashMap;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::event::state::States;
use crate::namespace::Namespace;
use crate::namespace::space::{MakeAdapter, Space};
use builder::Builder;
use config::Config;
use counters::{Counters, Stats};

/// The server object: a cheap handle to all connections, and to everything they share.
///
/// It dereferences to its namespace `/`, which is where [`on`](Namespace::on), [`emit_to`](Namespace::emit_to),
/// [`broadcast`](Namespace::broadcast) and the other verbs come from; [`of`](Self::of) gives the others.
///
/// ```
/// use axum::{Router, routing::get};
/// use socketio::{Hub, Socket, event, events};
///
/// #[event("hello")]
/// fn hello(socket: &Socket, name: String) -> String {
///     format!("hello {name}, you are {}", socket.id())
/// }
///
/// let hub = Hub::builder().events(events![hello]).build()?;
/// let app: Router = Router::new().route("/ws", get(hub.websocket()));
/// # Ok::<(), socketio::BuildError>(())
/// ```
#[derive(Clone)]
pub struct Hub {
    root: Namespace,
}

impl Deref for Hub {
    type Target = Namespace;

    fn deref(&self) -> &Namespace {
        &self.root
    }
}

/// What all handles to a hub share.
pub(crate) struct Core {
    config: Config,
    states: States,
    root: Arc<Space>,
    spaces: RwLock<HashMap<Box<str>, Arc<Space>>>,
    make_adapter: Option<Box<MakeAdapter>>,
    counters: Counters,
    shutting_down: AtomicBool,
    connections: AtomicUsize,
    /// Told when the last connection is gone.
    empty: Notify,
}

const ROOT: &str = "/";

impl Core {
    pub(crate) fn new(
        config: Config,
        states: States,
        mut spaces: HashMap<Box<str>, Arc<Space>>,
        make_adapter: Option<Box<MakeAdapter>>,
    ) -> Self {
        let new_root = || Arc::new(Space::new(ROOT, Vec::new(), make_adapter.as_deref()));
        let root = Arc::clone(spaces.entry(ROOT.into()).or_insert_with(new_root));
        Self {
            config,
            states,
            root,
            spaces: RwLock::new(spaces),
            make_adapter,
            counters: Counters::default(),
            shutting_down: AtomicBool::new(false),
            connections: AtomicUsize::new(0),
            empty: Notify::new(),
        }
    }
}

impl Hub {
    /// A hub to be filled with handlers and settings.
    pub fn builder() -> Builder {
        Builder::default()
    }

    pub(crate) fn new(core: Core) -> Self {
        let root = Arc::clone(&core.root);
        Self { root: Namespace::new(Arc::new(core), root) }
    }

    pub(crate) fn from_core(core: &Arc<Core>) -> Self {
        Self { root: Namespace::new(Arc::clone(core), Arc::clone(&core.root)) }
    }

    fn core(&self) -> &Arc<Core> {
        self.root.core()
    }

    /// A namespace, by its path. It is made if it does not exist.
    pub fn of(&self, path: impl AsRef<str>) -> Namespace {
        let core = self.core();
        let path = builder::normal_path(path.as_ref());
        let known = core.spaces.read().get(&*path).cloned();
        let space = known.unwrap_or_else(|| {
            let mut spaces = core.spaces.write();
            let new = || Arc::new(Space::new(&path, Vec::new(), core.make_adapter.as_deref()));
            Arc::clone(spaces.entry(path.as_str().into()).or_insert_with(new))
        });
        Namespace::new(Arc::clone(core), space)
    }

    /// Figures for operators.
    pub fn stats(&self) -> Stats {
        self.core().counters.stats(self.core().connections.load(Ordering::Relaxed))
    }

    /// Ends all connections, and waits until they are gone.
    ///
    /// New handshakes get the status 503 from now on. Handlers that run may go on until the deadline, then their futures are
    /// dropped. Queued messages go out, plain WebSocket clients are closed with 1001, and `disconnect` has fired for every
    /// socket when this returns. When there are many connections they are closed one after the other during the first
    /// half of the deadline, so that not all clients reconnect elsewhere in the same moment.
    pub async fn shutdown(&self, deadline: Duration) {
        let core = self.core();
        core.shutting_down.store(true, Ordering::SeqCst);
        let by = Instant::now() + deadline;
        tracing::info!(connections = core.connections.load(Ordering::Relaxed), "shutting down");
        let sockets: Vec<_> =
            self.spaces().iter().flat_map(|space| space.registry().all().iter().cloned().collect::<Vec<_>>()).collect();
        // A few at a time: a pause after each group, all pauses together at most half of the deadline.
        let groups = sockets.len().div_ceil(SHUTDOWN_GROUP).max(1);
        let pause = (deadline / 2 / groups as u32).min(SHUTDOWN_PAUSE);
        for group in sockets.chunks(SHUTDOWN_GROUP) {
            for socket in group {
                socket.shut_down(by);
            }
            if groups > 1 {
                tokio::time::sleep(pause).await;
            }
        }
        drop(sockets);
        loop {
            let empty = core.empty.notified();
            tokio::pin!(empty);
            empty.as_mut().enable();
            if core.connections.load(Ordering::SeqCst) == 0 {
                break;
            }
            // A handshake that began before may have registered a socket meanwhile.
            for space in self.spaces() {
                space.registry().all().iter().for_each(|socket| socket.shut_down(by));
            }
            let _ = tokio::time::timeout(SHUTDOWN_RECHECK, empty).await;
        }
    }

    fn spaces(&self) -> Vec<Arc<Space>> {
        self.core().spaces.read().values().cloned().collect()
    }

    pub(crate) fn config(&self) -> &Config {
        &self.core().config
    }

    pub(crate) fn states(&self) -> &States {
        &self.core().states
    }

    pub(crate) fn counters(&self) -> &Counters {
        &self.core().counters
    }

    /// Counts one more connection. `None`: there are too many, or the hub is shutting down.
    pub(crate) fn admit(&self) -> Option<Admission> {
        let core = self.core();
        if core.connections.fetch_add(1, Ordering::SeqCst) >= core.config.max_connections {
            leave(core);
            return None;
        }
        let admission = Admission(self.clone());
        (!core.shutting_down.load(Ordering::SeqCst)).then_some(admission)
    }
}

/// How many connections are closed at once when a hub shuts down, and how long it waits after each group.
const SHUTDOWN_GROUP: usize = 100;
const SHUTDOWN_PAUSE: Duration = Duration::from_millis(20);
const SHUTDOWN_RECHECK: Duration = Duration::from_millis(100);

fn leave(core: &Core) {
    if core.connections.fetch_sub(1, Ordering::SeqCst) == 1 {
        core.empty.notify_waiters();
    }
}

/// A connection's place among those that the hub allows, from the handshake to the end.
pub(crate) struct Admission(Hub);

impl Drop for Admission {
    fn drop(&mut self) {
        leave(self.0.core());
    }
}

impl fmt::Debug for Hub {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Hub").field("stats", &self.stats()).finish_non_exhaustive()
    }
}
