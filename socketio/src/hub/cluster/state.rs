//! [`State`]: the health of a cluster, and the tasks that find it out.

use parking_lot::Mutex;
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
    /// The connection that the engine reports.
    connection: watch::Sender<Connection>,
    /// The number of the last probe that arrived.
    arrived: watch::Sender<u64>,
    reported: Mutex<Reported>,
}

/// A connection of the engine. Each has another number.
#[derive(Clone, Copy, Debug, Default)]
struct Connection {
    number: u64,
    is_up: bool,
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
            connection: watch::Sender::default(),
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
        self.connection.borrow().is_up
    }

    pub(super) fn is_stopped(&self) -> bool {
        *self.health.borrow() == Health::Stopped
    }

    /// Sets the last state. Returns whether it was set before.
    pub(super) fn stop(&self) -> bool {
        self.connection.send_modify(|connection| connection.is_up = false);
        self.health.send_replace(Health::Stopped) == Health::Stopped
    }

    pub(super) fn connected(&self) {
        self.connection.send_modify(|connection| {
            *connection = Connection { number: connection.number + 1, is_up: true };
        });
    }

    pub(super) fn disconnected(&self, error: String) {
        self.connection.send_if_modified(|connection| std::mem::take(&mut connection.is_up));
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
    let Some(mut connections) = core.upgrade().map(|core| core.state().connection.subscribe()) else { return };
    for number in 1.. {
        let Some(core) = core.upgrade() else { return };
        let state = Arc::clone(core.state());
        if state.is_stopped() {
            return;
        }
        // What changes from now on concerns other connections than the one that is tested.
        let connection = *connections.borrow_and_update();
        if connection.is_up {
            let sent = Instant::now();
            core.publish_probe(number);
            tokio::select! {
                biased;
                () = state.probe_arrives(number) => {
                    if let Some(recovered) = state.recover(sent.elapsed()) {
                        core.reached(recovered.since);
                    }
                }
                _ = connections.changed() => continue,
                () = sleep(PROBE_TIMEOUT) => {
                    state.degrade("a message that the server published to itself did not arrive".to_owned());
                    if catch(|| core.engine().reconnect()).is_err() {
                        tracing::error!("the engine of the cluster panicked while it reconnected");
                    }
                }
            }
        }
        drop(core);
        // A new connection is tested at once.
        let _ = timeout(PROBE_INTERVAL, connections.changed()).await;
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
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;
    use crate::Hub;
    use crate::cluster::{BoxFuture, Dialect, Engine, EngineTraits, Inbox, PublishBatch, PublishError, Topic};

    /// What is published on the first connection is lost, and so is what is published after
    /// `reconnect` and before the next connection.
    #[derive(Clone, Debug, Default)]
    struct Deaf {
        inbox: Arc<OnceLock<Inbox>>,
        hears: Arc<AtomicBool>,
    }

    impl Deaf {
        fn inbox(&self) -> &Inbox {
            self.inbox.get().expect("it is started")
        }
    }

    impl Engine for Deaf {
        fn traits(&self) -> EngineTraits {
            EngineTraits::new(Dialect::Classic)
        }

        fn start(&self, inbox: Inbox) {
            inbox.connected();
            self.inbox.set(inbox).expect("it is started once");
        }

        fn subscribe(&self, _: Topic<'_>) {}

        fn unsubscribe(&self, _: Topic<'_>) {}

        fn subscribed(&self) -> BoxFuture<'_, ()> {
            Box::pin(std::future::ready(()))
        }

        fn publish<'a>(&'a self, batch: &'a PublishBatch) -> BoxFuture<'a, Result<(), PublishError>> {
            if self.hears.load(Ordering::Relaxed) {
                batch.iter().for_each(|(topic, body)| self.inbox().deliver(topic, body.to_vec().into()));
            }
            Box::pin(std::future::ready(Ok(())))
        }

        fn servers<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<usize, String>> {
            Box::pin(std::future::ready(Ok(1)))
        }

        fn reconnect(&self) {
            self.hears.store(false, Ordering::Relaxed);
            let engine = self.clone();
            tokio::spawn(async move {
                sleep(Duration::from_millis(10)).await;
                engine.inbox().disconnected("it connects anew");
                engine.hears.store(true, Ordering::Relaxed);
                engine.inbox().connected();
            });
        }

        fn stop(&self) -> BoxFuture<'_, ()> {
            Box::pin(std::future::ready(()))
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_new_connection_is_tested_and_not_the_one_before() {
        let hub = Hub::builder().cluster(Deaf::default()).build().expect("a hub");
        hub.ready(Duration::from_secs(60)).await.expect("the second connection hears");
    }
}
