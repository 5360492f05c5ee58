//! What a connection makes of what it reads: events, answers, raw messages.

use std::task::{Context, Poll};
use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::link::{Message, Received};
use super::{Connection, Linger, Phase};
use crate::event::dispatch::{is_heard, unheard};
use crate::event::error::EventError;
use crate::event::handler::{Lifecycle, is_reserved};
use crate::event::incoming::{Incoming, Message as RawMessage, Parts, ReceivedEvent, Subject};
use crate::socket::requests::Answer;
use crate::wire::envelope::{self, Args, Envelope};

/// How many messages are read before what they brought about is written.
const READ_BUDGET: usize = 256;

/// Why no event can have a name.
enum RefusedName {
    Reserved,
    TooLong,
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
            Message::Binary(bytes) => Subject::Message { message: RawMessage::Binary(bytes), is_event: false },
            Message::Ping(payload) if self.has_listener(Lifecycle::Ping) => Subject::Ping(payload),
            Message::Pong(payload) if self.has_listener(Lifecycle::Pong) => Subject::Pong(payload),
            // The others are dealt with where they are read.
            Message::Ping(_) | Message::Pong(_) | Message::Close(_) | Message::Frame(_) => return,
        };
        self.submit(subject, context);
    }

    /// Whether somebody hears of a control frame, or may soon. The others need no place among the events that wait: no
    /// number of them makes reading pause.
    fn has_listener(&self, lifecycle: Lifecycle) -> bool {
        self.executor.is_opening() || is_heard(&self.socket, lifecycle)
    }

    fn submit(&mut self, subject: Subject, context: &mut Context<'_>) {
        self.executor.submit(Incoming::new(self.socket.clone(), subject), context);
    }

    fn receive_text(&mut self, text: Utf8Bytes, context: &mut Context<'_>) {
        let envelope = if self.envelopes { envelope::read(&text) } else { None };
        let (parts, refused) = match envelope {
            Some(Envelope::Event { name, args, id }) => (Parts::of(&text, &name, args, id), self.refusal_of(&name)),
            Some(Envelope::Answer { id, answer }) if self.socket.answered(id, owned(answer)) => return,
            _ => return self.submit(Subject::text_message(text), context),
        };
        let Some(refused) = refused else {
            return self.submit(Subject::Event(ReceivedEvent::received(text, parts)), context);
        };
        self.submit(Subject::text_message(text.clone()), context);
        let event = Subject::Event(ReceivedEvent::received(text, parts));
        let incoming = Incoming::new(self.socket.clone(), event);
        match refused {
            RefusedName::TooLong => unheard(&incoming),
            RefusedName::Reserved => {
                let error = EventError::reserved_event(incoming.name());
                incoming.answer(Err(&error));
                incoming.report(error);
            }
        }
    }

    /// Why no event can have this name, if that is so.
    fn refusal_of(&self, name: &str) -> Option<RefusedName> {
        if is_reserved(name) {
            return Some(RefusedName::Reserved);
        }
        (name.len() > self.config().max_event_name).then_some(RefusedName::TooLong)
    }
}

fn owned(answer: Result<Args<'_>, &str>) -> Answer {
    match answer {
        Ok(Args::One(text)) => Answer::One(text.to_owned()),
        Ok(Args::Many(text)) => Answer::Many(text.to_owned()),
        Err(error) => Answer::Failed(error.to_owned()),
    }
}
