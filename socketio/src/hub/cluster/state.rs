//! [`State`]: the health of a cluster, and the tasks that find it out.

use futures_util::future::{Either, select};
use parking_lot::Mutex;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, SystemTime};
use tokio::sync::{Notify, broadcast, watch};
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
    /// Whether the engine says that it is connected.
    is_connected: AtomicBool,
    /// The engine connected.
    connected: Notify,
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
            is_connected: AtomicBool::new(false),
            connected: Notify::new(),
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
        self.is_connected.load(Ordering::Relaxed)
    }

    pub(super) fn is_stopped(&self) -> bool {
        *self.health.borrow() == Health::Stopped
    }

    /// Sets the last state. Returns whether it was set before.
    pub(super) fn stop(&self) -> bool {
        self.is_connected.store(false, Ordering::Relaxed);
        self.health.send_replace(Health::Stopped) == Health::Stopped
    }

    pub(super) fn connected(&self) {
        self.is_connected.store(true, Ordering::Relaxed);
        self.connected.notify_one();
    }

    pub(super) fn disconnected(&self, error: String) {
        self.is_connected.store(false, Ordering::Relaxed);
        self.degrade(error);
    }

    pub(super) fn probe_arrived(&self, number: u64) {
        self.arrived.send_modify(|last| *last = number.max(*last));
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

    /// Waits until a probe arrives. `false`: the engine connected anew before that.
    async fn probe_arrives(&self, number: u64) -> bool {
        let mut arrived = self.arrived.subscribe();
        let arrives = pin!(arrived.wait_for(|last| *last >= number));
        let connects = pin!(self.connected.notified());
        matches!(select(arrives, connects).await, Either::Left(_))
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
        if state.is_connected() {
            let sent = Instant::now();
            core.publish_probe(number);
            match timeout(PROBE_TIMEOUT, state.probe_arrives(number)).await {
                Ok(true) => {
                    if let Some(recovered) = state.recover(sent.elapsed()) {
                        core.reached(recovered.since);
                    }
                }
                // The probe may be lost with the earlier connection, which says nothing about the
                // new one.
                Ok(false) => continue,
                Err(_) if state.is_connected() => {
                    state.degrade("a message that the server published to itself did not arrive".to_owned());
                    if catch(|| core.engine().reconnect()).is_err() {
                        tracing::error!("the engine of the cluster panicked while it reconnected");
                    }
                }
                Err(_) => {}
            }
        }
        drop(core);
        // The engine may connect again in the meantime.
        let _ = timeout(PROBE_INTERVAL, state.connected.notified()).await;
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

#[cfg(test)]
mod tests {
    use std::sync::OnceLock;
    use std::sync::atomic::AtomicUsize;

    use super::*;
    use crate::Hub;
    use crate::cluster::{BoxFuture, Dialect, Engine, EngineTraits, Inbox, PublishBatch, PublishError, Topic};

    /// How long the engine takes to end a connection, and to make another one.
    const SLOWNESS: Duration = Duration::from_millis(20);

    /// An engine whose first connection carries nothing.
    #[derive(Clone, Debug, Default)]
    struct Mute(Arc<Connections>);

    #[derive(Debug, Default)]
    struct Connections {
        inbox: OnceLock<Inbox>,
        carries: AtomicBool,
        /// How often the engine was told to connect anew.
        told: AtomicUsize,
    }

    impl Engine for Mute {
        fn traits(&self) -> EngineTraits {
            EngineTraits::new(Dialect::Classic)
        }

        fn start(&self, inbox: Inbox) {
            self.0.inbox.get_or_init(|| inbox).connected();
        }

        fn subscribe(&self, _topic: Topic<'_>) {}

        fn unsubscribe(&self, _topic: Topic<'_>) {}

        fn subscribed(&self) -> BoxFuture<'_, ()> {
            Box::pin(std::future::ready(()))
        }

        fn servers<'a>(&'a self, _namespace: &'a str) -> BoxFuture<'a, Result<usize, String>> {
            Box::pin(std::future::ready(Ok(1)))
        }

        fn publish<'a>(&'a self, batch: &'a PublishBatch) -> BoxFuture<'a, Result<(), PublishError>> {
            if let Some(inbox) = self.0.inbox.get()
                && self.0.carries.load(Ordering::Relaxed)
            {
                batch.iter().for_each(|(topic, body)| inbox.deliver(topic, body.to_vec().into()));
            }
            Box::pin(std::future::ready(Ok(())))
        }

        fn reconnect(&self) {
            self.0.told.fetch_add(1, Ordering::Relaxed);
            let connections = Arc::clone(&self.0);
            tokio::spawn(async move {
                let Some(inbox) = connections.inbox.get() else { return };
                sleep(SLOWNESS).await;
                connections.carries.store(false, Ordering::Relaxed);
                inbox.disconnected("it carried nothing".to_owned());
                sleep(SLOWNESS).await;
                connections.carries.store(true, Ordering::Relaxed);
                inbox.connected();
            });
        }

        fn stop(&self) -> BoxFuture<'_, ()> {
            Box::pin(std::future::ready(()))
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_new_connection_is_not_judged_by_a_probe_of_the_old_one() {
        let engine = Mute::default();
        let hub = Hub::builder().cluster(engine.clone()).build().expect("a hub");
        hub.ready(PROBE_TIMEOUT + PROBE_INTERVAL).await.expect("the second connection carries the probe");
        sleep(10 * PROBE_INTERVAL).await;
        assert!(hub.cluster().is_some_and(|cluster| cluster.health().is_up()));
        assert_eq!(engine.0.told.load(Ordering::Relaxed), 1);
    }
}
