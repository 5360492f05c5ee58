//! One event on its way to handlers and listeners.

use bytes::Bytes;
use std::any::Any;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use super::ack::{Ack, AckState};
use super::context::Frame;
use super::dispatch::has_listener;
use super::error::EventError;
use super::handler::Lifecycle;
use super::reply::Outcome;
use crate::handle::request::Request;
use crate::hub::socket::Socket;
use crate::session::disconnect::Disconnect;
use crate::session::event::{RawMessage, ReceivedEvent};
use crate::wire::binary::Attachments;
use crate::wire::envelope::ArgumentText;
use crate::wire::payload::Payload;

/// One event on its way to handlers and listeners, together with everything they can ask of it.
#[doc(hidden)]
#[derive(Debug)]
pub struct Incoming {
    pub(crate) socket: Socket,
    pub(crate) kind: EventKind,
    /// What the handlers of the table that the event was found in share as `&self`.
    pub this: Option<Arc<dyn Any + Send + Sync>>,
    /// Whether it was answered directly; once there is an `ack`, that one knows.
    answered: AtomicBool,
    /// Made when somebody besides the handler's return value may answer.
    ack: OnceLock<Arc<AckState>>,
    /// Whether the handler has the `Ack`, so that what it returns is no answer.
    ack_taken: AtomicBool,
    /// The request that it came with, if that is another than the one the connection began with.
    request: Option<Arc<Request>>,
}

/// What happened.
#[derive(Clone, Debug)]
pub(crate) enum EventKind {
    /// An event by name, sent by the client or by `fire`.
    Event(ReceivedEvent),
    /// A raw message. `is_event`: it is an envelope of an event named `message` as well, and listeners hear that one.
    Message {
        message: RawMessage,
        is_event: bool,
    },
    Ping(Bytes),
    Pong(Bytes),
    Connect,
    Close,
    Disconnecting(Disconnect),
    Disconnect(Disconnect),
    Error(EventError),
}

impl EventKind {
    /// A message that is no event by name.
    pub(crate) fn message(message: RawMessage) -> Self {
        Self::Message { message, is_event: false }
    }

    /// The message that it came in.
    fn received(&self) -> Option<Bytes> {
        match self {
            Self::Event(event) => Some(event.text().clone().into()),
            Self::Message { message: RawMessage::Text(text), .. } => Some(text.clone().into()),
            Self::Message { message: RawMessage::Binary(bytes), .. } | Self::Ping(bytes) | Self::Pong(bytes) => {
                Some(bytes.clone())
            }
            _ => None,
        }
    }

    /// The lifecycle event that it is; `None` for events by name.
    pub(crate) fn lifecycle(&self) -> Option<Lifecycle> {
        Some(match self {
            Self::Event(_) => return None,
            Self::Message { .. } => Lifecycle::Message,
            Self::Ping(_) => Lifecycle::Ping,
            Self::Pong(_) => Lifecycle::Pong,
            Self::Connect => Lifecycle::Connect,
            Self::Close => Lifecycle::Close,
            Self::Disconnecting(_) => Lifecycle::Disconnecting,
            Self::Disconnect(_) => Lifecycle::Disconnect,
            Self::Error(_) => Lifecycle::Error,
        })
    }

    /// How many bytes it holds on to of the messages that it was received in.
    fn size(&self) -> usize {
        match self {
            Self::Event(event) => {
                let attachments = event.attachments.iter().flat_map(|attachments| attachments.iter());
                event.text().len() + attachments.map(Bytes::len).sum::<usize>()
            }
            Self::Message { message: RawMessage::Text(text), .. } => text.len(),
            Self::Message { message: RawMessage::Binary(bytes), .. } | Self::Ping(bytes) | Self::Pong(bytes) => {
                bytes.len()
            }
            Self::Error(error) => error.received().map_or(0, Bytes::len),
            _ => 0,
        }
    }
}

impl RawMessage {
    pub(crate) fn frame(&self) -> Frame<'_> {
        match self {
            Self::Text(text) => Frame::Text(text),
            Self::Binary(bytes) => Frame::Binary(bytes),
        }
    }
}

impl Incoming {
    pub(crate) fn new(socket: Socket, kind: EventKind) -> Self {
        Self {
            socket,
            kind,
            this: None,
            answered: AtomicBool::new(false),
            ack: OnceLock::new(),
            ack_taken: AtomicBool::new(false),
            request: None,
        }
    }

    pub(crate) fn with_request(mut self, request: Option<Arc<Request>>) -> Self {
        self.request = request;
        self
    }

    /// The request that it came with, if that is another than the connection's first.
    pub(crate) fn own_request(&self) -> Option<&Arc<Request>> {
        self.request.as_ref()
    }

    /// The request that it came with.
    pub(crate) fn request(&self) -> &Request {
        self.request.as_deref().unwrap_or_else(|| &self.socket.peer().request)
    }

    /// How many bytes of what was received it holds on to.
    pub(crate) fn size(&self) -> usize {
        self.kind.size() + self.request.as_ref().map_or(0, |request| request.share())
    }

    /// Whether it was received, and not brought about by this side or by the connection's beginning and end.
    pub(crate) fn came_in(&self) -> bool {
        matches!(self.kind, EventKind::Event(_) | EventKind::Message { .. } | EventKind::Ping(_) | EventKind::Pong(_))
    }

    /// The raw message that the event came in, to be heard before it; once, and only if somebody would hear it.
    pub(crate) fn raw_message(&mut self) -> Option<Self> {
        let EventKind::Event(event) = &mut self.kind else { return None };
        if !std::mem::take(&mut event.is_message) || !has_listener(&self.socket, Lifecycle::Message) {
            return None;
        }
        let is_event = event.name() == Lifecycle::Message.as_str();
        let message = RawMessage::Text(event.text().clone());
        let message = Self::new(self.socket.clone(), EventKind::Message { message, is_event });
        Some(message.with_request(self.request.clone()))
    }

    pub(crate) fn name(&self) -> &str {
        match &self.kind {
            EventKind::Event(event) => event.name(),
            lifecycle => lifecycle.lifecycle().map_or("", Lifecycle::as_str),
        }
    }

    pub(crate) fn args(&self) -> ArgumentText<'_> {
        match &self.kind {
            EventKind::Event(event) => event.args(),
            _ => ArgumentText::Many(""),
        }
    }

    pub(crate) fn attachments(&self) -> Option<&Attachments> {
        match &self.kind {
            EventKind::Event(event) => event.attachments.as_ref(),
            _ => None,
        }
    }

    pub(crate) fn id(&self) -> Option<&str> {
        match &self.kind {
            EventKind::Event(event) => event.id(),
            _ => None,
        }
    }

    /// Whether the client asked for an answer.
    pub(crate) fn wants_answer(&self) -> bool {
        self.id().is_some()
    }

    /// A handle to answer with, shared with all others of this event.
    pub(crate) fn ack(&self) -> Ack {
        Ack::new(self.ack_state())
    }

    /// The same for the handler, whose return value is no answer then.
    pub(crate) fn take_ack(&self) -> Ack {
        self.ack_taken.store(true, Ordering::Relaxed);
        self.ack()
    }

    fn ack_state(&self) -> Option<Arc<AckState>> {
        let id = self.id()?;
        let answered = self.answered.load(Ordering::Relaxed);
        Some(Arc::clone(self.ack.get_or_init(|| Arc::new(AckState::new(self.socket.clone(), id, answered)))))
    }

    /// Gives up answering.
    pub(crate) fn forget(&self) {
        self.answered.store(true, Ordering::Relaxed);
    }

    /// Answers with what the handler returned, and reports its error.
    pub(crate) fn finish(&self, outcome: Outcome) {
        match outcome {
            // A handler that took the `Ack` answers with that.
            Outcome::Done if self.ack_taken.load(Ordering::Relaxed) => {}
            Outcome::Done => self.answer(Ok(&Payload::new())),
            Outcome::Value(payload) => self.answer(Ok(&payload)),
            Outcome::Failed(error) => {
                if let Some(watch) = self.socket.hub().watch() {
                    watch.failed(self.socket.namespace(), self.name(), &error);
                }
                self.answer(Err(&error));
                self.report(error);
            }
        }
    }

    /// Sends the answer, if one was asked for and none was sent.
    pub(crate) fn answer(&self, answer: Result<&Payload, &EventError>) {
        let Some(id) = self.id() else { return };
        match self.ack.get() {
            Some(state) => state.answer(answer),
            None if self.answered.swap(true, Ordering::Relaxed) => {}
            None => self.socket.answer(id, answer),
        }
    }

    /// Makes an error of this event known: as an `error` event, except that errors of `error` handlers are only traced.
    pub(crate) fn report(&self, error: EventError) {
        if matches!(self.kind, EventKind::Error(_)) {
            tracing::warn!(socket = %self.socket.id(), %error, "an error handler failed");
        } else {
            self.socket.report(error.with_event(self.name()).with_received(self.kind.received()));
        }
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        if !self.wants_answer() {
            return;
        }
        if std::thread::panicking() {
            self.answer(Err(&EventError::internal()));
        } else if self.ack.get().is_none() && !*self.answered.get_mut() {
            self.answer(Err(&EventError::unanswered()));
        }
    }
}
