//! [`Queries`]: the connection on which sessions are taken, and entries are read again for clients
//! that resume. It is opened when it is needed.

use base64::Engine as _;
use bytes::Bytes;
use parking_lot::Mutex;
use socketio::cluster::{LogEntry, LogPage, LogRange, Offset, ReadError};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::Log;
use super::continuity::StreamInfo;
use super::entry::{BASE64, entries};
use crate::commands::Commands;
use crate::resp::{self, Reply};
use crate::stream::Found;
use crate::tls::Tls;

/// How many queries are sent at a time. The others wait.
const AT_A_TIME: usize = 32;
/// How long a query may take, with the time it waits.
const QUERY_TIMEOUT: Duration = Duration::from_secs(10);
/// How many entries are read at once.
const PAGE: usize = 250;
/// How many bytes of entries are read at once, if they are as large as those that were read last.
const PAGE_BYTES: usize = 1 << 20;

pub(super) struct Queries {
    /// Where to connect, while the engine is connected.
    server: Mutex<Option<Arc<Connection>>>,
    permits: Semaphore,
}

impl Default for Queries {
    fn default() -> Self {
        Self { server: Mutex::default(), permits: Semaphore::new(AT_A_TIME) }
    }
}

/// A connection that is opened when it is needed.
struct Connection {
    found: Found,
    tls: Tls,
    open: tokio::sync::Mutex<Option<Arc<Commands>>>,
}

impl Connection {
    async fn get(&self) -> Result<Arc<Commands>, String> {
        let mut open = self.open.lock().await;
        if let Some(commands) = &*open
            && !commands.closed().is_cancelled()
        {
            return Ok(Arc::clone(commands));
        }
        let commands = Arc::new(Commands::new(self.found.clone().connect(&self.tls).await?));
        *open = Some(Arc::clone(&commands));
        Ok(commands)
    }
}

impl Log {
    /// Sets where sessions and entries are read: the server to which the engine is connected.
    pub(crate) fn set_server(&self, server: Option<(Found, Tls)>) {
        let open = tokio::sync::Mutex::default();
        *self.shared.queries.server.lock() = server.map(|(found, tls)| Arc::new(Connection { found, tls, open }));
    }

    /// Sends commands, and returns their replies.
    pub(super) async fn query(&self, commands: usize, write: impl FnOnce(&mut Vec<u8>)) -> Result<Vec<Bytes>, String> {
        let queries = &self.shared.queries;
        let asked = async {
            let _permit = queries.permits.acquire().await;
            let server = queries.server.lock().clone();
            let connection = server.ok_or("not connected")?.get().await?;
            connection.ask(commands, write).await
        };
        timeout(QUERY_TIMEOUT, asked).await.unwrap_or_else(|_| Err("no reply in time".into()))
    }

    /// Takes a session. Also returns the offset of the last entry at that moment.
    pub(crate) async fn take_session(&self, token: &str) -> Result<(Option<Bytes>, Offset), String> {
        let replies = self.query(5, |bytes| self.settings.take_session(bytes, token)).await?;
        let last = replies.last().map(Bytes::as_ref).unwrap_or_default();
        let (reply, _) = resp::reply(last).map_err(|malformed| malformed.to_string())?;
        let reply = reply.ok()?;
        let Some([session, _, end]) = reply.array() else { return Err("an unexpected reply of EXEC".into()) };
        let session = match session.clone().ok()? {
            Reply::Bulk(Some(session)) => BASE64.decode(session).ok().map(Bytes::from),
            _ => None,
        };
        let end = match end.clone().ok()? {
            Reply::Array(entries) => {
                let last = entries.first().and_then(|entry| Offset::parse(entry.array()?.first()?.text()?));
                last.unwrap_or_default()
            }
            _ => Offset::default(),
        };
        Ok((session, end))
    }

    /// Reads a page of the entries of a namespace.
    pub(crate) async fn read(&self, range: LogRange<'_>) -> Result<LogPage, ReadError> {
        let LogRange { namespace, after, to, .. } = range;
        if after > to || after < self.shared.position.lock().trusted_from {
            return Err(ReadError::Trimmed);
        }
        let size = self.shared.entry_size.load(Ordering::Relaxed).max(1);
        let count = (PAGE_BYTES / size).clamp(2, PAGE);
        // The entry before the first one is read too. While it is there, no later one was removed.
        let replies = self.query(1, |bytes| self.settings.range(bytes, after, to, count)).await;
        let reply = replies.map_err(ReadError::Unavailable)?.pop().unwrap_or_default();
        let entries = entries(&reply).map_err(ReadError::Unavailable)?;
        let offsets = || entries.iter().filter_map(|(entry, bytes)| entry.offset(bytes));
        let first = offsets().next();
        if first != Some(after) {
            self.is_complete_after(after, first.is_some()).await?;
        }
        let up_to = if entries.len() < count { to } else { offsets().last().unwrap_or(to) };
        let later = entries.iter().skip(usize::from(first == Some(after)));
        let wanted = later.filter(|(entry, bytes)| entry.namespace(bytes) == Some(namespace));
        let entries = wanted.filter_map(|(entry, bytes)| entry.read(bytes).ok()).map(owned).collect();
        Ok(LogPage { entries, up_to })
    }

    /// Decides whether all entries after an offset are there, of which there is no entry.
    async fn is_complete_after(&self, after: Offset, has_later: bool) -> Result<(), ReadError> {
        let replies = self.query(1, |bytes| self.settings.info(bytes)).await.map_err(ReadError::Unavailable)?;
        let info = StreamInfo::read(replies.first().unwrap_or(&Bytes::new())).map_err(ReadError::Unavailable)?;
        let is_complete = match info {
            // There was no entry yet.
            Some(stream) if after == Offset::default() => stream.is_whole() == Some(true),
            None if after == Offset::default() => true,
            // The oldest entries are removed first.
            Some(stream) if stream.first.is_some_and(|first| first < after) => after <= stream.last,
            // None came after it, and it was removed.
            Some(stream) => !has_later && stream.last == after,
            None => false,
        };
        if is_complete { Ok(()) } else { Err(ReadError::Trimmed) }
    }
}

fn owned(entry: LogEntry<'_>) -> LogEntry<'static> {
    let LogEntry { offset, namespace, server, kind, data } = entry;
    // The data must not keep the others of the page in memory.
    let data = Bytes::copy_from_slice(&data);
    LogEntry { offset, namespace: namespace.into_owned().into(), server: server.into_owned().into(), kind, data }
}
