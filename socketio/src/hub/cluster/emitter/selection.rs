//! [`EmitterSelection`]: the sockets that an emitter emits to.

use std::borrow::Cow;
use std::fmt::Display;
use std::sync::Arc;

use super::error::Published;
use super::{Emitter, borrowed};
use crate::cluster::message::Message;
use crate::event::message::IntoMessage;
use crate::event::raw_message::IntoRawMessage;
use crate::hub::adapter::{Audience, Packet};
use crate::hub::cluster::adapter::options;

/// Some of a namespace's sockets on all servers, with methods that change the selection and that
/// emit to it. See [`Emitter`].
#[derive(Clone, Debug)]
#[must_use = "a selection does nothing until something is emitted to it"]
pub struct EmitterSelection<'a> {
    emitter: &'a Emitter,
    audience: Audience,
    is_volatile: bool,
    /// The key of [`latest_by`](Self::latest_by).
    latest: Option<String>,
}

impl<'a> EmitterSelection<'a> {
    pub(super) fn all(emitter: &'a Emitter) -> Self {
        Self { emitter, audience: Audience::everyone(), is_volatile: false, latest: None }
    }

    /// Adds the members of a room. A socket in several of the rooms receives a message once. The id
    /// of a socket is a room.
    pub fn to(mut self, room: impl AsRef<str>) -> Self {
        self.audience.rooms.push(room.as_ref().into());
        self
    }

    /// Same as [`to`](Self::to), like `in` on Node.js.
    pub fn within(self, room: impl AsRef<str>) -> Self {
        self.to(room)
    }

    /// Excludes the members of a room.
    pub fn except(mut self, room: impl AsRef<str>) -> Self {
        self.audience.except_rooms.push(room.as_ref().into());
        self
    }

    /// Excludes the socket with this id. Same as [`except`](Self::except) with the room of its id.
    pub fn except_id(self, id: impl AsRef<str>) -> Self {
        self.except(id)
    }

    /// Drops the message for clients that can't receive it now because earlier messages still wait.
    pub fn volatile(self) -> Self {
        Self { is_volatile: true, ..self }
    }

    /// Has only the latest of the event's messages wait for clients that can't receive it now. See
    /// [`Selection::latest`](crate::Selection::latest). Servers on Node.js send all messages.
    pub fn latest(self) -> Self {
        self.latest_by("")
    }

    /// Has only the latest of the event's messages with this key wait for clients that can't
    /// receive it now. See [`Selection::latest_by`](crate::Selection::latest_by). Replaces the key
    /// that the payload type declares.
    pub fn latest_by(self, key: impl Display) -> Self {
        Self { latest: Some(key.to_string()), ..self }
    }

    /// Emits to the selected sockets. An empty selection is no error.
    pub fn emit(self, message: impl IntoMessage) -> Published {
        match message.into_packet() {
            Ok(packet) => self.emit_packet(packet),
            Err(error) => Published::failed(error.into()),
        }
    }

    /// Sends text or bytes to the selected sockets, as they are. See
    /// [`Socket::send`](crate::Socket::send).
    pub fn send(self, message: impl IntoRawMessage) -> Published {
        self.emit_packet(message.into_raw())
    }

    fn emit_packet(self, packet: Packet) -> Published {
        let mut options = options(&self.audience, None);
        options.flags.volatile = self.is_volatile;
        options.flags.latest = self.latest.as_deref().or(packet.latest()).map(Cow::Borrowed);
        options.flags.raw = packet.name().is_none();
        let topic = self.emitter.addressing().event(self.audience.rooms());
        let message = Message::Broadcast { packet: &packet, options, request: None };
        self.emitter.publish(topic, &message, self.is_volatile)
    }

    /// Makes the selected sockets join rooms. Sockets that can't join are skipped: those that are
    /// in too many rooms or that are closing.
    pub fn sockets_join<I>(self, rooms: I) -> Published
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        let rooms: Vec<Arc<str>> = rooms.into_iter().map(|room| room.as_ref().into()).collect();
        let options = options(&self.audience, None);
        self.emitter.publish_to_all(&Message::Join { options, rooms: borrowed(&rooms) })
    }

    /// Makes the selected sockets leave rooms.
    pub fn sockets_leave<I>(self, rooms: I) -> Published
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        let rooms: Vec<Arc<str>> = rooms.into_iter().map(|room| room.as_ref().into()).collect();
        let options = options(&self.audience, None);
        self.emitter.publish_to_all(&Message::Leave { options, rooms: borrowed(&rooms) })
    }

    /// Disconnects the selected sockets from their namespace.
    pub fn disconnect_sockets(self) -> Published {
        self.disconnect_sockets_with("")
    }

    /// Disconnects the selected sockets from their namespace, and says why. See
    /// [`Socket::disconnect_with`](crate::Socket::disconnect_with). Servers on Node.js do not tell
    /// their clients the reason.
    pub fn disconnect_sockets_with(self, reason: impl AsRef<str>) -> Published {
        self.disconnect(false, reason.as_ref())
    }

    /// Closes the connections of the selected sockets.
    pub fn close_sockets(self) -> Published {
        self.disconnect(true, "")
    }

    fn disconnect(self, close: bool, reason: &str) -> Published {
        let options = options(&self.audience, None);
        self.emitter.publish_to_all(&Message::Disconnect { options, close, reason: reason.into() })
    }
}
