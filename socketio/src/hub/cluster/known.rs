//! [`KnownServers`]: the other servers of each namespace, by what was heard of them.

use parking_lot::Mutex;
use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::cluster::addressing::EMITTER;
use crate::cluster::message::Message;

/// The most servers that are known in a namespace. Others are not counted.
const MAX_SERVERS: usize = 4_096;

/// Servers with longer ids are not counted. Those of servers on Node.js have 16 characters.
const MAX_ID: usize = 64;

/// The other servers of the namespaces that this server takes part in, or asks something.
#[derive(Debug)]
pub(super) struct KnownServers {
    /// After how long without a message a server is gone.
    timeout: Duration,
    namespaces: Mutex<HashMap<Box<str>, Namespace>>,
    /// Wakes the task that publishes heartbeats.
    changed: Notify,
}

#[derive(Debug, Default)]
struct Namespace {
    /// How many need it.
    users: usize,
    servers: HashMap<Box<str>, Heard>,
}

#[derive(Debug)]
struct Heard {
    last: Instant,
    /// Whether it has published a heartbeat, so that it takes part in the namespace. Others may
    /// just ask something.
    has_beaten: bool,
}

impl KnownServers {
    pub(super) fn new(timeout: Duration) -> Self {
        Self { timeout, namespaces: Mutex::default(), changed: Notify::new() }
    }

    /// Begins to note the servers of a namespace.
    pub(super) fn open(&self, namespace: &str) {
        self.namespaces.lock().entry(namespace.into()).or_default().users += 1;
    }

    /// Ends what [`open`](Self::open) began.
    pub(super) fn close(&self, namespace: &str) {
        let mut namespaces = self.namespaces.lock();
        let Entry::Occupied(mut entry) = namespaces.entry(namespace.into()) else { return };
        entry.get_mut().users -= 1;
        if entry.get().users == 0 {
            entry.remove();
        }
    }

    /// Notes that a message of another server arrived.
    pub(super) fn note<P, A>(&self, namespace: &str, server: &str, message: &Message<'_, P, A>) {
        if server == EMITTER || server.len() > MAX_ID {
            return;
        }
        let mut namespaces = self.namespaces.lock();
        let Some(Namespace { servers, .. }) = namespaces.get_mut(namespace) else { return };
        if matches!(message, Message::Close) {
            servers.remove(server);
            return;
        }
        let (last, has_beaten) = (Instant::now(), matches!(message, Message::Heartbeat));
        if let Some(heard) = servers.get_mut(server) {
            *heard = Heard { last, has_beaten: has_beaten || heard.has_beaten };
        } else if servers.len() < MAX_SERVERS {
            servers.insert(server.into(), Heard { last, has_beaten });
        }
    }

    /// The ids of the servers that were heard lately. `all`: also those that have not published a
    /// heartbeat.
    pub(super) fn ids(&self, namespace: &str, all: bool) -> HashSet<Box<str>> {
        let now = Instant::now();
        let namespaces = self.namespaces.lock();
        let servers = namespaces.get(namespace).into_iter().flat_map(|namespace| &namespace.servers);
        servers
            .filter(|(_, heard)| now - heard.last < self.timeout && (all || heard.has_beaten))
            .map(|(id, _)| id.clone())
            .collect()
    }

    /// Forgets the servers that were not heard lately.
    pub(super) fn forget_silent(&self) {
        let now = Instant::now();
        for namespace in self.namespaces.lock().values_mut() {
            namespace.servers.retain(|_, heard| now - heard.last < self.timeout);
        }
    }

    /// Lets the task publish heartbeats where they have not begun.
    pub(super) fn wake(&self) {
        self.changed.notify_one();
    }

    /// Waits for [`wake`](Self::wake).
    pub(super) async fn woken(&self) {
        self.changed.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Heartbeat = Message<'static, (), ()>;
    const BEAT: &Heartbeat = &Message::Heartbeat;

    fn ids(known: &KnownServers, all: bool) -> Vec<Box<str>> {
        let mut ids: Vec<_> = known.ids("/", all).into_iter().collect();
        ids.sort();
        ids
    }

    #[tokio::test(start_paused = true)]
    async fn servers_are_known_from_their_first_message_to_their_last() {
        let known = KnownServers::new(Duration::from_secs(10));
        known.note("/", "a", BEAT);
        assert!(ids(&known, true).is_empty(), "nobody needs the namespace");
        known.open("/");
        known.note("/", "a", BEAT);
        known.note("/", "b", &Heartbeat::Probe { number: 1 });
        known.note("/", EMITTER, BEAT);
        known.note("/other", "c", BEAT);
        assert_eq!(ids(&known, true), ["a".into(), "b".into()]);
        assert_eq!(ids(&known, false), ["a".into()]);

        tokio::time::advance(Duration::from_secs(9)).await;
        known.note("/", "b", BEAT);
        known.note("/", "b", &Heartbeat::Probe { number: 1 });
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(ids(&known, false), ["b".into()]);
        known.forget_silent();
        assert_eq!(known.namespaces.lock()["/"].servers.len(), 1);
        known.note("/", "b", &Heartbeat::Close);
        assert!(ids(&known, true).is_empty());
    }

    #[tokio::test]
    async fn namespaces_are_forgotten_when_nobody_needs_them() {
        let known = KnownServers::new(Duration::from_secs(10));
        known.open("/");
        known.open("/");
        known.note("/", "a", BEAT);
        known.close("/");
        assert_eq!(ids(&known, true), ["a".into()]);
        known.close("/");
        known.close("/");
        assert!(known.namespaces.lock().is_empty());
    }

    #[tokio::test]
    async fn the_memory_is_bounded() {
        let known = KnownServers::new(Duration::from_secs(10));
        known.open("/");
        for server in 0..2 * MAX_SERVERS {
            known.note("/", &server.to_string(), BEAT);
        }
        known.note("/", &"x".repeat(MAX_ID + 1), BEAT);
        assert_eq!(known.ids("/", true).len(), MAX_SERVERS);
        known.note("/", "0", &Heartbeat::Close);
        known.note("/", "new", BEAT);
        assert!(known.ids("/", true).contains("new"));
    }
}
