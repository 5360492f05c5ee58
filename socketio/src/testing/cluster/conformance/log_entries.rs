//! Cases about what is read from a log, and the sessions that are stored with it. They use engines
//! without hubs.

use std::time::Duration;

use super::case::{CaseResult, case_table, ensure, ensure_eq};
use super::requirements::{ENTRIES, SESSIONS};
use super::scene::Scene;
use crate::cluster::{Engine, EventLog, LogEntry, LogRange, Offset, ReadError, Topic};
use crate::testing::cluster::{Recorded, Recorder, batch};

case_table! {
    ENTRIES, Log, entries_of_a_namespace_are_read;
    ENTRIES, Log, many_entries_are_read_in_pages;
    ENTRIES, TrimLog, a_range_whose_entries_were_removed_is_refused;
    ENTRIES, ReplaceLog, a_range_of_a_replaced_log_is_refused;
    ENTRIES, Log, nothing_is_read_without_a_connection;
    SESSIONS, Log, a_session_is_taken_by_one;
    SESSIONS, Log, a_session_is_replaced_and_removed;
}

/// The namespace and data of an entry.
type Event<'a> = (&'a str, &'a str);

/// An engine that is connected, without a hub.
struct Reader {
    engine: Box<dyn Engine>,
    recorder: Recorder,
}

impl Reader {
    async fn new(scene: &Scene<'_>, name: &str) -> CaseResult<Self> {
        let engine = scene.engine(name);
        engine.log().ok_or("the engine has no log")?.retain(Duration::from_secs(60), Duration::from_secs(60));
        let (inbox, mut recorder) = Recorder::new();
        engine.start(inbox);
        recorder.until(|recorded| *recorded == Recorded::Connected).await;
        Ok(Self { engine, recorder })
    }

    fn log(&self) -> CaseResult<&dyn EventLog> {
        self.engine.log().ok_or_else(|| "the engine has no log".into())
    }

    /// Publishes entries, and waits until they have been read.
    async fn add(&mut self, events: &[Event<'_>]) -> CaseResult<Vec<LogEntry<'static>>> {
        let topic = |namespace| Topic::Log { namespace, server: "me", kind: 3 };
        let messages = events.iter().map(|(namespace, data)| (topic(*namespace), data.as_bytes()));
        self.engine.publish(&batch(messages)).await?;
        let mut entries = Vec::new();
        for (namespace, data) in events {
            let Recorded::Entry(entry) = self.recorder.until(|recorded| matches!(recorded, Recorded::Entry(_))).await
            else {
                return Err("what was recorded is no entry".into());
            };
            let read = (&*entry.namespace, &*entry.server, entry.kind, &*entry.data);
            ensure_eq!(read, (*namespace, "me", 3, data.as_bytes()), "the entry");
            entries.push(entry);
        }
        Ok(entries)
    }

    /// Reads all pages.
    async fn read(&self, namespace: &str, mut after: Offset, to: Offset) -> CaseResult<Vec<LogEntry<'static>>> {
        let mut entries = Vec::new();
        loop {
            let page = self.log()?.read(LogRange::new(namespace, after, to)).await?;
            entries.extend(page.entries);
            if page.up_to >= to {
                return Ok(entries);
            }
            ensure!(page.up_to > after, "the page after {after} ends at {}", page.up_to);
            after = page.up_to;
        }
    }

    async fn store(&self, token: &str, session: &str) -> CaseResult {
        let topic = Topic::Session { namespace: "/", token };
        Ok(self.engine.publish(&batch([(topic, session.as_bytes())])).await?)
    }

    async fn take(&self, token: &str) -> CaseResult<Option<String>> {
        let (session, _) = self.log()?.take_session(token).await?;
        Ok(session.map(|session| String::from_utf8_lossy(&session).into_owned()))
    }
}

const EVENTS: [Event<'static>; 6] = [
    ("/", r#"{"packet":1}"#),
    ("/chat", r#"{"packet":2}"#),
    ("/", r#"{"packet":3}"#),
    ("/", r#"{"packet":"\ud83d\ude00"}"#),
    ("/chat", r#"{"packet":5}"#),
    ("/", r#"{"packet":6}"#),
];

async fn entries_of_a_namespace_are_read(scene: &Scene<'_>) -> CaseResult {
    let mut reader = Reader::new(scene, "a").await?;
    let entries = reader.add(&EVENTS).await?;
    ensure!(entries.is_sorted_by(|entry, next| entry.offset < next.offset), "the offsets do not increase");
    for (namespace, after, to) in [("/", 0, 5), ("/", 0, 3), ("/chat", 0, 5), ("/", 5, 5), ("/", 1, 3), ("/none", 0, 5)]
    {
        let expected: Vec<_> =
            entries[after + 1..=to].iter().filter(|entry| entry.namespace == namespace).cloned().collect();
        let read = reader.read(namespace, entries[after].offset, entries[to].offset).await?;
        ensure_eq!(read, expected, "the entries of {namespace} after {after} up to {to}");
    }
    let (_, last) = reader.log()?.take_session("unknown").await?;
    ensure_eq!(last, entries[5].offset, "the offset of the last entry");
    // Another server reads the same.
    let other = Reader::new(scene, "b").await?;
    let read = other.read("/chat", entries[0].offset, last).await?;
    ensure_eq!(read, [entries[1].clone(), entries[4].clone()], "the entries at another server");
    Ok(())
}

async fn many_entries_are_read_in_pages(scene: &Scene<'_>) -> CaseResult {
    let mut reader = Reader::new(scene, "a").await?;
    let mut entries = reader.add(&EVENTS[..1]).await?;
    for _ in 0..300 {
        entries.extend(reader.add(&EVENTS[1..5]).await?);
    }
    let (after, to) = (entries[0].offset, entries[entries.len() - 2].offset);
    let expected: Vec<_> = entries[1..entries.len() - 1].iter().filter(|entry| entry.namespace == "/chat").collect();
    let read = reader.read("/chat", after, to).await?;
    ensure_eq!(read.iter().collect::<Vec<_>>(), expected, "the entries of all pages");
    Ok(())
}

async fn a_range_whose_entries_were_removed_is_refused(scene: &Scene<'_>) -> CaseResult {
    let mut reader = Reader::new(scene, "a").await?;
    let entries = reader.add(&EVENTS).await?;
    scene.faults()?.trim_log().await;
    let new = reader.add(&EVENTS).await?;
    let to = new[5].offset;
    for entry in &entries[..5] {
        let read = reader.log()?.read(LogRange::new("/", entry.offset, to)).await;
        ensure_eq!(read, Err(ReadError::Trimmed), "what is read after {}", entry.offset);
    }
    let read = reader.log()?.read(LogRange::new("/", Offset::default(), to)).await;
    ensure_eq!(read, Err(ReadError::Trimmed), "what is read from the beginning");
    ensure_eq!(reader.read("/", new[0].offset, to).await?.len(), 3, "the entries that are there");
    Ok(())
}

async fn a_range_of_a_replaced_log_is_refused(scene: &Scene<'_>) -> CaseResult {
    let mut reader = Reader::new(scene, "a").await?;
    let entries = reader.add(&EVENTS).await?;
    reader.store("token", "session").await?;
    scene.faults()?.replace_log().await;
    let to = reader.add(&EVENTS).await?[5].offset;
    for entry in &entries {
        let read = reader.log()?.read(LogRange::new("/", entry.offset, to)).await;
        ensure_eq!(read, Err(ReadError::Trimmed), "what is read after {}", entry.offset);
    }
    ensure_eq!(reader.take("token").await?, None, "a session of the old log");
    Ok(())
}

async fn nothing_is_read_without_a_connection(scene: &Scene<'_>) -> CaseResult {
    let mut reader = Reader::new(scene, "a").await?;
    let entries = reader.add(&EVENTS).await?;
    reader.store("token", "session").await?;
    scene.faults()?.hang("a").await;
    reader.engine.reconnect();
    let read = reader.log()?.read(LogRange::new("/", entries[0].offset, entries[5].offset)).await;
    ensure!(matches!(read, Err(ReadError::Unavailable(_))), "what is read is {read:?}");
    let taken = reader.log()?.take_session("token").await;
    ensure!(taken.is_err(), "what is taken is {taken:?}");
    scene.faults()?.resume("a").await;
    reader.recorder.until(|recorded| *recorded == Recorded::Connected).await;
    ensure_eq!(reader.add(&EVENTS).await?.len(), 6, "the entries after the connection");
    Ok(())
}

async fn a_session_is_taken_by_one(scene: &Scene<'_>) -> CaseResult {
    let (a, b) = (Reader::new(scene, "a").await?, Reader::new(scene, "b").await?);
    for round in 0..20 {
        let token = format!("token-{round}");
        a.store(&token, "session").await?;
        let (one, other) = tokio::join!(a.take(&token), b.take(&token));
        let taken: Vec<_> = [one?, other?].into_iter().flatten().collect();
        ensure_eq!(taken, ["session"], "what two servers take");
        ensure_eq!(b.take(&token).await?, None, "what is taken again");
    }
    ensure_eq!(a.take("unknown").await?, None, "an unknown session");
    Ok(())
}

async fn a_session_is_replaced_and_removed(scene: &Scene<'_>) -> CaseResult {
    let (a, b) = (Reader::new(scene, "a").await?, Reader::new(scene, "b").await?);
    a.store("token", "old").await?;
    b.store("token", "new").await?;
    ensure_eq!(a.take("token").await?.as_deref(), Some("new"), "the session");
    a.store("token", "session").await?;
    a.store("token", "").await?;
    ensure_eq!(b.take("token").await?, None, "a removed session");
    Ok(())
}
