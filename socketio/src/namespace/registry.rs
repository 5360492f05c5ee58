//! The sockets of one namespace on this server: by id, all together, and by room.

use parking_lot::{Mutex, RwLock};
use smallvec::SmallVec;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::rooms::{Members, Rooms};
use crate::selection::Audience;
use crate::socket::{Socket, SocketId};

#[derive(Default)]
pub(crate) struct Registry {
    by_id: RwLock<HashMap<SocketId, Socket>>,
    all: Mutex<Members>,
    rooms: Rooms,
    /// How many are connected, those left out whose `connect` handler still runs.
    connected: AtomicUsize,
}

/// The members of a room, with the socket whose own room it is.
struct Room {
    members: Option<Members>,
    own: Option<Socket>,
}

impl Room {
    fn contains(&self, socket: &Socket) -> bool {
        self.own.as_ref() == Some(socket) || self.members.as_ref().is_some_and(|members| members.contains(socket))
    }

    fn for_each(&self, mut visit: impl FnMut(&Socket)) {
        if let Some(members) = &self.members {
            members.iter().for_each(&mut visit);
        }
        if let Some(own) = &self.own
            && !self.members.as_ref().is_some_and(|members| members.contains(own))
        {
            visit(own);
        }
    }
}

impl Registry {
    /// Registers a socket under its id. `false`: the id is taken.
    pub(crate) fn add(&self, id: SocketId, socket: &Socket) -> bool {
        if !insert_id(&mut self.by_id.write(), id, socket) {
            return false;
        }
        Arc::make_mut(&mut *self.all.lock()).insert(socket.clone());
        true
    }

    pub(crate) fn count_connected(&self) {
        self.connected.fetch_add(1, Ordering::Relaxed);
    }

    /// Forgets a socket that has left its rooms.
    pub(crate) fn remove(&self, id: &str, socket: &Socket, was_connected: bool) {
        {
            let mut by_id = self.by_id.write();
            by_id.remove(id);
            shrink_if_sparse(&mut by_id);
        }
        let mut all = self.all.lock();
        let all = Arc::make_mut(&mut all);
        all.swap_remove(socket);
        if all.capacity() > 64 && all.len() < all.capacity() / 8 {
            all.shrink_to(all.len() * 2);
        }
        if was_connected {
            self.connected.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Moves a socket to another id. `false`: that one is taken, and nothing has changed.
    pub(crate) fn rename(&self, socket: &Socket, from: &str, to: &SocketId) -> bool {
        let mut by_id = self.by_id.write();
        if !insert_id(&mut by_id, to.clone(), socket) {
            return false;
        }
        by_id.remove(from);
        true
    }

    pub(crate) fn get(&self, id: &str) -> Option<Socket> {
        self.by_id.read().get(id).cloned()
    }

    pub(crate) fn all(&self) -> Members {
        Arc::clone(&self.all.lock())
    }

    pub(crate) fn len(&self) -> usize {
        self.connected.load(Ordering::Relaxed)
    }

    pub(crate) fn rooms(&self) -> &Rooms {
        &self.rooms
    }

    /// Visits each selected socket once, without a lock being held.
    pub(crate) fn for_each(&self, audience: &Audience, mut visit: impl FnMut(&Socket)) {
        let excluded: SmallVec<[Room; 2]> = audience.except_rooms().iter().map(|room| self.room(room)).collect();
        let is_excluded = |socket: &Socket| {
            audience.except_socket() == Some(socket) || excluded.iter().any(|room| room.contains(socket))
        };
        if audience.rooms().is_empty() {
            for socket in self.all().iter().filter(|socket| !is_excluded(socket)) {
                visit(socket);
            }
            return;
        }
        let rooms: SmallVec<[Room; 2]> = audience.rooms().iter().map(|room| self.room(room)).collect();
        for (at, room) in rooms.iter().enumerate() {
            room.for_each(|socket| {
                if !is_excluded(socket) && !rooms[..at].iter().any(|earlier| earlier.contains(socket)) {
                    visit(socket);
                }
            });
        }
    }

    fn room(&self, name: &str) -> Room {
        Room { members: self.rooms.members(name), own: self.get(name) }
    }
}

fn insert_id(by_id: &mut HashMap<SocketId, Socket>, id: SocketId, socket: &Socket) -> bool {
    match by_id.entry(id) {
        Entry::Occupied(_) => false,
        Entry::Vacant(vacant) => {
            vacant.insert(socket.clone());
            true
        }
    }
}

fn shrink_if_sparse(by_id: &mut HashMap<SocketId, Socket>) {
    if by_id.capacity() > 64 && by_id.len() < by_id.capacity() / 8 {
        by_id.shrink_to(by_id.len() * 2);
    }
}
