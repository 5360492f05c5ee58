//! [`Hub`]: the server object.

pub mod adapter;
pub(crate) mod agreement;
pub(crate) mod build;
pub(crate) mod build_error;
pub(crate) mod config;
pub(crate) mod connections;
pub(crate) mod hub_builder;
pub(crate) mod namespace;
pub(crate) mod namespace_builder;
pub(crate) mod origins;
pub(crate) mod peer;
pub(crate) mod selection;
pub(crate) mod server_events;
pub(crate) mod socket;
pub(crate) mod source;
pub(crate) mod stats;
mod verbs;

use parking_lot::RwLock;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

use self::agreement::watch::{ContractViolation, Watch};
use crate::event::state::States;
use crate::hub::namespace::Namespace;
use crate::hub::namespace::inner::{Contents, NamespaceFactory, NamespaceInner};
use crate::hub::namespace::pattern::Matching;
use crate::hub::socket::requests::SHARED_ACKS;
use crate::session::limits::Limits;
use crate::session::time::after;
use config::Config;
use connections::Connections;
use hub_builder::HubBuilder;
use stats::{Counters, HubStats};

/// The server object: a cheap handle to all connections, and to everything they share.
///
/// Its verbs, such as [`on`](Self::on), [`emit_to`](Self::emit_to) and [`broadcast`](Self::broadcast), are those of its namespace `/`;
/// [`of`](Self::of) gives the other namespaces.
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

/// What all handles to a hub share.
pub(crate) struct Core {
    config: Config,
    /// The part of it that connections enforce.
    limits: Arc<Limits>,
    states: States,
    root: Arc<NamespaceInner>,
    namespaces: RwLock<HashMap<Box<str>, Arc<NamespaceInner>>>,
    /// What namespaces are made from that exist only while somebody is in them.
    patterns: Vec<(Matching, Contents)>,
    factory: NamespaceFactory,
    counters: Counters,
    connections: Connections,
    /// The id of the next question to several clients.
    next_shared_ack: AtomicU64,
}

const ROOT: &str = "/";

impl Core {
    pub(crate) fn new(
        config: Config,
        states: States,
        mut namespaces: HashMap<Box<str>, Arc<NamespaceInner>>,
        patterns: Vec<(Matching, Contents)>,
        factory: NamespaceFactory,
    ) -> Self {
        let new_root = || Arc::new(factory.make(ROOT, Contents::default()));
        let root = Arc::clone(namespaces.entry(ROOT.into()).or_insert_with(new_root));
        Self {
            limits: Arc::new(config.limits()),
            config,
            states,
            root,
            namespaces: RwLock::new(namespaces),
            patterns,
            factory,
            counters: Counters::default(),
            connections: Connections::default(),
            next_shared_ack: AtomicU64::new(SHARED_ACKS),
        }
    }

    /// What a namespace of this path would be made from, if it is one of those that come and go.
    fn pattern(&self, path: &str) -> Option<&Contents> {
        self.patterns.iter().find_map(|(pattern, contents)| pattern.matches(path).then_some(contents))
    }

    fn make_namespace(&self, path: &str, contents: Option<&Contents>) -> NamespaceInner {
        self.factory.make(path, contents.cloned().unwrap_or_default())
    }
}

impl Hub {
    /// A hub to be filled with handlers and settings.
    pub fn builder() -> HubBuilder {
        HubBuilder::default()
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

    /// A namespace, by its path. It is made if it does not exist; but one of those that come and go
    /// ([`dynamic_namespace`](HubBuilder::dynamic_namespace)) is not there for that: what is
    /// emitted to it reaches nobody on this server, and who connects to it finds nothing of what
    /// was registered there before.
    pub fn of(&self, path: impl AsRef<str>) -> Namespace {
        let core = self.core();
        let path = hub_builder::normal_path(path.as_ref());
        let known = core.namespaces.read().get(&*path).cloned();
        let namespace = known.unwrap_or_else(|| {
            if let Some(contents) = core.pattern(&path) {
                return Arc::new(core.make_namespace(&path, Some(contents)).dynamic());
            }
            let new = Arc::new(core.make_namespace(&path, None));
            // Of two that are made at the same time the first is kept.
            let mut namespaces = core.namespaces.write();
            let kept = Arc::clone(namespaces.entry(path.as_str().into()).or_insert_with(|| Arc::clone(&new)));
            drop(namespaces);
            kept
        });
        Namespace::new(Arc::clone(core), namespace)
    }

    /// The paths of all namespaces that exist now, sorted.
    pub fn namespaces(&self) -> Vec<String> {
        let mut paths: Vec<_> = self.core().namespaces.read().keys().map(ToString::to_string).collect();
        paths.sort();
        paths
    }

    /// The namespace that a client asks for, if there is one. One that comes and goes has the client for a guest from now on,
    /// and until the client's socket [departs](Self::release).
    pub(crate) fn enter(&self, path: &str) -> Option<Arc<NamespaceInner>> {
        let core = self.core();
        if let Some(known) = core.namespaces.read().get(path) {
            known.acquire();
            return Some(Arc::clone(known));
        }
        let new = Arc::new(core.make_namespace(path, Some(core.pattern(path)?)).dynamic());
        let mut namespaces = core.namespaces.write();
        let kept = Arc::clone(namespaces.entry(path.into()).or_insert_with(|| Arc::clone(&new)));
        kept.acquire();
        drop(namespaces);
        Some(kept)
    }

    /// A guest comes who has the namespace already, and does not ask for it by its path. One that has vanished meanwhile is
    /// found again, unless there is another in its place.
    pub(crate) fn acquire(&self, namespace: &Arc<NamespaceInner>) {
        if namespace.is_dynamic() {
            let mut namespaces = self.core().namespaces.write();
            namespace.acquire();
            namespaces.entry(namespace.path().into()).or_insert_with(|| Arc::clone(namespace));
        }
    }

    /// A socket has left a namespace, which vanishes now if it is of that kind and the socket was the last.
    pub(crate) fn release(&self, namespace: &Arc<NamespaceInner>) {
        if !namespace.is_dynamic() {
            return;
        }
        let mut namespaces = self.core().namespaces.write();
        let is_empty = namespace.release();
        let is_known = namespaces.get(namespace.path()).is_some_and(|known| Arc::ptr_eq(known, namespace));
        let vanished = if is_empty && is_known { namespaces.remove(namespace.path()) } else { None };
        drop(namespaces);
        if let Some(vanished) = vanished {
            vanished.close();
        }
    }

    /// What was emitted or answered although none of the hub's [contracts](HubBuilder::contract) says so: each once, and of them the first
    /// 1,000. It is logged, too.
    ///
    /// Only debug builds look, so that others pay nothing; without a contract there is nothing to find.
    ///
    /// ```
    /// use socketio::{Hub, contract, event};
    ///
    /// #[event("news")]
    /// #[derive(serde::Serialize)]
    /// struct News {
    ///     headline: String,
    /// }
    ///
    /// contract! {
    ///     Daily { "/" { emits [News] } }
    /// }
    ///
    /// let hub = Hub::builder().contract::<Daily>().build()?;
    /// hub.broadcast(&News { headline: "it works".into() })?;
    /// assert_eq!(hub.contract_violations(), []);
    ///
    /// hub.broadcast(("weather", "fair"))?;
    /// # #[cfg(debug_assertions)]
    /// assert_eq!(hub.contract_violations()[0].event(), "weather");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn contract_violations(&self) -> Vec<ContractViolation> {
        self.watch().map(Watch::found).unwrap_or_default()
    }

    pub(crate) fn watch(&self) -> Option<&Watch> {
        self.core().factory.watch.as_deref()
    }

    /// Figures for operators.
    pub fn stats(&self) -> HubStats {
        self.core().counters.stats(self.connections().len())
    }

    /// Ends all connections, and waits until they are gone.
    ///
    /// New handshakes get the status 503 from now on, and those under way are given up. Handlers
    /// that run may go on until the deadline, those of `disconnecting` and `disconnect` included,
    /// then their futures are dropped. Queued messages go out, plain WebSocket clients are closed
    /// with 1001, and `disconnect` has fired for every socket when this returns: at the deadline at
    /// the latest, or moments after it, unless a handler blocks its thread. When there are many
    /// connections they are closed one after the other during the first half of the deadline, so
    /// that not all clients reconnect elsewhere in the same moment. Of several calls the earliest
    /// deadline counts. At the end the application's [adapters](HubBuilder::adapter) are closed.
    pub async fn shutdown(&self, deadline: Duration) {
        let until = after(Instant::now(), deadline);
        self.connections().shut_down(deadline).await;
        let namespaces: Vec<_> = self.core().namespaces.read().values().cloned().collect();
        namespaces.iter().for_each(|namespace| namespace.close());
        // A deadline that is over is no reason to keep the caller waiting.
        let _ = timeout_at(until, self.core().factory.closing.wait()).await;
    }

    pub(crate) fn next_shared_ack(&self) -> u64 {
        self.core().next_shared_ack.fetch_add(1, Ordering::Relaxed)
    }

    /// Whether several sockets were asked something under this id, at any time.
    pub(crate) fn has_asked(&self, id: u64) -> bool {
        (SHARED_ACKS..self.core().next_shared_ack.load(Ordering::Relaxed)).contains(&id)
    }

    pub(crate) fn config(&self) -> &Config {
        &self.core().config
    }

    pub(crate) fn limits(&self) -> &Arc<Limits> {
        &self.core().limits
    }

    pub(crate) fn states(&self) -> &States {
        &self.core().states
    }

    pub(crate) fn counters(&self) -> &Counters {
        &self.core().counters
    }

    pub(crate) fn connections(&self) -> &Connections {
        &self.core().connections
    }
}

impl fmt::Debug for Hub {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Hub").field("stats", &self.stats()).finish_non_exhaustive()
    }
}
