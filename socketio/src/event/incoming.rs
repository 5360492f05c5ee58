//! [`Incoming`]: one event on its way to handlers and listeners.

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
use super::trace::EventTrace;
use crate::connection_handle::queue::Rejected;
use crate::connection_handle::request::Request;
use crate::hub::socket::Socket;
use crate::session::disconnect::Disconnect;
use crate::session::received::{RawMessage, ReceivedEvent};
use crate::wire::binary::Attachments;
use crate::wire::envelope::ArgumentText;
use crate::wire::payload::Payload;
use crate::wire::shown::Shown;
use crate::wire::trace_context::TraceContext;

/// An event that handlers and listeners receive, with its socket, its request and the state of its
/// answer.
#[doc(hidden)]
#[derive(Debug)]
pub struct Incoming {
    pub(crate) socket: Socket,
    pub(crate) kind: EventKind,
    /// The value that `self` handlers of the selected table receive as `&self`.
    pub this: Option<Arc<dyn Any + Send + Sync>>,
    /// Whether the event was answered directly. Once `ack` is set, its own flag counts.
    answered: AtomicBool,
    /// Created when something other than the handler's return value may answer.
    ack: OnceLock<Arc<AckState>>,
    /// Whether the handler took the `Ack`. Its return value is then not the answer.
    ack_taken: AtomicBool,
    /// Whether the event counts among the server's own events that wait.
    is_reserved: bool,
    /// Whether the event is a new proof of identity, which is decided when the event is dropped.
    is_proof: bool,
    /// The request that carried the event, if it is not the connection's first request.
    request: Option<Arc<Request>>,
    pub(crate) trace: EventTrace,
}

/// The kind of an event, with its data.
#[derive(Clone, Debug)]
pub(crate) enum EventKind {
    /// A named event, sent by the client or by `fire`.
    Event(ReceivedEvent),
    /// A raw message. `is_event`: the message is the envelope of an event named `message`. Then
    /// listeners of `message` receive that event instead of the raw message.
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
    /// Creates a raw message that contains no named event.
    pub(crate) fn message(message: RawMessage) -> Self {
        Self::Message { message, is_event: false }
    }

    /// Returns the message that contained the event.
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

    /// Returns the lifecycle event, or `None` for named events.
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

    /// The bytes of received messages that the event keeps in memory.
    fn size(&self) -> usize {
        match self {
            Self::Event(event) => {
                let attachments = event.attachments.iter().flat_map(|attachments| attachments.iter());
                attachments.map(Bytes::len).fold(event.text().len(), usize::saturating_add)
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
        Self::carried_by(None, socket, kind, false)
    }

    /// Creates an event that a request has carried, other than the connection's first request.
    #[inline]
    pub(crate) fn carried_by(request: Option<Arc<Request>>, socket: Socket, kind: EventKind, is_proof: bool) -> Self {
        Self {
            socket,
            kind,
            this: None,
            answered: AtomicBool::new(false),
            ack: OnceLock::new(),
            ack_taken: AtomicBool::new(false),
            is_reserved: false,
            is_proof,
            request,
            trace: EventTrace::received(),
        }
    }

    /// Creates an event of the server, which counts among those that wait until it is
    /// [released](Self::release). Too many are rejected.
    pub(crate) fn reserved(socket: Socket, kind: EventKind) -> Result<Self, Rejected> {
        let mut incoming = Self::new(socket, kind);
        let socket = &incoming.socket;
        socket.peer().handle.reserve_event(incoming.kind.size(), socket.hub().limits().inbox)?;
        incoming.is_reserved = true;
        Ok(incoming)
    }

    /// Makes room for another event of the server, because this one runs.
    pub(crate) fn release(&mut self) {
        if std::mem::take(&mut self.is_reserved) {
            self.socket.peer().handle.release_event(self.kind.size());
        }
    }

    /// The request that carried the event, if it is not the connection's first request.
    pub(crate) fn carrier_request(&self) -> Option<&Arc<Request>> {
        self.request.as_ref()
    }

    /// The request that carried the event.
    pub(crate) fn request(&self) -> &Request {
        self.request.as_deref().unwrap_or_else(|| &self.socket.peer().request)
    }

    /// The bytes of received data that the event keeps in memory, including its POST. `neighbour`
    /// is the event beside it in a queue. If both are of one POST, only the neighbour counts it.
    pub(crate) fn size_beside(&self, neighbour: Option<&Self>) -> usize {
        let other = neighbour.and_then(|neighbour| neighbour.request.as_ref());
        let is_shared = |request: &Arc<Request>| other.is_some_and(|other| Arc::ptr_eq(request, other));
        let own = self.request.as_ref().filter(|request| !is_shared(request));
        self.kind.size().saturating_add(own.map_or(0, |request| request.bytes_kept_by_events()))
    }

    /// Returns `true` for events, messages, pings and pongs, and `false` for the other lifecycle
    /// events.
    pub(crate) fn came_in(&self) -> bool {
        matches!(self.kind, EventKind::Event(_) | EventKind::Message { .. } | EventKind::Ping(_) | EventKind::Pong(_))
    }

    /// Returns the raw message that contained the event, to be dispatched before it. Returns `Some`
    /// at most once, and only if `message` has a handler or listener.
    pub(crate) fn raw_message(&mut self) -> Option<Self> {
        let EventKind::Event(event) = &mut self.kind else { return None };
        if !std::mem::take(&mut event.is_message) || !has_listener(&self.socket, Lifecycle::Message) {
            return None;
        }
        let is_event = event.name() == Lifecycle::Message.as_str();
        let message = RawMessage::Text(event.text().clone());
        let kind = EventKind::Message { message, is_event };
        Some(Self::carried_by(self.request.clone(), self.socket.clone(), kind, false))
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

    /// Returns `true` if the client asked for an answer.
    pub(crate) fn wants_answer(&self) -> bool {
        self.id().is_some()
    }

    /// Returns a handle to answer with. All handles of the event share one state.
    pub(crate) fn ack(&self) -> Ack {
        Ack::new(self.ack_state())
    }

    /// Like [`ack`](Self::ack), for the handler. The handler's return value is then not the answer.
    pub(crate) fn take_ack(&self) -> Ack {
        self.ack_taken.store(true, Ordering::Relaxed);
        self.ack()
    }

    fn ack_state(&self) -> Option<Arc<AckState>> {
        let id = self.id()?;
        let answered = self.answered.load(Ordering::Relaxed);
        Some(Arc::clone(self.ack.get_or_init(|| Arc::new(AckState::new(self.socket.clone(), id, answered)))))
    }

    /// Marks the event as answered without sending an answer.
    pub(crate) fn forget(&self) {
        self.answered.store(true, Ordering::Relaxed);
    }

    /// The trace that the event belongs to: the one that its message names, that of its POST, or
    /// the one of the client's auth payload.
    pub(crate) fn trace_context(&self) -> Option<TraceContext> {
        let own = match &self.kind {
            EventKind::Event(event) if event.from_client => TraceContext::of_envelope(event.text()),
            _ => None,
        };
        let post = || self.request.as_ref().filter(|request| request.is_post())?.trace_context();
        own.or_else(post).or_else(|| self.socket.trace_of_events().filter(|_| self.came_in()))
    }

    /// Answers with the handler's outcome and reports its error.
    pub(crate) fn finish(&self, outcome: Outcome) {
        self.trace.finished(&outcome);
        match outcome {
            // The handler took the `Ack` and answers with it.
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

    /// Sends the answer if the client asked for one and none was sent.
    pub(crate) fn answer(&self, answer: Result<&Payload, &EventError>) {
        let Some(id) = self.id() else { return };
        match self.ack.get() {
            Some(state) => state.answer(answer),
            None if self.answered.swap(true, Ordering::Relaxed) => {}
            None => self.socket.send_answer(id, answer),
        }
    }

    /// Fires an `error` event for an error of this event. Errors of `error` handlers are only
    /// logged.
    pub(crate) fn report(&self, error: EventError) {
        if matches!(self.kind, EventKind::Error(_)) {
            self.socket.hub().counters().error(error.code());
            tracing::debug!(socket = %self.socket.shown_id(), error = %Shown(&error), "an error handler failed");
        } else {
            self.socket.report(error.with_event(self.name()).with_received(self.kind.received()));
        }
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        self.release();
        if self.is_proof {
            self.socket.decided();
        }
        self.end_trace();
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
