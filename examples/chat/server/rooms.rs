//! Rooms and their messages: handlers that share `self`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use socketio::{Disconnect, DisconnectReason, EmitError, Socket, event, handlers};
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use ts_rs::TS;

use super::error::ChatError;
use super::names::{Name, RoomName, Text};
use super::{LISTING_TIMEOUT, names, now};

/// The number of recent messages of a room that new members receive.
const HISTORY_LENGTH: usize = 50;

/// The recent messages of each room that has members on this server. Each server of a cluster
/// remembers what was said on it.
#[derive(Default)]
pub(crate) struct Rooms(Mutex<HashMap<RoomName, VecDeque<Said>>>);

#[derive(Deserialize, JsonSchema, TS)]
pub(crate) struct Say {
    room: RoomName,
    text: Text,
}

#[event("said")]
#[derive(Clone, Serialize, JsonSchema, TS)]
pub(crate) struct Said {
    room: RoomName,
    from: Name,
    text: Text,
    /// Unique for a sender in a room, so that clients can tell which messages they have.
    at: u64,
}

#[event("joined")]
#[derive(Serialize, JsonSchema, TS)]
pub(crate) struct Joined<'a> {
    room: &'a RoomName,
    name: &'a Name,
}

#[event("parted")]
#[derive(Serialize, JsonSchema, TS)]
pub(crate) struct Parted<'a> {
    room: &'a RoomName,
    name: &'a Name,
}

#[event("typing")]
#[derive(Serialize, JsonSchema, TS)]
pub(crate) struct Typing<'a> {
    room: &'a RoomName,
    name: &'a Name,
}

/// The answer to `join`.
#[derive(Serialize, JsonSchema, TS)]
pub(crate) struct Scene {
    room: RoomName,
    members: BTreeSet<Name>,
    said: Vec<Said>,
}

#[derive(Serialize, JsonSchema, TS)]
pub(crate) struct Receipt {
    at: u64,
}

#[handlers]
impl Rooms {
    #[event("join")]
    pub(crate) async fn join(&self, socket: &Socket, name: Name, room: RoomName) -> Result<Scene, ChatError> {
        socket.join(&room)?;
        socket.to(&room).emit(&Joined { room: &room, name: &name })?;
        let said = self.lock().entry(room.clone()).or_default().iter().cloned().collect();
        let members = names(socket.within(&room).timeout(LISTING_TIMEOUT).fetch_sockets().await);
        Ok(Scene { room, members, said })
    }

    #[event("part")]
    pub(crate) fn part(&self, socket: &Socket, name: Name, room: RoomName) -> Result<(), EmitError> {
        socket.leave(&room);
        if socket.within(&room).sockets().is_empty() {
            self.lock().remove(&room);
        }
        socket.to(&room).emit(&Parted { room: &room, name: &name })
    }

    #[event("say")]
    pub(crate) fn say(&self, socket: &Socket, from: Name, Say { room, text }: Say) -> Result<Receipt, ChatError> {
        if !socket.is_in(&room) {
            return Err(ChatError::NotInRoom(room));
        }
        let said = self.remember(Said { room, from, text, at: now() });
        socket.to(&said.room).emit(&said)?;
        Ok(Receipt { at: said.at })
    }

    /// A volatile event: it may be dropped for slow clients.
    #[event("typing")]
    pub(crate) fn typing(&self, socket: &Socket, name: Name, room: RoomName) -> Result<(), EmitError> {
        socket.to(&room).volatile().emit(&Typing { room: &room, name: &name })
    }

    /// `disconnecting` is the last event at which `rooms` returns the socket's rooms. When the
    /// server shuts down, the clients are not told, since they come back.
    #[event(disconnecting)]
    fn part_from_all(&self, socket: &Socket, name: Name, end: Disconnect) -> Result<(), EmitError> {
        if end.reason() == DisconnectReason::Shutdown {
            return Ok(());
        }
        // The first room is the socket's own id.
        for room in socket.rooms().into_iter().skip(1).flat_map(RoomName::try_from) {
            self.part(socket, name.clone(), room)?;
        }
        Ok(())
    }
}

impl Rooms {
    fn remember(&self, mut said: Said) -> Said {
        let mut rooms = self.lock();
        let history = rooms.entry(said.room.clone()).or_default();
        said.at = said.at.max(history.back().map_or(0, |last| last.at + 1));
        if history.len() == HISTORY_LENGTH {
            history.pop_front();
        }
        history.push_back(said.clone());
        said
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<RoomName, VecDeque<Said>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
