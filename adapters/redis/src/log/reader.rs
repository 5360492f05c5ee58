//! [`LogReader`]: a connection that waits for entries, and delivers them.

use bytes::Bytes;
use socketio::cluster::{GapReason, Inbox, Offset};
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::io::{AsyncWriteExt, WriteHalf};
use tokio::time::timeout;

use super::Log;
use super::commands::write;
use super::continuity::{Loss, Place, StreamInfo, continuation};
use super::entry::{Head, RawEntry, entries};
use crate::incoming::Reader;
use crate::resp::{self, Unparsed};
use crate::stream::{COMMAND_TIMEOUT, Found, Stream, text};
use crate::tls::Tls;

/// How many bytes of entries are read at once. There may be more, since their number is chosen from
/// the size of those before.
const BATCH_BYTES: usize = 4 << 20;
/// An entry of this size is looked up after each read without much cost.
const SMALL: usize = 1 << 10;

/// A connection that reads the log.
///
/// With each read it asks whether an entry is there that it has read before. If it is not, entries
/// may have been removed before they were read.
pub(crate) struct LogReader {
    log: Log,
    reader: Reader,
    writer: WriteHalf<Stream>,
    /// Up to where entries were delivered.
    place: Place,
    /// A gap after this entry was reported.
    reported: Option<Offset>,
    /// The entry that is looked up: the last one, or a small one not long before it.
    witness: Offset,
    /// How many entries are read at once.
    count: usize,
    bytes: Vec<u8>,
    entries: Vec<(RawEntry, Bytes)>,
}

impl LogReader {
    /// Connects, and finds out where to go on. Also returns why entries may be lost.
    pub(crate) async fn open(log: &Log, found: &mut Found, tls: &Tls) -> Result<(Self, Option<GapReason>), String> {
        let stream = found.connect(tls).await?;
        let (reader, writer) = stream.split();
        let position = *log.shared.position.lock();
        let mut this = Self {
            log: log.clone(),
            reader: Reader::new(reader),
            writer,
            place: position.place.unwrap_or_default(),
            reported: None,
            witness: Offset::default(),
            count: log.settings.read_count,
            bytes: Vec::new(),
            entries: Vec::new(),
        };
        let restart = this.last_snapshot().await?;
        let gap = if position.place.is_some() {
            this.check().await?
        } else {
            let stream = this.stream_info().await?;
            this.place = stream.map_or(Place::BEGINNING, |stream| stream.end());
            None
        };
        this.witness = this.place.last;
        let mut position = log.shared.position.lock();
        position.place = Some(this.place);
        position.trusted_from = position.trusted_from.max(restart.unwrap_or_default());
        Ok((this, gap))
    }

    /// Delivers entries until the connection fails. Returns why.
    pub(crate) async fn run(&mut self, inbox: &Inbox) -> String {
        loop {
            if let Err(reason) = self.step(inbox).await {
                return reason;
            }
        }
    }

    async fn step(&mut self, inbox: &Inbox) -> Result<(), String> {
        self.bytes.clear();
        self.log.settings.read(&mut self.bytes, self.place.last, self.count);
        // It is executed after the entries were read. So if the entry is there, they are complete.
        self.log.settings.range(&mut self.bytes, self.witness, self.witness, 1);
        self.send().await?;
        let patience = self.log.settings.block + COMMAND_TIMEOUT;
        let entries_follow = match self.parse(Head::parse, patience).await?.0 {
            Head::Entries(count) => count,
            Head::Failed(error) => return Err(self.failed(&error)),
        };
        self.entries.clear();
        for _ in 0..entries_follow {
            let entry = self.parse(RawEntry::parse, COMMAND_TIMEOUT).await?;
            self.entries.push(entry);
        }
        let is_witnessed = self.has_entry().await?;
        if !is_witnessed {
            let before = self.place;
            if let Some(reason) = self.check().await? {
                inbox.gap(reason);
            }
            if self.place != before {
                // What is known of the stream may be later than what was read.
                self.place.added = self.place.added.filter(|_| self.entries.is_empty());
            }
        }
        self.deliver(inbox);
        Ok(())
    }

    /// Delivers the entries that were read.
    fn deliver(&mut self, inbox: &Inbox) {
        let Some((last, bytes)) = self.entries.last() else { return };
        if let Some(offset) = last.offset(bytes) {
            let added = self.place.added.map(|added| added + self.entries.len() as u64);
            self.place = Place { last: offset, added };
        }
        inbox.deliver_together(|| {
            for (entry, bytes) in &self.entries {
                match entry.read(bytes) {
                    Ok(entry) => inbox.deliver_entry(entry),
                    Err(_) => inbox.malformed(bytes),
                }
            }
        });
        let small = self.entries.iter().rev().find(|(_, bytes)| bytes.len() <= SMALL);
        self.witness = small.and_then(|(entry, bytes)| entry.offset(bytes)).unwrap_or(self.place.last);
        self.log.shared.position.lock().place = Some(self.place);
        let length: usize = self.entries.iter().map(|(_, bytes)| bytes.len()).sum();
        let average = length.div_ceil(self.entries.len());
        self.log.shared.entry_size.store(average, Ordering::Relaxed);
        self.count = (BATCH_BYTES / average).clamp(1, self.log.settings.read_count.min(self.count * 2));
        // They keep what was read in memory.
        self.entries.clear();
    }

    /// Finds out whether entries may be lost after the last one, and where to go on.
    async fn check(&mut self) -> Result<Option<GapReason>, String> {
        self.bytes.clear();
        self.log.settings.range(&mut self.bytes, self.place.last, self.place.last, 1);
        self.log.settings.info(&mut self.bytes);
        self.send().await?;
        let is_there = self.has_entry().await?;
        let stream = self.read_info().await?;
        let (place, loss) = continuation(self.place, is_there, stream.as_ref());
        let mut position = self.log.shared.position.lock();
        if loss == Some(Loss::Reset) {
            position.trusted_from = position.trusted_from.max(self.place.last);
        }
        position.place = Some(place);
        drop(position);
        let is_known = self.reported == Some(self.place.last);
        if is_known || loss.is_some() {
            self.reported = Some(place.last);
        }
        (self.place, self.witness) = (place, place.last);
        let Some(loss) = loss.filter(|_| !is_known) else { return Ok(None) };
        tracing::warn!(stream = self.log.settings.stream, ?loss, "entries of the stream may be lost");
        Ok(Some(GapReason::Trimmed))
    }

    async fn stream_info(&mut self) -> Result<Option<StreamInfo>, String> {
        self.bytes.clear();
        self.log.settings.info(&mut self.bytes);
        self.send().await?;
        self.read_info().await
    }

    async fn read_info(&mut self) -> Result<Option<StreamInfo>, String> {
        let reply = self.reply().await?;
        StreamInfo::read(&reply).map_err(|error| self.failed(&error))
    }

    /// Whether the reply of a command that looks up an entry has it.
    async fn has_entry(&mut self) -> Result<bool, String> {
        let reply = self.reply().await?;
        let found = entries(&reply).map_err(|error| self.failed(&error))?;
        Ok(!found.is_empty())
    }

    fn failed(&self, error: &str) -> String {
        format!("reading the stream {} failed: {error}", self.log.settings.stream)
    }

    /// When Redis last started from a snapshot, in which the end of the stream may be missing.
    /// `None` if it writes all to disk, had no snapshot, or does not tell.
    async fn last_snapshot(&mut self) -> Result<Option<Offset>, String> {
        self.bytes.clear();
        write(&mut self.bytes, &["INFO", "persistence"]);
        write(&mut self.bytes, &["INFO", "server"]);
        write(&mut self.bytes, &["TIME"]);
        self.send().await?;
        let (persistence, server, time) = (self.reply().await?, self.reply().await?, self.reply().await?);
        let seconds = || {
            let had_none = info_field(&persistence, "rdb_last_load_keys_loaded:") == Some(0);
            if had_none || info_field(&persistence, "aof_enabled:")? != 0 {
                return None;
            }
            let up = info_field(&server, "uptime_in_seconds:")?;
            let (time, _) = resp::reply(&time).ok()?;
            time.array()?.first()?.text()?.parse::<u32>().ok()?.checked_sub(up.try_into().ok()?)
        };
        // It was in this second.
        Ok(seconds().map(|second| Offset { epoch: (u64::from(second) + 1) * 1000, number: 0 }))
    }

    async fn send(&mut self) -> Result<(), String> {
        let written = async {
            self.writer.write_all(&self.bytes).await?;
            self.writer.flush().await
        };
        timeout(COMMAND_TIMEOUT, written).await.map_err(|_| "writing timed out".to_owned())?.map_err(text)
    }

    async fn reply(&mut self) -> Result<Bytes, String> {
        let length = |bytes: &[u8]| resp::reply(bytes).map(|(_, length)| ((), length));
        Ok(self.parse(length, COMMAND_TIMEOUT).await?.1)
    }

    /// Parses what comes next. It must begin in time, and may take longer while more of it arrives.
    async fn parse<T>(
        &mut self,
        parse: impl Fn(&[u8]) -> Result<(T, usize), Unparsed>,
        patience: Duration,
    ) -> Result<(T, Bytes), String> {
        loop {
            if let Some(parsed) = self.reader.next(&parse).map_err(text)? {
                return Ok(parsed);
            }
            match timeout(patience, self.reader.read()).await {
                Ok(read) => read.map_err(text)?,
                Err(_) => return Err("the stream was not read in time".into()),
            }
        }
    }
}

/// A number in the reply of `INFO`.
fn info_field(reply: &[u8], name: &str) -> Option<u64> {
    let (reply, _) = resp::reply(reply).ok()?;
    reply.text()?.lines().find_map(|line| line.strip_prefix(name))?.trim().parse().ok()
}
