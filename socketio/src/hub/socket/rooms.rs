//! Rooms of a [`Socket`].

use std::sync::Arc;

use super::Socket;
use super::notices::Notice;
use crate::hub::adapter::Change;
use crate::wire::shown::Shown;

/// The error of a socket that could not join a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JoinError {
    /// The socket is gone.
    #[error("the socket is closed")]
    Closed,
    /// The socket has reached the maximum number of rooms.
    #[error("the socket is in too many rooms")]
    TooManyRooms,
}

/// Rooms.
impl Socket {
    /// Joins a room. Once this returns, emits to the room reach the socket.
    ///
    /// # Errors
    ///
    /// The socket is gone, or the number of its rooms has reached
    /// [`max_rooms`](crate::HubBuilder::max_rooms).
    pub fn join(&self, room: impl AsRef<str>) -> Result<(), JoinError> {
        let room = room.as_ref();
        let order = self.order();
        let mut rooms = self.0.rooms.lock();
        if self.is_gone() {
            return Err(JoinError::Closed);
        }
        if rooms.contains(room) {
            return Ok(());
        }
        if rooms.len() >= self.hub().config().max_rooms {
            return Err(JoinError::TooManyRooms);
        }
        let room = self.namespace_inner().registry().rooms().join(room, self);
        rooms.insert(Arc::clone(&room));
        if let Some(order) = &order {
            order.room_changed(self, &room, true);
        }
        self.note(|| Notice::Joined(room));
        drop(rooms);
        drop(order);
        self.tell_changed();
        self.tell_adapter();
        Ok(())
    }

    /// Leaves a room. Does nothing if the socket is not in the room, or has left the hub.
    pub fn leave(&self, room: impl AsRef<str>) {
        let room = room.as_ref();
        let order = self.order();
        let mut rooms = self.0.rooms.lock();
        if self.is_gone() {
            return;
        }
        let Some(room) = rooms.take(room) else { return };
        self.namespace_inner().registry().rooms().leave(&room, self);
        if let Some(order) = &order {
            order.room_changed(self, &room, false);
        }
        self.note(|| Notice::Left(room));
        drop(rooms);
        drop(order);
        self.tell_changed();
        self.tell_adapter();
    }

    /// Applies a change. A join that fails is only logged.
    pub(crate) fn change(&self, change: &Change<'_>) {
        match *change {
            Change::Join(rooms) => {
                for room in rooms {
                    if let Err(error) = self.join(room) {
                        tracing::debug!(
                            socket = %self.shown_id(),
                            error = %Shown(&error),
                            "a socket did not join a room"
                        );
                    }
                }
            }
            Change::Leave(rooms) => rooms.iter().for_each(|room| self.leave(room)),
            Change::Disconnect { close: false, reason } => self.disconnect_with(reason),
            Change::Disconnect { close: true, reason } => self.close_with(1000, reason),
        }
    }

    /// Returns `true` if the socket is in the room. Once its client is gone: whether the socket was
    /// in the room then, until `disconnect` fires.
    pub fn is_in(&self, room: impl AsRef<str>) -> bool {
        let room = room.as_ref();
        self.0.rooms.lock().contains(room) || (!self.is_finished() && self.id() == *room)
    }

    /// The rooms of the socket. The room with its own id comes first.
    ///
    /// A socket leaves its rooms as soon as its client is gone. Handlers that still run, and that
    /// of `disconnecting`, get the rooms in which it was. From `disconnect` on there are none.
    pub fn rooms(&self) -> Vec<String> {
        let joined: Vec<_> = self.0.rooms.lock().iter().map(ToString::to_string).collect();
        let own = (!self.is_finished()).then(|| self.id().to_string());
        own.into_iter().chain(joined).collect()
    }
}
