//! [`Recorder`]: an inbox that keeps what an engine reports.

use bytes::Bytes;
use std::fmt::{self, Debug};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::timeout;

use crate::cluster::{GapReason, Inbox, PublishBatch, Receive, Topic};

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
    /// The engine is connected.
    Connected,
    /// The engine is disconnected, and why.
    Disconnected(String),
    /// Messages may have been lost.
    Gap(GapReason),
    /// Something that belongs to no topic.
    Malformed(Bytes),
}

/// A [`Topic`] that borrows nothing.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OwnedTopic(Owned);

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Owned {
    Main(String),
    Room(String, String),
    Requests(String),
    Responses(String),
    Reply(String, String),
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

impl OwnedTopic {
    /// The topic.
    pub fn get(&self) -> Topic<'_> {
        match &self.0 {
            Owned::Main(namespace) => Topic::Main { namespace },
            Owned::Room(namespace, room) => Topic::Room { namespace, room },
            Owned::Requests(namespace) => Topic::Requests { namespace },
            Owned::Responses(namespace) => Topic::Responses { namespace },
            Owned::Reply(namespace, server) => Topic::Reply { namespace, server },
        }
    }
}

impl From<Topic<'_>> for OwnedTopic {
    fn from(topic: Topic<'_>) -> Self {
        let namespace = topic.namespace().to_owned();
        Self(match topic {
            Topic::Main { .. } => Owned::Main(namespace),
            Topic::Room { room, .. } => Owned::Room(namespace, room.to_owned()),
            Topic::Requests { .. } => Owned::Requests(namespace),
            Topic::Responses { .. } => Owned::Responses(namespace),
            Topic::Reply { server, .. } => Owned::Reply(namespace, server.to_owned()),
        })
    }
}

impl PartialEq<Topic<'_>> for OwnedTopic {
    fn eq(&self, other: &Topic<'_>) -> bool {
        self.get() == *other
    }
}

impl Debug for OwnedTopic {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.get().fmt(formatter)
    }
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
