//! [`Recorder`]: an inbox that keeps what an engine reports.

use bytes::Bytes;
use std::fmt::{self, Debug};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::timeout;

use crate::cluster::{GapReason, Inbox, LogEntry, OwnedTopic, PublishBatch, Receive, Topic};

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(30);

/// Keeps what an engine reports to its [`Inbox`], in order.
pub struct Recorder {
    receiver: UnboundedReceiver<Recorded>,
    /// An inbox does nothing after its receiver is gone.
    _sender: Arc<Sender>,
}

/// What an engine reported.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Recorded {
    /// A message.
    Message {
        /// Its topic.
        topic: OwnedTopic,
        /// Its contents.
        body: Bytes,
    },
    /// An entry of the log.
    Entry(LogEntry<'static>),
    /// The engine is connected.
    Connected,
    /// The engine is disconnected, and why.
    Disconnected(String),
    /// Messages may have been lost.
    Gap(GapReason),
    /// Something that belongs to no topic.
    Malformed(Bytes),
}

impl Recorder {
    /// Makes an inbox whose reports are kept.
    pub fn new() -> (Inbox, Self) {
        let (sender, receiver) = unbounded_channel();
        let sender = Arc::new(Sender(sender));
        (Inbox::new(&sender), Self { receiver, _sender: sender })
    }

    /// Waits for the next report.
    ///
    /// # Panics
    ///
    /// Nothing is reported in half a minute.
    pub async fn next(&mut self) -> Recorded {
        let next = timeout(PATIENCE, self.receiver.recv()).await;
        next.expect("nothing was reported in half a minute").expect("the recorder has a sender")
    }

    /// Waits for the next message. Other reports are skipped.
    ///
    /// # Panics
    ///
    /// There is none in half a minute.
    pub async fn message(&mut self) -> (OwnedTopic, Bytes) {
        match self.until(|recorded| matches!(recorded, Recorded::Message { .. })).await {
            Recorded::Message { topic, body } => (topic, body),
            other => unreachable!("{other:?} is no message"),
        }
    }

    /// Waits until this is reported. Other reports are skipped.
    ///
    /// # Panics
    ///
    /// It is not reported in half a minute. The message has the report that came last.
    pub async fn until(&mut self, mut wanted: impl FnMut(&Recorded) -> bool) -> Recorded {
        let mut skipped = None;
        let until = async {
            loop {
                let next = self.next().await;
                if wanted(&next) {
                    return next;
                }
                skipped = Some(next);
            }
        };
        match timeout(PATIENCE, until).await {
            Ok(reported) => reported,
            Err(_) => panic!("what was awaited was not reported in half a minute, but {skipped:?}"),
        }
    }

    /// The next report, if there already is one.
    pub fn try_next(&mut self) -> Option<Recorded> {
        self.receiver.try_recv().ok()
    }
}

impl Debug for Recorder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Recorder").finish_non_exhaustive()
    }
}

/// Makes a batch of these messages.
pub fn batch<'a>(messages: impl IntoIterator<Item = (Topic<'a>, &'a [u8])>) -> PublishBatch {
    let mut batch = PublishBatch::default();
    for (topic, body) in messages {
        batch.push(&topic.namespace().into(), topic, |bytes| bytes.extend_from_slice(body));
    }
    batch
}

struct Sender(UnboundedSender<Recorded>);

impl Sender {
    fn send(&self, recorded: Recorded) {
        // After the recorder is gone nobody wants it.
        _ = self.0.send(recorded);
    }
}

impl Receive for Sender {
    fn deliver(&self, topic: Topic<'_>, body: Bytes) {
        self.send(Recorded::Message { topic: topic.into(), body });
    }

    fn deliver_entry(&self, entry: LogEntry<'_>) {
        let LogEntry { offset, namespace, server, kind, data } = entry;
        let (namespace, server) = (namespace.into_owned().into(), server.into_owned().into());
        self.send(Recorded::Entry(LogEntry { offset, namespace, server, kind, data }));
    }

    fn connected(&self) {
        self.send(Recorded::Connected);
    }

    fn disconnected(&self, reason: String) {
        self.send(Recorded::Disconnected(reason));
    }

    fn gap(&self, reason: GapReason) {
        self.send(Recorded::Gap(reason));
    }

    fn malformed(&self, bytes: &[u8]) {
        self.send(Recorded::Malformed(Bytes::copy_from_slice(bytes)));
    }
}
