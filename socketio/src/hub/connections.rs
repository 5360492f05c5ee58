//! [`Connections`]: counts the connections of a hub, and reaches each of them when the hub drains
//! or shuts down.
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
    /// Once the hub drains.
    draining: Option<Draining>,
}

/// What a hub that drains does with clients.
#[derive(Clone, Copy, Debug)]
pub(super) struct Draining {
    /// Whether new clients are refused.
    pub(super) refuses: bool,
    /// What refused clients are told about when to come back.
    pub(super) retry_after: Duration,
    /// How long the handlers of a client may run once it is its turn. `None` before the first turn.
    pub(super) grace: Option<Duration>,
}

/// Whether a hub accepts clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Serving,
    Draining,
    ShuttingDown,
}

/// Why a client does not get a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unavailable {
    /// When the client may try again, if that is known.
    pub(crate) retry_after: Option<Duration>,
}

/// In which groups connections are told to end.
pub(super) struct Pace {
    pub(super) group: usize,
    /// After each group.
    pub(super) pause: Duration,
}

impl State {
    /// The connections whose handshake is finished.
    fn peers(&self) -> Vec<Arc<Peer>> {
        self.places.iter().filter_map(|(_, place)| place.clone()).collect()
    }
}

/// The time until which handlers may run from now on.
pub(super) fn handlers_until(time: Duration) -> Instant {
    after(tokio::time::Instant::now().into_std(), time)
}

impl Connections {
    pub(crate) fn len(&self) -> usize {
        self.state.lock().places.len()
    }

    /// Takes a place. Fails if there are `max` connections, or the hub drains or shuts down.
    fn take_place(&self, max: usize) -> Result<usize, Unavailable> {
        let mut state = self.state.lock();
        let draining = state.draining.filter(|draining| draining.refuses);
        if draining.is_some() || state.handlers_until.is_some() || state.places.len() >= max {
            return Err(Unavailable { retry_after: draining.map(|draining| draining.retry_after) });
        }
        Ok(state.places.insert(None))
    }

    pub(crate) fn phase(&self) -> Phase {
        let state = self.state.lock();
        match (state.handlers_until, state.draining) {
            (Some(_), _) => Phase::ShuttingDown,
            (None, Some(_)) => Phase::Draining,
            (None, None) => Phase::Serving,
        }
    }

    /// Why new clients are refused now, if that is because the hub drains or shuts down.
    pub(crate) fn refusal(&self) -> Option<Unavailable> {
        let state = self.state.lock();
        let draining = state.draining.filter(|draining| draining.refuses);
        let refuses = draining.is_some() || state.handlers_until.is_some();
        refuses.then(|| Unavailable { retry_after: draining.map(|draining| draining.retry_after) })
    }

    /// Begins to drain, or changes how. Returns the connections that have finished their handshake.
    /// The others are told to end when they have, once there is a grace.
    pub(super) fn drain(&self, draining: Draining) -> Vec<Arc<Peer>> {
        let mut state = self.state.lock();
        // What an earlier drain has begun goes on.
        let begun = state.draining.filter(|begun| begun.refuses);
        state.draining = Some(Draining {
            refuses: draining.refuses || begun.is_some(),
            grace: draining.grace.or(begun.and_then(|begun| begun.grace)),
            ..draining
        });
        state.peers()
    }

    /// Tells connections to end, group by group.
    pub(super) async fn end_all(&self, peers: &[Arc<Peer>], pace: Pace, end: impl Fn() -> End) {
        for group in peers.chunks(pace.group) {
            for peer in group {
                peer.handle.post(Command::End(end()));
            }
            if group.len() < peers.len() {
                tokio::time::sleep(pace.pause).await;
            }
        }
    }

    /// Waits until all connections are gone.
    pub(super) async fn emptied(&self) {
        loop {
            let mut empty = pin!(self.empty.notified());
            empty.as_mut().enable();
            if self.len() == 0 {
                return;
            }
            empty.await;
        }
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

    #[cfg(any(feature = "admin", feature = "http-emit"))]
    pub(crate) fn is_shutting_down(&self) -> bool {
        self.state.lock().handlers_until.is_some()
    }

    /// Ends all connections and waits until they are gone.
    pub(crate) async fn shut_down(&self, deadline: Duration) {
        let until = handlers_until(deadline);
        let (peers, connections, until) = {
            let mut state = self.state.lock();
            let until = state.handlers_until.map_or(until, |known| known.min(until));
            state.handlers_until = Some(until);
            (state.peers(), state.places.len(), until)
        };
        tracing::info!(connections, "shutting down");
        self.ending.notify_waiters();
        // Pause after each group, so that not all clients reconnect elsewhere at once. All pauses
        // together take at most half of the deadline.
        let groups = peers.len().div_ceil(SHUTDOWN_GROUP).max(1);
        let pace = Pace { group: SHUTDOWN_GROUP, pause: (deadline / 2 / groups as u32).min(SHUTDOWN_PAUSE) };
        self.end_all(&peers, pace, || End::shutdown(until)).await;
        drop(peers);
        self.emptied().await;
    }

    /// Waits until the hub begins to shut down.
    pub(super) async fn ending(&self) {
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
    /// Fails if there are too many connections, or the hub drains or shuts down, or the adapters
    /// accept no clients.
    pub(crate) fn acquire(hub: &Hub) -> Result<Self, Unavailable> {
        if !hub.accepts_clients() {
            return Err(Unavailable { retry_after: None });
        }
        let place = hub.connections().take_place(hub.config().max_connections)?;
        Ok(Self { hub: hub.clone(), place })
    }

    /// Stores the peer after the handshake. If the hub began to drain or to shut down in the
    /// meantime, the connection is told to end.
    pub(crate) fn fill(&self, peer: &Arc<Peer>) {
        let mut state = self.hub.connections().state.lock();
        state.places[self.place] = Some(Arc::clone(peer));
        let (shutdown, drain) = (state.handlers_until, state.draining.and_then(|draining| draining.grace));
        drop(state);
        if let Some(until) = shutdown {
            peer.handle.post(Command::End(End::shutdown(until)));
        } else if let Some(grace) = drain {
            peer.handle.post(Command::End(End::drain(handlers_until(grace))));
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
