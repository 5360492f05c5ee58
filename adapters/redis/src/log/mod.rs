//! [`Log`]: a stream of Redis that all servers read, and the sessions beside it.
//!
//! - [`commands`] writes the commands, and [`entry`] reads entries.
//! - [`reader`] delivers the entries. [`continuity`] decides whether some may be lost.
//! - [`queries`] reads again what a client has missed.
//! - [`upkeep`] removes old entries, and finds out how far the stream reaches back.

mod commands;
mod continuity;
mod entry;
mod queries;
mod reader;
mod upkeep;

use parking_lot::Mutex;
use socketio::cluster::Offset;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

pub(crate) use commands::Settings;
use continuity::Place;
use queries::Queries;
pub(crate) use reader::LogReader;

/// For how long entries are kept, unless the hub says it.
const RETAINED: Duration = Duration::from_secs(300);
/// For how long sessions are kept, unless the hub says it.
const SESSIONS: Duration = Duration::from_secs(120);

/// A stream, and what outlives the connections to it. Cloning is cheap.
#[derive(Clone, Default)]
pub(crate) struct Log {
    settings: Arc<Settings>,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    retention: Mutex<Retention>,
    position: Mutex<Position>,
    reach: Mutex<Reach>,
    /// The size of the entries that were read last, on average, in bytes.
    entry_size: AtomicUsize,
    queries: Queries,
}

#[derive(Clone, Copy)]
struct Retention {
    entries: Duration,
    sessions: Duration,
}

impl Default for Retention {
    fn default() -> Self {
        Self { entries: RETAINED, sessions: SESSIONS }
    }
}

#[derive(Clone, Copy, Default)]
struct Position {
    /// Up to where entries were delivered, since the first connection.
    place: Option<Place>,
    /// What came before this may be lost although later entries are there: Redis has fallen back to
    /// an older state.
    trusted_from: Offset,
}

#[derive(Default)]
struct Reach {
    /// How far the stream reaches back, if its length limits that.
    reach: Option<Duration>,
    /// That is less than entries should be kept.
    is_short: bool,
}

impl Log {
    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    pub(crate) fn settings_mut(&mut self) -> &mut Settings {
        Arc::make_mut(&mut self.settings)
    }

    /// Sets for how long entries and sessions are kept.
    pub(crate) fn retain(&self, entries: Duration, sessions: Duration) {
        *self.shared.retention.lock() = Retention { entries, sessions };
    }

    /// For how long sessions are kept.
    pub(crate) fn session_time(&self) -> Duration {
        self.shared.retention.lock().sessions
    }

    pub(crate) fn reach(&self) -> Option<Duration> {
        self.shared.reach.lock().reach
    }
}
