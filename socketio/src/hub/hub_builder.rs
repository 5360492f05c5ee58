//! [`HubBuilder`]: the handlers and settings of a hub. [`super::build`] creates the hub.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::admin;
use super::agreement::AgreedNamespace;
use super::config::Config;
use super::kept_headers::{self, KeptHeaders};
use super::namespace_builder::NamespaceBuilder;
use super::reauthentication::Reauthentication;
use super::recovery::Recovery;
use super::source::EventSource;
use crate::connection_handle::OverflowPolicy;
use crate::event::error::EventError;
use crate::event::middleware::{IncomingEvent, Next};
use crate::event::rate_limit::RateLimit;
use crate::event::state::States;
use crate::hub::adapter::{Adapter, LocalAdapter};
use crate::hub::namespace::inner::{Adapters, PrepareAdapters};
use crate::hub::namespace::pattern::Matching;
use crate::hub::socket::Socket;
use crate::session::limits::Bounds;

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

    /// The maximum size of a message from a client, in bytes. Default: 1,000,000.
    pub fn max_payload(mut self, bytes: usize) -> Self {
        self.config.max_payload = bytes;
        self
    }

    /// The maximum number of simultaneous connections. Default: 100,000.
    pub fn max_connections(mut self, connections: usize) -> Self {
        self.config.max_connections = connections;
        self
    }

    /// The maximum size of the URL and headers of a request to the hub's routes, in bytes. A larger
    /// request gets the status 431. [`Serve::max_header_bytes`](crate::Serve::max_header_bytes)
    /// refuses it earlier. Default: 16 KiB.
    pub fn max_header_bytes(mut self, bytes: usize) -> Self {
        self.config.max_header_bytes = bytes;
        self
    }

    /// The maximum number of rooms per socket. With 0 no room can be joined. Default: 1,000.
    pub fn max_rooms(mut self, rooms: usize) -> Self {
        self.config.max_rooms = rooms;
        self
    }

    /// The maximum length of an event name, in bytes. Default: 256.
    pub fn max_event_name(mut self, bytes: usize) -> Self {
        self.config.max_event_name = bytes;
        self
    }

    /// The maximum nesting depth of the arguments of an event or of a client's answer. The list of
    /// arguments is the first level, the arrays and objects in it are the second, and so on.
    /// Accepts 1 to 128. Default: 128.
    ///
    /// The auth payload of a Socket.IO client counts as one argument. So does a raw message that
    /// [`EventPayload::json`](crate::EventPayload::json) decodes. The limit also holds for decoded
    /// values; see [JSON from clients](crate::guide::delivery_order_and_limits#json-from-clients).
    pub fn max_depth(mut self, levels: usize) -> Self {
        self.config.max_depth = levels;
        self
    }

    /// The maximum number of pending answers per socket. With 0 no client can be asked. Default:
    /// 1,000.
    pub fn max_pending_acks(mut self, acks: usize) -> Self {
        self.config.max_pending_acks = acks;
        self
    }

    /// How many [reliable](crate::Socket::reliable) events, and how many bytes of them, may wait
    /// for the acks of one socket's client. Beyond it, `emit` fails. With 0 there are no reliable
    /// events. Default: 1,000 and 1 MiB.
    ///
    /// With [`recovery`](Self::recovery), clients that are cut off may have as many.
    pub fn reliable_queue(mut self, events: usize, bytes: usize) -> Self {
        self.config.reliable_queue = Bounds { messages: events, bytes };
        self
    }

    /// How long a [reliable](crate::Socket::reliable) event is kept and repeated until the client
    /// has acked it. [`Reliable::timeout`](crate::Reliable::timeout) sets it for one event.
    /// Default: 300 s.
    pub fn reliable_timeout(mut self, timeout: Duration) -> Self {
        self.config.reliable_timeout = timeout;
        self
    }

    /// The time until a [reliable](crate::Socket::reliable) event is sent again to a client that is
    /// connected and has not acked it. It doubles after each repetition, up to 8 times this time.
    /// Default: 5 s, and so 10 s, 20 s, 40 s, 40 s and so on.
    pub fn reliable_interval(mut self, interval: Duration) -> Self {
        self.config.reliable_interval = interval;
        self
    }

    /// Limits how many events each client may send, including raw messages. Default: no limit.
    ///
    /// The limit applies to each socket separately, and events count when they are read. An event
    /// beyond the limit is dropped together with its message, and no handler or listener runs. If
    /// the client asked for an answer, it receives the error `rate_limited`. Its `data` contains
    /// the time to wait: `{"retry_after_ms": 20}`. [`HubStats::rate_limited`](crate::HubStats)
    /// counts the dropped events.
    ///
    /// `error` fires once per episode of dropped events. An episode ends when nothing was dropped
    /// for twice the time in which a burst refills, and for at least one second. Answers, pings,
    /// heartbeats and events that the server [fires](crate::Socket::fire) are not limited.
    ///
    /// A limit takes about 150 bytes per socket that has sent events, and 40 bytes per event with a
    /// separate limit. Without limits there is no cost.
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

    /// Limits how many events of this name each client may send in the namespace `/`, in addition
    /// to [`rate_limit`](Self::rate_limit). An event that this limit drops does not count there.
    /// Default: no limit. [`NamespaceBuilder::rate_limit_event`] describes which names are
    /// accepted.
    pub fn rate_limit_event(self, event: impl AsRef<str>, limit: RateLimit) -> Self {
        self.namespace("/", |namespace| namespace.rate_limit_event(event, limit))
    }

    /// How many received events of one client, and how many bytes, may wait for a handler before
    /// reading pauses. The [kept](Self::keep_headers) headers of a POST count as bytes as long as
    /// one of its events waits. As many events of the server, of `fire` and `error`, may wait as
    /// well. Beyond it `fire` fails, and errors are only logged. Default: 256 and 64 KiB.
    pub fn inbox(mut self, events: usize, bytes: usize) -> Self {
        self.config.inbox = Bounds { messages: events, bytes };
        self
    }

    /// How many messages, and how many bytes, may wait for one client. A single message may be
    /// larger if no other message waits. Default: 16,384 and 8 MiB.
    pub fn outbox(mut self, messages: usize, bytes: usize) -> Self {
        self.config.outbox = Bounds { messages, bytes };
        self
    }

    /// What happens when an outbox is full. Default: the client is disconnected.
    pub fn overflow(mut self, policy: OverflowPolicy) -> Self {
        self.config.overflow = policy;
        self
    }

    /// Whether an event without a handler is answered with the error `unknown_event`, if the client
    /// asked for an answer. The reference server of Socket.IO stays silent. Default: yes.
    pub fn answer_unknown_events(mut self, answer: bool) -> Self {
        self.config.answer_unknown_events = answer;
        self
    }

    /// The time from one ping to the next. Default: 25 s.
    pub fn ping_interval(mut self, interval: Duration) -> Self {
        self.config.ping_interval = interval;
        self
    }

    /// How long a client may stay silent after a ping. Default: 20 s.
    pub fn ping_timeout(mut self, timeout: Duration) -> Self {
        self.config.ping_timeout = timeout;
        self
    }

    /// How long the upgrade from HTTP to a WebSocket may take, and how long a polling client may
    /// probe a WebSocket before it goes over to it. Default: 10 s.
    pub fn upgrade_timeout(mut self, timeout: Duration) -> Self {
        self.config.upgrade_timeout = timeout;
        self
    }

    /// How long `on_open`, middleware and the `connect` handler may take together. Default: 10 s.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.config.connect_timeout = timeout;
        self
    }

    /// How long a message of a client may take to arrive, from its first byte to its last: a
    /// WebSocket message with all its fragments, a Socket.IO packet with its attachments, or the
    /// body of a POST. The time stands still while reading is paused. Default: 30 s.
    ///
    /// Raise it together with [`max_payload`](Self::max_payload) if clients have slow networks.
    pub fn message_timeout(mut self, timeout: Duration) -> Self {
        self.config.message_timeout = timeout;
        self
    }

    /// How long a Socket.IO client may take to connect to its first namespace. Default: 45 s.
    pub fn join_timeout(mut self, timeout: Duration) -> Self {
        self.config.join_timeout = timeout;
        self
    }

    /// The maximum number of namespaces per Socket.IO client. Default: 100.
    ///
    /// Namespaces that the client is leaving do not count. While handlers of their ends still run
    /// in as many of them, reading from the client pauses.
    pub fn max_namespaces(mut self, namespaces: usize) -> Self {
        self.config.max_namespaces = namespaces;
        self
    }

    /// The maximum number of binary attachments of an event from a Socket.IO client. With 0 binary
    /// data is refused. Default: 10, as in the reference server.
    pub fn max_attachments(mut self, attachments: usize) -> Self {
        self.config.max_attachments = attachments;
        self
    }

    /// The maximum number of packets in the body of one POST. Default: 100,000.
    pub fn max_packets(mut self, packets: usize) -> Self {
        self.config.max_packets = packets;
        self
    }

    /// How long a closing connection waits for the client to read the queued messages and to
    /// confirm the close. With 0 it does not wait, and queued messages may be lost. Default: 5 s.
    pub fn close_timeout(mut self, timeout: Duration) -> Self {
        self.config.close_timeout = timeout;
        self
    }

    /// How long [`request`](crate::Socket::request) and
    /// [`emit_with_ack`](crate::Socket::emit_with_ack) wait for an answer. Default: 30 s.
    pub fn ack_timeout(mut self, timeout: Duration) -> Self {
        self.config.ack_timeout = timeout;
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

    /// How long the functions of one event may run: its middleware, its handler and its listeners
    /// together, from the start of the first. When the time is up, their futures are dropped. If
    /// the event has no answer yet, the answer is the error `timeout`, and `error` fires. Default:
    /// no limit.
    ///
    /// It applies to `concurrent` handlers and to the handlers of lifecycle events too, except
    /// `connect`, which has the [`connect_timeout`](Self::connect_timeout). A handler with a limit
    /// of its own, `#[event("report", timeout = "5s")]`, or `timeout = "none"`, has that instead. A
    /// function that blocks its thread can't be ended.
    ///
    /// ```
    /// use socketio::{Hub, event, events};
    /// use std::time::Duration;
    ///
    /// #[event("report", timeout = "2m")]
    /// async fn report() {}
    ///
    /// let hub = Hub::builder()
    ///     .handler_timeout(Duration::from_secs(10))
    ///     .events(events![report])
    ///     .build()?;
    /// # Ok::<(), socketio::BuildError>(())
    /// ```
    pub fn handler_timeout(mut self, timeout: Duration) -> Self {
        self.config.handler_timeout = Some(timeout);
        self
    }

    /// How long after an unanswered ping a client may stay connected while reading is paused. The
    /// server then can't tell whether the client is alive, because events that wait for a handler
    /// fill the [`inbox`](Self::inbox). At least the [`ping_timeout`](Self::ping_timeout) applies.
    /// Default: 300 s.
    pub fn pause_timeout(mut self, timeout: Duration) -> Self {
        self.config.pause_timeout = timeout;
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

    /// The web pages of other origins that may connect, such as `https://example.org` or
    /// `http://localhost:5173`; `*` allows all. Several calls add up. Default: none. Pages with the
    /// host and port of the request may always connect, and so may clients that send no `Origin`.
    ///
    /// An origin has a scheme and a host, no path, and a port if it is not the default of the
    /// scheme. `https://*.example.org` allows all hosts below `example.org`, with one label more or
    /// several, but not `example.org` itself. [`build`](Self::build) rejects everything else, such
    /// as `null`, which every sandboxed page sends.
    ///
    /// A refused page gets the status 403, and a text that names its origin and this setting. The
    /// log has one warning for each of the first 100 refused origins.
    pub fn allow_origins<I>(mut self, origins: I) -> Self
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        self.allow_origins.extend(origins.into_iter().map(|origin| origin.as_ref().to_owned()));
        self
    }

    /// The hosts under which browsers reach the server, such as `app.example` or
    /// `app.example:8443`. Their pages may connect, like those of the requested host. Several calls
    /// add up. Default: none.
    ///
    /// Behind a proxy that changes the header `Host`, the requested host is that of this server,
    /// and not the one that browsers know. Name that one here, or let the proxy pass the header on.
    pub fn public_hosts<I>(mut self, hosts: I) -> Self
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        self.public_hosts.extend(hosts.into_iter().map(|host| host.as_ref().to_owned()));
        self
    }

    /// Whether pages of any port of localhost may connect, such as those of a development server at
    /// `http://localhost:5173`. The page and the requested host must both be `localhost`,
    /// `127.0.0.1` or `[::1]`. Default: yes with debug assertions, no in release builds.
    ///
    /// If it is on, [`build`](Self::build) logs that at the level `INFO`.
    pub fn allow_localhost(mut self, allow: bool) -> Self {
        self.config.origins.allow_localhost = allow;
        self
    }

    /// Whether the header `X-Forwarded-Proto` determines if a client's connection is encrypted; see
    /// [`Handshake::is_secure`](crate::Handshake::is_secure). Enable it only behind a proxy that
    /// sets the header in every request, because clients can send any value. Default: no.
    pub fn trust_forwarded_proto(mut self, trust: bool) -> Self {
        self.config.trust_forwarded_proto = trust;
        self
    }

    /// The names of the headers that [`Handshake`](crate::Handshake) keeps, instead of the
    /// [default](Self::KEPT_HEADERS). They stay in memory as long as the connection, so a shorter
    /// list saves memory in every connection. An empty list keeps none.
    ///
    /// [`Handshake::header`](crate::Handshake::header) returns `None` for any other header. In
    /// debug builds it also logs a warning.
    ///
    /// ```
    /// use socketio::{Hub, HubBuilder};
    ///
    /// let names = HubBuilder::KEPT_HEADERS.into_iter().chain(["x-tenant"]);
    /// let hub = Hub::builder().keep_headers(names).build()?;
    /// # Ok::<(), socketio::BuildError>(())
    /// ```
    pub fn keep_headers<I>(mut self, names: I) -> Self
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        self.keep_headers = Some(names.into_iter().map(|name| name.as_ref().to_owned()).collect());
        self
    }

    /// Keeps all headers. Up to [`max_header_bytes`](Self::max_header_bytes) then stay in memory
    /// with every connection.
    pub fn keep_all_headers(mut self) -> Self {
        self.keep_headers = None;
        self.config.keep_headers = KeptHeaders::All;
        self
    }
}

/// Adds the leading slash of a namespace's path if it is missing.
pub(super) fn normal_path(path: &str) -> String {
    if path.starts_with('/') { path.to_owned() } else { format!("/{path}") }
}
