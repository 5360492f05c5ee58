//! What sockets send, to their own client and to others.

use super::Socket;
use crate::event::error::EventError;
use crate::event::message::IntoMessage;
use crate::handle::frames::Rejected;
use crate::hub::selection::{EmitError, Selection};
use crate::wire::frame::EncodedFrame;
use crate::wire::packet::Packet;
use crate::wire::payload::Payload;

/// Emitting.
impl Socket {
    /// Emits to this socket's client.
    ///
    /// # Errors
    ///
    /// The payload does not serialize, or the client takes no message now.
    pub fn emit(&self, message: impl IntoMessage) -> Result<(), EmitError> {
        self.namespace_inner().emit_to_socket(&message.into_packet()?, self)
    }

    /// Emits to the socket of the namespace with this id.
    ///
    /// # Errors
    ///
    /// There is none, or its client takes no message now: both also fire `error` on this socket,
    /// with the other's id. Or the payload does not serialize, which fires nothing: it is no matter
    /// of the other socket's. Where an [adapter](crate::adapter::Adapter) connects several servers,
    /// `Ok` says of a socket that is not on this one that the message was sent to the others.
    pub fn emit_to(&self, id: impl AsRef<str>, message: impl IntoMessage) -> Result<(), EmitError> {
        let packet = message.into_packet()?;
        self.emit_packet_to(id.as_ref(), &packet)
    }

    /// Emits to several sockets. One that can't be reached is no error, but fires `error` on this socket.
    ///
    /// # Errors
    ///
    /// The payload does not serialize.
    pub fn emit_to_list<I>(&self, ids: I, message: impl IntoMessage) -> Result<(), EmitError>
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        let packet = message.into_packet()?;
        for id in ids {
            let _ = self.emit_packet_to(id.as_ref(), &packet);
        }
        Ok(())
    }

    fn emit_packet_to(&self, id: &str, packet: &Packet) -> Result<(), EmitError> {
        let sent = self.namespace_inner().emit_to(packet, id);
        if let Err(error) = &sent {
            let error = EventError::new("unreachable", error.to_string());
            self.report(error.with_target(id.into()));
        }
        sent
    }

    /// Emits to everyone in the namespace, this socket left out if `except_self`.
    ///
    /// # Errors
    ///
    /// The payload does not serialize.
    pub fn broadcast(&self, message: impl IntoMessage, except_self: bool) -> Result<(), EmitError> {
        Selection::all(self.namespace_inner(), except_self.then_some(self)).emit(message)
    }

    /// Selects the members of a room, this socket left out.
    pub fn to(&self, room: impl AsRef<str>) -> Selection<'_> {
        Selection::own(self).to(room)
    }

    /// Selects the members of a room, this socket included.
    pub fn within(&self, room: impl AsRef<str>) -> Selection<'_> {
        Selection::own(self).within(room)
    }

    /// Selects everyone but this socket and the members of a room.
    pub fn except(&self, room: impl AsRef<str>) -> Selection<'_> {
        Selection::own(self).except(room)
    }

    /// Selects everyone but this socket and the one with this id.
    pub fn except_id(&self, id: impl AsRef<str>) -> Selection<'_> {
        Selection::own(self).except_id(id)
    }

    /// Selects everyone on this server but this socket.
    pub fn local(&self) -> Selection<'_> {
        Selection::own(self).local()
    }

    /// Emits to this socket's client, or to those selected further on, what is dropped for a client that can't take it
    /// now.
    pub fn volatile(&self) -> Selection<'_> {
        Selection::own(self).volatile()
    }

    /// Puts a message into the client's outbox.
    pub(crate) fn deliver(&self, packet: &Packet) -> Result<(), EmitError> {
        if self.is_leaving() {
            return Err(EmitError::Closed);
        }
        self.tell_outgoing(packet);
        let send = |frame: &EncodedFrame| self.send(frame, packet.is_volatile());
        let sent = packet.with_frame(&self.peer().encoding, self.namespace(), send);
        sent.map_err(|rejected| self.rejected(rejected))
    }

    /// Queues a frame for the client; until the socket is accepted it is put aside.
    fn send(&self, frame: &EncodedFrame, volatile: bool) -> Result<(), Rejected> {
        if self.is_connecting() {
            let mut side = self.0.side.lock();
            // It may have been accepted meanwhile, and then nothing is put aside any more.
            if self.is_connecting() {
                let held = &mut side.get_or_insert_default().held;
                return self.peer().handle.hold(held.get_or_insert_default(), frame);
            }
        }
        self.peer().send(frame, volatile)
    }

    pub(super) fn rejected(&self, rejected: Rejected) -> EmitError {
        match rejected {
            Rejected::Closed => EmitError::Closed,
            Rejected::Overflow { first } => {
                if first {
                    self.hub().counters().overflow();
                    tracing::warn!(socket = %self.id(), "outbox overflow");
                    if self.is_alive() {
                        self.report(EventError::new("overflow", "the outbox is full, messages are dropped"));
                    }
                }
                EmitError::Overflow
            }
        }
    }

    /// Sends the answer to an event, which may come before the socket is accepted: one that is not handled is answered at once.
    /// `id`: the JSON text of the event's id.
    pub(crate) fn answer(&self, id: &str, answer: Result<&Payload, &EventError>) {
        let sent = match self.is_leaving() {
            true => Err(Rejected::Closed),
            false => self.send(&self.peer().encoding.answer(self.namespace(), id, answer), false),
        };
        if let Err(rejected) = sent {
            let error = self.rejected(rejected);
            tracing::debug!(socket = %self.id(), %error, "an answer was not sent");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handle::OverflowPolicy;
    use crate::handle::outbox::Batch;
    use crate::handle::request::Request;
    use crate::hub::Hub;
    use crate::hub::namespace::inner::{Contents, NamespaceFactory};
    use crate::hub::peer::{ConnectionHandle, Peer};
    use crate::hub::socket::Identity;
    use crate::session::limits::Bounds;
    use crate::wire::encoding::Encoding;
    use crate::wire::frame::frames;
    use http::Extensions;
    use std::sync::Arc;

    /// All text messages that wait for a client.
    fn waiting(handle: &ConnectionHandle) -> Vec<String> {
        let mut batch = Batch::default();
        handle.take_frames(&mut batch);
        let bytes = batch.with_slices(|slices| slices.iter().flat_map(|slice| slice.to_vec()).collect::<Vec<_>>());
        frames(&bytes).map(|(_, text)| String::from_utf8_lossy(text).into_owned()).collect()
    }

    #[test]
    fn nothing_overtakes_what_waits_for_a_socket_to_be_accepted() {
        let hub = Hub::builder().build().expect("a hub");
        let namespace = Arc::new(NamespaceFactory::default().make("/", Contents::default()));
        let expected: Vec<_> = (0..50).map(|number| format!(r#"42["message","{number}"]"#)).collect();
        for _ in 0..1_000 {
            let handle = ConnectionHandle::new(Bounds { messages: 1_000, bytes: 100_000 }, OverflowPolicy::Disconnect);
            let peer = Arc::new(Peer::new(handle, Request::default(), Encoding::SocketIo, None));
            let identity = Identity::Generated { auth: "{}" };
            let socket =
                Socket::register(hub.clone(), Arc::clone(&namespace), Arc::clone(&peer), Extensions::new(), identity);
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    for number in 0..expected.len() {
                        socket.emit(number.to_string()).expect("there is room");
                    }
                });
                while socket.0.side.lock().as_ref().is_none_or(|side| side.held.is_none()) {
                    std::hint::spin_loop();
                }
                socket.accepted();
            });
            let waiting = waiting(&peer.handle);
            assert!(waiting[0].starts_with("40{"), "{waiting:?}");
            assert_eq!(waiting[1..], expected);
            socket.depart();
        }
    }
}
