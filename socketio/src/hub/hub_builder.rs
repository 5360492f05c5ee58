//! [`HubBuilder`]: the handlers and settings of a hub. [`super::build`] creates the hub.

mod limits;
mod requests;
mod timeouts;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::admin;
use super::agreement::AgreedNamespace;
use super::config::Config;
use super::kept_headers;
use super::namespace_builder::NamespaceBuilder;
use super::reauthentication::Reauthentication;
use super::recovery::Recovery;
use super::source::EventSource;
use crate::event::error::EventError;
use crate::event::middleware::{IncomingEvent, Next};
use crate::event::state::States;
use crate::hub::adapter::{Adapter, LocalAdapter};
use crate::hub::namespace::inner::{Adapters, PrepareAdapters};
use crate::hub::namespace::pattern::Matching;
use crate::hub::socket::Socket;

/// The handlers, shared state and settings from which a hub is built.
///
/// [`build`](Self::build) checks everything and lists all problems in one
/// [error](crate::BuildError). Numbers must be 1 or more, and times 1 ms or more, unless a setting
/// says what 0 does.
///
#[doc = include_str!("../docs/limits.md")]
#[derive(Default)]
#[must_use = "the hub is created by `build()`"]
pub struct HubBuilder {
    pub(super) config: Config,
    pub(super) observed: super::observed::Settings,
    /// The origins, unparsed. `build` checks them.
    pub(super) allow_origins: Vec<String>,
    /// The public hosts, unparsed. `build` checks them.
    pub(super) public_hosts: Vec<String>,
    /// The header names, unparsed. `build` checks them. `None`: `config` has them.
    pub(super) keep_headers: Option<Vec<String>>,
    pub(super) states: States,
    pub(super) namespaces: BTreeMap<String, NamespaceBuilder>,
    pub(super) dynamic: Vec<(Matching, NamespaceBuilder)>,
    pub(super) adapters: Option<Box<PrepareAdapters>>,
    pub(super) admin: admin::Setting,
    /// The events in the contracts, which the hub must match. `None` without a contract.
    pub(crate) agreed: Option<Vec<AgreedNamespace>>,
}

impl fmt::Debug for HubBuilder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("HubBuilder").field("config", &self.config).finish_non_exhaustive()
    }
}

impl HubBuilder {
    /// The names of the headers that are kept unless [`keep_headers`](Self::keep_headers) names
    /// others.
    pub const KEPT_HEADERS: [&'static str; 15] = kept_headers::DEFAULT;

    /// Adds handlers to the namespace `/`. Several calls add up. If two handlers take the same
    /// event, [`build`](Self::build) fails.
    pub fn events(self, events: impl EventSource) -> Self {
        self.namespace("/", |namespace| namespace.events(events))
    }

    /// Adds handlers to a namespace.
    ///
    /// A path with parameters in braces, such as `/room-{id}`, stands for any number of namespaces.
    /// Each is created when a Socket.IO client connects to it, and removed when the last one
    /// leaves. A parameter matches one or more characters, but no slash.
    /// [`Socket::namespace`](crate::Socket::namespace) returns the actual path.
    ///
    /// ```
    /// # use socketio::{Hub, event, events};
    /// #[event("restart")]
    /// fn restart() {}
    ///
    /// let hub = Hub::builder()
    ///     .namespace("/admin", |admin| admin.events(events![restart]))
    ///     .build()?;
    /// # Ok::<(), socketio::BuildError>(())
    /// ```
    pub fn namespace(mut self, path: impl AsRef<str>, fill: impl FnOnce(NamespaceBuilder) -> NamespaceBuilder) -> Self {
        let filled = fill(NamespaceBuilder::default()).0;
        let contents = &mut self.namespaces.entry(normal_path(path.as_ref())).or_default().0;
        contents.mounted.extend(filled.mounted);
        contents.event_limits.add(filled.event_limits);
        contents.middleware.extend(filled.middleware);
        contents.event_middleware.extend(filled.event_middleware);
        self
    }

    /// Adds handlers to every namespace whose path, including its leading slash, is accepted by
    /// `matches`. Such a namespace is created when a client connects to it, and removed when the
    /// last one leaves. Paths with parameters ([`namespace`](Self::namespace)) are tried first.
    ///
    /// ```
    /// # use socketio::Hub;
    /// let is_room = |path: &str| {
    ///     path.strip_prefix("/room-").is_some_and(|number| number.parse::<u32>().is_ok())
    /// };
    /// let hub = Hub::builder().dynamic_namespace(is_room, |room| room).build()?;
    /// # Ok::<(), socketio::BuildError>(())
    /// ```
    pub fn dynamic_namespace(
        mut self,
        matches: impl Fn(&str) -> bool + Send + Sync + 'static,
        fill: impl FnOnce(NamespaceBuilder) -> NamespaceBuilder,
    ) -> Self {
        self.dynamic.push((Matching::Function(Arc::new(matches)), fill(NamespaceBuilder::default())));
        self
    }

    /// Calls `middleware` for each socket that connects to the namespace `/`; see
    /// [`NamespaceBuilder::middleware`].
    pub fn middleware<F, R, E>(self, middleware: F) -> Self
    where
        F: Fn(Socket) -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), E>> + Send + 'static,
        E: Into<EventError>,
    {
        self.namespace("/", |namespace| namespace.middleware(middleware))
    }

    /// Calls `middleware` around each event of the namespace `/`; see
    /// [`NamespaceBuilder::event_middleware`].
    pub fn event_middleware<F, R, E>(self, middleware: F) -> Self
    where
        F: Fn(IncomingEvent, Next) -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), E>> + Send + 'static,
        E: Into<EventError>,
    {
        self.namespace("/", |namespace| namespace.event_middleware(middleware))
    }

    /// Adds a value that handlers can take as [`State<T>`](crate::State). A second value of the
    /// same type replaces the first.
    pub fn state<T: Send + Sync + 'static>(self, value: T) -> Self {
        self.shared_state(Arc::new(value))
    }

    /// Adds a value that is already shared; see [`state`](Self::state).
    pub fn shared_state<T: Send + Sync + 'static>(mut self, value: Arc<T>) -> Self {
        self.states.insert(value);
        self
    }

    /// Wraps the local adapter of each namespace in an adapter of the application. `make` receives
    /// the path of the namespace and the local adapter, which acts on the sockets of this server.
    pub fn adapter<A: Adapter>(mut self, make: impl Fn(&str, LocalAdapter) -> A + Send + Sync + 'static) -> Self {
        self.adapters = Some(Box::new(|_| Adapters {
            make: Box::new(move |path, local, _| Arc::new(make(path, local))),
            on_shutdown: None,
            flushed: None,
            accepts: None,
        }));
        self
    }

    /// Whether an event without a handler is answered with the error `unknown_event`, if the client
    /// asked for an answer. The reference server of Socket.IO stays silent. Default: yes.
    pub fn answer_unknown_events(mut self, answer: bool) -> Self {
        self.config.answer_unknown_events = answer;
        self
    }

    /// Tells clients the W3C trace context of each request to them: of
    /// [`request`](crate::Socket::request) and [`emit_with_ack`](crate::Socket::emit_with_ack).
    /// What the client then does can be part of the same trace. Default: they are not told.
    ///
    /// A plain WebSocket client finds it in the envelope's `meta`, as `{"traceparent": "…"}`. A
    /// Socket.IO client gets this object as one more argument, before the callback. See
    /// [the guide](crate::guide::traces).
    ///
    /// ```
    /// # fn example() -> Result<(), socketio::BuildError> {
    /// let hub = socketio::Hub::builder().trace_requests(true).build()?;
    /// # Ok(())
    /// # }
    /// ```
    #[cfg(feature = "opentelemetry-traces")]
    pub fn trace_requests(mut self, tells_clients: bool) -> Self {
        self.config.trace_requests = tells_clients;
        self
    }

    /// Sets what happens to clients whose [proof of identity](Socket::expires_at) runs out. See
    /// [`Reauthentication`].
    pub fn reauthentication(mut self, settings: Reauthentication) -> Self {
        self.config.reauthentication = settings;
        self
    }

    /// Lets clients whose connection was cut resume their session: with the same id, rooms and
    /// attributes, and with all messages that they have missed. Default: off. See
    /// [recovery](crate::guide::recovery).
    ///
    /// ```
    /// use socketio::{Hub, Recovery};
    ///
    /// let hub = Hub::builder().recovery(Recovery::new()).build()?;
    /// # Ok::<(), socketio::BuildError>(())
    /// ```
    pub fn recovery(mut self, recovery: Recovery) -> Self {
        self.config.recovery = Some(recovery);
        self
    }
}

/// Adds the leading slash of a namespace's path if it is missing.
pub(super) fn normal_path(path: &str) -> String {
    if path.starts_with('/') { path.to_owned() } else { format!("/{path}") }
}
