//! [`Connections`]: counts the connections of a hub, and reaches each of them during a shutdown.
//!
//! A connection counts from its handshake until its task has ended. A shutdown must also reach
//! connections that are not upgraded yet and those whose last handlers still run.

use parking_lot::Mutex;
use slab::Slab;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Notify;

use super::Hub;
use crate::hub::aliases::Command;
use crate::hub::aliases::Peer;
use crate::session::end::End;
use crate::session::time::after;

/// During a shutdown, this many connections are told to end at once, with a pause after each group.
const SHUTDOWN_GROUP: usize = 100;
const SHUTDOWN_PAUSE: Duration = Duration::from_millis(20);
/// An empty list with more places than this releases its memory.
const KEEP_PLACES: usize = 64;

/// All connections of a hub.
#[derive(Debug, Default)]
pub(crate) struct Connections {
    state: Mutex<State>,
    /// Notified when the hub begins to shut down.
    ending: Notify,
    /// Notified when the last connection is gone.
    empty: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// One place for each connection. It has no peer until the handshake is finished.
    places: Slab<Option<Arc<Peer>>>,
    /// Once the hub shuts down, the time until which handlers may run.
    handlers_until: Option<Instant>,
}

impl Connections {
    pub(crate) fn len(&self) -> usize {
        self.state.lock().places.len()
    }

    #[cfg(feature = "http-emit")]
    pub(crate) fn is_shutting_down(&self) -> bool {
        self.state.lock().handlers_until.is_some()
    }

    /// Takes a place. Returns `None` if there are `max` connections or the hub is shutting down.
    fn take_place(&self, max: usize) -> Option<usize> {
        let mut state = self.state.lock();
        let is_open = state.handlers_until.is_none() && state.places.len() < max;
        is_open.then(|| state.places.insert(None))
    }

    fn leave_place(&self, place: usize) {
        let mut state = self.state.lock();
        let left = state.places.remove(place);
        let is_empty = state.places.is_empty();
        if is_empty && state.places.capacity() > KEEP_PLACES {
            state.places = Slab::new();
        }
        drop(state);
        drop(left);
        if is_empty {
            self.empty.notify_waiters();
        }
    }

    #[cfg(feature = "admin")]
    pub(crate) fn is_shutting_down(&self) -> bool {
        self.state.lock().handlers_until.is_some()
    }

    /// Ends all connections and waits until they are gone.
    pub(crate) async fn shut_down(&self, deadline: Duration) {
        let until = after(tokio::time::Instant::now().into_std(), deadline);
        let (peers, connections, until) = {
            let mut state = self.state.lock();
            let until = state.handlers_until.map_or(until, |known| known.min(until));
            state.handlers_until = Some(until);
            let peers: Vec<_> = state.places.iter().filter_map(|(_, place)| place.clone()).collect();
            (peers, state.places.len(), until)
        };
        tracing::info!(connections, "shutting down");
        self.ending.notify_waiters();
        // Pause after each group, so that not all clients reconnect elsewhere at once. All pauses
        // together take at most half of the deadline.
        let groups = peers.len().div_ceil(SHUTDOWN_GROUP).max(1);
        let pause = (deadline / 2 / groups as u32).min(SHUTDOWN_PAUSE);
        for group in peers.chunks(SHUTDOWN_GROUP) {
            for peer in group {
                peer.handle.post(Command::End(End::shutdown(until)));
            }
            if groups > 1 {
                tokio::time::sleep(pause).await;
            }
        }
        drop(peers);
        loop {
            let mut empty = pin!(self.empty.notified());
            empty.as_mut().enable();
            if self.len() == 0 {
                return;
            }
            empty.await;
        }
    }

    async fn ending(&self) {
        let mut ending = pin!(self.ending.notified());
        ending.as_mut().enable();
        if self.state.lock().handlers_until.is_none() {
            ending.await;
        }
    }
}

/// Permission for one connection, from its handshake until its end. Dropping it frees the place.
pub(crate) struct ConnectionPermit {
    hub: Hub,
    place: usize,
}

impl ConnectionPermit {
    /// Returns `None` if there are too many connections or the hub is shutting down.
    pub(crate) fn acquire(hub: &Hub) -> Option<Self> {
        if !hub.accepts_clients() {
            return None;
        }
        let place = hub.connections().take_place(hub.config().max_connections)?;
        Some(Self { hub: hub.clone(), place })
    }

    /// Stores the peer after the handshake. If the hub began to shut down in the meantime, the
    /// connection is told to end.
    pub(crate) fn fill(&self, peer: &Arc<Peer>) {
        let mut state = self.hub.connections().state.lock();
        state.places[self.place] = Some(Arc::clone(peer));
        let ending = state.handlers_until;
        drop(state);
        if let Some(until) = ending {
            peer.handle.post(Command::End(End::shutdown(until)));
        }
    }

    /// Waits until the hub begins to shut down.
    pub(crate) async fn ending(&self) {
        self.hub.connections().ending().await;
    }
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        self.hub.connections().leave_place(self.place);
    }
}
