//! [`Redis`]: the engine that works like `createAdapter` of `@socket.io/redis-adapter`.

use socketio::cluster::{
    BoxFuture, Dialect, Engine, EngineTraits, Inbox, PublishBatch, PublishError, RoomTopics, Topic,
};
use std::fmt;

use crate::ConfigError;
use crate::address::Address;
use crate::channels::{Channels, Form};
use crate::server::Server;
use crate::single::Single;
use crate::tls::Tls;

/// An engine over the publish/subscribe of one Redis or Valkey server. Its clusters may include
/// servers on Node.js that use `createAdapter` of `@socket.io/redis-adapter`.
///
/// ```no_run
/// use socketio::Hub;
/// use socketio_redis::Redis;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let redis = Redis::new("redis://localhost")?;
/// # _ = redis;
/// # Ok(())
/// # }
/// ```
pub struct Redis {
    server: Server,
    tls: Tls,
    channels: Channels,
    single: Single,
}

impl Redis {
    /// An engine that uses the server with this URL, such as `redis://localhost:6379`. It connects
    /// when the hub needs it.
    ///
    /// The schemes are `redis` and `valkey`, `rediss` and `valkeys` for TLS, and `redis+unix`. The
    /// user and the password are before the host, with reserved characters percent-encoded. The
    /// number of a database may be the path; it has no effect, since channels belong to no database.
    ///
    /// # Errors
    ///
    /// The URL is not understood.
    pub fn new(url: impl AsRef<str>) -> Result<Self, ConfigError> {
        Ok(Self::with(Server::At(Address::parse(url.as_ref())?)))
    }

    /// An engine that uses the server whose URL is in the environment variable `REDIS_URL`.
    ///
    /// # Errors
    ///
    /// The variable is not set, or its URL is not understood.
    pub fn from_env() -> Result<Self, ConfigError> {
        Self::new(url_of_environment()?)
    }

    fn with(server: Server) -> Self {
        let channels = Channels { prefix: "socket.io".into(), form: Form::Classic };
        Self { server, tls: Tls::default(), channels, single: Single::new() }
    }

    /// Sets the beginning of the names of channels, which servers on Node.js call `key`. All servers
    /// of a cluster have the same, and clusters that share a Redis have different ones. Default:
    /// `socket.io`.
    #[must_use]
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.channels.prefix = prefix.into();
        self
    }
}

pub(crate) fn url_of_environment() -> Result<String, ConfigError> {
    const NAME: &str = "REDIS_URL";
    std::env::var(NAME).map_err(|_| ConfigError::Variable { name: NAME })
}

impl Engine for Redis {
    fn traits(&self) -> EngineTraits {
        EngineTraits::new(Dialect::Classic).rooms(RoomTopics::Included)
    }

    fn start(&self, inbox: Inbox) {
        self.single.start(self.server.clone(), self.tls.clone(), self.channels.clone(), inbox);
    }

    fn subscribe(&self, topic: Topic<'_>) {
        if let Some(subscription) = self.channels.subscription(&topic) {
            self.single.wanted().subscribe(subscription);
        }
    }

    fn unsubscribe(&self, topic: Topic<'_>) {
        if let Some(subscription) = self.channels.subscription(&topic) {
            self.single.wanted().unsubscribe(&subscription);
        }
    }

    fn subscribed(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.single.wanted().subscribed())
    }

    fn publish<'a>(&'a self, batch: &'a PublishBatch) -> BoxFuture<'a, Result<(), PublishError>> {
        Box::pin(self.single.publish(&self.channels, batch))
    }

    fn servers<'a>(&'a self, namespace: &'a str) -> BoxFuture<'a, Result<usize, String>> {
        Box::pin(self.single.subscribers(&self.channels, Topic::Requests { namespace }))
    }

    fn reconnect(&self) {
        self.single.reconnect();
    }

    fn stop(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.single.stop())
    }
}

impl fmt::Debug for Redis {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Redis")
            .field("server", &self.server)
            .field("prefix", &self.channels.prefix)
            .finish_non_exhaustive()
    }
}
