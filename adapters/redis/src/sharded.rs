//! [`ShardedRedis`]: the engine that works like `createShardedAdapter` of
//! `@socket.io/redis-adapter`.

use socketio::cluster::{
    BoxFuture, Dialect, Engine, EngineTraits, Inbox, PublishBatch, PublishError, RoomTopics, Topic,
};
use std::fmt;
use std::sync::Arc;

use crate::ConfigError;
use crate::address::{Address, Login};
use crate::channels::{Channels, Form};
use crate::classic::url_of_environment;
use crate::cluster::Cluster;
use crate::node::{Context, Node};
use crate::server::Server;
use crate::tls::Tls;

/// An engine over the sharded publish/subscribe of Redis 7 or Valkey. Its clusters may include
/// servers on Node.js that use `createShardedAdapter` of `@socket.io/redis-adapter`.
///
/// Messages to a room are sent only to servers with members of that room, unless the
/// [mode](Self::mode) is [`Static`](SubscriptionMode::Static). There is no order between messages
/// to different rooms.
///
/// ```no_run
/// use socketio::Hub;
/// use socketio_redis::ShardedRedis;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let redis = ShardedRedis::cluster(["redis://node1:7000", "redis://node2:7000"])?;
/// let hub = Hub::builder().cluster(redis).build()?;
/// # _ = hub;
/// # Ok(())
/// # }
/// ```
pub struct ShardedRedis {
    servers: Servers,
    tls: Tls,
    channels: Arc<Channels>,
    mode: SubscriptionMode,
}

/// What carries the messages.
enum Servers {
    One(Server, Node),
    Cluster(Cluster),
}

/// Which rooms have channels of their own. All servers of a cluster have the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SubscriptionMode {
    /// No room. All servers receive all messages.
    Static,
    /// All rooms but those of one socket, whose names are ids of 20 characters.
    #[default]
    Dynamic,
    /// All rooms.
    DynamicPrivate,
}

impl ShardedRedis {
    /// An engine that uses one server, with a URL as that of [`Redis::new`](crate::Redis::new).
    ///
    /// # Errors
    ///
    /// The URL is not understood.
    pub fn new(url: impl AsRef<str>) -> Result<Self, ConfigError> {
        let server = Server::At(Address::parse(url.as_ref())?);
        Ok(Self::with(Servers::One(server, Node::new())))
    }

    /// An engine that uses the master that Sentinels name, as
    /// [`Redis::sentinel`](crate::Redis::sentinel).
    ///
    /// # Errors
    ///
    /// A URL is not understood, or there is none.
    pub fn sentinel<S: AsRef<str>>(
        urls: impl IntoIterator<Item = S>,
        master: impl Into<String>,
    ) -> Result<Self, ConfigError> {
        let server = Server::sentinel(urls, master.into())?;
        Ok(Self::with(Servers::One(server, Node::new())))
    }

    /// An engine that uses a Redis Cluster. The URLs are those of some of its nodes. One is enough;
    /// with several it can start while one of them is down. The others are found. The credentials
    /// in the first URL are used for all nodes that are found.
    ///
    /// # Errors
    ///
    /// A URL is not understood, or there is none.
    pub fn cluster<S: AsRef<str>>(urls: impl IntoIterator<Item = S>) -> Result<Self, ConfigError> {
        Ok(Self::with(Servers::Cluster(Cluster::new(Address::parse_all(urls)?))))
    }

    /// An engine that uses the server whose URL is in the environment variable `REDIS_URL`.
    ///
    /// # Errors
    ///
    /// The variable is not set, or its URL is not understood.
    pub fn from_env() -> Result<Self, ConfigError> {
        Self::new(url_of_environment()?)
    }

    fn with(servers: Servers) -> Self {
        let channels = Arc::new(Channels { prefix: "socket.io".into(), form: Form::Sharded });
        let mode = SubscriptionMode::default();
        Self { servers, tls: Tls::default(), channels, mode }
    }

    /// Sets the beginning of the names of channels, which servers on Node.js call `channelPrefix`.
    /// All servers of a cluster have the same, and clusters that share a Redis have different ones.
    /// Default: `socket.io`.
    #[must_use]
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        Arc::make_mut(&mut self.channels).prefix = prefix.into();
        self
    }

    /// Sets which rooms have channels of their own. Default:
    /// [`Dynamic`](SubscriptionMode::Dynamic).
    #[must_use]
    pub fn mode(self, mode: SubscriptionMode) -> Self {
        Self { mode, ..self }
    }

    fn logins(&mut self, change: impl Fn(&mut Login)) {
        match &mut self.servers {
            Servers::One(server, _) => change(server.login()),
            Servers::Cluster(cluster) => cluster.logins(change),
        }
    }

    /// Sets the user that logs in to the server, instead of the one in the URL.
    #[must_use]
    pub fn user(mut self, user: impl Into<String>) -> Self {
        let user = user.into();
        self.logins(|login| login.user = Some(user.clone()));
        self
    }

    /// Sets the password for the server, instead of the one in the URL. It is not encoded.
    #[must_use]
    pub fn password(mut self, password: impl Into<String>) -> Self {
        let password = password.into();
        self.logins(|login| login.password = Some(password.clone()));
        self
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

impl Engine for ShardedRedis {
    fn traits(&self) -> EngineTraits {
        EngineTraits::new(Dialect::Messages).rooms(match self.mode {
            SubscriptionMode::Static => RoomTopics::None,
            SubscriptionMode::Dynamic => RoomTopics::Dynamic,
            SubscriptionMode::DynamicPrivate => RoomTopics::DynamicPrivate,
        })
    }

    fn start(&self, inbox: Inbox) {
        let (tls, channels) = (self.tls.clone(), Arc::clone(&self.channels));
        match &self.servers {
            Servers::One(server, node) => {
                let context = Context { tls, channels, inbox: inbox.clone(), log: None };
                node.start(server.clone(), context, inbox);
            }
            Servers::Cluster(cluster) => cluster.start(Context { tls, channels, inbox, log: None }),
        }
    }

    fn subscribe(&self, topic: Topic<'_>) {
        if let Some(subscription) = self.channels.subscription(&topic) {
            match &self.servers {
                Servers::One(_, node) => node.wanted().subscribe(subscription),
                Servers::Cluster(cluster) => cluster.subscribe(subscription),
            }
        }
    }

    fn unsubscribe(&self, topic: Topic<'_>) {
        if let Some(subscription) = self.channels.subscription(&topic) {
            match &self.servers {
                Servers::One(_, node) => node.wanted().unsubscribe(&subscription),
                Servers::Cluster(cluster) => cluster.unsubscribe(&subscription),
            }
        }
    }

    fn subscribed(&self) -> BoxFuture<'_, ()> {
        match &self.servers {
            Servers::One(_, node) => Box::pin(node.wanted().subscribed()),
            Servers::Cluster(cluster) => Box::pin(cluster.subscribed()),
        }
    }

    fn publish<'a>(&'a self, batch: &'a PublishBatch) -> BoxFuture<'a, Result<(), PublishError>> {
        match &self.servers {
            Servers::One(_, node) => {
                Box::pin(node.publish(batch, |bytes, topic, body| self.channels.write_message(bytes, topic, body)))
            }
            Servers::Cluster(cluster) => Box::pin(cluster.publish(&self.channels, batch)),
        }
    }

    fn servers<'a>(&'a self, namespace: &'a str) -> BoxFuture<'a, Result<usize, String>> {
        let topic = Topic::Main { namespace };
        match &self.servers {
            Servers::One(_, node) => Box::pin(node.subscribers(&self.channels, topic)),
            Servers::Cluster(cluster) => Box::pin(cluster.subscribers(&self.channels, topic)),
        }
    }

    fn reconnect(&self) {
        match &self.servers {
            Servers::One(_, node) => node.reconnect(),
            Servers::Cluster(cluster) => cluster.reconnect(),
        }
    }

    fn stop(&self) -> BoxFuture<'_, ()> {
        match &self.servers {
            Servers::One(_, node) => Box::pin(node.stop()),
            Servers::Cluster(cluster) => Box::pin(cluster.stop()),
        }
    }
}

impl fmt::Debug for ShardedRedis {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let servers: &dyn fmt::Debug = match &self.servers {
            Servers::One(server, _) => server,
            Servers::Cluster(cluster) => cluster.seeds(),
        };
        formatter
            .debug_struct("ShardedRedis")
            .field("servers", servers)
            .field("prefix", &self.channels.prefix)
            .field("mode", &self.mode)
            .finish_non_exhaustive()
    }
}
