//! [`Postgres`]: the engine that works like `createAdapter` of `@socket.io/postgres-adapter`.

use socketio::cluster::{BoxFuture, Counts, Dialect, Engine, EngineTraits, Inbox, PublishBatch, PublishError, Topic};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::ConfigError;
use crate::attachments::Attachments;
use crate::channels::Channels;
use crate::node::Node;
use crate::target::Target;

/// The largest message, in bytes. Hubs accept no larger ones unless they are told to.
const MAX_BODY: usize = 16 << 20;

/// An engine over the notifications of a PostgreSQL server. Its clusters may include servers on
/// Node.js that use `createAdapter` of `@socket.io/postgres-adapter`.
///
/// ```no_run
/// use socketio::Hub;
/// use socketio_postgres::Postgres;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let hub = Hub::builder().cluster(Postgres::new("postgres://localhost/chat")?).build()?;
/// # _ = hub;
/// # Ok(())
/// # }
/// ```
pub struct Postgres {
    target: Target,
    channels: Channels,
    attachments: Arc<Attachments>,
    threshold: usize,
    heartbeat_interval: Duration,
    heartbeat_timeout: Duration,
    node: Node,
    /// That a namespace has a long name was logged.
    has_warned: AtomicBool,
}

impl Postgres {
    /// An engine that uses the database with this address, such as
    /// `postgres://user:password@localhost:5432/chat`. It connects when the hub needs it.
    ///
    /// The address is a URL or has the form `host=localhost dbname=chat`. The parameters are those
    /// of [`tokio_postgres::Config`]. Several hosts may be named, of which one is the primary.
    ///
    /// `sslmode` decides about TLS, which needs the feature `tls-rustls`: `disable`, `prefer`, or
    /// `require`, which is the same as `verify-full`, since certificates are always verified.
    /// Without it, connections are encrypted if `trust` or
    /// `identity` is called.
    ///
    /// # Errors
    ///
    /// The address is not understood, or asks for TLS without the feature.
    pub fn new(address: impl AsRef<str>) -> Result<Self, ConfigError> {
        Ok(Self {
            target: Target::parse(address.as_ref())?,
            channels: Channels { prefix: "socket.io".into() },
            attachments: Arc::default(),
            threshold: 8_000,
            heartbeat_interval: Duration::from_secs(5),
            heartbeat_timeout: Duration::from_secs(10),
            node: Node::new(),
            has_warned: AtomicBool::new(false),
        })
    }

    /// An engine that uses the database whose address is in the environment variable
    /// `DATABASE_URL`.
    ///
    /// # Errors
    ///
    /// The variable is not set, or see [`new`](Self::new).
    pub fn from_env() -> Result<Self, ConfigError> {
        const NAME: &str = "DATABASE_URL";
        Self::new(std::env::var(NAME).map_err(|_| ConfigError::Variable { name: NAME })?)
    }

    /// Sets the beginning of the names of channels, which servers on Node.js call `channelPrefix`.
    /// All servers of a cluster have the same, and clusters that share a database have different
    /// ones. Default: `socket.io`.
    #[must_use]
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.channels.prefix = prefix.into();
        self
    }

    /// Sets the table of attachments, which servers on Node.js call `tableName`. It is written into
    /// SQL as it stands, so that it may be `schema.table` or quoted. All servers of a cluster have
    /// the same. Default: `socket_io_attachments`.
    ///
    /// # Errors
    ///
    /// It is no name of a table in SQL.
    pub fn table(mut self, table: impl Into<String>) -> Result<Self, ConfigError> {
        self.change_attachments(|attachments| attachments.set_table(table.into()))?;
        Ok(self)
    }

    /// Sets the length in bytes above which a message is stored as an attachment. PostgreSQL takes
    /// at most 7,999 bytes, so that larger values have the same effect. Default: 8,000, as on
    /// Node.js.
    #[must_use]
    pub fn payload_threshold(mut self, bytes: usize) -> Self {
        self.threshold = bytes;
        self
    }

    /// Sets how often attachments are deleted that are older than this. Servers that are slower
    /// lose them. Default: 30 s.
    #[must_use]
    pub fn cleanup_interval(mut self, interval: Duration) -> Self {
        // It does not fail.
        _ = self.change_attachments(|attachments| {
            attachments.set_cleanup_interval(interval);
            Ok(())
        });
        self
    }

    /// Sets after how long without a message a server publishes a heartbeat, by which the others
    /// count it. Default: 5 s, as on Node.js.
    #[must_use]
    pub fn heartbeat_interval(mut self, interval: Duration) -> Self {
        self.heartbeat_interval = interval;
        self
    }

    /// Sets after how long without a message another server is not counted anymore. It should be at
    /// least twice the interval of all servers. Default: 10 s, as on Node.js.
    #[must_use]
    pub fn heartbeat_timeout(mut self, timeout: Duration) -> Self {
        self.heartbeat_timeout = timeout;
        self
    }

    fn change_attachments(
        &mut self,
        change: impl FnOnce(&mut Attachments) -> Result<(), ConfigError>,
    ) -> Result<(), ConfigError> {
        // It is shared only after the start.
        Arc::get_mut(&mut self.attachments).map_or(Ok(()), change)
    }

    /// Trusts these certificate authorities, in the PEM format, and not those of the system.
    /// Connections are encrypted unless the address says `sslmode=disable`.
    ///
    /// # Errors
    ///
    /// There is no certificate, or it can't be read.
    #[cfg(feature = "tls-rustls")]
    pub fn trust(mut self, pem: impl AsRef<[u8]>) -> Result<Self, ConfigError> {
        self.target.tls.trust(pem.as_ref())?;
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
        self.target.tls.identify(certificate_pem.as_ref(), key_pem.as_ref())?;
        Ok(self)
    }
}

impl Engine for Postgres {
    fn traits(&self) -> EngineTraits {
        EngineTraits::new(Dialect::Messages)
            .max_body(MAX_BODY)
            .counts(Counts::Heartbeats)
            .heartbeat_interval(self.heartbeat_interval)
            .heartbeat_timeout(self.heartbeat_timeout)
    }

    fn start(&self, inbox: Inbox) {
        self.node.start(self.target.clone(), Arc::clone(&self.attachments), inbox);
    }

    fn start_emitter(&self, inbox: Inbox) {
        // What its attachments say that they are from.
        self.node.set_server("emitter");
        self.start(inbox);
    }

    fn subscribe(&self, topic: Topic<'_>) {
        if let Topic::Reply { server, .. } = topic {
            self.node.set_server(server);
        }
        let namespace = topic.namespace();
        if !self.channels.is_shared(namespace) && !self.has_warned.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                namespace,
                "the names of the prefix and this namespace are longer than PostgreSQL's names of channels; \
                 servers on Node.js can't have the namespace"
            );
        }
        self.node.wanted().add(&self.channels.channel(namespace), namespace);
    }

    fn unsubscribe(&self, topic: Topic<'_>) {
        self.node.wanted().remove(&self.channels.channel(topic.namespace()));
    }

    fn subscribed(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.node.wanted().subscribed())
    }

    fn publish<'a>(&'a self, batch: &'a PublishBatch) -> BoxFuture<'a, Result<(), PublishError>> {
        Box::pin(self.node.publish(batch, &self.channels, &self.attachments, self.threshold))
    }

    fn reconnect(&self) {
        self.node.reconnect();
    }

    fn stop(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.node.stop())
    }
}

impl fmt::Debug for Postgres {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Postgres")
            .field("server", &self.target)
            .field("prefix", &self.channels.prefix)
            .field("table", &self.attachments.table())
            .finish_non_exhaustive()
    }
}
