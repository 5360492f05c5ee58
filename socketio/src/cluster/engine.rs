//! [`Engine`]: carries the messages of a cluster.

use bytes::Bytes;
use std::fmt::{self, Debug};
use std::sync::{Arc, Weak};
use std::time::Duration;

use super::{BoxFuture, EventLog, GapReason, LogEntry, PublishBatch};

/// Carries messages between the servers of a cluster, over Redis for example. A hub has one.
///
/// An engine carries bytes by [topic](Topic). It knows neither sockets nor the contents of
/// messages.
///
/// An engine connects by itself and reconnects for ever. It keeps the topics that are subscribed to
/// and restores them after each reconnect. It reports with its [`Inbox`] what it received, and when
/// it connected and disconnected. The hub publishes a probe to itself every few seconds, and calls
/// [`reconnect`](Self::reconnect) if it does not arrive.
///
/// All methods except the futures return at once. When the engine is dropped its tasks must end.
pub trait Engine: Debug + Send + Sync + 'static {
    /// The properties of the engine. They never change.
    fn traits(&self) -> EngineTraits;

    /// Starts to connect. It is called once, on a tokio runtime. Subscriptions and messages may
    /// come earlier.
    fn start(&self, inbox: Inbox);

    /// Starts to connect for an [`Emitter`](crate::Emitter), in place of [`start`](Self::start).
    /// Nothing is subscribed to, so that an engine may do without what only receives, such as a
    /// reader of its log. By default it calls `start`.
    fn start_emitter(&self, inbox: Inbox) {
        self.start(inbox);
    }

    /// Subscribes to a topic. It may be called before the engine is connected. The hub calls it
    /// once for a topic, until it has unsubscribed.
    fn subscribe(&self, topic: Topic<'_>);

    /// Ends a subscription. Calls of `subscribe` and `unsubscribe` take effect in their order.
    fn unsubscribe(&self, topic: Topic<'_>);

    /// Waits until all subscriptions that were asked for are in effect. While the engine is
    /// disconnected it waits for the next connection.
    fn subscribed(&self) -> BoxFuture<'_, ()>;

    /// Publishes messages in their order. The hub publishes one batch at a time. The engine must
    /// answer within a few seconds, also if its server does not.
    ///
    /// # Errors
    ///
    /// Some messages were not published, or it is unknown whether they were. They are not repeated.
    /// An engine that is not connected returns an error at once.
    fn publish<'a>(&'a self, batch: &'a PublishBatch) -> BoxFuture<'a, Result<(), PublishError>>;

    /// The number of servers in the cluster that subscribe to the messages of a namespace,
    /// including this one. The hub does not call it if the servers are counted by
    /// [heartbeats](Counts::Heartbeats).
    ///
    /// # Errors
    ///
    /// The number can't be determined now. Contains the reason. By default, that the engine does
    /// not count.
    fn servers<'a>(&'a self, namespace: &'a str) -> BoxFuture<'a, Result<usize, String>> {
        let _ = namespace;
        Box::pin(std::future::ready(Err("the engine does not count servers".to_owned())))
    }

    /// The hub's probe was not received. The engine should distrust its connections and make new
    /// ones.
    fn reconnect(&self) {}

    /// The log of the engine. Those whose [dialect](EngineTraits::dialect) is
    /// [`Streams`](Dialect::Streams) have one.
    fn log(&self) -> Option<&dyn EventLog> {
        None
    }

    /// Ends all subscriptions and connections. The engine is not used afterwards.
    fn stop(&self) -> BoxFuture<'_, ()>;
}

impl<E: Engine + ?Sized> Engine for Box<E> {
    fn traits(&self) -> EngineTraits {
        (**self).traits()
    }

    fn start(&self, inbox: Inbox) {
        (**self).start(inbox);
    }

    fn start_emitter(&self, inbox: Inbox) {
        (**self).start_emitter(inbox);
    }

    fn subscribe(&self, topic: Topic<'_>) {
        (**self).subscribe(topic);
    }

    fn unsubscribe(&self, topic: Topic<'_>) {
        (**self).unsubscribe(topic);
    }

    fn subscribed(&self) -> BoxFuture<'_, ()> {
        (**self).subscribed()
    }

    fn publish<'a>(&'a self, batch: &'a PublishBatch) -> BoxFuture<'a, Result<(), PublishError>> {
        (**self).publish(batch)
    }

    fn servers<'a>(&'a self, namespace: &'a str) -> BoxFuture<'a, Result<usize, String>> {
        (**self).servers(namespace)
    }

    fn reconnect(&self) {
        (**self).reconnect();
    }

    fn log(&self) -> Option<&dyn EventLog> {
        (**self).log()
    }

    fn stop(&self) -> BoxFuture<'_, ()> {
        (**self).stop()
    }
}

/// The properties of an [`Engine`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EngineTraits {
    /// The format of the messages.
    pub dialect: Dialect,
    /// On which topics messages to rooms are published.
    pub rooms: RoomTopics,
    /// The largest message in bytes that the engine can carry. Larger ones are dropped and counted.
    pub max_body: usize,
    /// Who counts the servers of the cluster.
    pub counts: Counts,
    /// With [`Counts::Heartbeats`]: after how long without a message a server publishes a
    /// heartbeat.
    pub heartbeat_interval: Duration,
    /// With [`Counts::Heartbeats`]: after how long without a message a server is not counted
    /// anymore.
    pub heartbeat_timeout: Duration,
}

impl EngineTraits {
    /// The properties of an engine with this dialect: no topics of rooms, and messages of up to
    /// 64 MiB. It counts servers itself.
    pub fn new(dialect: Dialect) -> Self {
        Self {
            dialect,
            rooms: RoomTopics::None,
            max_body: 64 << 20,
            counts: Counts::Engine,
            heartbeat_interval: Duration::from_secs(5),
            heartbeat_timeout: Duration::from_secs(10),
        }
    }

    /// Sets on which topics messages to rooms are published.
    #[must_use]
    pub fn rooms(self, rooms: RoomTopics) -> Self {
        Self { rooms, ..self }
    }

    /// Sets the largest message in bytes.
    #[must_use]
    pub fn max_body(self, bytes: usize) -> Self {
        Self { max_body: bytes, ..self }
    }

    /// Sets who counts the servers.
    #[must_use]
    pub fn counts(self, counts: Counts) -> Self {
        Self { counts, ..self }
    }

    /// Sets after how long without a message a server publishes a heartbeat. Default: 5 seconds, as
    /// servers on Node.js do. At least 10 milliseconds.
    #[must_use]
    pub fn heartbeat_interval(self, interval: Duration) -> Self {
        Self { heartbeat_interval: interval, ..self }
    }

    /// Sets after how long without a message a server is not counted anymore. Default: 10 seconds.
    /// It should be at least twice the interval of all servers.
    #[must_use]
    pub fn heartbeat_timeout(self, timeout: Duration) -> Self {
        Self { heartbeat_timeout: timeout, ..self }
    }
}

/// Who counts the servers of a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Counts {
    /// The engine, with [`Engine::servers`].
    Engine,
    /// The hub, for engines that can't count subscribers. Each server publishes heartbeats on the
    /// [main topic](Topic::Main) of its namespaces, and counts the servers that it hears. They are
    /// those of the class `ClusterAdapterWithHeartbeat` of `socket.io-adapter`.
    ///
    /// A count is right about a tenth of the interval after a server came, and not more than half a
    /// second. A server that ends without [`Hub::shutdown`](crate::Hub::shutdown) is counted until
    /// the timeout.
    ///
    /// The classic dialect has no heartbeats: there the engine is asked.
    Heartbeats,
}

/// The format of the messages in a cluster. Each is a format of Node.js servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Dialect {
    /// The format of `createAdapter` of `@socket.io/redis-adapter`. It has topics for
    /// [requests](Topic::Requests) and [responses](Topic::Responses).
    Classic,
    /// The format of the class `ClusterAdapter` of `socket.io-adapter`, as JSON, or as MessagePack
    /// if the message has binary data. `createShardedAdapter` uses it.
    Messages,
    /// The format of `@socket.io/redis-streams-adapter` 0.3. What needs no answer is on the
    /// [topic of the log](Topic::Log): the data of the message alone, as JSON, or as MessagePack if
    /// it has binary data. All other messages are those of [`Messages`](Self::Messages), always as
    /// MessagePack.
    Streams,
}

/// On which topics messages to exactly one room are published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RoomTopics {
    /// On the [main topic](Topic::Main) like all others.
    None,
    /// On the [topic of the room](Topic::Room). The subscription to the main topic includes the
    /// topics of all rooms.
    Included,
    /// On the topic of the room, which servers subscribe to while they have members. A room whose
    /// name has 20 characters is taken for the id of a socket, and its messages are on the main
    /// topic.
    Dynamic,
    /// Like [`Dynamic`](Self::Dynamic), for all rooms.
    DynamicPrivate,
}

/// A topic to which servers subscribe, and on which messages are published. Its namespace is a path
/// such as `/chat`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Topic<'a> {
    /// What all servers receive.
    Main {
        /// The namespace.
        namespace: &'a str,
    },
    /// Messages to one room.
    Room {
        /// The namespace.
        namespace: &'a str,
        /// The name of the room.
        room: &'a str,
    },
    /// Requests of the [classic](Dialect::Classic) dialect.
    Requests {
        /// The namespace.
        namespace: &'a str,
    },
    /// Answers to requests in the classic dialect, which all servers receive.
    Responses {
        /// The namespace.
        namespace: &'a str,
    },
    /// Answers to the requests of one server.
    Reply {
        /// The namespace.
        namespace: &'a str,
        /// The id of that server.
        server: &'a str,
    },
    /// A message that becomes an entry of the [log](EventLog). All servers read the log, without
    /// subscribing to it.
    Log {
        /// The namespace. It is empty for entries that concern no namespace.
        namespace: &'a str,
        /// The id of this server.
        server: &'a str,
        /// The type of the message.
        kind: u8,
    },
    /// The session of a client, which is to be stored for
    /// [`EventLog::take_session`]. It replaces an earlier one. An empty message removes it. Nobody
    /// subscribes to it.
    Session {
        /// The namespace.
        namespace: &'a str,
        /// The token of the session: printable ASCII without spaces.
        token: &'a str,
    },
}

impl<'a> Topic<'a> {
    /// The topic's namespace.
    pub fn namespace(&self) -> &'a str {
        match self {
            Self::Main { namespace }
            | Self::Room { namespace, .. }
            | Self::Requests { namespace }
            | Self::Responses { namespace }
            | Self::Reply { namespace, .. }
            | Self::Log { namespace, .. }
            | Self::Session { namespace, .. } => namespace,
        }
    }
}

/// The error of messages that an [`Engine`] did not publish.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{unpublished} messages were not published: {reason}")]
pub struct PublishError {
    /// The number of messages that were not published, or of which it is unknown.
    pub unpublished: usize,
    /// Why.
    pub reason: String,
}

/// Where an [`Engine`] delivers what it receives, and reports its state. Cloning is cheap.
///
/// The methods return at once and never fail. After the hub is gone they do nothing.
#[derive(Clone)]
pub struct Inbox(Weak<dyn Receive>);

/// What the hub does with what an engine reports.
pub(crate) trait Receive: Send + Sync {
    fn deliver(&self, topic: Topic<'_>, body: Bytes);
    fn deliver_entry(&self, entry: LogEntry<'_>);
    fn deliver_together(&self, deliver: &mut dyn FnMut()) {
        deliver();
    }
    fn connected(&self);
    fn disconnected(&self, reason: String);
    fn gap(&self, reason: GapReason);
    fn malformed(&self, bytes: &[u8]);
}

impl Inbox {
    pub(crate) fn new(receiver: &Arc<impl Receive + 'static>) -> Self {
        let receiver: Weak<_> = Arc::downgrade(receiver);
        Self(receiver)
    }

    /// Delivers a message, on the task that reads it. Messages of a topic must be delivered in the
    /// order in which they were published. Messages that this server published itself may be
    /// delivered too.
    pub fn deliver(&self, topic: Topic<'_>, body: Bytes) {
        if let Some(receiver) = self.0.upgrade() {
            receiver.deliver(topic, body);
        }
    }

    /// Delivers an entry of the [log](EventLog), on the task that reads it.
    pub fn deliver_entry(&self, entry: LogEntry<'_>) {
        if let Some(receiver) = self.0.upgrade() {
            receiver.deliver_entry(entry);
        }
    }

    /// Calls a function that delivers several messages, such as all that were read at once. They
    /// reach each client with one write, when the function has returned.
    pub fn deliver_together(&self, mut deliver: impl FnMut()) {
        match self.0.upgrade() {
            Some(receiver) => receiver.deliver_together(&mut deliver),
            None => deliver(),
        }
    }

    /// Reports that the engine is connected and that all subscriptions are in effect.
    pub fn connected(&self) {
        if let Some(receiver) = self.0.upgrade() {
            receiver.connected();
        }
    }

    /// Reports that a connection was lost or could not be made. It may be called several times
    /// until the engine is connected again.
    pub fn disconnected(&self, reason: impl Into<String>) {
        if let Some(receiver) = self.0.upgrade() {
            receiver.disconnected(reason.into());
        }
    }

    /// Reports that messages of other servers may have been lost although the engine is connected,
    /// for example while one of several subscriptions was restored.
    pub fn gap(&self, reason: GapReason) {
        if let Some(receiver) = self.0.upgrade() {
            receiver.gap(reason);
        }
    }

    /// Reports something that the engine received and could not assign to a topic. It is counted.
    pub fn malformed(&self, bytes: &[u8]) {
        if let Some(receiver) = self.0.upgrade() {
            receiver.malformed(bytes);
        }
    }
}

impl Debug for Inbox {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Inbox").finish_non_exhaustive()
    }
}
