//! Processes messages of plain WebSocket clients: envelopes and raw messages. Messages of a bare
//! Engine.IO session are processed here too, as raw messages.

use bytes::Bytes;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::Session;
use super::effects::{Effects, InNamespace};
use super::limits::Limits;
use super::received::{Parts, RawMessage, ReceivedAnswer, ReceivedEvent};
use crate::wire::envelope::{self, ArgumentText, Envelope};

impl<S: InNamespace> Session<S> {
    /// Processes the first message of a client that wants to resume its session.
    pub(super) fn receive_claim(&mut self, text: Utf8Bytes, effects: &mut impl Effects<Socket = S>) {
        if !self.open_claimed(&text, effects) {
            self.receive_text(text, true, effects);
        }
    }

    /// Creates the socket of such a client. Returns `false` if the message is another one.
    pub(super) fn open_claimed(&mut self, message: &str, effects: &mut impl Effects<Socket = S>) -> bool {
        self.state.join();
        let (opened, is_claim) = effects.resume(message);
        self.add(opened, effects);
        is_claim
    }

    /// Processes a text message. `envelopes`: the text may be an event or an answer.
    pub(super) fn receive_text(&mut self, text: Utf8Bytes, envelopes: bool, effects: &mut impl Effects<Socket = S>) {
        let Some(entry) = self.sockets.first_mut() else { return };
        let socket = &mut entry.socket;
        match if envelopes { envelope::read(&text) } else { None } {
            Some(Envelope::Event { name, args, id, depth }) => {
                let parts = Parts::of(&text, &name, args, id);
                let violation = self.limits.violation(&name, depth);
                drop(name);
                effects.event(socket, ReceivedEvent::envelope(text, parts), violation);
            }
            Some(Envelope::Answer { id, answer, depth })
                if effects.answer(socket, id, to_received_answer(&self.limits, answer, depth)) => {}
            _ => effects.message(socket, RawMessage::Text(text)),
        }
    }

    pub(super) fn receive_binary(&mut self, bytes: Bytes, effects: &mut impl Effects<Socket = S>) {
        if let Some(entry) = self.sockets.first_mut() {
            effects.message(&mut entry.socket, RawMessage::Binary(bytes));
        }
    }
}

/// Copies an answer out of its message.
fn to_received_answer(limits: &Limits, answer: Result<ArgumentText<'_>, &str>, depth: usize) -> ReceivedAnswer {
    match answer {
        _ if depth > limits.max_depth => ReceivedAnswer::TooDeep(depth),
        Ok(ArgumentText::One(text)) => ReceivedAnswer::One(text.to_owned()),
        Ok(ArgumentText::Many(text)) => ReceivedAnswer::Many(text.to_owned(), None),
        Err(error) => ReceivedAnswer::Failed(error.to_owned()),
    }
}
