//! [`Event`]: what happens in the network at some time. [`Effect`]: what an engine then reports.

use bytes::Bytes;
use std::collections::BTreeSet;
use tokio::sync::oneshot;

use super::super::OwnedTopic;
use super::log::Range;
use crate::cluster::{GapReason, Inbox, LogEntry, LogPage, Offset, PublishError, ReadError};

/// The index of an engine.
pub(super) type MemberId = usize;

/// An event at an engine. It is void when the engine has another connection by then.
#[derive(Debug)]
pub(super) struct Event {
    pub(super) member: MemberId,
    /// The number of the engine's connection.
    pub(super) connection: u64,
    pub(super) kind: EventKind,
}

#[derive(Debug)]
pub(super) enum EventKind {
    /// The engine tries to connect.
    Attempt,
    /// A command arrives at the network.
    Command(Command),
    /// The network's answer to a command arrives at the engine.
    Answer(Answer),
    /// A message arrives at the engine.
    Deliver { topic: OwnedTopic, body: Bytes },
    /// An entry of the log arrives at the engine.
    Entry(LogEntry<'static>),
    /// The engine finds that entries of the log were removed before it has read them. It goes on
    /// after this position.
    Gap { position: Offset },
    /// The engine finds that its connection is lost.
    Lost(String),
}

/// What an engine sends to the network.
#[derive(Debug)]
pub(super) enum Command {
    /// The first command of a connection: all subscriptions. Numbers count the changes of
    /// subscriptions.
    Connect {
        wanted: BTreeSet<OwnedTopic>,
        number: u64,
    },
    Subscribe {
        topic: OwnedTopic,
        number: u64,
    },
    Unsubscribe {
        topic: OwnedTopic,
        number: u64,
    },
    Publish {
        messages: Vec<(OwnedTopic, Bytes)>,
        answer: oneshot::Sender<Result<(), PublishError>>,
    },
    Count {
        namespace: String,
        answer: oneshot::Sender<usize>,
    },
    TakeSession {
        token: Box<str>,
        answer: oneshot::Sender<TakenSession>,
    },
    Read {
        range: Range,
        answer: oneshot::Sender<ReadEntries>,
    },
}

/// A session if there is one, and the offset of the last entry.
pub(super) type TakenSession = (Option<Bytes>, Offset);

pub(super) type ReadEntries = Result<LogPage, ReadError>;

#[derive(Debug)]
pub(super) enum Answer {
    Connected { number: u64 },
    Confirmed { number: u64 },
    Published(oneshot::Sender<Result<(), PublishError>>, Result<(), PublishError>),
    Counted(oneshot::Sender<usize>, usize),
    TookSession(oneshot::Sender<TakenSession>, TakenSession),
    HasRead(oneshot::Sender<ReadEntries>, ReadEntries),
}

/// What an engine reports to its hub. It is carried out without the lock of the network, since the
/// hub may call the engine.
#[derive(Debug)]
pub(super) struct Effect {
    pub(super) inbox: Inbox,
    pub(super) report: Report,
}

#[derive(Debug)]
pub(super) enum Report {
    Deliver { topic: OwnedTopic, body: Bytes },
    Entry(LogEntry<'static>),
    Connected,
    Disconnected(String),
    Gap(GapReason),
    Malformed(Bytes),
}

impl Effect {
    pub(super) fn run(self) {
        match self.report {
            Report::Deliver { topic, body } => self.inbox.deliver(topic.get(), body),
            Report::Entry(entry) => self.inbox.deliver_entry(entry),
            Report::Connected => self.inbox.connected(),
            Report::Disconnected(reason) => self.inbox.disconnected(reason),
            Report::Gap(reason) => self.inbox.gap(reason),
            Report::Malformed(bytes) => self.inbox.malformed(&bytes),
        }
    }
}
