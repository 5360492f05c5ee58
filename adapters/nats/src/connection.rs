//! [`Connection`]: one connection to a server. It does not connect again.

use async_nats::{Client, ConnectOptions, Event, ReconnectToServer, ServerAddr, ServerError, Subject, Subscriber};
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

use crate::address::{Address, Login};
use crate::tls::Tls;

/// How long the server has to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// How often a silent server is asked whether it is there. After two questions without an answer,
/// the connection is closed.
const PING_INTERVAL: Duration = Duration::from_secs(1);
/// The commands that wait for the task of the connection.
const COMMANDS: usize = 4_096;

/// What a connection needs.
#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) login: Login,
    pub(crate) tls: Tls,
    /// The messages of a subscription that wait to be delivered.
    pub(crate) pending: usize,
}

/// A connection that is open.
pub(crate) struct Connection {
    pub(crate) client: Client,
    /// On which the connection publishes to itself.
    pub(crate) echo: Subject,
    /// What it published to itself. It ends with the connection.
    pub(crate) echoes: Subscriber,
    pub(crate) events: Arc<Events>,
}

/// What happened on a connection.
#[derive(Debug, Default)]
pub(crate) struct Events {
    pub(crate) changed: Notify,
    /// The messages that were dropped because their subscription had too many. It may be too low.
    pub(crate) dropped: AtomicU64,
    pub(crate) is_lame: AtomicBool,
    error: Mutex<Option<Error>>,
}

/// What the server complained about last.
#[derive(Debug)]
struct Error {
    text: String,
    at: Instant,
    is_new: bool,
}

impl Events {
    fn note(&self, event: Event) {
        match event {
            Event::SlowConsumer(_) => _ = self.dropped.fetch_add(1, Ordering::Relaxed),
            Event::LameDuckMode => self.is_lame.store(true, Ordering::Relaxed),
            Event::ServerError(error) => {
                let text = match error {
                    ServerError::Other(text) => text,
                    error => error.to_string(),
                };
                *self.error.lock() = Some(Error { text, at: Instant::now(), is_new: true });
            }
            _ => return,
        }
        self.changed.notify_one();
    }

    /// The last error, if it was not asked for before.
    pub(crate) fn new_error(&self) -> Option<String> {
        let mut error = self.error.lock();
        let error = error.as_mut()?;
        std::mem::take(&mut error.is_new).then(|| error.text.clone())
    }

    /// The last error, if it is not older than this.
    pub(crate) fn take_error(&self, age: Duration) -> Option<String> {
        self.error.lock().take().filter(|error| error.at.elapsed() <= age).map(|error| error.text)
    }
}

impl Connection {
    /// Connects to a server. `echo` is a subject of this connection alone.
    pub(crate) async fn open(address: &Address, settings: &Settings, echo: Subject) -> Result<Self, String> {
        let events = Arc::new(Events::default());
        let server = address.server()?;
        let nowhere = nowhere()?;
        let options = options(settings, &events, once(server.clone(), nowhere.clone())).await?;
        let failed = |error: &dyn std::fmt::Display| match events.take_error(CONNECT_TIMEOUT) {
            Some(reason) => format!("{address}: {reason}"),
            None => format!("{address}: {error}"),
        };
        let client = options.connect([server, nowhere].as_slice()).await.map_err(|error| failed(&error))?;
        let echoes = client.subscribe(echo.clone()).await.map_err(|error| failed(&error))?;
        Ok(Self { client, echo, echoes, events })
    }

    /// The servers that the server named, as `host:port`.
    pub(crate) fn discovered(&self) -> Vec<String> {
        self.client.server_info().connect_urls
    }
}

/// An address that nobody listens on.
fn nowhere() -> Result<ServerAddr, String> {
    "nats://127.0.0.1:0".parse().map_err(|error: std::io::Error| error.to_string())
}

/// Lets a client connect once. The client connects again by itself, which can't be turned off, and
/// would publish then what is too old, and subscribe to what is no longer wanted. It gives up when
/// it finds nobody at the second address.
fn once(server: ServerAddr, nowhere: ServerAddr) -> impl Fn() -> ReconnectToServer + Send + Sync + 'static {
    let was_called = AtomicBool::new(false);
    move || {
        let addr = if was_called.swap(true, Ordering::Relaxed) { &nowhere } else { &server };
        ReconnectToServer { addr: addr.clone(), delay: Some(Duration::ZERO) }
    }
}

async fn options(
    settings: &Settings,
    events: &Arc<Events>,
    next: impl Fn() -> ReconnectToServer + Send + Sync + 'static,
) -> Result<ConnectOptions, String> {
    let tls = settings.tls.clone();
    // It may read files. Also an address without TLS needs it, since the server may require TLS.
    let config = tokio::task::spawn_blocking(move || tls.config()).await.map_err(|error| error.to_string())?;
    let events = Arc::clone(events);
    let options = ConnectOptions::new()
        .name("socketio-nats")
        .connection_timeout(CONNECT_TIMEOUT)
        .ping_interval(PING_INTERVAL)
        .client_capacity(COMMANDS)
        .subscription_capacity(settings.pending)
        // They are made of valid tokens.
        .skip_subject_validation(true)
        .ignore_discovered_servers()
        .retain_servers_order()
        .max_reconnects(1)
        .reconnect_delay_callback(|_| Duration::ZERO)
        .reconnect_to_server_callback(move |_, _| {
            let next = next();
            async move { Some(next) }
        })
        .event_callback(move |event| {
            events.note(event);
            async {}
        })
        .tls_client_config(config.map_err(|error| error.to_string())?);
    log_in(options, &settings.login)
}

fn log_in(mut options: ConnectOptions, login: &Login) -> Result<ConnectOptions, String> {
    if let Some(token) = &login.token {
        options = options.token(token.clone());
    }
    if login.user.is_some() || login.password.is_some() {
        let (user, password) = (login.user.clone(), login.password.clone());
        options = options.user_and_password(user.unwrap_or_default(), password.unwrap_or_default());
    }
    #[cfg(feature = "nkeys")]
    {
        if let Some(seed) = &login.nkey {
            options = options.nkey(seed.clone());
        }
        if let Some(credentials) = &login.credentials {
            options = options.credentials(credentials).map_err(|error| error.to_string())?;
        }
    }
    Ok(options)
}
