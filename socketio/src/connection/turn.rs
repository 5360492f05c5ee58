//! What one connection's task has for other clients goes out when its turn ends: once for each of them, however many messages
//! it had, and without waking their tasks where the kernel takes it at once.
//!
//! A turn is one poll of a connection's task. Who sends outside of one, on a task of the application's, wakes the
//! receiver's.

use std::cell::RefCell;
use std::sync::Arc;

use super::peer::Peer;

/// How many clients one task writes to before it lets others run.
const GROUP: usize = 64;

thread_local! {
    static DUE: RefCell<Due> = const { RefCell::new(Due { is_turn: false, peers: Vec::new() }) };
}

/// Those that something waits for, while a connection has its turn on this thread.
struct Due {
    is_turn: bool,
    peers: Vec<Arc<Peer>>,
}

/// The turn of a connection, for as long as it lives.
pub(super) struct Turn;

impl Turn {
    pub(super) fn begin() -> Self {
        DUE.with_borrow_mut(|due| due.is_turn = true);
        Self
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut peers = DUE.with_borrow_mut(|due| {
            due.is_turn = false;
            std::mem::take(&mut due.peers)
        });
        // The first ones here, the others beside, by whichever thread has time.
        while peers.len() > GROUP {
            let group = Group(peers.split_off(peers.len() - GROUP));
            tokio::spawn(async move { drop(group) });
        }
        flush(&peers);
        peers.clear();
        // The next turn has use for its memory.
        peers.shrink_to(GROUP);
        DUE.with_borrow_mut(|due| due.peers = peers);
    }
}

/// Clients that are written to when it is dropped: also where a runtime that shuts down does not run its task any more.
struct Group(Vec<Arc<Peer>>);

impl Drop for Group {
    fn drop(&mut self) {
        flush(&self.0);
    }
}

fn flush(peers: &[Arc<Peer>]) {
    peers.iter().for_each(|peer| peer.mailbox.flush());
}

/// Has a client's mailbox flushed when this turn ends. `false`: there is none.
pub(super) fn flush_later(peer: &Arc<Peer>) -> bool {
    DUE.with_borrow_mut(|due| {
        if due.is_turn {
            due.peers.push(Arc::clone(peer));
        }
        due.is_turn
    })
}
