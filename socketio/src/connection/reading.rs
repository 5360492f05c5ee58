//! What a connection makes of what it reads: events, answers, raw messages.

use std::task::{Context, Poll};
use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::link::{Message, Received};
use super::{Connection, Linger, Phase};
use crate::event::dispatch::unheard;
use crate::event::error::{EventError, PayloadError};
use crate::event::handler::{Lifecycle, is_reserved};
use crate::event::incoming::{Incoming, Message as RawMessage, Parts, ReceivedEvent, Subject};
use crate::event::rate::Limited;
use crate::socket::requests::Answer;
use crate::wire::envelope::{self, Args, Envelope};

/// How many messages are read before what they brought about is written.
const READ_BUDGET: usize = 256;

/// Why an event is not handled.
enum Refused {
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
    /// handler waits for may be among what comes.
    fn has_room(&self) -> bool {
        let bounds = self.config().inbox;
        let (events, bytes) = (self.executor.events(), self.executor.bytes());
        (events < bounds.messages && bytes < bounds.bytes)
            || (self.socket.peer().is_awaited() && bytes + events * size_of::<Incoming>() < self.config().max_payload)
    }

    pub(super) fn read(&mut self, context: &mut Context<'_>) -> bool {
        match self.phase {
            Phase::Lingering { how: Linger::Rejecting | Linger::Discarding, .. } => {
                if self.link.poll_discard(context).is_ready() {
                    self.close(context);
                }
                return false;
            }
            // Nothing comes after the client's close frame.
            Phase::Lingering { how: Linger::Answering, .. } | Phase::Closed => return false,
            _ => {}
        }
        let mut received = Received::take();
        let mut more = true;
        let mut had_mail = false;
        for _ in 0..READ_BUDGET {
            if self.is_open() && !self.has_room() {
                self.heartbeat.deaf();
                more = false;
                break;
            }
            match self.link.poll_next(context, &mut received) {
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
                    if self.socket.peer().mailbox.has_mail() {
                        self.read_mail(context);
                        had_mail = true;
                    }
                }
                Poll::Ready(Err(cause)) => {
                    self.broken(cause, context);
                    break;
                }
            }
        }
        self.link.keep(&mut received);
        more || had_mail
    }

    fn receive(&mut self, message: Message, context: &mut Context<'_>) {
        self.heartbeat.heard();
        if !self.is_open() {
            return;
        }
        let subject = match message {
            Message::Text(text) => return self.receive_text(text, context),
            Message::Binary(bytes) => {
                let subject = Subject::Message { message: RawMessage::Binary(bytes), is_event: false };
                return self.receive_raw(subject, context);
            }
            Message::Ping(payload) => Subject::Ping(payload),
            Message::Pong(payload) => Subject::Pong(payload),
            // The one is dealt with where it is read, the other only ever written.
            Message::Close(_) | Message::Frame(_) => return,
        };
        self.submit(subject, context);
    }

    fn submit(&mut self, subject: Subject, context: &mut Context<'_>) {
        self.executor.submit(Incoming::new(self.socket.clone(), subject), context);
    }

    /// A message that is no event.
    fn receive_raw(&mut self, subject: Subject, context: &mut Context<'_>) {
        match self.socket.admit(Lifecycle::Message.as_str()) {
            Ok(()) => self.submit(subject, context),
            Err(limited) => over_limit(&Incoming::new(self.socket.clone(), subject), limited),
        }
    }

    fn receive_text(&mut self, text: Utf8Bytes, context: &mut Context<'_>) {
        let envelope = if self.envelopes { envelope::read(&text) } else { None };
        let (parts, refused) = match envelope {
            Some(Envelope::Event { name, args, id, depth }) => {
                (Parts::of(&text, &name, args, id), self.refusal_of(&name, depth))
            }
            Some(Envelope::Answer { id, answer, depth }) if self.socket.answered(id, self.owned(answer, depth)) => {
                return;
            }
            _ => return self.receive_raw(Subject::text_message(text), context),
        };
        let Some(refused) = refused else {
            return self.submit(Subject::Event(ReceivedEvent::received(text, parts)), context);
        };
        if !matches!(refused, Refused::Limited(_)) {
            self.submit(Subject::text_message(text.clone()), context);
        }
        let event = Subject::Event(ReceivedEvent::received(text, parts));
        let incoming = Incoming::new(self.socket.clone(), event);
        let error = match refused {
            Refused::Limited(limited) => return over_limit(&incoming, limited),
            Refused::TooLong => return unheard(&incoming),
            Refused::Reserved => EventError::reserved_event(incoming.name()),
            Refused::TooDeep => PayloadError::too_deep().into(),
        };
        incoming.answer(Err(&error));
        incoming.report(error);
    }

    /// Counts an event, and tells why it is not handled, if that is so.
    fn refusal_of(&self, name: &str, depth: usize) -> Option<Refused> {
        let config = self.config();
        if let Err(limited) = self.socket.admit(name) {
            return Some(Refused::Limited(limited));
        }
        if is_reserved(name) {
            return Some(Refused::Reserved);
        }
        if name.len() > config.max_event_name {
            return Some(Refused::TooLong);
        }
        (depth > config.max_depth).then_some(Refused::TooDeep)
    }

    /// An answer, apart from the text that it came in.
    fn owned(&self, answer: Result<Args<'_>, &str>, depth: usize) -> Answer {
        match answer {
            _ if depth > self.config().max_depth => Answer::TooDeep,
            Ok(Args::One(text)) => Answer::One(text.to_owned()),
            Ok(Args::Many(text)) => Answer::Many(text.to_owned()),
            Err(error) => Answer::Failed(error.to_owned()),
        }
    }
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
