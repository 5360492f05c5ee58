//! Connection state recovery: a client whose connection was cut resumes its session, and receives
//! what it has missed.
//!
//! If it is on, each namespace has a [`RecoveryOf`](namespace::RecoveryOf). It numbers and
//! [logs](log) what is emitted, and keeps the [sessions](sessions) of clients that are cut off.
//! [`resuming`] gives a session to the client that comes back.
//!
//! If the engine of the hub's cluster has a log, that log is used, and the engine stores the
//! sessions. Then a client can resume its session at any server: see [`shared`].

mod block;
pub(crate) mod history;
pub(crate) mod log;
pub(crate) mod namespace;
pub(crate) mod reliable;
pub(crate) mod resuming;
pub(crate) mod session;
pub(crate) mod sessions;
#[cfg(feature = "cluster")]
pub(crate) mod shared;
#[cfg(not(feature = "cluster"))]
#[path = "not_shared.rs"]
pub(crate) mod shared;
mod unlogged;

use std::time::Duration;

use super::build_error::BuildProblem;
use super::config::Config;

/// The settings of [`HubBuilder::recovery`](crate::HubBuilder::recovery): how long, and how many
/// messages and sessions are kept for clients whose connection was cut.
///
/// ```
/// use socketio::{Hub, Recovery};
/// use std::time::Duration;
///
/// let recovery = Recovery::new().max_disconnection(Duration::from_secs(300)).max_bytes(64 << 20);
/// let hub = Hub::builder().recovery(recovery).build()?;
/// # Ok::<(), socketio::BuildError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "it is passed to `HubBuilder::recovery`"]
pub struct Recovery {
    pub(crate) max_disconnection: Duration,
    pub(crate) max_bytes: usize,
    pub(crate) max_packets: usize,
    pub(crate) max_sessions: usize,
    pub(crate) skip_middleware: bool,
    pub(crate) persist: Persist,
}

/// When the sessions of clients are stored in a cluster whose engine has a
/// [log](crate::cluster::EventLog): the setting [`Recovery::persist`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Persist {
    /// When the connection was cut. A server that crashes takes the sessions of its clients with
    /// it.
    #[default]
    AtEnd,
    /// Also while the client is connected: when it connects, 50 ms after its rooms or attributes
    /// have changed, and twice in each [`max_disconnection`](Recovery::max_disconnection). Sessions
    /// survive the crash of their server.
    Eager,
}

impl Default for Recovery {
    fn default() -> Self {
        Self {
            max_disconnection: Duration::from_secs(120),
            max_bytes: 16 << 20,
            max_packets: 100_000,
            max_sessions: 100_000,
            skip_middleware: false,
            persist: Persist::AtEnd,
        }
    }
}

impl Recovery {
    /// The default settings.
    pub fn new() -> Self {
        Self::default()
    }

    /// How long a session is kept after its connection was cut. Default: 120 s.
    ///
    /// Messages are kept for the [`ping_interval`](crate::HubBuilder::ping_interval) and the
    /// [`ping_timeout`](crate::HubBuilder::ping_timeout) longer: until then the server may not have
    /// noticed that a client is gone.
    pub fn max_disconnection(mut self, time: Duration) -> Self {
        self.max_disconnection = time;
        self
    }

    /// The size of the kept messages of one namespace, in bytes. The oldest are dropped first, in
    /// blocks of 64 KiB, or of 1/32 of this size if that is less. A client that has missed one of
    /// these gets a new session. Default: 16 MiB.
    pub fn max_bytes(mut self, bytes: usize) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// The number of kept messages of one namespace, like [`max_bytes`](Self::max_bytes). Default:
    /// 100,000.
    pub fn max_packets(mut self, packets: usize) -> Self {
        self.max_packets = packets;
        self
    }

    /// The number of kept sessions of one namespace. The oldest are dropped first. Sessions of
    /// connected clients do not count. Default: 100,000.
    pub fn max_sessions(mut self, sessions: usize) -> Self {
        self.max_sessions = sessions;
        self
    }

    /// Whether a client that resumes its session bypasses the
    /// [middleware](crate::NamespaceBuilder::middleware). The `connect` handler always runs.
    /// Default: no, so that middleware can refuse a user who was locked out meanwhile.
    pub fn skip_middleware(mut self, skip: bool) -> Self {
        self.skip_middleware = skip;
        self
    }

    /// When sessions are stored in the cluster. It needs an engine with a log, such as
    /// `RedisStreams`. Default: [`Persist::AtEnd`].
    pub fn persist(mut self, persist: Persist) -> Self {
        self.persist = persist;
        self
    }

    /// For how long messages are kept: until a client that was cut off has been noticed, and its
    /// session has expired.
    pub(crate) fn retained(&self, config: &Config) -> Duration {
        self.max_disconnection + config.ping_interval + config.ping_timeout
    }

    pub(super) fn check(&self, problems: &mut Vec<BuildProblem>) {
        for (setting, number, unit) in [
            ("recovery.max_bytes", self.max_bytes, " bytes"),
            ("recovery.max_packets", self.max_packets, ""),
            ("recovery.max_sessions", self.max_sessions, ""),
        ] {
            if number == 0 {
                problems.push(BuildProblem::setting(setting, format!("0{unit}"), "1 or more"));
            }
        }
        if self.max_disconnection < Duration::from_millis(1) {
            let given = format!("{:?}", self.max_disconnection);
            problems.push(BuildProblem::setting("recovery.max_disconnection", given, "1 ms or more"));
        }
    }
}

/// Whether a client has resumed an earlier session: the result of
/// [`Socket::recovery`](crate::Socket::recovery).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RecoveryState {
    /// A new session. The client did not try to resume one, or recovery is off.
    New,
    /// The client has resumed its session, with its id, rooms and attributes.
    Restored {
        /// How many messages the client had missed. They are sent to it in order, before all later
        /// ones.
        missed: usize,
    },
    /// A new session. The client tried to resume one, but that was not possible. Its client may
    /// have missed messages.
    Failed(RecoveryFailure),
}

/// Why a session was not resumed. The client is only told that it has a new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum RecoveryFailure {
    /// The client came back later than
    /// [`max_disconnection`](Recovery::max_disconnection) after its connection was cut.
    #[error("the session has expired")]
    Expired,
    /// Some of the messages that the client has missed are no longer known, or they are more than
    /// the [`outbox`](crate::HubBuilder::outbox) takes.
    #[error("missed messages are no longer known, or too many")]
    Trimmed,
    /// There is no session with this token, or the offset is not one that the client can have. The
    /// session may have ended on purpose.
    #[error("the token or the offset is unknown")]
    Unknown,
    /// The offset is of another server, or of this one before it was restarted.
    #[error("the offset is of another server or of an earlier run")]
    Epoch,
    /// Another connection is resuming the session, or its id is in use.
    #[error("the session is taken")]
    Taken,
    /// The client's proof of identity has run out: see
    /// [`Socket::expires_at`](crate::Socket::expires_at). Or the cluster stores the session, and it
    /// was ended by [`disconnect_where`](crate::Namespace::disconnect_where).
    #[error("the proof of identity has run out")]
    Unauthorized,
    /// The cluster that stores the sessions can't be reached.
    #[error("the cluster can't be reached")]
    Unavailable,
}

impl RecoveryFailure {
    /// All failures, in their order.
    pub(crate) const ALL: [Self; 7] =
        [Self::Expired, Self::Trimmed, Self::Unknown, Self::Epoch, Self::Taken, Self::Unauthorized, Self::Unavailable];
}
