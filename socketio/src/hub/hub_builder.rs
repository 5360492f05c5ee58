//! [`HubBuilder`]: what a hub is made from. It is made in [`super::build`].

use http::HeaderName;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::config::{Config, MAX_DEPTH, OverflowPolicy};
use super::namespace_builder::NamespaceBuilder;
use super::source::EventSource;
use crate::connection::outbox::Bounds;
use crate::contract::{Contract, Description};
use crate::event::error::EventError;
use crate::event::middleware::{IncomingEvent, Next};
use crate::event::rate::RateLimit;
use crate::event::state::States;
use crate::hub::adapter::{Adapter, LocalAdapter};
use crate::hub::namespace::inner::MakeAdapter;
use crate::hub::namespace::pattern::Matching;
use crate::hub::socket::Socket;

/// What a hub is made from: handlers, what they share, limits and times.
///
#[doc = include_str!("../docs/limits.md")]
#[derive(Default)]
#[must_use = "a hub is made with `build()`"]
pub struct HubBuilder {
    pub(super) config: Config,
    pub(super) states: States,
    pub(super) namespaces: BTreeMap<String, NamespaceBuilder>,
    pub(super) dynamic: Vec<(Matching, NamespaceBuilder)>,
    pub(super) adapter: Option<Box<MakeAdapter>>,
    pub(super) contracts: Vec<Description>,
}

impl fmt::Debug for HubBuilder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("HubBuilder").field("config", &self.config).finish_non_exhaustive()
    }
}

impl HubBuilder {
    /// Adds handlers to the namespace `/`. Several calls add up; that two of them handle the same event is an error of
    /// [`build`](Self::build).
    pub fn events(self, events: impl EventSource) -> Self {
        self.namespace("/", |namespace| namespace.events(events))
    }

    /// Adds handlers to a namespace.
    ///
    /// A path with parameters in braces, such as `/room-{id}`, stands for any number of namespaces: each begins to exist when
    /// a Socket.IO client connects to it, and vanishes when the last has left. A parameter is one character or more, none of
    /// them a slash; [`Socket::namespace`](crate::Socket::namespace) tells the whole path.
    ///
    /// ```
    /// # use socketio::{Hub, event, events};
    /// #[event("restart")]
    /// fn restart() {}
    ///
    /// let hub = Hub::builder().namespace("/admin", |admin| admin.events(events![restart])).build()?;
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

    /// Adds handlers to all namespaces whose path, with the slash that it begins with, `matches` takes. Like those with
    /// parameters in their [`namespace`](Self::namespace)'s path, which are asked first, they come and go with their sockets.
    ///
    /// ```
    /// # use socketio::Hub;
    /// let is_room = |path: &str| path.strip_prefix("/room-").is_some_and(|number| number.parse::<u32>().is_ok());
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

    /// Calls `middleware` for each socket that connects to the namespace `/`; see [`NamespaceBuilder::middleware`].
    pub fn middleware<F, R, E>(self, middleware: F) -> Self
    where
        F: Fn(Socket) -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), E>> + Send + 'static,
        E: Into<EventError>,
    {
        self.namespace("/", |namespace| namespace.middleware(middleware))
    }

    /// Calls `middleware` around each event of the namespace `/`; see [`NamespaceBuilder::event_middleware`].
    pub fn event_middleware<F, R, E>(self, middleware: F) -> Self
    where
        F: Fn(IncomingEvent, Next) -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), E>> + Send + 'static,
        E: Into<EventError>,
    {
        self.namespace("/", |namespace| namespace.event_middleware(middleware))
    }

    /// Gives handlers a value that they can take as [`State<T>`](crate::State); of each type the last one counts.
    pub fn state<T: Send + Sync + 'static>(self, value: T) -> Self {
        self.shared_state(Arc::new(value))
    }

    /// The same for a value that is shared with others.
    pub fn shared_state<T: Send + Sync + 'static>(mut self, value: Arc<T>) -> Self {
        self.states.insert(value);
        self
    }

    /// Makes an [adapter](crate::adapter::Adapter) of the application's own for each namespace,
    /// from the namespace's path and the local adapter, which acts on the sockets of this server.
    pub fn adapter<A: Adapter>(mut self, make: impl Fn(&str, LocalAdapter) -> A + Send + Sync + 'static) -> Self {
        self.adapter = Some(Box::new(move |path, local| Arc::new(make(path, local))));
        self
    }

    /// Holds the hub to a contract: that it handles other events than those in the contract is an error of
    /// [`build`](Self::build), and debug builds report what it emits and the contract lacks, see
    /// [`Hub::contract_violations`](crate::Hub::contract_violations). Several contracts add up, and their namespaces exist, with handlers or without.
    ///
    /// Namespaces that a [function tells](Self::dynamic_namespace) have no path, by which a contract could speak of their handlers;
    /// listeners are not known when the hub is built.
    pub fn contract<C: Contract>(mut self) -> Self {
        self.contracts.push(C::describe());
        self
    }

    /// The largest message that is received, in bytes. Default: 1,000,000.
    pub fn max_payload(mut self, bytes: usize) -> Self {
        self.config.max_payload = bytes;
        self
    }

    /// How many connections there may be at once. Default: 100,000.
    pub fn max_connections(mut self, connections: usize) -> Self {
        self.config.max_connections = connections;
        self
    }

    /// How many rooms one socket may be in. Default: 1,000.
    pub fn max_rooms(mut self, rooms: usize) -> Self {
        self.config.max_rooms = rooms;
        self
    }

    /// How long an event's name may be, in bytes. Default: 256.
    pub fn max_event_name(mut self, bytes: usize) -> Self {
        self.config.max_event_name = bytes;
        self
    }

    /// How deeply the arguments of an event or of a client's answer may be nested. Their list is the first level, the arrays
    /// and objects in it the second, and so on. Default: 128, which is the most; a larger number is taken for it.
    pub fn max_depth(mut self, levels: usize) -> Self {
        self.config.max_depth = levels.min(MAX_DEPTH);
        self
    }

    /// How many answers of one socket may be waited for at once. Default: 1,000.
    pub fn max_pending_acks(mut self, acks: usize) -> Self {
        self.config.max_pending_acks = acks;
        self
    }

    /// Limits how many events each client may send, raw messages included. Default: no limit.
    ///
    /// Each socket is counted by itself, when an event is read. An event beyond the limit is dropped: no handler and no
    /// listener hears it, nor the message that it came in. A client that asked for an answer gets the error `rate_limited`,
    /// whose `data` says when to try again: `{"retry_after_ms": 20}`. [`HubStats::rate_limited`](crate::HubStats) counts what was
    /// dropped, and `error` fires once an episode, which is over when nothing was dropped for twice the time in which a whole
    /// burst comes back, and for a second at least. Answers, pings and heartbeats are not limited, and neither is what the
    /// server [fires](crate::Socket::fire).
    ///
    /// A socket that has sent what is limited takes some 170 bytes more, and 64 for each event with a limit of its own that
    /// it has sent. A hub without limits pays nothing.
    ///
    /// ```
    /// use socketio::{Hub, RateLimit};
    ///
    /// let hub = Hub::builder().rate_limit(RateLimit::per_second(50).burst(100)).build()?;
    /// # Ok::<(), socketio::BuildError>(())
    /// ```
    pub fn rate_limit(mut self, limit: RateLimit) -> Self {
        self.config.rate_limit = Some(limit);
        self
    }

    /// Limits how many events of this name each client may send in the namespace `/`; it comes on top of
    /// [`rate_limit`](Self::rate_limit), and an event that it drops does not count there. Default: no limit. `message` stands
    /// for raw messages as well as for the event of that name.
    pub fn rate_limit_event(self, event: impl AsRef<str>, limit: RateLimit) -> Self {
        self.namespace("/", |namespace| namespace.rate_limit_event(event, limit))
    }

    /// How many received events of one client may wait for a handler, and how many bytes of them, before reading pauses.
    /// What is [kept](Self::keep_headers) of a POST's headers counts among the bytes. Default: 256 and 64 KiB.
    pub fn inbox(mut self, events: usize, bytes: usize) -> Self {
        self.config.inbox = Bounds { messages: events, bytes };
        self
    }

    /// How many messages may wait for one client, and how many bytes of them. Default: 16,384 and 8 MiB. A single message
    /// may be larger when nothing else waits.
    pub fn outbox(mut self, messages: usize, bytes: usize) -> Self {
        self.config.outbox = Bounds { messages, bytes };
        self
    }

    /// What happens when an outbox is full. Default: the client is disconnected.
    pub fn overflow(mut self, policy: OverflowPolicy) -> Self {
        self.config.overflow = policy;
        self
    }

    /// Whether an event that nobody handles is answered with the error `unknown_event`, if the client asked for an
    /// answer. Default: yes. Socket.IO's reference server stays silent.
    pub fn answer_unknown_events(mut self, answer: bool) -> Self {
        self.config.answer_unknown_events = answer;
        self
    }

    /// How often a client is pinged. Default: 25 s.
    pub fn ping_interval(mut self, interval: Duration) -> Self {
        self.config.ping_interval = interval;
        self
    }

    /// How long a client may stay silent after a ping. Default: 20 s.
    pub fn ping_timeout(mut self, timeout: Duration) -> Self {
        self.config.ping_timeout = timeout;
        self
    }

    /// How long the upgrade from HTTP to a WebSocket may take. Default: 10 s.
    pub fn upgrade_timeout(mut self, timeout: Duration) -> Self {
        self.config.upgrade_timeout = timeout;
        self
    }

    /// How long `on_open` and the `connect` handler may take together. Default: 10 s.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.config.connect_timeout = timeout;
        self
    }

    /// How long a Socket.IO client may take until it is connected to its first namespace. Default: 45 s.
    pub fn join_timeout(mut self, timeout: Duration) -> Self {
        self.config.join_timeout = timeout;
        self
    }

    /// To how many namespaces a Socket.IO client may be connected at once. Default: 100.
    pub fn max_namespaces(mut self, namespaces: usize) -> Self {
        self.config.max_namespaces = namespaces;
        self
    }

    /// How many pieces of binary data an event of a Socket.IO client may have. Default: 10, as the reference server has it.
    pub fn max_attachments(mut self, attachments: usize) -> Self {
        self.config.max_attachments = attachments;
        self
    }

    /// How many packets a client that polls may send in one body. Default: 100,000.
    pub fn max_packets(mut self, packets: usize) -> Self {
        self.config.max_packets = packets;
        self
    }

    /// How long a connection that closes waits for the client to take what is queued and to answer. Default: 5 s.
    pub fn close_timeout(mut self, timeout: Duration) -> Self {
        self.config.close_timeout = timeout;
        self
    }

    /// How long [`request`](crate::Socket::request) and [`emit_with_ack`](crate::Socket::emit_with_ack) wait. Default: 30 s.
    pub fn ack_timeout(mut self, timeout: Duration) -> Self {
        self.config.ack_timeout = timeout;
        self
    }

    /// Web pages of other origins that may connect, such as `https://example.org`; `*` allows all. Default: pages whose
    /// host and port are those of the request, and clients that send no `Origin`.
    pub fn allow_origins<I>(mut self, origins: I) -> Self
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        self.config.origins.allow(origins);
        self
    }

    /// The names of the headers that [`Handshake`](crate::Handshake) keeps. Default: all. A shorter list saves memory on
    /// every connection. Names that no header can have are ignored.
    pub fn keep_headers<I>(mut self, names: I) -> Self
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        let names = names.into_iter().filter_map(|name| HeaderName::from_bytes(name.as_ref().as_bytes()).ok());
        self.config.keep_headers = Some(names.collect());
        self
    }
}

/// A namespace's path always begins with a slash.
pub(super) fn normal_path(path: &str) -> String {
    if path.starts_with('/') { path.to_owned() } else { format!("/{path}") }
}
