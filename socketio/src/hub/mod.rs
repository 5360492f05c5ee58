//! [`Hub`]: the server object, with its namespaces, settings and connections.

mod ack_ids;
pub mod adapter;
#[cfg(feature = "admin")]
pub(crate) mod admin;
#[cfg(not(feature = "admin"))]
#[path = "no_admin.rs"]
pub(crate) mod admin;
pub(crate) mod agreement;
pub(crate) mod aliases;
pub(crate) mod build;
pub(crate) mod build_error;
#[cfg(feature = "cluster")]
pub(crate) mod cluster;
pub(crate) mod config;
pub(crate) mod connections;
pub(crate) mod drain;
pub(crate) mod hub_builder;
pub(crate) mod kept_headers;
pub(crate) mod listing;
pub(crate) mod namespace;
pub(crate) mod namespace_builder;
#[cfg(any(feature = "metrics", feature = "opentelemetry"))]
pub(crate) mod observed;
#[cfg(not(any(feature = "metrics", feature = "opentelemetry")))]
#[path = "unobserved.rs"]
pub(crate) mod observed;
pub(crate) mod origins;
pub(crate) mod reauthentication;
pub(crate) mod recovery;
pub(crate) mod revoking;
pub(crate) mod selection;
pub(crate) mod server_events;
pub(crate) mod server_request;
pub(crate) mod socket;
pub(crate) mod source;
pub(crate) mod stats;
mod verbs;

use parking_lot::RwLock;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::time::{Instant, timeout_at};

use self::agreement::watch::{ContractViolation, Watch};
use crate::connection_handle::shared::Shared;
use crate::event::state::States;
use crate::hub::namespace::Namespace;
use crate::hub::namespace::inner::{Contents, Lifetime, NamespaceFactory, NamespaceInner};
use crate::hub::namespace::pattern::Matching;
use crate::hub::namespace::registry::Registry;
use crate::session::limits::Limits;
use crate::session::time::after;
use ack_ids::AckIds;
use config::Config;
use connections::Connections;
use hub_builder::HubBuilder;
use observed::Observers;
use origins::RefusedOrigins;
use stats::{Counters, HubStats};

/// The server object: a handle to all connections and their shared state. Cloning is cheap.
///
/// Its methods, such as [`on`](Self::on), [`emit_to`](Self::emit_to) and
/// [`broadcast`](Self::broadcast), act on the namespace `/`. Use [`of`](Self::of) for other
/// namespaces.
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

/// The state that all handles to a hub share.
pub(crate) struct Core {
    config: Config,
    /// The limits that connections enforce.
    limits: Arc<Limits>,
    states: States,
    root: Arc<NamespaceInner>,
    namespaces: RwLock<HashMap<Box<str>, Arc<NamespaceInner>>>,
    /// The contents of dynamic namespaces, with the paths that they apply to.
    patterns: Vec<(Matching, Contents)>,
    factory: NamespaceFactory,
    counters: Counters,
    connections: Connections,
    refused_origins: RefusedOrigins,
    shared: Arc<Shared>,
    observers: Observers,
    ack_ids: AckIds,
    /// The runtime of the first connection.
    runtime: OnceLock<Handle>,
}

const ROOT: &str = "/";

impl Core {
    pub(crate) fn new(
        config: Config,
        states: States,
        mut namespaces: HashMap<Box<str>, Arc<NamespaceInner>>,
        patterns: Vec<(Matching, Contents)>,
        factory: NamespaceFactory,
        observers: Observers,
    ) -> Self {
        let new_root = || Arc::new(factory.make(ROOT, Contents::default(), Lifetime::Static));
        let root = Arc::clone(namespaces.entry(ROOT.into()).or_insert_with(new_root));
        Self {
            limits: Arc::new(config.limits()),
            shared: Arc::new(Shared::new(config.outbox, config.overflow)),
            config,
            observers,
            states,
            root,
            namespaces: RwLock::new(namespaces),
            patterns,
            factory,
            counters: Counters::default(),
            connections: Connections::default(),
            refused_origins: RefusedOrigins::default(),
            ack_ids: AckIds::default(),
            runtime: OnceLock::new(),
        }
    }

    /// The contents for a dynamic namespace with this path, or `None` if no pattern matches.
    fn pattern(&self, path: &str) -> Option<&Contents> {
        self.patterns.iter().find_map(|(pattern, contents)| pattern.matches(path).then_some(contents))
    }

    /// What the counters say now, and what is counted only for this.
    fn stats(&self) -> HubStats {
        let connections = self.connections.len();
        let namespaces = self.namespaces.read();
        // Only atomics are read while the lock is held.
        let registries = || namespaces.values().map(|namespace| namespace.registry());
        HubStats {
            connections,
            sockets: registries().map(Registry::len).sum(),
            rooms: registries().map(|registry| registry.rooms().len()).sum(),
            namespaces: namespaces.len(),
            ..self.counters.stats(&self.shared.counters)
        }
    }

    fn make_dynamic(&self, path: &str, contents: &Contents) -> Arc<NamespaceInner> {
        Arc::new(self.factory.make(path, contents.clone(), Lifetime::Dynamic))
    }
}

impl Hub {
    /// Returns a builder for a hub.
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

    /// Whether any event may be answered with `rate_limited`.
    #[cfg(feature = "asyncapi")]
    pub(crate) fn has_rate_limits(&self) -> bool {
        let core = self.core();
        core.config.rate_limit.is_some()
            || core.namespaces.read().values().any(|namespace| namespace.has_event_limits())
            || core.patterns.iter().any(|(_, contents)| !contents.event_limits.is_empty())
    }

    pub(crate) fn core(&self) -> &Arc<Core> {
        self.root.core()
    }

    /// Returns the namespace with this path.
    ///
    /// If it does not exist, it is created, except for a [dynamic](HubBuilder::dynamic_namespace)
    /// namespace. Then the handle is not connected to the namespace that a client creates later.
    /// Emits through it reach no socket of this server, and clients do not get the listeners that
    /// are registered through it.
    pub fn of(&self, path: impl AsRef<str>) -> Namespace {
        let core = self.core();
        let path = hub_builder::normal_path(path.as_ref());
        let known = core.namespaces.read().get(&*path).cloned();
        let namespace = known.unwrap_or_else(|| {
            if let Some(contents) = core.pattern(&path) {
                return core.make_dynamic(&path, contents);
            }
            let new = Arc::new(core.factory.make(&path, Contents::default(), Lifetime::Static));
            // Another thread may have created the namespace in the meantime. The first one is kept.
            let mut namespaces = core.namespaces.write();
            let kept = Arc::clone(namespaces.entry(path.as_str().into()).or_insert_with(|| Arc::clone(&new)));
            drop(namespaces);
            kept
        });
        Namespace::new(Arc::clone(core), namespace)
    }

    /// Returns the namespace with this path, if it exists.
    #[cfg(any(feature = "admin", feature = "http-emit"))]
    pub(crate) fn existing(&self, path: &str) -> Option<Namespace> {
        let known = self.core().namespaces.read().get(path).cloned();
        known.map(|namespace| Namespace::new(Arc::clone(self.core()), namespace))
    }

    /// Returns a handle that reaches the sockets of the namespace on all servers. `None` if the
    /// namespace does not exist here, and there are no other servers.
    #[cfg(feature = "admin")]
    pub(crate) fn reached(&self, path: &str) -> Option<Namespace> {
        self.existing(path).or_else(|| {
            let core = self.core();
            let is_elsewhere = core.config.has_cluster && path.starts_with('/');
            // It is not kept, so that admins can't fill the memory with namespaces.
            is_elsewhere.then(|| Namespace::new(Arc::clone(core), core.make_dynamic(path, &Contents::default())))
        })
    }

    /// The namespace with this path, as [`of`](Self::of) returns it. `None` if clients can't
    /// connect to it.
    #[cfg(feature = "http-emit")]
    pub(crate) fn find(&self, path: &str) -> Option<Namespace> {
        self.existing(path).or_else(|| {
            let core = self.core();
            let namespace = core.make_dynamic(path, core.pattern(path)?);
            Some(Namespace::new(Arc::clone(core), namespace))
        })
    }

    /// The paths of all existing namespaces, sorted.
    pub fn namespaces(&self) -> Vec<String> {
        let mut paths: Vec<_> = self.core().namespaces.read().keys().map(ToString::to_string).collect();
        paths.sort();
        paths
    }

    /// Returns the namespace that a client connects to, if it exists. For a dynamic namespace this
    /// increments its reference count, until [`release`](Self::release).
    pub(crate) fn enter(&self, path: &str) -> Option<Arc<NamespaceInner>> {
        let core = self.core();
        if let Some(known) = core.namespaces.read().get(path) {
            known.acquire();
            return Some(Arc::clone(known));
        }
        let new = core.make_dynamic(path, core.pattern(path)?);
        let mut namespaces = core.namespaces.write();
        let kept = Arc::clone(namespaces.entry(path.into()).or_insert_with(|| Arc::clone(&new)));
        kept.acquire();
        drop(namespaces);
        Some(kept)
    }

    /// Increments the reference count of a dynamic namespace. If it was removed in the meantime, it
    /// is added again, unless another namespace with its path exists.
    pub(crate) fn acquire(&self, namespace: &Arc<NamespaceInner>) {
        if namespace.is_dynamic() {
            let mut namespaces = self.core().namespaces.write();
            namespace.acquire();
            namespaces.entry(namespace.path().into()).or_insert_with(|| Arc::clone(namespace));
        }
    }

    /// Decrements the reference count of a dynamic namespace, after a socket has left. The last
    /// reference removes and closes it.
    pub(crate) fn release(&self, namespace: &Arc<NamespaceInner>) {
        if !namespace.is_dynamic() {
            return;
        }
        let mut namespaces = self.core().namespaces.write();
        let is_empty = namespace.release();
        let is_known = namespaces.get(namespace.path()).is_some_and(|known| Arc::ptr_eq(known, namespace));
        let removed = if is_empty && is_known { namespaces.remove(namespace.path()) } else { None };
        drop(namespaces);
        if let Some(removed) = removed {
            removed.close();
        }
    }

    /// The events and answers that violate the hub's [contracts](HubBuilder::contract). Each
    /// violation is listed once and logged. At most the first 1,000 are kept.
    ///
    /// Only debug builds check for violations. Without a contract there are none.
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

    /// Returns statistics for operators.
    pub fn stats(&self) -> HubStats {
        self.core().stats()
    }

    /// Ends all connections and waits until they are gone.
    ///
    /// New handshakes receive the status 503, and pending ones are aborted. Running handlers may
    /// continue until the deadline, including those of `disconnecting` and `disconnect`. After that
    /// their futures are dropped.
    ///
    /// Queued messages are sent, and plain WebSockets are closed with code 1001. When this returns,
    /// `disconnect` has fired for every socket. It returns at the deadline or shortly after it,
    /// unless a handler blocks its thread.
    ///
    /// Many connections are closed in groups during the first half of the deadline, so that not all
    /// clients reconnect elsewhere at once. If it is called several times, the earliest deadline
    /// applies. At the end the [adapters](HubBuilder::adapter) of the application are closed.
    ///
    /// With other servers that can take the clients, [drain](Self::drain) the hub before.
    pub async fn shutdown(&self, deadline: Duration) {
        let until = after(Instant::now(), deadline);
        self.connections().shut_down(deadline).await;
        let namespaces: Vec<_> = self.core().namespaces.read().values().cloned().collect();
        // No client can come back to this hub.
        namespaces.iter().filter_map(|namespace| namespace.recovery()).for_each(|recovery| recovery.clear());
        namespaces.iter().for_each(|namespace| namespace.close());
        // The adapters may still be closing when the deadline has passed.
        let _ = timeout_at(until, self.core().factory.closing.wait()).await;
        let adapters = self.core().factory.adapters.as_ref();
        if let Some(on_shutdown) = adapters.and_then(|adapters| adapters.on_shutdown.as_ref()) {
            let _ = timeout_at(until, on_shutdown()).await;
        }
    }

    /// Whether new clients may connect, as far as the adapters know.
    pub(crate) fn accepts_clients(&self) -> bool {
        let adapters = self.core().factory.adapters.as_ref();
        adapters.and_then(|adapters| adapters.accepts.as_ref()).is_none_or(|accepts| accepts())
    }

    /// Remembers the runtime of this task, for what threads outside of it start.
    pub(crate) fn remember_runtime(&self) {
        let runtime = &self.core().runtime;
        if runtime.get().is_none()
            && let Ok(current) = Handle::try_current()
        {
            // Another connection may have been the first.
            let _ = runtime.set(current);
            self.core().factory.admin.start(self);
        }
    }

    /// The runtime of the first connection, and that of this task.
    pub(crate) fn runtimes(&self) -> impl Iterator<Item = Handle> {
        self.core().runtime.get().cloned().into_iter().chain(Handle::try_current().ok())
    }

    pub(crate) fn ack_ids(&self) -> &AckIds {
        &self.core().ack_ids
    }

    pub(crate) fn config(&self) -> &Config {
        &self.core().config
    }

    pub(crate) fn refused_origins(&self) -> &RefusedOrigins {
        &self.core().refused_origins
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

    /// What the handles of all connections share.
    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.core().shared
    }

    pub(crate) fn observers(&self) -> &Observers {
        &self.core().observers
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
