//! [`Member`]: an engine with a recorder as its hub.

use bytes::Bytes;
use socketio::cluster::{Engine, LogEntry, LogRange, ReadError, Topic};
use socketio::testing::cluster::{OwnedTopic, Recorded, Recorder, batch};

/// An engine, and what it reported.
pub(crate) struct Member<E> {
    pub(crate) engine: E,
    pub(crate) recorder: Recorder,
}

pub(crate) const MAIN: Topic<'_> = Topic::Main { namespace: "/" };
pub(crate) const REQUESTS: Topic<'_> = Topic::Requests { namespace: "/" };
pub(crate) const RESPONSES: Topic<'_> = Topic::Responses { namespace: "/" };

/// Entries of the log.
pub(crate) const LOG: Topic<'_> = Topic::Log { namespace: "/", server: "me", kind: 3 };

pub(crate) fn reply(server: &str) -> Topic<'_> {
    Topic::Reply { namespace: "/", server }
}

pub(crate) fn room(room: &str) -> Topic<'_> {
    Topic::Room { namespace: "/", room }
}

impl<E: Engine> Member<E> {
    /// Starts an engine that subscribes to these topics.
    pub(crate) fn start(engine: E, topics: &[Topic<'_>]) -> Self {
        let (inbox, recorder) = Recorder::new();
        for topic in topics {
            engine.subscribe(*topic);
        }
        engine.start(inbox);
        Self { engine, recorder }
    }

    /// Starts an engine, and waits until it is connected.
    pub(crate) async fn connect(engine: E, topics: &[Topic<'_>]) -> Self {
        let mut member = Self::start(engine, topics);
        member.connected().await;
        member
    }

    pub(crate) async fn connected(&mut self) {
        self.recorder.until(|recorded| *recorded == Recorded::Connected).await;
    }

    pub(crate) async fn disconnected(&mut self) -> String {
        let recorded = self.recorder.until(|recorded| matches!(recorded, Recorded::Disconnected(_))).await;
        match recorded {
            Recorded::Disconnected(reason) => reason,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) async fn publish(&self, topic: Topic<'_>, body: &str) {
        self.engine.publish(&batch([(topic, body.as_bytes())])).await.unwrap();
    }

    /// The next message or entry of the log is this one.
    pub(crate) async fn expect(&mut self, wanted: Topic<'_>, body: &str) {
        self.expect_bytes(wanted, body.as_bytes()).await;
    }

    pub(crate) async fn expect_bytes(&mut self, wanted: Topic<'_>, body: &[u8]) {
        let is_wanted = |recorded: &Recorded| matches!(recorded, Recorded::Message { .. } | Recorded::Entry(_));
        let received = match self.recorder.until(is_wanted).await {
            Recorded::Entry(entry) => (topic_of(&entry).into(), entry.data),
            Recorded::Message { topic, body } => (topic, body),
            other => panic!("{other:?}"),
        };
        let (topic, bytes): (OwnedTopic, Bytes) = received;
        assert_eq!((topic, &*bytes), (wanted.into(), body));
    }

    /// Reads all pages of a range.
    pub(crate) async fn read(&self, mut range: LogRange<'_>) -> Result<Vec<LogEntry<'static>>, ReadError> {
        let log = self.engine.log().unwrap();
        let mut found = Vec::new();
        loop {
            let page = log.read(range).await?;
            found.extend(page.entries);
            if page.up_to >= range.to {
                return Ok(found);
            }
            assert!(page.up_to > range.after);
            range.after = page.up_to;
        }
    }

    /// The next entry of the log.
    pub(crate) async fn entry(&mut self) -> LogEntry<'static> {
        match self.recorder.until(|recorded| matches!(recorded, Recorded::Entry(_))).await {
            Recorded::Entry(entry) => entry,
            other => panic!("{other:?}"),
        }
    }
}

/// The topic on which an entry of the log was published.
fn topic_of<'a>(entry: &'a LogEntry<'_>) -> Topic<'a> {
    Topic::Log { namespace: &entry.namespace, server: &entry.server, kind: entry.kind }
}
