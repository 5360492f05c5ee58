//! [`NamespaceInner`]: the state of one namespace, which all handles to it share.

use futures_util::future::BoxFuture;
use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::opening::{Closing, Opening};
use super::registry::Registry;
use crate::event::error::EventError;
use crate::event::handler::{Handler, Lifecycle};
use crate::event::listener::Listeners;
use crate::event::middleware::EventMiddleware;
use crate::event::rate_limit::{EventLimit, EventLimits};
use crate::event::table::{self, Events};
use crate::hooks::catch::{catch, drop_caught};
use crate::hooks::guarded::Guarded;
use crate::hooks::nesting::{Entered, TooDeep};
use crate::hub::adapter::{
    Adapter, AnswerSink, Audience, Change, Fetched, LocalAdapter, Packet, RequestError, ServerReplies,
};
use crate::hub::admin::{Observer, RunningAdmin};
use crate::hub::agreement::watch::{NamespaceWatch, Watch};
use crate::hub::config::Config;
use crate::hub::listing::Page;
use crate::hub::recovery::namespace::RecoveryOf;
use crate::hub::selection::EmitError;
use crate::hub::server_events::ServerListeners;
use crate::hub::socket::Socket;
use crate::wire::shown::{Shown, shown};

/// A table of handlers, with the value that its `self` handlers share.
#[derive(Clone)]
pub(crate) struct Mounted {
    pub(crate) events: Events,
    pub(crate) this: Option<Arc<dyn Any + Send + Sync>>,
}

impl Drop for Mounted {
    fn drop(&mut self) {
        if let Some(this) = self.this.take() {
            drop_caught(this);
        }
    }
}

/// The handlers, middleware and limits from which a namespace is created.
#[derive(Clone, Default)]
pub(crate) struct Contents {
    pub(crate) mounted: Vec<Mounted>,
    pub(crate) event_limits: EventLimits,
    pub(crate) middleware: Vec<Middleware>,
    pub(crate) event_middleware: Vec<EventMiddleware>,
}

/// Accepts a new socket, or refuses it with an error.
pub(crate) type Middleware = Arc<dyn Fn(Socket) -> BoxFuture<'static, Result<(), EventError>> + Send + Sync>;

/// Creates the adapter of a namespace from its path and the local adapter.
pub(crate) type MakeAdapter = dyn Fn(&str, LocalAdapter, Lifetime) -> Arc<dyn Adapter> + Send + Sync;

/// How long a namespace exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lifetime {
    /// As long as the hub.
    Static,
    /// As long as it has sockets.
    Dynamic,
}

/// Called when the hub has shut down and its adapters are closed, or when it has drained.
pub(crate) type OnShutdown = dyn Fn() -> BoxFuture<'static, ()> + Send + Sync;

/// The adapters of a hub.
pub(crate) struct Adapters {
    pub(crate) make: Box<MakeAdapter>,
    pub(crate) on_shutdown: Option<Box<OnShutdown>>,
    /// Waits until what was emitted has been passed on to other servers.
    pub(crate) flushed: Option<Box<OnShutdown>>,
    /// Whether new clients may connect.
    pub(crate) accepts: Option<Box<dyn Fn() -> bool + Send + Sync>>,
}

/// Prepares the adapters, when all settings are known.
pub(crate) type PrepareAdapters = dyn FnOnce(&Config) -> Adapters + Send + Sync;

/// The settings of a hub from which it creates namespaces.
#[derive(Default)]
pub(crate) struct NamespaceFactory {
    pub(crate) adapters: Option<Adapters>,
    /// Compares emits with the hub's contracts, in debug builds.
    pub(crate) watch: Option<Arc<Watch>>,
    /// The Admin UI.
    pub(crate) admin: RunningAdmin,
    /// The default timeout of questions.
    pub(crate) ack_timeout: Duration,
    /// Whether clients are told the spans of questions.
    pub(crate) trace_requests: bool,
    /// The adapters that are being closed.
    pub(crate) closing: Arc<Closing>,
    /// `None` if recovery is off.
    pub(crate) make_recovery: Option<Box<MakeRecovery>>,
}

/// Creates the recovery of a namespace.
pub(crate) type MakeRecovery = dyn Fn() -> RecoveryOf + Send + Sync;

impl NamespaceFactory {
    /// Creates a namespace. The caller must hold no lock, because it calls application
    /// code and may ask for other namespaces.
    pub(crate) fn make(&self, path: &str, contents: Contents, lifetime: Lifetime) -> NamespaceInner {
        let is_admin = self.admin.owns(path);
        // Admins get a complete view when they come back. No contract has their events.
        let recovery = self.make_recovery.as_ref().filter(|_| !is_admin).map(|make| Arc::new(make()));
        let registry = Arc::new(Registry::new(recovery.is_some()));
        let server_listeners = Arc::<ServerListeners>::default();
        let local = LocalAdapter::new(Arc::clone(&registry), Arc::clone(&server_listeners), recovery);
        let own = self.adapters.as_ref().and_then(|adapters| match Entered::nested() {
            Ok(_entered) => {
                let adapter = Guarded::new((adapters.make)(path, local.clone(), lifetime));
                Some(OwnAdapter { adapter, opening: Opening::new(&self.closing) })
            }
            Err(error) => {
                tracing::error!(
                    error = %Shown(&error),
                    path = &*shown(path),
                    "making an adapter asks for namespaces: this one has the local adapter"
                );
                None
            }
        });
        let Contents { mounted, event_limits, middleware, event_middleware } = contents;
        NamespaceInner {
            path: path.into(),
            mounted: mounted.into(),
            event_limits,
            middleware: middleware.into(),
            event_middleware: event_middleware.into(),
            listeners: Arc::default(),
            server_listeners,
            registry,
            local,
            own,
            observer: self.admin.observer(),
            watch: self.watch.as_ref().filter(|_| !is_admin).map(|watch| Box::new(watch.of(path))),
            ack_timeout: self.ack_timeout,
            trace_requests: self.trace_requests,
            references: (lifetime == Lifetime::Dynamic).then(AtomicUsize::default),
        }
    }
}

/// An adapter of the application.
struct OwnAdapter {
    adapter: Guarded<Arc<dyn Adapter>>,
    opening: Opening,
}

pub(crate) struct NamespaceInner {
    path: Box<str>,
    mounted: Box<[Mounted]>,
    event_limits: EventLimits,
    middleware: Box<[Middleware]>,
    event_middleware: Arc<[EventMiddleware]>,
    listeners: Arc<Listeners>,
    server_listeners: Arc<ServerListeners>,
    registry: Arc<Registry>,
    local: LocalAdapter,
    /// `None` if only the local adapter is used.
    own: Option<OwnAdapter>,
    /// What admins are told.
    observer: Observer,
    watch: Option<Box<NamespaceWatch>>,
    ack_timeout: Duration,
    trace_requests: bool,
    /// The number of sockets in a dynamic namespace, including those that are about to be created.
    /// `None` for other namespaces.
    references: Option<AtomicUsize>,
}

type Found = Option<(&'static Handler, Option<Arc<dyn Any + Send + Sync>>)>;

/// Calls to the adapter. Debug builds first compare the packet with the hub's contracts.
impl NamespaceInner {
    pub(crate) fn emit(&self, packet: &Packet, audience: &Audience) -> Result<(), EmitError> {
        self.check_contract(packet, false);
        let _entered = self.enter_adapter()?;
        self.adapter().emit(packet, audience);
        Ok(())
    }

    pub(crate) fn emit_to(&self, packet: &Packet, id: &str) -> Result<(), EmitError> {
        self.check_contract(packet, false);
        let _entered = self.enter_adapter()?;
        self.adapter().emit_to(packet, id)
    }

    pub(crate) fn emit_to_socket(&self, packet: &Packet, socket: &Socket) -> Result<(), EmitError> {
        // The answer to a reliable event only says that it has arrived.
        self.check_contract(packet, packet.expects_answer() && packet.delivery().is_none());
        let _entered = self.enter_adapter()?;
        self.adapter().emit_to_socket(packet, socket)
    }

    pub(crate) fn server_emit(&self, event: &Packet) -> Result<(), EmitError> {
        let _entered = self.enter_adapter()?;
        self.adapter().server_emit(event)
    }

    pub(crate) fn server_request(
        &self,
        event: &Packet,
        timeout: Duration,
    ) -> BoxFuture<'static, Result<ServerReplies, RequestError>> {
        match self.enter_adapter() {
            Ok(_entered) => self.adapter().server_request(event, timeout),
            Err(error) => Box::pin(std::future::ready(Err(RequestError::Unavailable(error.to_string())))),
        }
    }

    /// Asks the audience. If it is limited to this server, the application's adapter is bypassed.
    pub(crate) fn ask(&self, question: Packet, audience: &Audience, answers: AnswerSink) -> Result<(), EmitError> {
        self.check_contract(&question, true);
        let _entered = self.enter_adapter()?;
        self.adapter_for(audience).ask(question, audience, answers);
        Ok(())
    }

    pub(crate) fn change(&self, change: &Change<'_>, audience: &Audience) {
        match self.enter_adapter() {
            Ok(_entered) => self.adapter_for(audience).change(change, audience),
            Err(error) => {
                tracing::error!(error = %Shown(&error), namespace = &*shown(self.path()), "sockets were not changed");
            }
        }
    }

    pub(crate) fn fetch(
        &self,
        audience: &Audience,
        timeout: Duration,
    ) -> BoxFuture<'static, Result<Fetched, RequestError>> {
        match self.enter_adapter() {
            Ok(_entered) => self.adapter_for(audience).fetch(audience, timeout),
            Err(error) => Box::pin(std::future::ready(Err(RequestError::Unavailable(error.to_string())))),
        }
    }

    pub(crate) fn fetch_page(
        &self,
        audience: &Audience,
        page: &Page,
        timeout: Duration,
    ) -> BoxFuture<'static, Result<Fetched, RequestError>> {
        match self.enter_adapter() {
            Ok(_entered) => self.adapter_for(audience).fetch_page(audience, page, timeout),
            Err(error) => Box::pin(std::future::ready(Err(RequestError::Unavailable(error.to_string())))),
        }
    }

    /// Marks the application's adapter as running. It may emit, and is called for that in turn.
    fn enter_adapter(&self) -> Result<Option<Entered>, TooDeep> {
        self.own.as_ref().map(|_| Entered::nested()).transpose()
    }

    /// Asks one socket of this server.
    pub(crate) fn ask_socket(&self, question: Packet, socket: &Socket, answers: AnswerSink) {
        self.check_contract(&question, true);
        answers.ask(question, std::slice::from_ref(socket));
    }

    fn check_contract(&self, packet: &Packet, is_asked: bool) {
        if cfg!(debug_assertions)
            && let Some(watch) = &self.watch
        {
            watch.look(packet, is_asked);
        }
    }
}

impl NamespaceInner {
    pub(crate) fn adapter(&self) -> &dyn Adapter {
        self.own.as_ref().map_or(&self.local, |own| &**own.adapter)
    }

    /// Returns the local adapter if the audience is limited to this server.
    pub(crate) fn adapter_for(&self, audience: &Audience) -> &dyn Adapter {
        if audience.is_local() { &self.local } else { self.adapter() }
    }

    pub(crate) fn local(&self) -> &LocalAdapter {
        &self.local
    }

    /// What is kept for clients that are cut off. `None` if recovery is off.
    pub(crate) fn recovery(&self) -> Option<&Arc<RecoveryOf>> {
        self.local.recovery()
    }

    pub(crate) fn has_own_adapter(&self) -> bool {
        self.own.is_some()
    }

    pub(crate) fn observer(&self) -> &Observer {
        &self.observer
    }

    /// Whether changes of sockets are told to the application's adapter or to admins.
    pub(crate) fn tells_changes(&self) -> bool {
        self.has_own_adapter() || self.observer.observes()
    }

    /// Opens the application's adapter if it is not open.
    pub(crate) fn open(&self) {
        if let Some(own) = &self.own {
            own.opening.open(&own.adapter);
        }
    }

    /// What a new socket waits for before it is accepted.
    pub(crate) fn opened(&self) -> Option<BoxFuture<'static, ()>> {
        let own = self.own.as_ref()?;
        catch(|| own.adapter.opened()).unwrap_or_else(|_| {
            tracing::error!(namespace = &*shown(self.path()), "an adapter panicked when a client connected");
            None
        })
    }

    /// Closes the application's adapter if it is open and the namespace is not in use.
    pub(crate) fn close(&self) {
        if let Some(own) = &self.own {
            let is_used = || self.references.as_ref().is_some_and(|references| references.load(Ordering::Relaxed) > 0);
            own.opening.close_unless(is_used, &own.adapter);
        }
    }

    /// Whether clients are told the spans of questions.
    #[cfg_attr(not(feature = "opentelemetry-traces"), allow(dead_code, reason = "only that feature has the setting"))]
    pub(crate) fn trace_requests(&self) -> bool {
        self.trace_requests
    }

    pub(crate) fn ack_timeout(&self) -> Duration {
        self.ack_timeout
    }

    pub(crate) fn server_listeners(&self) -> &Arc<ServerListeners> {
        &self.server_listeners
    }

    pub(crate) fn is_dynamic(&self) -> bool {
        self.references.is_some()
    }

    pub(crate) fn acquire(&self) {
        if let Some(references) = &self.references {
            references.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Returns `true` if this was the last reference.
    pub(crate) fn release(&self) -> bool {
        self.references.as_ref().is_some_and(|references| references.fetch_sub(1, Ordering::Relaxed) == 1)
    }

    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    pub(crate) fn listeners(&self) -> &Arc<Listeners> {
        &self.listeners
    }

    pub(crate) fn registry(&self) -> &Registry {
        &self.registry
    }

    /// The limit on an event that clients send, if there is one.
    #[cfg(feature = "asyncapi")]
    pub(crate) fn has_event_limits(&self) -> bool {
        !self.event_limits.is_empty()
    }

    pub(crate) fn event_limit(&self, name: &str) -> Option<EventLimit> {
        self.event_limits.find(name)
    }

    pub(crate) fn middleware(&self) -> &[Middleware] {
        &self.middleware
    }

    pub(crate) fn event_middleware(&self) -> &Arc<[EventMiddleware]> {
        &self.event_middleware
    }

    pub(crate) fn has_middleware(&self) -> bool {
        !self.middleware.is_empty()
    }

    pub(crate) fn handler(&self, name: &str) -> Found {
        let hash = table::hash(name);
        self.find(|events| events.find(name, hash))
    }

    pub(crate) fn lifecycle_handler(&self, lifecycle: Lifecycle) -> Found {
        self.find(|events| events.lifecycle(lifecycle))
    }

    pub(crate) fn fallback(&self) -> Found {
        self.find(Events::fallback)
    }

    fn find(&self, find: impl Fn(&Events) -> Option<&'static Handler>) -> Found {
        self.mounted.iter().find_map(|mounted| Some((find(&mounted.events)?, mounted.this.clone())))
    }
}

impl std::fmt::Debug for NamespaceInner {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("NamespaceInner").field("path", &self.path).finish_non_exhaustive()
    }
}
