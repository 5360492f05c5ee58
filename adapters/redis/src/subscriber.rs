//! [`Subscriber`]: a connection that subscribes, and delivers what it receives.

use bytes::Bytes;
use socketio::cluster::Inbox;
use std::collections::VecDeque;
use std::ops::Range;
use std::str;
use tokio::io::{AsyncWriteExt, WriteHalf};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until, timeout};

use crate::channels::{Channels, Kind, Via};
use crate::incoming::Reader;
use crate::node::{Report, is_moved};
use crate::resp::{self, Incoming, Reply, Unparsed};
use crate::stream::{CONNECT_TIMEOUT, Stream};
use crate::wanted::{Change, Wanted};

/// How many commands are sent before the confirmations are awaited.
const GROUP: usize = 512;
/// How many messages are delivered before other tasks may run.
const BURST: usize = 256;

/// A connection that subscribes. It sends each channel in a command of its own, since Redis answers
/// a command with one error even if it names several channels.
pub(crate) struct Subscriber<'a, R> {
    reader: Reader,
    writer: WriteHalf<Stream>,
    delivery: Delivery<'a, R>,
    /// Changes that are not confirmed, in the order in which they were sent.
    sent: VecDeque<Change>,
    /// The server has closed the connection.
    has_ended: bool,
    /// When they must be confirmed.
    deadline: Instant,
    bytes: Vec<u8>,
    changes: Vec<Change>,
}

/// Where a connection delivers what it receives.
pub(crate) struct Delivery<'a, R> {
    pub(crate) wanted: &'a Wanted,
    pub(crate) channels: &'a Channels,
    pub(crate) inbox: &'a Inbox,
    /// Is told that a probe arrived.
    pub(crate) probed: &'a Notify,
    pub(crate) report: &'a R,
}

/// What was parsed. The ranges are those of its bytes.
enum Parsed {
    Message { pattern: Option<Range<usize>>, channel: Range<usize>, body: Range<usize> },
    Reply,
}

impl<'a, R: Report> Subscriber<'a, R> {
    /// Takes over a new connection.
    pub(crate) fn new(stream: Stream, delivery: Delivery<'a, R>) -> Self {
        let (reader, writer) = stream.split();
        delivery.wanted.restart();
        Self {
            reader: Reader::new(reader),
            writer,
            delivery,
            sent: VecDeque::new(),
            has_ended: false,
            deadline: Instant::now(),
            bytes: Vec::new(),
            changes: Vec::new(),
        }
    }

    /// Subscribes to all that was wanted when the connection was made.
    pub(crate) async fn restore(&mut self) -> Result<(), String> {
        while !self.delivery.wanted.is_restored() {
            self.step().await?;
        }
        Ok(())
    }

    /// Delivers messages and applies changes until the connection fails. Returns why.
    pub(crate) async fn run(&mut self) -> String {
        loop {
            if let Err(reason) = self.step().await {
                return reason;
            }
        }
    }

    /// Whether the server closed the connection in the middle of a message.
    pub(crate) fn was_cut(&self) -> bool {
        self.has_ended && self.reader.is_incomplete()
    }

    async fn step(&mut self) -> Result<(), String> {
        if self.sent.is_empty() {
            self.send().await?;
        }
        let is_waiting = !self.sent.is_empty();
        tokio::select! {
            // What was received comes first, so that a flood of changes does not keep it waiting.
            biased;
            read = self.reader.read() => {
                if let Err(error) = read {
                    self.has_ended = true;
                    return Err(error.to_string());
                }
                self.deliver().await
            }
            () = sleep_until(self.deadline), if is_waiting => Err("subscriptions were not confirmed in time".into()),
            () = self.delivery.wanted.changed(), if !is_waiting => Ok(()),
        }
    }

    /// Sends the changes that come next.
    async fn send(&mut self) -> Result<(), String> {
        self.delivery.wanted.take(GROUP, &mut self.changes);
        if self.changes.is_empty() {
            return Ok(());
        }
        self.bytes.clear();
        for change in &self.changes {
            let command: &[u8] = match (change.shape.via, change.subscribes) {
                (Via::Subscribe, true) => b"SUBSCRIBE",
                (Via::Subscribe, false) => b"UNSUBSCRIBE",
                (Via::Pattern, true) => b"PSUBSCRIBE",
                (Via::Pattern, false) => b"PUNSUBSCRIBE",
                (Via::Shard, true) => b"SSUBSCRIBE",
                (Via::Shard, false) => b"SUNSUBSCRIBE",
            };
            resp::command(&mut self.bytes, &[command, change.channel.as_bytes()]);
        }
        self.sent.extend(self.changes.drain(..));
        self.deadline = Instant::now() + CONNECT_TIMEOUT;
        let written = async {
            self.writer.write_all(&self.bytes).await?;
            self.writer.flush().await
        };
        match timeout(CONNECT_TIMEOUT, written).await {
            Ok(written) => written.map_err(|error| error.to_string()),
            Err(_) => Err("writing timed out".into()),
        }
    }

    /// Delivers everything that was read.
    async fn deliver(&mut self) -> Result<(), String> {
        loop {
            let mut is_done = Ok(false);
            let inbox = self.delivery.inbox;
            inbox.deliver_together(|| is_done = self.deliver_burst());
            if is_done? {
                return Ok(());
            }
            tokio::task::yield_now().await;
        }
    }

    /// Delivers the next of what was read. Returns whether that was all.
    fn deliver_burst(&mut self) -> Result<bool, String> {
        for _ in 0..BURST {
            let Some((arrived, bytes)) = self.reader.next(parse).map_err(|malformed| malformed.to_string())? else {
                return Ok(true);
            };
            match arrived {
                Parsed::Message { pattern, channel, body } => self.message(&bytes, pattern, channel, body),
                Parsed::Reply => self.reply(&bytes)?,
            }
        }
        Ok(false)
    }

    fn message(&self, bytes: &Bytes, pattern: Option<Range<usize>>, channel: Range<usize>, body: Range<usize>) {
        let channel = &bytes[channel];
        let topic = match pattern {
            Some(pattern) => self.delivery.channels.matched(&bytes[pattern], channel),
            None => {
                let Ok(channel) = str::from_utf8(channel) else { return self.delivery.inbox.malformed(channel) };
                match self.delivery.wanted.shape(channel) {
                    Some(shape) if shape.kind == Kind::Probe => return self.delivery.probed.notify_waiters(),
                    Some(shape) => shape.topic(channel),
                    // It was left meanwhile.
                    None => return,
                }
            }
        };
        match topic {
            Some(topic) => self.delivery.inbox.deliver(topic, bytes.slice(body)),
            None => self.delivery.inbox.malformed(channel),
        }
    }

    /// Handles what is not a message: the confirmation of a change, or an error.
    fn reply(&mut self, bytes: &[u8]) -> Result<(), String> {
        let Ok((reply, _)) = resp::reply(bytes) else { return Ok(()) };
        if let Reply::Error(error) = reply {
            let error = String::from_utf8_lossy(error);
            let change = self.sent.pop_front();
            if is_moved(&error) && self.delivery.report.moved() {
                if let Some(change) = change {
                    self.delivery.wanted.refused(&change);
                }
                return Ok(());
            }
            let hint = if is_moved(&error) { "; the server belongs to a Redis Cluster" } else { "" };
            return Err(match change {
                Some(change) => format!("subscribing to {} failed: {error}{hint}", change.channel),
                None => error.into_owned(),
            });
        }
        let [kind, channel, ..] = reply.array().unwrap_or_default() else { return Ok(()) };
        let (Some(kind), Some(channel)) = (kind.text(), channel.text()) else { return Ok(()) };
        let subscribes = match kind {
            "subscribe" | "psubscribe" | "ssubscribe" => true,
            "unsubscribe" | "punsubscribe" | "sunsubscribe" => false,
            _ => return Ok(()),
        };
        let matches = |change: &&Change| change.subscribes == subscribes && &*change.channel == channel;
        // Replies have the order of the commands.
        if let Some(change) = self.sent.front().filter(matches) {
            self.delivery.wanted.confirm(change);
            self.sent.pop_front();
        } else if !subscribes {
            // The node of a cluster ends the subscriptions of a slot that it loses.
            if !self.delivery.report.moved() {
                return Err(format!("the server ended the subscription to {channel}"));
            }
            self.delivery.wanted.ended(channel);
        }
        Ok(())
    }
}

fn parse(bytes: &[u8]) -> Result<(Parsed, usize), Unparsed> {
    let (incoming, length) = resp::incoming(bytes)?;
    let parsed = match incoming {
        Incoming::Message { pattern, channel, body } => Parsed::Message { pattern, channel, body },
        Incoming::Reply(_) => Parsed::Reply,
    };
    Ok((parsed, length))
}
