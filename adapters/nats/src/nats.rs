//! [`Nats`]: the engine.

use parking_lot::Mutex;
use socketio::cluster::{
    BoxFuture, Counts, Dialect, Engine, EngineTraits, Inbox, PublishBatch, PublishError, RoomTopics, Topic,
};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::AbortHandle;

use crate::ConfigError;
use crate::address::{Address, Login};
use crate::connection::Settings;
use crate::consumer::Wanted;
use crate::subjects::Subjects;
use crate::supervisor::{Command, Shared, Supervisor};
use crate::tls::Tls;

const DEFAULT_PREFIX: &str = "socket.io";
/// That of NATS.
const DEFAULT_MAX_PAYLOAD: usize = 1 << 20;
/// That of the client.
const DEFAULT_PENDING: usize = 65_536;

/// An engine over the publish/subscribe of NATS.
///
/// ```no_run
/// use socketio::Hub;
/// use socketio_nats::Nats;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let hub = Hub::builder().cluster(Nats::new("nats://localhost")?.prefix("chat")).build()?;
/// # _ = hub;
/// # Ok(())
/// # }
/// ```
pub struct Nats {
    addresses: Vec<Address>,
    settings: Settings,
    prefix: String,
    subjects: Arc<Subjects>,
    traits: EngineTraits,
    shared: Arc<Shared>,
    /// What the supervisor takes when it starts.
    commands: Mutex<Option<mpsc::UnboundedReceiver<Command>>>,
    supervisor: Mutex<Option<AbortHandle>>,
}

impl Nats {
    /// An engine that uses the server with this URL, such as `nats://localhost:4222`. It connects
    /// when the hub needs it.
    ///
    /// The schemes are `nats`, and `tls` if TLS is required. The user and the password, or a token
    /// alone, are before the host, with reserved characters percent-encoded. Several URLs are
    /// separated by commas: they are servers of one NATS cluster, of which the engine uses one at a
    /// time. The others of the cluster are found by themselves.
    ///
    /// # Errors
    ///
    /// A URL is not understood, or there is none.
    pub fn new(urls: impl AsRef<str>) -> Result<Self, ConfigError> {
        let (addresses, login) = Address::parse_all(urls.as_ref())?;
        let (sender, commands) = mpsc::unbounded_channel();
        Ok(Self {
            addresses,
            settings: Settings { login, tls: Tls::default(), pending: DEFAULT_PENDING },
            prefix: DEFAULT_PREFIX.to_owned(),
            subjects: Arc::new(Subjects::new(DEFAULT_PREFIX)),
            traits: EngineTraits::new(Dialect::Messages)
                .rooms(RoomTopics::None)
                .counts(Counts::Heartbeats)
                .max_body(DEFAULT_MAX_PAYLOAD),
            shared: Arc::new(Shared {
                asked: Mutex::new(0),
                commands: sender,
                confirmed: watch::Sender::new(None),
                publisher: Mutex::new(None),
            }),
            commands: Mutex::new(Some(commands)),
            supervisor: Mutex::new(None),
        })
    }

    /// An engine that uses the servers whose URLs are in the environment variable `NATS_URL`.
    ///
    /// # Errors
    ///
    /// The variable is not set, or a URL is not understood.
    pub fn from_env() -> Result<Self, ConfigError> {
        const NAME: &str = "NATS_URL";
        Self::new(std::env::var(NAME).map_err(|_| ConfigError::Variable { name: NAME })?)
    }

    /// Sets the beginning of the subjects. All servers of a cluster have the same, and clusters
    /// that share a NATS have different ones. Dots part its tokens. Default: `socket.io`.
    #[must_use]
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self.subjects = Arc::new(Subjects::new(&self.prefix));
        self
    }

    /// Sets the user that logs in, instead of the one in the URL.
    #[must_use]
    pub fn user(mut self, user: impl Into<String>) -> Self {
        self.settings.login.user = Some(user.into());
        self
    }

    /// Sets the password of the user, instead of the one in the URL. It is not encoded.
    #[must_use]
    pub fn password(mut self, password: impl Into<String>) -> Self {
        self.settings.login.password = Some(password.into());
        self
    }

    /// Sets the token by which the engine logs in, instead of a user.
    #[must_use]
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.settings.login = Login { token: Some(token.into()), ..Login::default() };
        self
    }

    /// Sets the seed of the key by which the engine logs in. It begins with `SU`.
    #[cfg(feature = "nkeys")]
    #[must_use]
    pub fn nkey(mut self, seed: impl Into<String>) -> Self {
        self.settings.login = Login { nkey: Some(seed.into()), ..Login::default() };
        self
    }

    /// Sets the credentials by which the engine logs in: the contents of a `.creds` file, which has
    /// a JWT and a seed.
    ///
    /// # Errors
    ///
    /// They are not understood.
    #[cfg(feature = "nkeys")]
    pub fn credentials(mut self, credentials: impl Into<String>) -> Result<Self, ConfigError> {
        let credentials = credentials.into();
        async_nats::ConnectOptions::new()
            .credentials(&credentials)
            .map_err(|error| ConfigError::Credentials(error.to_string()))?;
        self.settings.login = Login { credentials: Some(credentials), ..Login::default() };
        Ok(self)
    }

    /// Trusts these certificate authorities, in the PEM format, and not those of the system.
    ///
    /// # Errors
    ///
    /// There is no certificate, or it can't be read.
    pub fn trust(mut self, pem: impl AsRef<[u8]>) -> Result<Self, ConfigError> {
        self.settings.tls.trust(pem.as_ref())?;
        Ok(self)
    }

    /// Presents this certificate to the server. It and its key are in the PEM format. The
    /// certificate may be followed by those of its authorities.
    ///
    /// # Errors
    ///
    /// The certificate or the key can't be read, or they do not belong together.
    pub fn identity(
        mut self,
        certificate_pem: impl AsRef<[u8]>,
        key_pem: impl AsRef<[u8]>,
    ) -> Result<Self, ConfigError> {
        self.settings.tls.identify(certificate_pem.as_ref(), key_pem.as_ref())?;
        Ok(self)
    }

    /// Sets the largest message in bytes: the `max_payload` of the NATS server. The hub drops
    /// larger messages and counts them as [`dropped`]. If the server permits less than this, it
    /// counts what the server does not permit as [`unpublished`]. Default: 1,048,576, as that of
    /// NATS.
    ///
    /// [`dropped`]: socketio::cluster::ClusterStats::dropped
    /// [`unpublished`]: socketio::cluster::ClusterStats::unpublished
    #[must_use]
    pub fn max_payload(mut self, bytes: usize) -> Self {
        self.traits = self.traits.max_body(bytes);
        self
    }

    /// Limits the received messages of a namespace that wait to be delivered. What exceeds it is
    /// lost, reported as [`GapReason::Slow`], and counted as [`missed`]. They take up to this
    /// number times the largest message of memory. Default: 65,536. At least 1.
    ///
    /// [`GapReason::Slow`]: socketio::cluster::GapReason::Slow
    /// [`missed`]: socketio::cluster::ClusterStats::missed
    #[must_use]
    pub fn pending(mut self, messages: usize) -> Self {
        // More is not possible.
        self.settings.pending = messages.clamp(1, u32::MAX as usize >> 3);
        self
    }

    /// Sets after how long without a message a server publishes a heartbeat, and after how long
    /// without one it is not counted anymore. Default: 5 and 10 seconds. All servers of a cluster
    /// have the same.
    #[must_use]
    pub fn heartbeats(mut self, interval: Duration, timeout: Duration) -> Self {
        self.traits = self.traits.heartbeat_interval(interval).heartbeat_timeout(timeout);
        self
    }

    fn command(&self, command: Command) {
        // The supervisor may have stopped.
        _ = self.shared.commands.send(command);
    }

    /// Asks for a change of the subscriptions.
    fn change(&self, command: Command) {
        let mut asked = self.shared.asked.lock();
        *asked += 1;
        self.command(command);
    }
}

impl Engine for Nats {
    fn traits(&self) -> EngineTraits {
        self.traits
    }

    fn start(&self, inbox: Inbox) {
        let Some(commands) = self.commands.lock().take() else { return };
        let supervisor = Supervisor {
            addresses: self.addresses.clone(),
            settings: self.settings.clone(),
            subjects: Arc::clone(&self.subjects),
            shared: Arc::clone(&self.shared),
            commands,
            inbox,
            wanted: BTreeMap::new(),
            taken: 0,
        };
        *self.supervisor.lock() = Some(tokio::spawn(supervisor.run()).abort_handle());
    }

    fn subscribe(&self, topic: Topic<'_>) {
        if let Some(wanted) = Wanted::of(topic) {
            self.change(Command::Subscribe(wanted));
        }
    }

    fn unsubscribe(&self, topic: Topic<'_>) {
        if let Some(wanted) = Wanted::of(topic) {
            self.change(Command::Unsubscribe(wanted));
        }
    }

    fn subscribed(&self) -> BoxFuture<'_, ()> {
        let asked = *self.shared.asked.lock();
        Box::pin(async move {
            // The sender is a field, so it exists.
            _ = self.shared.confirmed.subscribe().wait_for(|confirmed| *confirmed >= Some(asked)).await;
        })
    }

    fn publish<'a>(&'a self, batch: &'a PublishBatch) -> BoxFuture<'a, Result<(), PublishError>> {
        Box::pin(async move {
            let publisher = self.shared.publisher.lock().clone();
            match publisher {
                Some(publisher) => publisher.publish(&self.subjects, batch).await,
                None => Err(PublishError { unpublished: batch.len(), reason: "not connected".to_owned() }),
            }
        })
    }

    fn reconnect(&self) {
        self.command(Command::Reconnect);
    }

    fn stop(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            let (done, stopped) = oneshot::channel();
            self.command(Command::Stop(done));
            // It fails if it was not started, or has ended.
            if self.supervisor.lock().is_some() {
                _ = stopped.await;
            }
        })
    }
}

impl Drop for Nats {
    fn drop(&mut self) {
        if let Some(supervisor) = self.supervisor.get_mut() {
            supervisor.abort();
        }
    }
}

impl fmt::Debug for Nats {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Nats")
            .field("servers", &self.addresses)
            .field("prefix", &self.prefix)
            .finish_non_exhaustive()
    }
}
