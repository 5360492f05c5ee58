//! The client's end of a connection: a task that reads, answers heartbeats, and writes.

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
use super::wire::{Incoming, Reader, messages, pong};
use crate::wire::encoding::Encoding;
use crate::wire::frame::EncodedFrame;

type Stream = WebSocketStream<DuplexStream>;

/// A handle to the connection, shared by its clients. When the last handle is dropped, so is the
/// stream, without a close frame.
#[derive(Debug)]
pub(super) struct Connection {
    commands: UnboundedSender<Command>,
    pub(super) encoding: Encoding,
    /// How long the server may take to accept the client in a namespace.
    pub(super) accept_timeout: Duration,
    inboxes: Arc<Mutex<Inboxes>>,
}

/// The inboxes that incoming messages are delivered to.
#[derive(Debug, Default)]
struct Inboxes {
    /// For each namespace that the client has joined or is joining.
    by_namespace: HashMap<Box<str>, Arc<Inbox>>,
    ended: Option<Ended>,
}

#[derive(Debug)]
enum Command {
    Write(Vec<Message>),
    Close(Option<CloseFrame>),
    /// Stop reading and writing.
    Freeze,
}

impl Connection {
    pub(super) fn new(stream: Stream, encoding: Encoding, accept_timeout: Duration) -> Self {
        let (commands, receiver) = mpsc::unbounded_channel();
        let inboxes = Arc::<Mutex<Inboxes>>::default();
        let task = ConnectionTask {
            reader: Reader::new(&encoding),
            inboxes: Arc::clone(&inboxes),
            commands: commands.downgrade(),
        };
        tokio::spawn(task.run(stream, receiver));
        Self { commands, encoding, accept_timeout, inboxes }
    }

    /// Creates the inbox for a namespace. `None` if there is one already.
    pub(super) fn join(&self, namespace: &str) -> Option<Arc<Inbox>> {
        let mut inboxes = self.inboxes.lock();
        if inboxes.by_namespace.contains_key(namespace) {
            return None;
        }
        let inbox = Arc::<Inbox>::default();
        match &inboxes.ended {
            Some(ended) => inbox.end(ended),
            None => drop(inboxes.by_namespace.insert(namespace.into(), Arc::clone(&inbox))),
        }
        Some(inbox)
    }

    /// Removes the inbox of a namespace. Returns `true` if no inbox is left.
    pub(super) fn remove(&self, namespace: &str) -> bool {
        let mut inboxes = self.inboxes.lock();
        inboxes.by_namespace.remove(namespace);
        inboxes.by_namespace.is_empty()
    }

    pub(super) fn write(&self, messages: Vec<Message>) {
        // A send on an ended connection fails. The writer learns that from its inbox.
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

    /// Leaves a namespace. Closes the connection and returns `true` if it was the last one.
    pub(super) fn leave(&self, namespace: &str) -> bool {
        let is_there = self.inboxes.lock().by_namespace.contains_key(namespace);
        if let Some(frame) = self.encoding.disconnect(namespace).filter(|_| is_there) {
            self.write_frame(&frame);
        }
        let is_last = self.remove(namespace);
        if is_last {
            self.close(None);
        }
        is_last
    }

    /// Waits until the stream has ended, on either side.
    pub(super) async fn ended(&self) {
        self.commands.closed().await;
    }
}

/// The task that owns the stream. It reads, and delivers to the inboxes.
struct ConnectionTask {
    reader: Reader,
    inboxes: Arc<Mutex<Inboxes>>,
    commands: WeakUnboundedSender<Command>,
}

/// Why the writer has stopped.
enum Stopped {
    HandlesDropped,
    Frozen,
}

impl ConnectionTask {
    async fn run(mut self, stream: Stream, mut commands: UnboundedReceiver<Command>) {
        let (mut outgoing, mut incoming) = stream.split();
        let inboxes = Arc::clone(&self.inboxes);
        let stopped = match select(pin!(self.read(&mut incoming)), pin!(write(&mut outgoing, &mut commands))).await {
            Either::Left((ended, _)) => {
                let mut inboxes = inboxes.lock();
                inboxes.ended = Some(ended.clone());
                let all = std::mem::take(&mut inboxes.by_namespace);
                drop(inboxes);
                all.values().for_each(|inbox| inbox.end(&ended));
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
                    let message = self.reader.read(message);
                    if !self.deliver(message) {
                        return Ended::new("parse error");
                    }
                }
                // An error after the close frame is expected.
                Err(_) if ended.code.is_some() => break,
                Err(Error::Protocol(ProtocolError::ResetWithoutClosingHandshake)) => break,
                Err(Error::Io(error)) => return Ended { message: error.to_string(), ..Ended::new("transport error") },
                Err(error) => return Ended { message: error.to_string(), ..Ended::new("parse error") },
            }
        }
        ended
    }

    /// Delivers an incoming message to its inbox. `false`: it violates the protocol.
    fn deliver(&self, message: Incoming) -> bool {
        match message {
            Incoming::Ping => self.send(Command::Write(vec![pong()])),
            Incoming::Connected { namespace, sid, .. } => {
                self.with_inbox(&namespace, |inbox| inbox.set_connect_reply(Ok(sid)));
            }
            Incoming::Refused { namespace, json } => {
                self.with_inbox(&namespace, |inbox| inbox.set_connect_reply(Err(json)));
            }
            Incoming::Disconnected { namespace } => self.disconnected_by_server(&namespace),
            Incoming::Item { namespace, item } => self.with_inbox(&namespace, |inbox| inbox.push(item)),
            Incoming::Answer { namespace, id, answer } => self.with_inbox(&namespace, |inbox| inbox.answer(id, answer)),
            Incoming::Ignored => {}
            Incoming::Invalid => return false,
        }
        true
    }

    fn with_inbox(&self, namespace: &str, deliver: impl FnOnce(&Inbox)) {
        let inbox = self.inboxes.lock().by_namespace.get(namespace).cloned();
        if let Some(inbox) = inbox {
            deliver(&inbox);
        }
    }

    /// Handles a DISCONNECT from the server. Like `socket.io-client`, it closes the connection when
    /// no namespace is left.
    fn disconnected_by_server(&self, namespace: &str) {
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
        // If the stream has ended, the reader reports it.
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
    Stopped::HandlesDropped
}
