//! Emits of a [`Socket`], to its client and to others.

use std::fmt::Display;

use super::Socket;
use crate::connection_handle::queue::Rejected;
use crate::event::error::EventError;
use crate::event::message::IntoMessage;
use crate::event::raw_message::IntoRawMessage;
use crate::hub::selection::{EmitError, Selection};
use crate::wire::frame::EncodedFrame;
use crate::wire::offset::Offset;
use crate::wire::packet::{Frames, Packet};
use crate::wire::payload::Payload;
use crate::wire::policy::Policy;
use crate::wire::shown::Shown;

/// Why a message was not queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Undelivered {
    Rejected(Rejected),
    /// The parser of the client made no frame of it.
    NotEncoded,
}

/// Emitting.
impl Socket {
    /// Emits to this socket's client.
    ///
    /// # Errors
    ///
    /// The payload does not serialize, or the client does not accept messages now.
    pub fn emit(&self, message: impl IntoMessage) -> Result<(), EmitError> {
        self.namespace_inner().emit_to_socket(&message.into_packet()?, self)
    }

    /// Sends text or bytes to this socket's client, as they are.
    ///
    /// A plain WebSocket client receives a frame of the same kind. A Socket.IO client receives the
    /// event `message` with one argument, as from `socket.send` of the reference server. Methods
    /// that have no such form take [`Text`](crate::Text) or bytes: `emit_to(id, Text("hello"))`.
    ///
    /// ```
    /// # use socketio::{EmitError, Socket};
    /// # fn example(socket: &Socket) -> Result<(), EmitError> {
    /// socket.send("hello")?;
    /// socket.send(vec![1, 2, 3])?;
    /// socket.emit(("greeting", "hello"))?; // an event
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// The client does not accept messages now.
    pub fn send(&self, message: impl IntoRawMessage) -> Result<(), EmitError> {
        self.namespace_inner().emit_to_socket(&message.into_raw(), self)
    }

    /// Emits to the socket with this id in the same namespace.
    ///
    /// # Errors
    ///
    /// No socket has this id, or it does not accept messages now. Both also fire `error` on this
    /// socket, with the other id. If the payload does not serialize, `error` does not fire.
    ///
    /// With an [adapter](crate::adapter::Adapter) for several servers, `Ok` may only mean that the
    /// message was sent to the other servers. Whether one of them has the socket is unknown.
    pub fn emit_to(&self, id: impl AsRef<str>, message: impl IntoMessage) -> Result<(), EmitError> {
        let packet = message.into_packet()?;
        self.emit_packet_to(id.as_ref(), &packet)
    }

    /// Emits to several sockets. A socket that can't be reached is skipped and fires `error` on
    /// this socket.
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

    /// Emits to all sockets of the namespace. If `except_self` is `true`, this socket is left out.
    ///
    /// # Errors
    ///
    /// The payload does not serialize.
    pub fn broadcast(&self, message: impl IntoMessage, except_self: bool) -> Result<(), EmitError> {
        Selection::all(self.namespace_inner(), except_self.then_some(self)).emit(message)
    }

    /// Selects the members of a room, without this socket.
    pub fn to(&self, room: impl AsRef<str>) -> Selection<'_> {
        Selection::own(self).to(room)
    }

    /// Selects the members of a room, including this socket.
    pub fn within(&self, room: impl AsRef<str>) -> Selection<'_> {
        Selection::own(self).within(room)
    }

    /// Selects all sockets except this one and the members of a room.
    pub fn except(&self, room: impl AsRef<str>) -> Selection<'_> {
        Selection::own(self).except(room)
    }

    /// Selects all sockets except this one and the one with this id.
    pub fn except_id(&self, id: impl AsRef<str>) -> Selection<'_> {
        Selection::own(self).except_id(id)
    }

    /// Selects all sockets of this server except this one.
    pub fn local(&self) -> Selection<'_> {
        Selection::own(self).local()
    }

    /// Selects this socket. The message is dropped for clients that can't receive it now. Further
    /// methods can change the selection.
    pub fn volatile(&self) -> Selection<'_> {
        Selection::own(self).volatile()
    }

    /// Selects this socket. Of the event's messages, only the latest waits for clients that can't
    /// receive it now. See [`Selection::latest`].
    pub fn latest(&self) -> Selection<'_> {
        Selection::own(self).latest()
    }

    /// Selects this socket. Of the event's messages with the same key, only the latest waits for
    /// clients that can't receive it now. See [`Selection::latest_by`].
    pub fn latest_by(&self, key: impl Display) -> Selection<'_> {
        Selection::own(self).latest_by(key)
    }

    /// Queues a message in the client's outbox.
    pub(crate) fn deliver(&self, packet: &Packet) -> Result<(), EmitError> {
        if self.is_leaving() {
            return Err(EmitError::Closed);
        }
        self.call_outgoing_listeners(packet);
        packet.with_frame(&self.peer().encoding, self.namespace(), |frame| {
            if frame.is_nothing() {
                return Err(EmitError::not_encoded());
            }
            self.queue(frame, packet.policy(self.namespace())).map_err(|rejected| self.rejected(rejected))
        })
    }

    /// Queues a message that has an offset. The caller holds the order of the namespace, and has
    /// called the listeners for outgoing messages. `logged`: the offset of a message in the log.
    pub(crate) fn deliver_at(
        &self,
        packet: &Packet,
        frames: &Frames,
        logged: Option<Offset>,
    ) -> Result<(), Undelivered> {
        let policy = packet.policy(self.namespace());
        let policy = if logged.is_some() { policy } else { policy.of_unlogged() };
        let delivered = match self.is_leaving() {
            true => Err(Undelivered::Rejected(Rejected::Closed)),
            false => frames.with(packet, &self.peer().encoding, self.namespace(), |frame| match frame.is_nothing() {
                true => Err(Undelivered::NotEncoded),
                false => self.queue(frame, policy).map_err(Undelivered::Rejected),
            }),
        };
        // A raw message has no offset that a plain client could tell.
        let is_told = packet.is_event() || self.peer().encoding.has_namespaces();
        if let (Some(session), Some(offset)) = (self.session(), logged.filter(|_| is_told)) {
            match delivered {
                Ok(()) => session.sent(offset),
                Err(Undelivered::Rejected(Rejected::Closed)) => session.not_sent(offset),
                Err(_) => session.break_off(),
            }
        }
        delivered
    }

    /// Queues a frame for the client. Until the socket is accepted, the frame is held back.
    fn queue(&self, frame: &EncodedFrame, policy: Policy) -> Result<(), Rejected> {
        let has_replaced = self.queue_or_hold(frame, policy)?;
        if has_replaced {
            self.hub().counters().conflated();
        }
        Ok(())
    }

    fn queue_or_hold(&self, frame: &EncodedFrame, policy: Policy) -> Result<bool, Rejected> {
        if self.is_connecting() {
            let mut side = self.0.side.lock();
            // The socket may have been accepted before the lock was taken. Frames are then no
            // longer held back.
            if self.is_connecting() {
                let held = &mut side.get_or_insert_default().held;
                let queued = self.peer().handle.queue_held(held.get_or_insert_default(), frame, policy);
                drop(side);
                return queued.map_err(|(rejected, wakeup)| {
                    wakeup.wake();
                    rejected
                });
            }
        }
        self.peer().send(frame, policy)
    }

    pub(crate) fn rejected(&self, rejected: Rejected) -> EmitError {
        match rejected {
            Rejected::Closed => EmitError::Closed,
            Rejected::Overflow { first } => {
                if first {
                    self.hub().counters().overflow();
                    tracing::debug!(socket = %self.shown_id(), "outbox overflow");
                    if self.is_alive() {
                        self.report(EventError::new("overflow", "the outbox is full, messages are dropped"));
                    }
                }
                EmitError::Overflow
            }
        }
    }

    /// Sends the answer to an event. `id` is the JSON text of the event's id. The socket may not be
    /// accepted yet, because events without a handler are answered at once.
    pub(crate) fn send_answer(&self, id: &str, answer: Result<&Payload, &EventError>) {
        let sent = match self.is_leaving() {
            true => Err(Rejected::Closed),
            false => self.queue(&self.peer().encoding.answer(self.namespace(), id, answer), Policy::Wait),
        };
        if let Err(rejected) = sent {
            let error = self.rejected(rejected);
            tracing::debug!(socket = %self.shown_id(), error = %Shown(&error), "an answer could not be sent");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection_handle::OverflowPolicy;
    use crate::connection_handle::outbox::Batch;
    use crate::connection_handle::request::Request;
    use crate::connection_handle::shared::Shared;
    use crate::hub::Hub;
    use crate::hub::aliases::{ConnectionHandle, Peer};
    use crate::hub::namespace::inner::{Contents, Lifetime, NamespaceFactory};
    use crate::hub::socket::Identity;
    use crate::session::limits::Bounds;
    use crate::wire::encoding::Encoding;
    use crate::wire::frame::frames;
    use http::Extensions;
    use std::sync::Arc;

    /// All text messages in the outbox of a client.
    fn waiting(handle: &ConnectionHandle) -> Vec<String> {
        let mut batch = Batch::default();
        handle.take_frames(&mut batch);
        let bytes = batch.with_slices(|slices| slices.iter().flat_map(|slice| slice.to_vec()).collect::<Vec<_>>());
        frames(&bytes).map(|(_, text)| String::from_utf8_lossy(text).into_owned()).collect()
    }

    #[test]
    fn later_messages_do_not_overtake_those_held_back_until_acceptance() {
        let hub = Hub::builder().build().expect("a hub");
        let namespace = Arc::new(NamespaceFactory::default().make("/", Contents::default(), Lifetime::Static));
        let bounds = Bounds { messages: 1_000, bytes: 100_000 };
        let shared = Arc::new(Shared::new(bounds, OverflowPolicy::Disconnect));
        let expected: Vec<_> = (0..50).map(|number| format!(r#"42["message","{number}"]"#)).collect();
        for _ in 0..1_000 {
            let handle = ConnectionHandle::new(&shared);
            let peer = Arc::new(Peer::new(handle, Request::default(), Encoding::SocketIo, None));
            let identity = Identity::Generated { auth: "{}" };
            let socket =
                Socket::register(hub.clone(), Arc::clone(&namespace), Arc::clone(&peer), Extensions::new(), identity);
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    for number in 0..expected.len() {
                        socket.send(number.to_string()).expect("there is room");
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
            socket.depart(false);
        }
    }
}
