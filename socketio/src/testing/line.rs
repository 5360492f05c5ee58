//! A client's end of a connection: a task that reads, answers heartbeats, and writes what it is given.

use futures_util::future::{Either, select};
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::DuplexStream;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender, WeakUnboundedSender};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::error::Ended;
use super::inbox::Inbox;
use super::wire::{Heard, Reader, messages, pong};
use crate::wire::encoding::Encoding;
use crate::wire::frame::EncodedFrame;

type Stream = WebSocketStream<DuplexStream>;

/// A connection as a client's handles have it. When the last of them has gone, so has the stream, without a word to the server.
#[derive(Debug)]
pub(super) struct Line {
    commands: UnboundedSender<Command>,
    pub(super) encoding: Encoding,
    /// How long the server may take to let the client into a namespace.
    pub(super) permit: Duration,
    inboxes: Arc<Mutex<Inboxes>>,
}

/// Where what is heard goes.
#[derive(Debug, Default)]
struct Inboxes {
    /// Of the namespaces in which the client is, or wants to be.
    by_namespace: HashMap<Box<str>, Arc<Inbox>>,
    over: Option<Ended>,
}

#[derive(Debug)]
enum Command {
    Write(Vec<Message>),
    Close(Option<CloseFrame>),
    /// Neither reads nor writes any more.
    Freeze,
}

impl Line {
    pub(super) fn new(stream: Stream, encoding: Encoding, permit: Duration) -> Self {
        let (commands, receiver) = mpsc::unbounded_channel();
        let inboxes = Arc::<Mutex<Inboxes>>::default();
        let hearing =
            Hearing { reader: Reader::new(&encoding), inboxes: Arc::clone(&inboxes), commands: commands.downgrade() };
        tokio::spawn(hearing.run(stream, receiver));
        Self { commands, encoding, permit, inboxes }
    }

    /// Where what comes from a namespace is filed from now on; `None` if there is such a place already.
    pub(super) fn enter(&self, namespace: &str) -> Option<Arc<Inbox>> {
        let mut inboxes = self.inboxes.lock();
        if inboxes.by_namespace.contains_key(namespace) {
            return None;
        }
        let inbox = Arc::<Inbox>::default();
        match &inboxes.over {
            Some(ended) => inbox.end(ended),
            None => drop(inboxes.by_namespace.insert(namespace.into(), Arc::clone(&inbox))),
        }
        Some(inbox)
    }

    /// The client is not in a namespace, whatever it has wanted. `true`: nor in any other.
    pub(super) fn forget(&self, namespace: &str) -> bool {
        let mut inboxes = self.inboxes.lock();
        inboxes.by_namespace.remove(namespace);
        inboxes.by_namespace.is_empty()
    }

    pub(super) fn write(&self, messages: Vec<Message>) {
        // A connection that is over takes nothing: whoever writes has been told.
        let _ = self.commands.send(Command::Write(messages));
    }

    pub(super) fn write_frame(&self, frame: &EncodedFrame) {
        self.write(messages(frame));
    }

    pub(super) fn close(&self, frame: Option<CloseFrame>) {
        let _ = self.commands.send(Command::Close(frame));
    }

    pub(super) fn freeze(&self) {
        let _ = self.commands.send(Command::Freeze);
    }

    /// The client leaves a namespace, and with the last one the connection, which is then `true`.
    pub(super) fn leave(&self, namespace: &str) -> bool {
        let is_there = self.inboxes.lock().by_namespace.contains_key(namespace);
        if let Some(frame) = self.encoding.disconnect(namespace).filter(|_| is_there) {
            self.write_frame(&frame);
        }
        let is_last = self.forget(namespace);
        if is_last {
            self.close(None);
        }
        is_last
    }

    /// Waits until the stream has ended, from either side.
    pub(super) async fn ended(&self) {
        self.commands.closed().await;
    }
}

/// The reading side of the task.
struct Hearing {
    reader: Reader,
    inboxes: Arc<Mutex<Inboxes>>,
    commands: WeakUnboundedSender<Command>,
}

/// Why the writing side has stopped.
enum Stopped {
    Abandoned,
    Frozen,
}

impl Hearing {
    async fn run(mut self, stream: Stream, mut commands: UnboundedReceiver<Command>) {
        let (mut outgoing, mut incoming) = stream.split();
        let inboxes = Arc::clone(&self.inboxes);
        let stopped = match select(pin!(self.read(&mut incoming)), pin!(write(&mut outgoing, &mut commands))).await {
            Either::Left((ended, _)) => {
                let mut inboxes = inboxes.lock();
                inboxes.by_namespace.drain().for_each(|(_, inbox)| inbox.end(&ended));
                inboxes.over = Some(ended);
                return;
            }
            Either::Right((stopped, _)) => stopped,
        };
        if matches!(stopped, Stopped::Frozen) {
            while commands.recv().await.is_some() {}
        }
    }

    async fn read(&mut self, incoming: &mut SplitStream<Stream>) -> Ended {
        let mut ended = Ended::new("transport close");
        while let Some(message) = incoming.next().await {
            match message {
                Ok(Message::Close(frame)) => {
                    ended.code = Some(frame.as_ref().map_or(1005, |frame| frame.code.into()));
                    ended.message = frame.map(|frame| frame.reason.to_string()).unwrap_or_default();
                }
                Ok(message) => {
                    let heard = self.reader.read(message);
                    if !self.file(heard) {
                        return Ended::new("parse error");
                    }
                }
                // What comes after the close frame is no news.
                Err(_) if ended.code.is_some() => break,
                Err(Error::Protocol(ProtocolError::ResetWithoutClosingHandshake)) => break,
                Err(Error::Io(error)) => return Ended { message: error.to_string(), ..Ended::new("transport error") },
                Err(error) => return Ended { message: error.to_string(), ..Ended::new("parse error") },
            }
        }
        ended
    }

    /// Puts what was heard where it belongs. `false`: it is none of the protocol's.
    fn file(&self, heard: Heard) -> bool {
        match heard {
            Heard::Ping => self.send(Command::Write(vec![pong()])),
            Heard::Connected { namespace, sid } => self.with_inbox(&namespace, |inbox| inbox.open(Ok(sid))),
            Heard::Refused { namespace, json } => self.with_inbox(&namespace, |inbox| inbox.open(Err(json))),
            Heard::Disconnected { namespace } => self.sent_away(&namespace),
            Heard::Item { namespace, item } => self.with_inbox(&namespace, |inbox| inbox.hear(item)),
            Heard::Answer { namespace, id, answer } => self.with_inbox(&namespace, |inbox| inbox.answer(id, answer)),
            Heard::Nothing => {}
            Heard::Unreadable => return false,
        }
        true
    }

    fn with_inbox(&self, namespace: &str, tell: impl FnOnce(&Inbox)) {
        let inbox = self.inboxes.lock().by_namespace.get(namespace).cloned();
        if let Some(inbox) = inbox {
            tell(&inbox);
        }
    }

    /// The server has disconnected the client from a namespace. As the real client does, it closes a connection that is of no
    /// use any more.
    fn sent_away(&self, namespace: &str) {
        let mut inboxes = self.inboxes.lock();
        let inbox = inboxes.by_namespace.remove(namespace);
        let is_empty = inboxes.by_namespace.is_empty();
        drop(inboxes);
        if let Some(inbox) = inbox {
            inbox.end(&Ended::new("io server disconnect"));
        }
        if is_empty {
            self.send(Command::Close(None));
        }
    }

    fn send(&self, command: Command) {
        if let Some(commands) = self.commands.upgrade() {
            let _ = commands.send(command);
        }
    }
}

async fn write(outgoing: &mut SplitSink<Stream, Message>, commands: &mut UnboundedReceiver<Command>) -> Stopped {
    while let Some(command) = commands.recv().await {
        // Where the stream has ended, the reading side tells of it.
        let _ = match command {
            Command::Write(messages) => {
                for message in messages {
                    let _ = outgoing.feed(message).await;
                }
                outgoing.flush().await
            }
            Command::Close(frame) => outgoing.send(Message::Close(frame)).await,
            Command::Freeze => return Stopped::Frozen,
        };
    }
    Stopped::Abandoned
}
