//! [`Rooms`]: the members of a namespace's rooms.
//!
//! Members are stored in a dense set behind an `Arc`. A broadcast clones the `Arc` and iterates
//! without a lock. A change copies the set only while a broadcast uses it.

use indexmap::IndexSet;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::hub::socket::Socket;

/// A snapshot of a set of sockets.
pub(crate) type Members = Arc<IndexSet<Socket>>;

/// The number of locks among which the rooms are divided.
const SHARDS: usize = 16;

/// The rooms of a namespace.
#[derive(Default)]
pub(crate) struct Rooms {
    shards: [Mutex<HashMap<Arc<str>, Members>>; SHARDS],
    number: AtomicUsize,
    hasher: RandomState,
}

impl Rooms {
    fn shard(&self, room: &str) -> &Mutex<HashMap<Arc<str>, Members>> {
        &self.shards[self.hasher.hash_one(room) as usize % SHARDS]
    }

    /// Adds a socket to a room. Returns the room's name, of which all members share one allocation.
    pub(crate) fn join(&self, room: &str, socket: &Socket) -> Arc<str> {
        let mut shard = self.shard(room).lock();
        let name = match shard.get_key_value(room) {
            Some((name, _)) => Arc::clone(name),
            None => {
                self.number.fetch_add(1, Ordering::Relaxed);
                room.into()
            }
        };
        Arc::make_mut(shard.entry(Arc::clone(&name)).or_default()).insert(socket.clone());
        name
    }

    pub(crate) fn leave(&self, room: &str, socket: &Socket) {
        let mut shard = self.shard(room).lock();
        let Some(members) = shard.get_mut(room) else { return };
        Arc::make_mut(members).swap_remove(socket);
        if members.is_empty() {
            shard.remove(room);
            self.number.fetch_sub(1, Ordering::Relaxed);
            if shard.is_empty() {
                shard.shrink_to_fit();
            }
        }
    }

    /// Calls `visit` with the name and the number of members of each room. The lock of the rooms
    /// that are being visited is held, so it must be short.
    pub(crate) fn for_each(&self, mut visit: impl FnMut(&Arc<str>, usize)) {
        for shard in &self.shards {
            shard.lock().iter().for_each(|(name, members)| visit(name, members.len()));
        }
    }

    pub(crate) fn count(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().len()).sum()
    }

    /// Calls `visit` with the name of each room, without holding a lock.
    pub(crate) fn for_each_name(&self, mut visit: impl FnMut(&str)) {
        for shard in &self.shards {
            let names: Vec<_> = shard.lock().keys().cloned().collect();
            names.iter().for_each(|name| visit(name));
        }
    }

    /// The number of rooms.
    pub(crate) fn len(&self) -> usize {
        self.number.load(Ordering::Relaxed)
    }

    pub(crate) fn members(&self, room: &str) -> Option<Members> {
        self.shard(room).lock().get(room).cloned()
    }
}
