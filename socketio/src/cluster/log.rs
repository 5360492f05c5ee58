//! [`EventLog`]: the log of an engine that keeps messages, and the sessions of its clients.

use bytes::Bytes;
use std::borrow::Cow;
use std::fmt::Debug;
use std::time::Duration;

use super::BoxFuture;
pub use crate::wire::offset::Offset;

/// The log of an [`Engine`](super::Engine) that keeps messages. All servers of the cluster read the
/// same entries in the same order.
///
/// Messages that are published on [`Topic::Log`](super::Topic::Log) become entries. The engine
/// passes all entries of the log to [`Inbox::deliver_entry`](super::Inbox::deliver_entry), those of
/// this server too. It begins with the first entry after it has connected for the first time.
/// When it has lost its connection, it goes on after the last entry that it has delivered, and
/// reports a [`gap`](super::Inbox::gap) if later entries may have been removed meanwhile.
///
/// Clients that resume their session after a cut ([`Recovery`](crate::Recovery)) get what they have
/// missed from the log. Their sessions are published on [`Topic::Session`](super::Topic::Session),
/// and stored by the engine. They are opaque to it.
pub trait EventLog: Debug + Send + Sync {
    /// Sets for how long the log should reach back, and how long sessions are stored. Entries that
    /// are older may be removed. It is called before the engine is started, and only if the hub has
    /// recovery.
    fn retain(&self, entries: Duration, sessions: Duration);

    /// Takes a session: it is removed, and of several callers one gets it. Also returns the offset
    /// of the last entry of the log at that moment, or the default offset if it has none.
    ///
    /// # Errors
    ///
    /// The engine is not connected, or did not get an answer in time. Contains the reason.
    fn take_session<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Result<(Option<Bytes>, Offset), String>>;

    /// Reads entries after one offset up to another, in order: the first page of them. It reads
    /// those of all namespaces, and returns those of one.
    ///
    /// # Errors
    ///
    /// See [`ReadError`].
    fn read<'a>(&'a self, range: LogRange<'a>) -> BoxFuture<'a, Result<LogPage, ReadError>>;

    /// How far the log reaches back, if its size limits that. `None` if all entries of the retained
    /// time are there, or it is not known yet.
    fn reach(&self) -> Option<Duration>;
}

/// What is read from a log.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct LogRange<'a> {
    /// The namespace of the entries.
    pub namespace: &'a str,
    /// The offset before the first entry. If no entry has it, an engine that can't tell whether
    /// later ones were removed returns [`Trimmed`](ReadError::Trimmed).
    pub after: Offset,
    /// The offset of the last entry. It need not be one of an entry.
    pub to: Offset,
}

impl<'a> LogRange<'a> {
    /// The entries of a namespace after one offset up to another.
    pub fn new(namespace: &'a str, after: Offset, to: Offset) -> Self {
        Self { namespace, after, to }
    }
}

/// Some entries that were read from a log. An engine reads at most a few hundred at a time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogPage {
    /// The entries of the namespace.
    pub entries: Vec<LogEntry<'static>>,
    /// All entries of the namespace up to this offset have been read. The next page is after it. It
    /// is the end of the range, or greater, if there are no more.
    pub up_to: Offset,
}

/// Why entries were not read from a log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// Some of the entries may have been removed from the log. Also if the log has been replaced by
    /// another one, so that the offsets are not its own.
    #[error("some of the entries are no longer in the log")]
    Trimmed,
    /// The engine is not connected, or did not get an answer in time.
    #[error("the log can't be read: {0}")]
    Unavailable(String),
}

/// An entry of the log of an engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEntry<'a> {
    /// Its position in the log.
    pub offset: Offset,
    /// The namespace. It is empty for entries that concern no namespace.
    pub namespace: Cow<'a, str>,
    /// The id of the server that published it. Empty if there is none.
    pub server: Cow<'a, str>,
    /// The type of the message.
    pub kind: u8,
    /// The message, as it was [published](super::Topic::Log): JSON, or MessagePack.
    pub data: Bytes,
}
