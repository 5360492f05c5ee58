//! The phases of a [`Socket`]: connecting, connected, ended by the server, left, gone.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::Socket;
use super::notices::Notice;
use crate::connection_handle::outbox::Outbox;
use crate::session::disconnect::Disconnect;

pub(super) const CONNECTING: u8 = 0;
pub(super) const CONNECTED: u8 = 1;
/// Accepts no more messages, and waiting events are dropped, because the server ended the socket.
/// It is still in its rooms.
pub(super) const ENDED_BY_SERVER: u8 = 2;
/// Has left the hub and its rooms. `disconnect` has not fired.
pub(super) const LEFT: u8 = 3;
/// `disconnect` has fired, or the socket was never accepted.
pub(super) const GONE: u8 = 4;

impl Socket {
    /// Tells the client that it is connected, sends the messages that were held back, and counts
    /// the socket as connected.
    pub(crate) fn accepted(&self) {
        // From here on the id stays the one that the client is told.
        let current = self.0.id.write();
        self.0.is_id_known.store(true, Ordering::Relaxed);
        let id = current.clone();
        drop(current);
        let greeting = self.greeting(&id).filter(|frame| !frame.is_nothing());
        // Concurrent emits wait for this lock until the phase is `CONNECTED`. Their messages follow
        // those that were held back.
        let mut side = self.0.side.lock();
        if !self.is_connecting() {
            return;
        }
        let mut held = side.as_mut().and_then(|side| side.held.take());
        let mut replay = side.as_mut().and_then(|side| side.replay.take());
        let wakeup = (greeting.is_some() || held.is_some()).then(|| {
            let held = held.get_or_insert_default();
            self.peer().handle.queue_protocol_packet(greeting.as_ref(), replay.as_deref_mut(), held)
        });
        let _ = self.0.phase.compare_exchange(CONNECTING, CONNECTED, Ordering::AcqRel, Ordering::Acquire);
        let is_revoked = side.as_mut().is_some_and(|side| {
            let revoked = std::mem::take(&mut side.revoked);
            revoked.iter().any(|revoked| revoked.includes(&side.attributes))
        });
        drop(side);
        // If the connection has ended, the frames are dropped here.
        drop(held);
        if let Some(wakeup) = wakeup {
            wakeup.wake();
        }
        self.namespace_inner().registry().count_connected();
        self.namespace_inner().observer().connected(self);
        self.tell_changed();
        if is_revoked {
            self.disconnect();
        }
    }

    /// Takes the messages that were held back until the socket is accepted.
    pub(crate) fn take_held(&self) -> Outbox {
        let held = self.0.side.lock().as_mut().and_then(|side| side.held.take());
        held.map_or_else(Outbox::default, |held| *held)
    }

    /// Tells admins that the socket is about to depart, unless it has or was never accepted.
    pub(crate) fn tell_disconnect(&self, disconnect: &Disconnect) {
        self.namespace_inner().observer().disconnected(self, disconnect);
    }

    /// Removes the socket from the namespace and its rooms, because its client is gone or was not
    /// accepted. It remembers the rooms until it has [finished](Self::finish). Later calls do
    /// nothing.
    /// `is_cut`: the client may come back and resume its session. If it had resumed it and was not
    /// accepted yet, it has received nothing, and misses the same messages again.
    pub(crate) fn depart(&self, is_cut: bool) {
        let order = self.order();
        let departed = self.0.phase.fetch_update(Ordering::AcqRel, Ordering::Acquire, |phase| match phase {
            // Its `connect` handler may still accept it.
            CONNECTING if is_cut => Some(LEFT),
            CONNECTING => Some(GONE),
            CONNECTED | ENDED_BY_SERVER => Some(LEFT),
            _ => None,
        });
        let Ok(before) = departed else { return };
        drop(self.take_held());
        let joined = self.0.rooms.lock();
        for room in joined.iter() {
            self.namespace_inner().registry().rooms().leave(room, self);
            self.note(|| Notice::Left(Arc::clone(room)));
        }
        drop(joined);
        let id = self.0.id.read();
        self.namespace_inner().registry().remove(&id, self, before != CONNECTING);
        self.note(|| Notice::Removed(id.clone()));
        let left = order.as_ref().zip(self.session()).map(|(order, session)| {
            let kept = (is_cut && (before == CONNECTED || (before == CONNECTING && self.recovered())))
                .then(|| (id.clone(), self.0.rooms.lock().iter().cloned().collect::<Vec<_>>()));
            order.left(self, session, kept)
        });
        drop(id);
        drop(order);
        if let Some(left) = left {
            left.finish(self.namespace_inner().recovery());
        }
        self.end_reliable();
        self.tell_waiting();
        match self.namespace_inner().tells_changes() {
            true => self.tell_adapter(),
            false => self.hub().release(self.namespace_inner()),
        }
    }

    /// Forgets the rooms of a socket that has departed, because `disconnect` fires now. Returns
    /// `false` if `disconnect` must not fire: it has fired, or the socket was never accepted.
    pub(crate) fn finish(&self) -> bool {
        let fires = self.0.phase.compare_exchange(LEFT, GONE, Ordering::AcqRel, Ordering::Acquire).is_ok();
        drop(std::mem::take(&mut *self.0.rooms.lock()));
        fires
    }

    /// Wakes the tasks that wait for the client's answers or for the end of the connection.
    pub(crate) fn tell_waiting(&self) {
        let abandoned = self.0.side.lock().as_mut().map(|side| side.requests.abandon());
        for waiter in abandoned.into_iter().flatten() {
            waiter.close(self);
        }
        if self.is_ending() {
            // A client whose socket the server ends can't resume.
            self.end_reliable();
        }
        self.tell_ending();
    }

    /// Wakes the tasks that wait for the end of the connection.
    pub(crate) fn tell_ending(&self) {
        self.0.ended.notify_waiters();
    }

    /// Returns `true` if the socket has left the hub.
    pub(crate) fn is_gone(&self) -> bool {
        self.0.phase.load(Ordering::Acquire) >= LEFT
    }

    /// Returns `true` if `disconnect` has fired, or the socket was refused.
    pub(super) fn is_finished(&self) -> bool {
        self.0.phase.load(Ordering::Acquire) == GONE
    }

    /// Returns `true` if the socket was accepted and is not gone.
    pub(crate) fn is_connected(&self) -> bool {
        matches!(self.0.phase.load(Ordering::Acquire), CONNECTED | ENDED_BY_SERVER)
    }

    /// Returns `true` if the socket was accepted and `disconnect` has not fired.
    #[cfg(feature = "admin")]
    pub(crate) fn was_connected(&self) -> bool {
        (CONNECTED..=LEFT).contains(&self.0.phase.load(Ordering::Acquire))
    }

    pub(super) fn is_connecting(&self) -> bool {
        self.0.phase.load(Ordering::Acquire) == CONNECTING
    }

    /// Returns `true` if the socket accepts no more messages.
    pub(super) fn is_leaving(&self) -> bool {
        self.0.phase.load(Ordering::Acquire) >= ENDED_BY_SERVER
    }

    /// Returns `true` if the server is ending the socket or its connection.
    pub(crate) fn is_ending(&self) -> bool {
        self.peer().handle.is_ending() || self.0.phase.load(Ordering::Acquire) == ENDED_BY_SERVER
    }

    /// Returns `true` if waiting events are dropped, because the server is ending the socket or its
    /// connection.
    pub(crate) fn drops_events(&self) -> bool {
        self.peer().handle.drops_events() || self.0.phase.load(Ordering::Acquire) == ENDED_BY_SERVER
    }
}
