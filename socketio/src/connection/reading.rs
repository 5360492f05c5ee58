//! What a connection makes of what it reads: envelopes and raw messages of plain WebSocket clients, here; packets of others,
//! in [`super::engine`].

use bytes::Bytes;
use std::task::{Context, Poll};
use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::websocket::{Message, ReadBuffer};
use super::{ClientTransport, Connection, Linger, Phase, Protocol};
use crate::event::dispatch::{has_listener, unhandled};
use crate::event::error::{EventError, PayloadError};
use crate::event::handler::Lifecycle;
use crate::event::incoming::{EventKind, Incoming, Message as RawMessage, Parts, ReceivedEvent};
use crate::event::rate::Limited;
use crate::hub::config::Config;
use crate::hub::socket::Socket;
use crate::hub::socket::answer::ReceivedAnswer;
use crate::wire::envelope::{self, ArgumentText, Envelope};
use crate::wire::socketio::is_reserved;

/// How many messages are read before what they brought about is written.
const READ_BUDGET: usize = 256;

/// Why an event is not handled.
pub(super) enum EventRefusal {
    /// It is one too many.
    Limited(Limited),
    /// No event can have its name.
    Reserved,
    /// No event has so long a name.
    TooLong,
    /// Its payload is nested too deeply.
    TooDeep,
}

impl Connection {
    /// Whether another message may be read: not while many wait for their handlers, except that the answer which a
    /// handler waits for may be among what comes. A packet whose attachments have not all come waits for nobody but the
    /// client, and has a limit of its own.
    fn has_room(&self) -> bool {
        let bounds = self.config().inbox;
        let (events, bytes) = self
            .entries
            .iter()
            .fold((0, 0), |(events, bytes), entry| (events + entry.executor.events(), bytes + entry.executor.bytes()));
        (events < bounds.messages && bytes < bounds.bytes)
            || (self.peer.is_awaited() && bytes + events * size_of::<Incoming>() < self.config().max_payload)
    }

    pub(super) fn read(&mut self, context: &mut Context<'_>) -> bool {
        match self.phase {
            Phase::Lingering { how: Linger::Rejecting | Linger::Discarding, .. } => {
                if self.transport.poll_discard(context).is_ready() {
                    self.close(context);
                }
                return false;
            }
            // Nothing comes after the client's close frame.
            Phase::Lingering { how: Linger::Answering, .. } | Phase::Closed => return false,
            _ => {}
        }
        let mut had_commands = self.read_probe(context);
        let mut received = ReadBuffer::take();
        let mut more = true;
        for _ in 0..READ_BUDGET {
            if self.is_open() && !self.has_room() {
                self.heartbeat.read_paused();
                more = false;
                break;
            }
            match self.transport.poll_next(context, &mut received) {
                Poll::Pending => {
                    more = false;
                    break;
                }
                Poll::Ready(Ok(Message::Close(frame))) => {
                    self.closed_by_client(frame);
                    break;
                }
                Poll::Ready(Ok(message)) => {
                    self.receive(message, context);
                    // What its handler fired comes before what is read next, and what it ended is over.
                    if self.peer.handle.has_commands() {
                        self.run_commands(context);
                        had_commands = true;
                    }
                    if !matches!(
                        self.phase,
                        Phase::Open | Phase::Closing { .. } | Phase::Lingering { how: Linger::Expecting, .. }
                    ) {
                        break;
                    }
                }
                Poll::Ready(Err(cause)) => {
                    self.broken(cause, context);
                    break;
                }
            }
        }
        self.transport.keep(&mut received);
        // A POST that has come to its end may be what an upgrade has waited for.
        more || had_commands || self.go_over()
    }

    fn receive(&mut self, message: Message, context: &mut Context<'_>) {
        self.heartbeat.received();
        if !self.is_open() {
            return;
        }
        match (&self.protocol, message) {
            (Protocol::Plain { .. }, Message::Ping(payload)) => {
                self.receive_control(Lifecycle::Ping, &EventKind::Ping(payload), context);
            }
            (Protocol::Plain { .. }, Message::Pong(payload)) => {
                self.receive_control(Lifecycle::Pong, &EventKind::Pong(payload), context);
            }
            (Protocol::Plain { envelopes }, Message::Text(text)) => self.receive_text(text, *envelopes, context),
            (Protocol::Plain { .. }, Message::Binary(bytes)) => self.receive_binary(bytes, context),
            (Protocol::Engine(_), Message::Text(text)) => self.receive_packet(&text, context),
            (Protocol::Engine(_), Message::Binary(bytes)) => self.receive_engine_binary(bytes, context),
            // Close frames are dealt with where they are read, bare ones only ever written.
            (_, Message::Close(_) | Message::Frame(_)) | (Protocol::Engine(_), Message::Ping(_) | Message::Pong(_)) => {
            }
        }
    }

    pub(super) fn submit(&mut self, entry: usize, kind: EventKind, context: &mut Context<'_>) {
        let request = match (&self.protocol, &self.transport) {
            (Protocol::Plain { .. }, _) => None,
            (Protocol::Engine(_), ClientTransport::Polling(polling)) => polling.request().cloned(),
            (Protocol::Engine(engine), ClientTransport::WebSocket(_)) => engine.request.clone(),
        };
        if let Some(entry) = self.entries.get_mut(entry) {
            entry.executor.submit(Incoming::new(entry.socket.clone(), kind).with_request(request), context);
        }
    }

    /// A control frame, for all of the client's sockets where somebody hears of it, or may soon. The others need no place
    /// among the events that wait: no number of them makes reading pause.
    pub(super) fn receive_control(&mut self, lifecycle: Lifecycle, kind: &EventKind, context: &mut Context<'_>) {
        for at in 0..self.entries.len() {
            let entry = &self.entries[at];
            if entry.executor.is_opening() || has_listener(&entry.socket, lifecycle) {
                self.submit(at, kind.clone(), context);
            }
        }
    }

    pub(super) fn receive_binary(&mut self, bytes: Bytes, context: &mut Context<'_>) {
        self.receive_raw(EventKind::Message { message: RawMessage::Binary(bytes), is_event: false }, context);
    }

    /// A message that is no event. Who can send one has one entry.
    fn receive_raw(&mut self, kind: EventKind, context: &mut Context<'_>) {
        let Some(socket) = self.entries.first().map(|entry| &entry.socket) else { return };
        match socket.admit(Lifecycle::Message.as_str()) {
            Ok(()) => self.submit(0, kind, context),
            Err(limited) => over_limit(&Incoming::new(socket.clone(), kind), limited),
        }
    }

    pub(super) fn receive_text(&mut self, text: Utf8Bytes, envelopes: bool, context: &mut Context<'_>) {
        let Some(socket) = self.entries.first().map(|entry| &entry.socket) else { return };
        let envelope = if envelopes { envelope::read(&text) } else { None };
        let (parts, refused) = match envelope {
            Some(Envelope::Event { name, args, id, depth }) => {
                (Parts::of(&text, &name, args, id), refusal_of(socket, &name, depth))
            }
            Some(Envelope::Answer { id, answer, depth })
                if socket.answered(id, owned(self.config(), answer, depth)) =>
            {
                return;
            }
            _ => return self.receive_raw(EventKind::text_message(text), context),
        };
        let Some(refused) = refused else {
            return self.submit(0, EventKind::Event(ReceivedEvent::envelope(text, parts)), context);
        };
        let socket = socket.clone();
        if !matches!(refused, EventRefusal::Limited(_)) {
            self.submit(0, EventKind::text_message(text.clone()), context);
        }
        refuse(&Incoming::new(socket, EventKind::Event(ReceivedEvent::envelope(text, parts))), &refused);
    }
}

/// Counts an event, and tells why it is not handled, if that is so.
pub(super) fn refusal_of(socket: &Socket, name: &str, depth: usize) -> Option<EventRefusal> {
    let config = socket.hub().config();
    if let Err(limited) = socket.admit(name) {
        return Some(EventRefusal::Limited(limited));
    }
    if is_reserved(name) {
        return Some(EventRefusal::Reserved);
    }
    if name.len() > config.max_event_name {
        return Some(EventRefusal::TooLong);
    }
    (depth > config.max_depth).then_some(EventRefusal::TooDeep)
}

/// Answers an event that is not handled.
pub(super) fn refuse(incoming: &Incoming, refused: &EventRefusal) {
    let error = match refused {
        EventRefusal::Limited(limited) => return over_limit(incoming, *limited),
        EventRefusal::TooLong => return unhandled(incoming),
        EventRefusal::Reserved => EventError::reserved_event(incoming.name()),
        EventRefusal::TooDeep => PayloadError::too_deep().into(),
    };
    incoming.answer(Err(&error));
    incoming.report(error);
}

/// Drops an event that is one too many. Who asked for an answer is told each time, the application once an episode.
fn over_limit(incoming: &Incoming, limited: Limited) {
    incoming.socket.hub().counters().rate_limited();
    if limited.is_first || incoming.wants_answer() {
        let error = EventError::rate_limited(limited.retry_after);
        incoming.answer(Err(&error));
        if limited.is_first {
            incoming.report(error);
        }
    }
}

/// An answer, apart from the text that it came in.
fn owned(config: &Config, answer: Result<ArgumentText<'_>, &str>, depth: usize) -> ReceivedAnswer {
    match answer {
        _ if depth > config.max_depth => ReceivedAnswer::TooDeep,
        Ok(ArgumentText::One(text)) => ReceivedAnswer::One(text.to_owned()),
        Ok(ArgumentText::Many(text)) => ReceivedAnswer::Many(text.to_owned(), None),
        Err(error) => ReceivedAnswer::Failed(error.to_owned()),
    }
}
