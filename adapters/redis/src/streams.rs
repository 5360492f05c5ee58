//! [`RedisStreams`]: the engine that works like `createAdapter` of
//! `@socket.io/redis-streams-adapter`.

use bytes::Bytes;
use socketio::cluster::{
    BoxFuture, Dialect, Engine, EngineTraits, EventLog, Inbox, LogPage, LogRange, Offset, PublishBatch, PublishError,
    ReadError, Topic,
};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::ConfigError;
use crate::address::Address;
use crate::channels::{Channels, Form};
use crate::classic::url_of_environment;
use crate::log::Log;
use crate::node::{Context, Node};
use crate::server::Server;
use crate::tls::Tls;

/// An engine over a stream of one Redis or Valkey server. Its clusters may include servers on
/// Node.js that use `createAdapter` of `@socket.io/redis-streams-adapter` 0.3.
///
/// A server that was cut off gets the messages that were added to the stream meanwhile, in their
/// order. A client that resumes its session ([`Recovery`](socketio::Recovery)) can do that at any
/// server of the cluster. Questions to other servers and their answers are not in the stream. They
/// use publish/subscribe, so that there is no order between them and other messages.
///
/// The stream is a key, so it is on one node of Redis. It does not spread over a Redis Cluster.
///
/// ```no_run
/// use socketio::Hub;
/// use socketio_redis::RedisStreams;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let redis = RedisStreams::new("redis://localhost")?.max_len(100_000);
/// let hub = Hub::builder().cluster(redis).build()?;
/// # _ = hub;
/// # Ok(())
/// # }
/// ```
pub struct RedisStreams {
    server: Server,
    tls: Tls,
    channels: Arc<Channels>,
    log: Log,
    node: Node,
}

impl RedisStreams {
    /// An engine that uses the server with this URL, as [`Redis::new`](crate::Redis::new). The
    /// number of a [database](Self::database) may be the path.
    ///
    /// # Errors
    ///
    /// The URL is not understood.
    pub fn new(url: impl AsRef<str>) -> Result<Self, ConfigError> {
        let address = Address::parse(url.as_ref())?;
        let database = address.database;
        Ok(Self::with(Server::At(address)).database(database))
    }

    /// An engine that uses the server whose URL is in the environment variable `REDIS_URL`.
    ///
    /// # Errors
    ///
    /// The variable is not set, or its URL is not understood.
    pub fn from_env() -> Result<Self, ConfigError> {
        Self::new(url_of_environment()?)
    }

    /// An engine that uses the master that Sentinels name, as
    /// [`Redis::sentinel`](crate::Redis::sentinel). Redis does not wait for replicas, so that the
    /// last entries may be lost when one of them becomes the master.
    ///
    /// # Errors
    ///
    /// A URL is not understood, or there is none.
    pub fn sentinel<S: AsRef<str>>(
        urls: impl IntoIterator<Item = S>,
        master: impl Into<String>,
    ) -> Result<Self, ConfigError> {
        Server::sentinel(urls, master.into()).map(Self::with)
    }

    fn with(server: Server) -> Self {
        let channels = Arc::new(Channels { prefix: "socket.io".into(), form: Form::Streams });
        Self { server, tls: Tls::default(), channels, log: Log::default(), node: Node::new() }
    }

    /// Sets the number of the database, instead of the one in the URL. All servers of a cluster
    /// have the same. Default: 0.
    #[must_use]
    pub fn database(mut self, number: u32) -> Self {
        self.server.login().database = number;
        self
    }

    /// Sets the key of the stream, which servers on Node.js call `streamName`. All servers of a
    /// cluster have the same, and clusters that share a Redis have different ones. Default:
    /// `socket.io`.
    #[must_use]
    pub fn stream(mut self, key: impl Into<String>) -> Self {
        self.log.settings_mut().stream = key.into();
        self
    }

    /// Sets how many entries the stream keeps, which servers on Node.js call `maxLen`. Redis may
    /// keep up to about 100 more. It bounds for how long a server or a client may be cut off
    /// without missing anything: 10,000 entries are 10 seconds if 1,000 are added per second.
    /// Default: 10,000.
    #[must_use]
    pub fn max_len(mut self, entries: u64) -> Self {
        self.log.settings_mut().max_len = entries;
        self
    }

    /// Sets how many entries are read at once, which servers on Node.js call `readCount`. Large
    /// entries are read in smaller numbers. Default: 100.
    #[must_use]
    pub fn read_count(mut self, entries: usize) -> Self {
        self.log.settings_mut().read_count = entries.max(1);
        self
    }

    /// Sets how long a command that reads the stream waits for entries, which servers on Node.js
    /// call `blockTimeInMs`. Entries that come meanwhile are delivered at once. Default: 5 seconds.
    #[must_use]
    pub fn block_time(mut self, time: Duration) -> Self {
        self.log.settings_mut().block = time;
        self
    }

    /// Sets the beginning of the names of channels, which servers on Node.js call `channelPrefix`.
    /// All servers of a cluster have the same, and clusters that share a Redis have different ones.
    /// Default: `socket.io`.
    #[must_use]
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        Arc::make_mut(&mut self.channels).prefix = prefix.into();
        self
    }

    /// Sets the beginning of the keys of sessions, which servers on Node.js call
    /// `sessionKeyPrefix`. Default: `sio:session:`.
    #[must_use]
    pub fn session_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.log.settings_mut().session_prefix = prefix.into();
        self
    }

    /// Sets the user that logs in to the server, instead of the one in the URL.
    #[must_use]
    pub fn user(mut self, user: impl Into<String>) -> Self {
        self.server.login().user = Some(user.into());
        self
    }

    /// Sets the password for the server, instead of the one in the URL. It is not encoded.
    #[must_use]
    pub fn password(mut self, password: impl Into<String>) -> Self {
        self.server.login().password = Some(password.into());
        self
    }

    /// Connects, and reads the log if one is given.
    fn connect(&self, inbox: Inbox, log: Option<Log>) {
        let (tls, channels) = (self.tls.clone(), Arc::clone(&self.channels));
        let context = Context { tls, channels, inbox: inbox.clone(), log };
        self.node.start(self.server.clone(), context, inbox);
    }

    /// Trusts these certificate authorities, in the PEM format, and not those of the system.
    ///
    /// # Errors
    ///
    /// There is no certificate, or it can't be read.
    #[cfg(feature = "tls-rustls")]
    pub fn trust(mut self, pem: impl AsRef<[u8]>) -> Result<Self, ConfigError> {
        self.tls.trust(pem.as_ref())?;
        Ok(self)
    }

    /// Presents this certificate to the server. It and its key are in the PEM format. The
    /// certificate may be followed by those of its authorities.
    ///
    /// # Errors
    ///
    /// The certificate or the key can't be read, or they do not belong together.
    #[cfg(feature = "tls-rustls")]
    pub fn identity(
        mut self,
        certificate_pem: impl AsRef<[u8]>,
        key_pem: impl AsRef<[u8]>,
    ) -> Result<Self, ConfigError> {
        self.tls.identify(certificate_pem.as_ref(), key_pem.as_ref())?;
        Ok(self)
    }
}

impl Engine for RedisStreams {
    fn traits(&self) -> EngineTraits {
        EngineTraits::new(Dialect::Streams)
    }

    fn start(&self, inbox: Inbox) {
        self.connect(inbox, Some(self.log.clone()));
    }

    fn start_emitter(&self, inbox: Inbox) {
        self.connect(inbox, None);
    }

    fn subscribe(&self, topic: Topic<'_>) {
        if let Some(subscription) = self.channels.subscription(&topic) {
            self.node.wanted().subscribe(subscription);
        }
    }

    fn unsubscribe(&self, topic: Topic<'_>) {
        if let Some(subscription) = self.channels.subscription(&topic) {
            self.node.wanted().unsubscribe(&subscription);
        }
    }

    fn subscribed(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.node.wanted().subscribed())
    }

    fn publish<'a>(&'a self, batch: &'a PublishBatch) -> BoxFuture<'a, Result<(), PublishError>> {
        Box::pin(async move {
            let (settings, sessions) = (self.log.settings(), self.log.session_time());
            let write = |bytes: &mut Vec<u8>, topic: &Topic<'_>, body: &[u8]| {
                settings.write_message(bytes, &self.channels, sessions, topic, body);
            };
            let published = self.node.publish(batch, write).await;
            if published.as_ref().is_err_and(|error| error.reason.starts_with("READONLY")) {
                // It has become a replica, and keeps its connections.
                self.node.reconnect();
            }
            published
        })
    }

    fn servers<'a>(&'a self, namespace: &'a str) -> BoxFuture<'a, Result<usize, String>> {
        Box::pin(self.node.subscribers(&self.channels, Topic::Main { namespace }))
    }

    fn reconnect(&self) {
        self.node.reconnect();
    }

    fn log(&self) -> Option<&dyn EventLog> {
        Some(self)
    }

    fn stop(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.node.stop())
    }
}

impl EventLog for RedisStreams {
    fn retain(&self, entries: Duration, sessions: Duration) {
        self.log.retain(entries, sessions);
    }

    fn take_session<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Result<(Option<Bytes>, Offset), String>> {
        Box::pin(self.log.take_session(token))
    }

    fn read<'a>(&'a self, range: LogRange<'a>) -> BoxFuture<'a, Result<LogPage, ReadError>> {
        Box::pin(self.log.read(range))
    }

    fn reach(&self) -> Option<Duration> {
        self.log.reach()
    }
}

impl fmt::Debug for RedisStreams {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("RedisStreams")
            .field("server", &self.server)
            .field("stream", &self.log.settings().stream)
            .field("prefix", &self.channels.prefix)
            .finish_non_exhaustive()
    }
}
