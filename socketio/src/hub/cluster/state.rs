//! [`State`]: the health of a cluster, and the tasks that find it out.

use futures_util::future::{Either, select};
use parking_lot::Mutex;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, SystemTime};
use tokio::sync::{broadcast, watch};
use tokio::time::{Instant, sleep, timeout};

use super::core::ClusterCore;
use crate::cluster::{ClusterEvent, GapReason, Health};
use crate::hooks::catch::catch;

/// How often a probe is published.
const PROBE_INTERVAL: Duration = Duration::from_secs(2);
/// How long a probe may take.
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);
/// How often losses are reported.
const REPORT_INTERVAL: Duration = Duration::from_secs(1);
/// The events that wait for a slow receiver.
const MAX_EVENTS: usize = 256;

/// The health of the cluster, and the events about it.
#[derive(Debug)]
pub(super) struct State {
    health: watch::Sender<Health>,
    events: broadcast::Sender<ClusterEvent>,
    /// Whether the engine says that it is connected. Each report is a change.
    is_connected: watch::Sender<bool>,
    /// The number of the last probe that was published.
    probed: AtomicU64,
    /// The number of the last probe that arrived.
    arrived: watch::Sender<u64>,
    reported: Mutex<Reported>,
}

/// The losses that were reported.
#[derive(Debug, Default)]
struct Reported {
    dropped: u64,
    malformed: u64,
}

impl Default for State {
    fn default() -> Self {
        Self {
            health: watch::Sender::new(Health::Starting { error: None }),
            events: broadcast::Sender::new(MAX_EVENTS),
            is_connected: watch::Sender::new(false),
            probed: AtomicU64::new(0),
            arrived: watch::Sender::new(0),
            reported: Mutex::default(),
        }
    }
}

impl State {
    pub(super) fn health(&self) -> watch::Receiver<Health> {
        self.health.subscribe()
    }

    pub(super) fn events(&self) -> broadcast::Receiver<ClusterEvent> {
        self.events.subscribe()
    }

    /// Whether other servers can be asked.
    pub(super) fn is_connected(&self) -> bool {
        *self.is_connected.borrow()
    }

    pub(super) fn is_stopped(&self) -> bool {
        *self.health.borrow() == Health::Stopped
    }

    /// Sets the last state. Returns whether it was set before.
    pub(super) fn stop(&self) -> bool {
        self.is_connected.send_replace(false);
        self.health.send_replace(Health::Stopped) == Health::Stopped
    }

    pub(super) fn connected(&self) {
        self.is_connected.send_replace(true);
    }

    pub(super) fn disconnected(&self, error: String) {
        self.is_connected.send_replace(false);
        self.degrade(error);
    }

    pub(super) fn probe_arrived(&self, number: u64) {
        if number <= self.probed.load(Ordering::Relaxed) {
            self.arrived.send_modify(|last| *last = number.max(*last));
        }
    }

    pub(super) fn gap(&self, reason: GapReason) {
        let _ = self.events.send(ClusterEvent::Gap { reason });
    }

    fn degrade(&self, error: String) {
        let mut was_up = false;
        self.health.send_modify(|health| match health {
            Health::Up { .. } => {
                was_up = true;
                *health = Health::Degraded { since: SystemTime::now(), error: error.clone() };
            }
            Health::Starting { error: old } => *old = Some(error.clone()),
            Health::Degraded { error: old, .. } => old.clone_from(&error),
            Health::Stopped => {}
        });
        if was_up {
            tracing::warn!(error, "the cluster can't be reached; messages to other servers are lost");
            let _ = self.events.send(ClusterEvent::Disconnected { error });
        }
    }

    /// Records that a probe arrived. Returns since when it was down, if it was up before that.
    fn recover(&self, lag: Duration) -> Option<Recovered> {
        let mut recovered = None;
        self.health.send_modify(|health| {
            recovered = match health {
                Health::Up { .. } | Health::Stopped => None,
                Health::Starting { .. } => Some(Recovered { since: None }),
                Health::Degraded { since, .. } => Some(Recovered { since: Some(*since) }),
            };
            if *health != Health::Stopped {
                *health = Health::Up { lag };
            }
        });
        recovered
    }

    async fn probe_arrives(&self, number: u64) {
        // The sender is a field, so it exists.
        let _ = self.arrived.subscribe().wait_for(|last| *last >= number).await;
    }
}

/// A cluster that is reached again, or for the first time.
struct Recovered {
    since: Option<SystemTime>,
}

/// Publishes probes and waits for them. It ends with the hub.
pub(super) async fn probe(core: Weak<ClusterCore>) {
    for number in 1.. {
        let Some(core) = core.upgrade() else { return };
        let state = Arc::clone(core.state());
        if state.is_stopped() {
            return;
        }
        let mut link = state.is_connected.subscribe();
        let is_connected = *link.borrow_and_update();
        if is_connected {
            let sent = Instant::now();
            state.probed.store(number, Ordering::Relaxed);
            if !core.publish_probe(number) {
                // The connection may be well. A new one would lose what waits.
                state.degrade("the queue of messages to other servers is full".to_owned());
                drop(core);
                sleep(PROBE_INTERVAL).await;
                continue;
            }
            let arrives = async {
                let arrived = pin!(state.probe_arrives(number));
                matches!(select(arrived, pin!(link.changed())).await, Either::Left(_))
            };
            let arrived = timeout(PROBE_TIMEOUT, arrives).await;
            match arrived {
                // The link may have changed in the moment in which the probe arrived.
                Ok(true) if link.has_changed().unwrap_or(true) => continue,
                Ok(true) => {
                    if let Some(recovered) = state.recover(sent.elapsed()) {
                        core.reached(recovered.since);
                    }
                }
                // The probe may be lost with its connection, which says nothing about the next one.
                Ok(false) => continue,
                Err(_) => {
                    state.degrade("a message that the server published to itself did not arrive".to_owned());
                    if catch(|| core.engine().reconnect()).is_err() {
                        tracing::error!("the engine of the cluster panicked while it reconnected");
                    }
                }
            }
        }
        drop(core);
        let _ = timeout(PROBE_INTERVAL, link.changed()).await;
    }
}

/// Reports losses as events. It ends with the hub.
pub(super) async fn report(core: Weak<ClusterCore>) {
    loop {
        sleep(REPORT_INTERVAL).await;
        let Some(core) = core.upgrade() else { return };
        core.report_losses();
    }
}

impl ClusterCore {
    fn reached(&self, since: Option<SystemTime>) {
        let state = self.state();
        if let Some(from) = since {
            tracing::info!("the cluster is reached again");
            self.counters().reconnects.add(1);
            self.counters().gaps.add(1);
            state.gap(GapReason::Disconnected { from, to: SystemTime::now() });
        } else {
            tracing::info!(server = %self.server(), "joined the cluster");
        }
        let _ = state.events.send(ClusterEvent::Connected);
    }

    pub(super) fn report_losses(&self) {
        let counters = self.counters();
        let state = self.state();
        let mut reported = state.reported.lock();
        let dropped = counters.dropped.get() + counters.unpublished.get();
        let malformed = counters.malformed.get() + counters.oversized.get();
        let lost = std::mem::replace(&mut reported.dropped, dropped);
        let not_understood = std::mem::replace(&mut reported.malformed, malformed);
        drop(reported);
        if dropped > lost {
            let _ = state.events.send(ClusterEvent::Dropped { messages: dropped - lost });
        }
        if malformed > not_understood {
            let _ = state.events.send(ClusterEvent::Malformed { messages: malformed - not_understood });
        }
    }
}
