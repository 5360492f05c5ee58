//! [`Reauthentication`]: the settings for clients whose proof of identity runs out.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::build_error::BuildProblem;
use crate::event::message::Event;
use crate::event::rate_limit::RateLimit;
use crate::hooks::catch::catch;
use crate::hooks::guarded::Guarded;
use crate::hub::socket::Socket;

/// The event with which the server asks for a new proof of identity, and with which clients send
/// it.
pub const REAUTHENTICATE: &str = "reauthenticate";

/// What happens to a client whose proof of identity runs out: the setting
/// [`HubBuilder::reauthentication`](crate::HubBuilder::reauthentication).
///
/// ```
/// use socketio::{AfterExpiry, Hub, Reauthentication, Socket};
/// use std::time::Duration;
///
/// let settings = Reauthentication::new()
///     .ask_before(Duration::from_secs(120))
///     .on_expired(|socket: &Socket| {
///         socket.leave("members");
///         socket.set_attribute("user", ());
///         AfterExpiry::Keep
///     });
/// let hub = Hub::builder().reauthentication(settings).build()?;
/// # Ok::<(), socketio::BuildError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "it is passed to `HubBuilder::reauthentication`"]
pub struct Reauthentication {
    pub(crate) ask_before: Duration,
    pub(crate) grace: Duration,
    pub(crate) rate_limit: RateLimit,
    on_expired: Option<OnExpired>,
}

/// What happens to a socket after the hook of
/// [`on_expired`](Reauthentication::on_expired).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterExpiry {
    /// It leaves its namespace. The connection of a plain WebSocket closes with code 3000.
    Disconnect,
    /// It stays, without an expiry. The hook has taken away what needs a proof of identity.
    Keep,
}

/// A hook of the application.
#[derive(Clone)]
struct OnExpired(Arc<dyn Fn(&Socket) -> AfterExpiry + Send + Sync>);

impl fmt::Debug for OnExpired {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("OnExpired")
    }
}

impl Default for Reauthentication {
    fn default() -> Self {
        Self {
            ask_before: Duration::from_secs(60),
            grace: Duration::from_secs(10),
            rate_limit: RateLimit::per_minute(10),
            on_expired: None,
        }
    }
}

impl Reauthentication {
    /// The default settings.
    pub fn new() -> Self {
        Self::default()
    }

    /// How long before the expiry the client is asked for a new proof. A proof that is valid for
    /// less than twice this time is asked for when half of its time is over. Default: 60 s.
    pub fn ask_before(mut self, time: Duration) -> Self {
        self.ask_before = time;
        self
    }

    /// How long after the expiry a decision may still run that began before it. Until then the old
    /// identity stays in force. Default: 10 s.
    pub fn grace(mut self, time: Duration) -> Self {
        self.grace = time;
        self
    }

    /// How often each client may send a new proof, valid or not. One that comes while another is
    /// being decided is dropped as well. Default: 10 a minute.
    pub fn rate_limit(mut self, limit: RateLimit) -> Self {
        self.rate_limit = limit;
        self
    }

    /// Calls `hook` for each socket whose proof of identity has run out. It decides whether the
    /// socket stays, and runs on the connection's task, so it must not block. If it panics, the
    /// socket is disconnected. Default: the socket is disconnected.
    pub fn on_expired(mut self, hook: impl Fn(&Socket) -> AfterExpiry + Send + Sync + 'static) -> Self {
        let hook = Guarded::new(hook);
        self.on_expired = Some(OnExpired(Arc::new(move |socket| (*hook)(socket))));
        self
    }

    /// Lets the application decide about a socket whose proof of identity has run out.
    pub(crate) fn expired(&self, socket: &Socket) -> AfterExpiry {
        let Some(OnExpired(hook)) = &self.on_expired else { return AfterExpiry::Disconnect };
        catch(|| hook(socket)).unwrap_or_else(|_panicked| {
            tracing::error!(socket = %socket.id(), "the hook for an expired identity panicked");
            AfterExpiry::Disconnect
        })
    }

    pub(super) fn check(&self, problems: &mut Vec<BuildProblem>) {
        if self.ask_before < Duration::from_millis(1) {
            let given = format!("{:?}", self.ask_before);
            problems.push(BuildProblem::setting("reauthentication.ask_before", given, "1 ms or more"));
        }
    }
}

/// The server asks for a new proof of identity.
#[derive(Clone, Copy, Debug, serde::Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[cfg_attr(feature = "asyncapi", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub(crate) struct ReauthenticationRequest {
    /// The time until the current proof runs out, in milliseconds. `null`: it does not run out.
    pub(crate) expires_in: Option<u64>,
}

impl Event for ReauthenticationRequest {
    const NAME: &'static str = REAUTHENTICATE;
    const DOC: &'static str = "The server asks for a new proof of identity. The client sends it as an event of the \
                               same name.";
}
