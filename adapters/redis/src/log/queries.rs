//! [`Queries`]: the connection on which sessions are taken, and entries are read again for clients
//! that resume. It is opened when it is needed.

use base64::Engine as _;
use bytes::Bytes;
use parking_lot::Mutex;
use socketio::cluster::{LogEntry, LogRange, Offset, ReadError};
use std::sync::Arc;
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
const PAGE: usize = 500;
/// How many entries are read first, while their size is not known.
const FIRST_PAGE: usize = 100;
/// How many bytes of entries are read at once, about.
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

    /// Reads entries of a namespace.
    pub(crate) async fn read(&self, range: LogRange<'_>) -> Result<Vec<LogEntry<'static>>, ReadError> {
        let LogRange { namespace, after, to, max_entries, max_bytes, .. } = range;
        if after > to || after < self.shared.position.lock().trusted_from {
            return Err(ReadError::Trimmed);
        }
        let mut found = Vec::new();
        let (mut length, mut page) = (0, FIRST_PAGE);
        // Each page begins with an entry that is known. While it is there, no later one was removed.
        let mut known = after;
        loop {
            let replies = self.query(1, |bytes| self.settings.range(bytes, known, to, page)).await;
            let reply = replies.map_err(ReadError::Unavailable)?.pop().unwrap_or_default();
            let entries = entries(&reply).map_err(ReadError::Unavailable)?;
            let is_last_page = entries.len() < page;
            let first = entries.first().and_then(|(entry, bytes)| entry.offset(bytes));
            if first != Some(known) {
                self.is_complete_after(known, first.is_some()).await?;
            }
            for (entry, bytes) in &entries {
                let Some(offset) = entry.offset(bytes).filter(|offset| *offset > known) else { continue };
                known = offset;
                if entry.namespace(bytes) != Some(namespace) {
                    continue;
                }
                let Ok(entry) = entry.read(bytes) else { continue };
                length += entry.data.len();
                if found.len() == max_entries || length > max_bytes {
                    return Err(ReadError::TooMany);
                }
                found.push(owned(entry));
            }
            if is_last_page || known >= to {
                return Ok(found);
            }
            page = (PAGE_BYTES * page / reply.len().max(1)).clamp(2, PAGE);
        }
    }

    /// Decides whether all entries after an offset are there, of which there is no entry.
    async fn is_complete_after(&self, after: Offset, has_later: bool) -> Result<(), ReadError> {
        let replies = self.query(1, |bytes| self.settings.info(bytes)).await.map_err(ReadError::Unavailable)?;
        let info = StreamInfo::read(replies.first().unwrap_or(&Bytes::new())).map_err(ReadError::Unavailable)?;
        let is_complete = match info {
            // There was no entry yet.
            Some(stream) if after == Offset::default() => stream.is_whole() == Some(true),
            None if after == Offset::default() => true,
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
