//! [`Redis`]: the engine that works like `createAdapter` of `@socket.io/redis-adapter`.

use socketio::cluster::{
    BoxFuture, Dialect, Engine, EngineTraits, Inbox, PublishBatch, PublishError, RoomTopics, Topic,
};
use std::fmt;
use std::sync::Arc;

use crate::ConfigError;
use crate::address::Address;
use crate::channels::{Channels, Form};
use crate::node::{Context, Node};
use crate::server::Server;
use crate::tls::Tls;

/// An engine over the publish/subscribe of one Redis or Valkey server. Its clusters may include
/// servers on Node.js that use `createAdapter` of `@socket.io/redis-adapter`.
///
/// ```no_run
/// use socketio::Hub;
/// use socketio_redis::Redis;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let hub = Hub::builder().cluster(Redis::new("redis://localhost")?.prefix("chat")).build()?;
/// # _ = hub;
/// # Ok(())
/// # }
/// ```
pub struct Redis {
    server: Server,
    tls: Tls,
    channels: Arc<Channels>,
    node: Node,
}

impl Redis {
    /// An engine that uses the server with this URL, such as `redis://localhost:6379`. It connects
    /// when the hub needs it.
    ///
    /// The schemes are `redis` and `valkey`, `rediss` and `valkeys` for TLS, and `redis+unix`. The
    /// user and the password are before the host, with reserved characters percent-encoded. The
    /// number of a database may be the path; it has no effect, since channels belong to no
    /// database. A user without a password logs in with an empty one.
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

    /// An engine that uses the master that Sentinels name, such as `mymaster`. They are asked again
    /// for each connection.
    ///
    /// The URLs are those of the Sentinels, with their credentials. Those of the master are set
    /// with [`user`](Self::user) and [`password`](Self::password). A Sentinel that is asked over
    /// TLS names a port for TLS.
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
        let channels = Arc::new(Channels { prefix: "socket.io".into(), form: Form::Classic });
        Self { server, tls: Tls::default(), channels, node: Node::new() }
    }

    /// Sets the beginning of the names of channels, which servers on Node.js call `key`. All
    /// servers of a cluster have the same, and clusters that share a Redis have different ones.
    /// Default: `socket.io`.
    #[must_use]
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        Arc::make_mut(&mut self.channels).prefix = prefix.into();
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

pub(crate) fn url_of_environment() -> Result<String, ConfigError> {
    const NAME: &str = "REDIS_URL";
    std::env::var(NAME).map_err(|_| ConfigError::Variable { name: NAME })
}

impl Engine for Redis {
    fn traits(&self) -> EngineTraits {
        EngineTraits::new(Dialect::Classic).rooms(RoomTopics::Included)
    }

    fn start(&self, inbox: Inbox) {
        let (tls, channels) = (self.tls.clone(), Arc::clone(&self.channels));
        let context = Context { tls, channels, inbox: inbox.clone(), log: None };
        self.node.start(self.server.clone(), context, inbox);
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
        Box::pin(self.node.publish(batch, |bytes, topic, body| self.channels.write_message(bytes, topic, body)))
    }

    fn servers<'a>(&'a self, namespace: &'a str) -> BoxFuture<'a, Result<usize, String>> {
        Box::pin(self.node.subscribers(&self.channels, Topic::Requests { namespace }))
    }

    fn reconnect(&self) {
        self.node.reconnect();
    }

    fn stop(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.node.stop())
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
