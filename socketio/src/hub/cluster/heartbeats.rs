//! [`Heartbeats`]: by which servers count each other where the engine does not count them.
//!
//! A server that comes into a namespace publishes an initial heartbeat, which the others answer
//! with theirs. A server that has published nothing for some time publishes one. What is heard is
//! kept in [`KnownServers`].

use parking_lot::Mutex;
use std::collections::HashSet;
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::core::{COUNT_TIMEOUT, ClusterCore, ROOT};
use super::known::KnownServers;
use super::member::Member;
use crate::cluster::Topic;
use crate::cluster::addressing::EMITTER;
use crate::cluster::message::Message;
use crate::hooks::catch::catch_future;

/// How long the first heartbeat waits for the subscriptions, without which its answers are lost.
const SUBSCRIBE_TIMEOUT: Duration = Duration::from_secs(1);
/// The shortest interval of heartbeats.
const MIN_INTERVAL: Duration = Duration::from_millis(10);
/// The longest time that the others have to answer an initial heartbeat.
const MAX_SETTLE: Duration = Duration::from_millis(500);

/// The heartbeats that a namespace of this server publishes.
#[derive(Debug)]
pub(super) struct Heartbeats {
    /// When the namespace last published something that all servers receive.
    last: Mutex<Instant>,
    /// When the initial heartbeat was published on the current connection.
    begun: watch::Sender<Option<Instant>>,
}

impl Default for Heartbeats {
    fn default() -> Self {
        Self { last: Mutex::new(Instant::now()), begun: watch::Sender::new(None) }
    }
}

impl Heartbeats {
    /// Notes that all servers will hear of this one.
    pub(super) fn note(&self) {
        *self.last.lock() = Instant::now();
    }

    fn has_begun(&self) -> bool {
        self.begun.borrow().is_some()
    }

    /// Waits for the initial heartbeat. Returns when it was published.
    pub(super) async fn begun(&self) -> Instant {
        // The sender is a field, so it exists.
        let begun = self.begun.subscribe().wait_for(Option::is_some).await.ok().and_then(|begun| *begun);
        begun.unwrap_or_else(Instant::now)
    }
}

/// Publishes the heartbeats of a hub. It ends with the hub.
pub(super) async fn publish(core: Weak<ClusterCore>, known: Arc<KnownServers>) {
    loop {
        let wait = match core.upgrade() {
            Some(core) if !core.state().is_stopped() => {
                known.forget_silent();
                core.publish_heartbeats().await
            }
            _ => return,
        };
        // It is woken, or it is time.
        let _ = timeout(wait, known.woken()).await;
    }
}

impl ClusterCore {
    fn heartbeat_interval(&self) -> Duration {
        self.traits().heartbeat_interval.max(MIN_INTERVAL)
    }

    /// How long the others have to answer an initial heartbeat.
    fn settle_time(&self) -> Duration {
        (self.heartbeat_interval() / 10).min(MAX_SETTLE)
    }

    /// The engine is connected. What was published meanwhile is lost, so that all begins anew.
    pub(super) fn begin_heartbeats(&self) {
        let Some(known) = self.known() else { return };
        for member in self.members() {
            member.heartbeats().begun.send_replace(None);
        }
        known.wake();
    }

    /// Publishes what is due. Returns how long nothing more is.
    async fn publish_heartbeats(&self) -> Duration {
        let interval = self.heartbeat_interval();
        if !self.state().is_connected() {
            return interval;
        }
        let members = self.members();
        if members.iter().any(|member| !member.heartbeats().has_begun()) {
            let subscribed = catch_future(async { self.engine().subscribed().await });
            let _ = timeout(SUBSCRIBE_TIMEOUT, subscribed).await;
        }
        let mut wait = interval;
        for member in members.iter().filter(|member| member.is_joined()) {
            let heartbeats = member.heartbeats();
            let silence = heartbeats.last.lock().elapsed();
            if !heartbeats.has_begun() {
                if member.publish_to_all(&Message::InitialHeartbeat) {
                    heartbeats.begun.send_replace(Some(Instant::now()));
                }
            } else if silence >= interval {
                member.publish_to_all(&Message::Heartbeat);
            } else {
                wait = wait.min(interval - silence);
            }
        }
        wait
    }

    /// Waits until the other servers had time to answer the initial heartbeat.
    pub(super) async fn heartbeats_settled(&self) {
        if self.known().is_some()
            && let Some(member) = self.member(ROOT)
        {
            member.settled().await;
        }
    }
}

impl Member {
    async fn settled(&self) {
        sleep_until(self.heartbeats().begun().await + self.core().settle_time()).await;
    }

    /// Answers the initial heartbeat of another server.
    pub(super) fn answer_heartbeat(&self) {
        if self.core().known().is_some() {
            self.publish_to_all(&Message::Heartbeat);
        }
    }

    /// Tells the others that this server does not take part anymore.
    pub(super) fn publish_close(&self) {
        if self.core().state().is_connected() {
            self.publish_as(self.core().server().as_str(), &Message::Close);
        }
    }

    /// Tells the others that this server only asked a question.
    pub(super) fn retract(&self) {
        if self.core().known().is_some() && self.core().member(self.namespace()).is_none() {
            self.publish_close();
        }
    }

    /// The ids of the other servers of the namespace. `None` if they are unknown.
    pub(super) async fn known_servers(&self, known: &KnownServers) -> Option<HashSet<Box<str>>> {
        if !self.core().state().is_connected() {
            return None;
        }
        let ids = timeout(COUNT_TIMEOUT, async {
            if !self.is_joined() {
                return self.inquire(known).await;
            }
            self.settled().await;
            known.ids(self.namespace(), true)
        });
        let ids = ids.await.ok()?;
        self.core().note_others(ids.len());
        Some(ids)
    }

    /// Finds out who takes part in a namespace in which this server does not.
    async fn inquire(&self, known: &KnownServers) -> HashSet<Box<str>> {
        let core = self.core();
        let _inquiry = Inquiry::begin(self, known);
        let _ = timeout(SUBSCRIBE_TIMEOUT, catch_future(async { core.engine().subscribed().await })).await;
        self.publish_as(EMITTER, &Message::InitialHeartbeat);
        sleep(core.settle_time()).await;
        known.ids(self.namespace(), false)
    }
}

/// Hears the heartbeats of a namespace while it exists.
struct Inquiry<'a> {
    member: &'a Member,
    known: &'a KnownServers,
}

impl<'a> Inquiry<'a> {
    fn begin(member: &'a Member, known: &'a KnownServers) -> Self {
        known.open(member.namespace());
        member.core().subscribe(Topic::Main { namespace: member.namespace() });
        Self { member, known }
    }
}

impl Drop for Inquiry<'_> {
    fn drop(&mut self) {
        let namespace = self.member.namespace();
        self.member.core().unsubscribe(Topic::Main { namespace });
        self.known.close(namespace);
    }
}
