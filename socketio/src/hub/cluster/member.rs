//! [`Member`]: a namespace's part in the cluster.

use parking_lot::Mutex;
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::timeout;

use super::adapter::options;
use super::core::ClusterCore;
use super::heartbeats::Heartbeats;
use super::sequences::Sequences;
use crate::cluster::addressing::{Addressing, EMITTER};
use crate::cluster::message::{Message, Outgoing};
use crate::cluster::{Dialect, RoomTopics, Topic};
use crate::hooks::catch::catch_future;
use crate::hub::adapter::{Audience, BoxFuture, LocalAdapter, Packet};

/// How long a new client waits for the subscriptions of its namespace.
const CONFIRM_TIMEOUT: Duration = Duration::from_secs(1);

/// A namespace of this server in the cluster.
#[derive(Debug)]
pub(crate) struct Member {
    core: Arc<ClusterCore>,
    namespace: Arc<str>,
    local: LocalAdapter,
    /// Whether it is subscribed to the topics of the namespace. A handle to a dynamic namespace
    /// without sockets is not.
    is_joined: AtomicBool,
    /// Whether the engine has confirmed the subscriptions once.
    is_confirmed: AtomicBool,
    /// The number of the last broadcast.
    sent: AtomicU64,
    sequences: Sequences,
    heartbeats: Heartbeats,
    /// The rooms whose topics are subscribed to, with the number of members.
    rooms: Mutex<HashMap<Box<str>, usize>>,
}

/// The other servers of a namespace.
#[derive(Debug)]
pub(super) enum Counted {
    /// How many the engine has counted.
    Number(usize),
    /// Their ids.
    Servers(HashSet<Box<str>>),
}

impl Counted {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Number(number) => *number,
            Self::Servers(servers) => servers.len(),
        }
    }
}

impl Member {
    pub(super) fn new(core: &Arc<ClusterCore>, namespace: &str, local: LocalAdapter) -> Arc<Self> {
        Arc::new(Self {
            core: Arc::clone(core),
            namespace: namespace.into(),
            local,
            is_joined: AtomicBool::new(false),
            is_confirmed: AtomicBool::new(false),
            sent: AtomicU64::new(0),
            sequences: Sequences::default(),
            heartbeats: Heartbeats::default(),
            rooms: Mutex::default(),
        })
    }

    /// Subscribes to the topics of the namespace.
    pub(super) fn join(self: &Arc<Self>) {
        if self.is_joined.swap(true, Ordering::Relaxed) {
            return;
        }
        if let Some(known) = self.core.known() {
            known.open(&self.namespace);
        }
        self.core.add_member(&self.namespace, self);
        self.topics(|topic| self.core.subscribe(topic));
        // The engine's first connection has these subscriptions, so that the first probe arrives.
        self.core.start();
        if let Some(known) = self.core.known() {
            known.wake();
        }
    }

    /// Waits for the subscriptions of a namespace that has just come into use. `None` if there is
    /// nothing to wait for.
    pub(super) fn confirmed(self: &Arc<Self>) -> Option<BoxFuture<'static, ()>> {
        if self.is_confirmed.load(Ordering::Relaxed) || !self.core.state().is_connected() {
            return None;
        }
        let member = Arc::clone(self);
        Some(Box::pin(async move {
            let _ = timeout(CONFIRM_TIMEOUT, async {
                let _ = catch_future(async { member.core.engine().subscribed().await }).await;
                if member.core.known().is_some() {
                    member.heartbeats.begun().await;
                }
            })
            .await;
            // Whatever came of it, the next clients need not wait.
            member.is_confirmed.store(true, Ordering::Relaxed);
        }))
    }

    /// Ends all subscriptions.
    pub(super) fn leave(&self) {
        if !self.is_joined.swap(false, Ordering::Relaxed) {
            return;
        }
        let is_removed = self.core.remove_member(&self.namespace, self);
        if let Some(known) = self.core.known() {
            known.close(&self.namespace);
            if is_removed {
                self.publish_close();
            }
        }
        self.topics(|topic| self.core.unsubscribe(topic));
        let rooms = std::mem::take(&mut *self.rooms.lock());
        for room in rooms.keys() {
            self.core.unsubscribe(self.room_topic(room));
        }
    }

    fn topics(&self, visit: impl Fn(Topic<'_>)) {
        let namespace = &*self.namespace;
        visit(self.reply_topic());
        if self.core.dialect() == Dialect::Classic {
            visit(Topic::Responses { namespace });
        }
        visit(Topic::Main { namespace });
        // Servers count each other by this topic. From now on they expect answers.
        if self.core.dialect() == Dialect::Classic {
            visit(Topic::Requests { namespace });
        }
    }

    /// A socket of this server joined a room. Its topic is subscribed to with the first member.
    pub(super) fn joined(&self, room: &str) {
        if !self.addressing().has_room_topic(room) {
            return;
        }
        let mut rooms = self.rooms.lock();
        let members = rooms.entry(room.into()).or_default();
        *members += 1;
        if *members == 1 {
            self.core.subscribe(self.room_topic(room));
        }
    }

    pub(super) fn left(&self, room: &str) {
        let mut rooms = self.rooms.lock();
        let Some(members) = rooms.get_mut(room) else { return };
        *members -= 1;
        if *members == 0 {
            rooms.remove(room);
            if rooms.capacity() > 8 * rooms.len().max(64) {
                rooms.shrink_to_fit();
            }
            self.core.unsubscribe(self.room_topic(room));
        }
    }

    fn room_topic<'a>(&'a self, room: &'a str) -> Topic<'a> {
        Topic::Room { namespace: &self.namespace, room }
    }

    /// The topics on which this server publishes.
    fn addressing(&self) -> Addressing<'_> {
        Addressing::new(&self.core.traits(), &self.namespace, self.core.server().as_str())
    }

    /// Publishes an event to the sockets of other servers. Returns whether it was queued.
    /// `session`: the number of the only session that gets it.
    pub(super) fn publish_event(&self, packet: &Packet, audience: &Audience, session: Option<u64>) -> bool {
        let sender = audience.except_id();
        let mut options = options(audience, sender.as_deref());
        options.flags.session = session;
        options.flags.volatile = packet.is_volatile();
        options.flags.latest = packet.latest().map(Cow::Borrowed);
        options.flags.raw = packet.name().is_none();
        let topic = self.addressing().event(audience.rooms());
        // All servers must receive all numbers.
        let is_for_all = matches!(topic, Topic::Main { .. }) || self.core.traits().rooms == RoomTopics::Included;
        let is_numbered = is_for_all && self.is_joined();
        let number = || self.sent.fetch_add(1, Ordering::Relaxed) + 1;
        let number: Option<&dyn Fn() -> u64> = if is_numbered { Some(&number) } else { None };
        let message = Message::Broadcast { packet, options, request: None };
        let is_queued =
            self.core.publish(self.sender(), &self.namespace, topic, &message, packet.is_volatile(), number);
        if is_for_all && is_queued {
            self.note_published();
        }
        is_queued
    }

    /// Publishes a message that all other servers get.
    pub(super) fn publish_to_all(&self, message: &Outgoing<'_>) -> bool {
        let is_queued = self.publish_as(self.sender(), message);
        if is_queued {
            self.note_published();
        }
        is_queued
    }

    pub(super) fn publish_as(&self, sender: &str, message: &Outgoing<'_>) -> bool {
        self.core.publish(sender, &self.namespace, self.addressing().request(message), message, false, None)
    }

    /// A message of a server counts it as a member of the namespace, where servers are counted by
    /// heartbeats. What publishes without being one is called an emitter.
    fn sender(&self) -> &str {
        if self.core.known().is_some() && !self.is_joined() { EMITTER } else { self.core.server().as_str() }
    }

    /// Notes that all other servers will hear of this one.
    fn note_published(&self) {
        if self.core.known().is_some() {
            self.heartbeats.note();
        }
    }

    /// The topic of questions.
    pub(super) fn question_topic(&self) -> Topic<'_> {
        self.addressing().question()
    }

    /// The topic of answers to this server.
    pub(super) fn reply_topic(&self) -> Topic<'_> {
        Topic::Reply { namespace: &self.namespace, server: self.core.server().as_str() }
    }

    /// Publishes an encoded question to all other servers.
    pub(super) fn publish_question(&self, body: &[u8]) {
        self.core.publish_body(&self.namespace, self.question_topic(), body, false, None);
    }

    /// Answers a request of another server. In the classic dialect, answers to events of servers
    /// have a shared topic.
    pub(super) fn reply(&self, to: Option<&str>, message: &Outgoing<'_>) {
        let namespace = &*self.namespace;
        let topic = match (self.core.dialect(), to, message) {
            (Dialect::Classic, None, _) | (Dialect::Classic, _, Message::ServerAnswer { .. }) => {
                Topic::Responses { namespace }
            }
            (_, Some(server), _) => Topic::Reply { namespace, server },
            (Dialect::Messages | Dialect::Streams, None, _) => return,
        };
        self.core.publish(self.core.server().as_str(), &self.namespace, topic, message, false, None);
    }

    /// Notes the number of a received broadcast.
    pub(super) fn note_number(&self, server: &str, number: u64) -> u64 {
        self.sequences.note(server, number)
    }

    pub(super) fn core(&self) -> &Arc<ClusterCore> {
        &self.core
    }

    pub(super) fn namespace(&self) -> &str {
        &self.namespace
    }

    pub(super) fn local(&self) -> &LocalAdapter {
        &self.local
    }

    /// Counts the other servers that share the namespace. `None` if that fails.
    pub(super) async fn count_others(&self) -> Option<Counted> {
        match self.core.known() {
            Some(known) => self.known_servers(known).await.map(Counted::Servers),
            None => self.core.count_others(&self.namespace, self.is_joined()).await.map(Counted::Number),
        }
    }

    pub(super) fn heartbeats(&self) -> &Heartbeats {
        &self.heartbeats
    }

    pub(super) fn is_joined(&self) -> bool {
        self.is_joined.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use parking_lot::Mutex;
    use std::future::ready;
    use std::sync::Arc;

    use crate::Hub;
    use crate::cluster::{BoxFuture, Dialect, Engine, EngineTraits, Inbox, PublishBatch, PublishError, Topic};

    /// An engine that notes which of its methods are called.
    #[derive(Clone, Debug, Default)]
    struct Noting(Arc<Mutex<Vec<&'static str>>>);

    impl Engine for Noting {
        fn traits(&self) -> EngineTraits {
            EngineTraits::new(Dialect::Classic)
        }

        fn start(&self, _inbox: Inbox) {
            self.0.lock().push("start");
        }

        fn subscribe(&self, _topic: Topic<'_>) {
            self.0.lock().push("subscribe");
        }

        fn unsubscribe(&self, _topic: Topic<'_>) {}

        fn subscribed(&self) -> BoxFuture<'_, ()> {
            Box::pin(ready(()))
        }

        fn servers<'a>(&'a self, _namespace: &'a str) -> BoxFuture<'a, Result<usize, String>> {
            Box::pin(ready(Ok(1)))
        }

        fn publish<'a>(&'a self, _batch: &'a PublishBatch) -> BoxFuture<'a, Result<(), PublishError>> {
            Box::pin(ready(Ok(())))
        }

        fn reconnect(&self) {}

        fn stop(&self) -> BoxFuture<'_, ()> {
            Box::pin(ready(()))
        }
    }

    #[tokio::test]
    async fn an_engine_has_the_subscriptions_of_the_first_namespace_before_it_connects() {
        let engine = Noting::default();
        let _hub = Hub::builder().cluster(engine.clone()).build().expect("a hub");
        let calls = engine.0.lock().clone();
        assert_eq!(calls, ["subscribe", "subscribe", "subscribe", "subscribe", "start"]);
    }
}
