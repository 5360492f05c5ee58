//! [`Log`]: what the engines with a log share: its entries, and the sessions of clients.

use bytes::Bytes;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;
use tokio::time::Instant;

use crate::cluster::{LogEntry, LogPage, Offset, ReadError};

/// The number of entries unless the test sets another. It is that of the reference.
const DEFAULT_MAX_ENTRIES: usize = 10_000;

/// The entries, of which the oldest are removed. Offsets are `<milliseconds>-<number>`, and never
/// repeat, also not when the log is replaced.
#[derive(Debug)]
pub(super) struct Log {
    entries: VecDeque<LogEntry<'static>>,
    /// The offset of the last entry that was ever added.
    last: Offset,
    /// All entries with greater offsets are there.
    complete_after: Offset,
    /// The time of the offset `0-0`.
    start: Option<Instant>,
    sessions: BTreeMap<Box<str>, Session>,
    max_entries: usize,
    /// How long entries and sessions are kept. Without recovery, no time limits the entries.
    retained: Option<Duration>,
    session_lifetime: Duration,
    /// Whether the last removal was because of the number of entries.
    is_limited: bool,
}

#[derive(Debug)]
struct Session {
    data: Bytes,
    expires: Instant,
}

/// What is read from the log.
#[derive(Debug)]
pub(super) struct Range {
    pub(super) namespace: Box<str>,
    pub(super) after: Offset,
    pub(super) to: Offset,
}

impl Log {
    pub(super) fn new() -> Self {
        Self {
            entries: VecDeque::new(),
            last: Offset::default(),
            complete_after: Offset::default(),
            start: None,
            sessions: BTreeMap::new(),
            max_entries: DEFAULT_MAX_ENTRIES,
            retained: None,
            session_lifetime: Duration::ZERO,
            is_limited: false,
        }
    }

    /// The longest times that an engine asks for count.
    pub(super) fn retain(&mut self, entries: Duration, sessions: Duration) {
        self.retained = self.retained.max(Some(entries));
        self.session_lifetime = self.session_lifetime.max(sessions);
    }

    fn milliseconds(&mut self, now: Instant) -> u64 {
        let start = *self.start.get_or_insert(now);
        // No entry has the offset `0-0`, which stands for none.
        u64::try_from(now.duration_since(start).as_millis()).unwrap_or(u64::MAX - 1) + 1
    }

    /// Adds an entry, and removes those that are too old or too many.
    pub(super) fn append(
        &mut self,
        namespace: &str,
        server: &str,
        kind: u8,
        data: Bytes,
        now: Instant,
    ) -> LogEntry<'static> {
        let millis = self.milliseconds(now);
        self.last = match self.last {
            Offset { epoch, number } if epoch >= millis => Offset { epoch, number: number + 1 },
            _ => Offset { epoch: millis, number: 0 },
        };
        let (namespace, server) = (namespace.to_owned().into(), server.to_owned().into());
        let entry = LogEntry { offset: self.last, namespace, server, kind, data };
        self.entries.push_back(entry.clone());
        if let Some(retained) = self.retained {
            let oldest = millis.saturating_sub(u64::try_from(retained.as_millis()).unwrap_or(u64::MAX));
            let kept = self.entries.partition_point(|entry| entry.offset.epoch < oldest);
            if kept > 0 {
                self.remove(kept);
                self.is_limited = false;
            }
        }
        self.limit(self.max_entries);
        entry
    }

    fn remove(&mut self, entries: usize) {
        for entry in self.entries.drain(..entries) {
            self.complete_after = entry.offset;
        }
    }

    fn limit(&mut self, entries: usize) {
        if self.entries.len() > entries {
            self.remove(self.entries.len() - entries);
            self.is_limited = true;
        }
    }

    pub(super) fn set_max_entries(&mut self, entries: usize) {
        self.max_entries = entries.max(1);
        self.limit(self.max_entries);
    }

    /// Removes all but the last entries.
    pub(super) fn trim(&mut self, kept: usize) {
        self.remove(self.entries.len().saturating_sub(kept));
    }

    /// Removes everything. Later entries are those of another log.
    pub(super) fn replace(&mut self) {
        self.entries.clear();
        self.sessions.clear();
        self.last = Offset { epoch: self.last.epoch + 1, number: 0 };
        self.complete_after = self.last;
    }

    pub(super) fn last(&self) -> Offset {
        self.last
    }

    pub(super) fn complete_after(&self) -> Offset {
        self.complete_after
    }

    /// The entries with greater offsets.
    pub(super) fn after(&self, offset: Offset) -> impl Iterator<Item = &LogEntry<'static>> {
        self.entries.range(self.entries.partition_point(|entry| entry.offset <= offset)..)
    }

    /// Reads at most this many entries of all namespaces.
    pub(super) fn read(&self, range: &Range, most: usize) -> Result<LogPage, ReadError> {
        if range.after < self.complete_after {
            return Err(ReadError::Trimmed);
        }
        let mut page = LogPage { entries: Vec::new(), up_to: range.to.max(range.after) };
        for (count, entry) in self.after(range.after).take_while(|entry| entry.offset <= range.to).enumerate() {
            if count == most {
                break;
            }
            if entry.namespace == *range.namespace {
                page.entries.push(entry.clone());
            }
            page.up_to = if count + 1 == most { entry.offset } else { range.to };
        }
        Ok(page)
    }

    /// How far the log reaches back, if the number of entries limits that.
    pub(super) fn reach(&self, now: Instant) -> Option<Duration> {
        let (oldest, start) = (self.entries.front()?, self.start?);
        let age = now.duration_since(start).saturating_sub(Duration::from_millis(oldest.offset.epoch - 1));
        (self.is_limited && self.retained.is_some_and(|retained| age < retained)).then_some(age)
    }

    /// Stores a session, or removes it if there is no data.
    pub(super) fn store_session(&mut self, token: &str, data: Bytes, now: Instant) {
        self.sessions.retain(|_, session| session.expires > now);
        if data.is_empty() {
            self.sessions.remove(token);
        } else {
            self.sessions.insert(token.into(), Session { data, expires: now + self.session_lifetime });
        }
    }

    pub(super) fn take_session(&mut self, token: &str, now: Instant) -> Option<Bytes> {
        let session = self.sessions.remove(token)?;
        (session.expires > now).then_some(session.data)
    }

    pub(super) fn sessions(&self) -> usize {
        self.sessions.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(after: Offset, to: Offset) -> Range {
        Range { namespace: "/".into(), after, to }
    }

    fn append(log: &mut Log, now: Instant) -> Offset {
        log.append("/", "a", 3, Bytes::from_static(b"data"), now).offset
    }

    #[test]
    fn offsets_are_times_and_never_repeat() {
        let (mut log, now) = (Log::new(), Instant::now());
        let texts: Vec<_> =
            [0, 0, 7].map(|millis| append(&mut log, now + Duration::from_millis(millis)).to_string()).into();
        assert_eq!(texts, ["1-0", "1-1", "8-0"]);
        log.replace();
        assert_eq!(append(&mut log, now + Duration::from_millis(7)).to_string(), "9-1");
    }

    #[test]
    fn what_may_be_incomplete_is_not_read() {
        let (mut log, now) = (Log::new(), Instant::now());
        let offsets = [(); 3].map(|()| append(&mut log, now));
        let read = |log: &Log, after| log.read(&range(after, offsets[2]), 10).map(|page| page.entries.len());
        assert_eq!(read(&log, Offset::default()), Ok(3));
        log.trim(1);
        assert_eq!((read(&log, offsets[0]), read(&log, offsets[1])), (Err(ReadError::Trimmed), Ok(1)));
        log.replace();
        assert_eq!(read(&log, offsets[2]), Err(ReadError::Trimmed));
    }

    #[test]
    fn pages_are_read_one_after_the_other() {
        let (mut log, now) = (Log::new(), Instant::now());
        let offsets = [(); 3].map(|()| append(&mut log, now));
        log.append("/other", "a", 3, Bytes::from_static(b"data"), now);
        let page = |after| log.read(&range(after, log.last()), 2).map(|page| (page.entries.len(), page.up_to));
        assert_eq!(page(Offset::default()), Ok((2, offsets[1])));
        assert_eq!(page(offsets[1]), Ok((1, log.last())));
        assert_eq!(page(log.last()), Ok((0, log.last())));
    }

    #[test]
    fn old_entries_and_sessions_are_removed() {
        let (mut log, now) = (Log::new(), Instant::now());
        log.retain(Duration::from_secs(10), Duration::from_secs(5));
        let first = append(&mut log, now);
        log.store_session("one", Bytes::from_static(b"1"), now);
        log.store_session("two", Bytes::from_static(b"2"), now);
        assert_eq!(log.take_session("one", now + Duration::from_secs(4)), Some(Bytes::from_static(b"1")));
        assert_eq!(log.take_session("one", now + Duration::from_secs(4)), None);
        assert_eq!(log.take_session("two", now + Duration::from_secs(5)), None);
        append(&mut log, now + Duration::from_secs(10));
        assert_eq!((log.entries.len(), log.reach(now)), (2, None));
        append(&mut log, now + Duration::from_secs(11));
        assert_eq!((log.entries.len(), log.complete_after()), (2, first));
        log.set_max_entries(2);
        append(&mut log, now + Duration::from_secs(12));
        assert_eq!(log.reach(now + Duration::from_secs(12)), Some(Duration::from_secs(1)));
    }
}
