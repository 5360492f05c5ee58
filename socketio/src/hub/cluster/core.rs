//! [`ClusterCore`]: what all namespaces of a hub share in a cluster.

use parking_lot::{Mutex, RwLock};
use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::task::AbortHandle;
use tokio::time::timeout;

use super::heartbeats;
use super::known::KnownServers;
use super::member::Member;
use super::requests::Requests;
use super::state::{self, State};
use super::topics::Topics;
use crate::cluster::message::Outgoing;
use crate::cluster::queue::PublishQueue;
use crate::cluster::stats::ClusterCounters;
use crate::cluster::{Counts, Dialect, Engine, EngineTraits, Inbox, Offset, PublishBatch, Topic, codec};
use crate::hooks::catch::catch_future;
use crate::hub::adapter::ServerId;
use crate::hub::config::Config;
use crate::wire::scratch::Scratch;
use crate::wire::shown::shown;

/// The namespace whose reply topic carries the probes.
pub(super) const ROOT: &str = "/";
/// How long a shutdown waits for the queue, and for the engine to stop.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);
/// How many clients that resume their sessions read from the log at once. Each has a page of it in
/// memory.
const MAX_READERS: usize = 32;
/// How long to wait for the number of servers.
pub(super) const COUNT_TIMEOUT: Duration = Duration::from_secs(2);

pub(crate) struct ClusterCore {
    server: ServerId,
    traits: EngineTraits,
    /// The largest message that is accepted from other servers, in bytes.
    max_received: usize,
    outbound: Arc<Outbound>,
    members: RwLock<HashMap<Arc<str>, Weak<Member>>>,
    /// The other servers, if they are counted by heartbeats.
    known: Option<Arc<KnownServers>>,
    topics: Topics,
    requests: Requests,
    state: Arc<State>,
    /// The last entry of the engine's log that was delivered.
    position: RwLock<Offset>,
    /// How many clients may read from the log at once.
    readers: Semaphore,
    /// The number of other servers at the last count.
    others: AtomicUsize,
    root: Arc<str>,
    /// The namespace of log entries that concern none.
    nowhere: Arc<str>,
    is_started: AtomicBool,
    runtime: OnceLock<Handle>,
    tasks: Mutex<Vec<AbortHandle>>,
}

/// What the publisher's task needs.
struct Outbound {
    engine: Arc<dyn Engine>,
    queue: PublishQueue,
    counters: ClusterCounters,
}

impl ClusterCore {
    pub(crate) fn new(engine: Arc<dyn Engine>, config: &Config) -> Arc<Self> {
        let (max_bytes, max_messages) = config.publish_queue;
        let traits = engine.traits();
        if let (Some(log), Some(recovery)) = (engine.log(), &config.recovery) {
            log.retain(recovery.retained(config), recovery.max_disconnection);
        }
        let server = ServerId::from(random_id(traits.dialect));
        let queue = PublishQueue::new(max_bytes, max_messages);
        let outbound = Arc::new(Outbound { engine, queue, counters: ClusterCounters::default() });
        Arc::new(Self {
            requests: Requests::new(server.as_str()),
            server,
            traits,
            max_received: config.max_payload.saturating_mul(16),
            outbound,
            members: RwLock::default(),
            known: has_heartbeats(&traits).then(|| Arc::new(KnownServers::new(traits.heartbeat_timeout))),
            topics: Topics::default(),
            state: Arc::default(),
            position: RwLock::default(),
            readers: Semaphore::new(MAX_READERS),
            others: AtomicUsize::new(1),
            root: ROOT.into(),
            nowhere: "".into(),
            is_started: AtomicBool::new(false),
            runtime: OnceLock::new(),
            tasks: Mutex::default(),
        })
    }

    /// Starts the engine and the tasks, if there is a runtime and they are not started.
    pub(super) fn start(self: &Arc<Self>) {
        if self.is_started.load(Ordering::Relaxed) {
            return;
        }
        let Ok(runtime) = Handle::try_current() else { return };
        if self.is_started.swap(true, Ordering::Relaxed) {
            return;
        }
        let runtime = self.runtime.get_or_init(|| runtime);
        self.engine().start(Inbox::new(self));
        let mut tasks = vec![
            runtime.spawn(publish_all(Arc::clone(&self.outbound))).abort_handle(),
            runtime.spawn(state::probe(Arc::downgrade(self))).abort_handle(),
            runtime.spawn(state::report(Arc::downgrade(self))).abort_handle(),
        ];
        if let Some(known) = &self.known {
            tasks.push(runtime.spawn(heartbeats::publish(Arc::downgrade(self), Arc::clone(known))).abort_handle());
        }
        *self.tasks.lock() = tasks;
    }

    /// Ends all subscriptions, publishes what is queued, and stops the engine.
    pub(super) async fn shut_down(&self) {
        let members = self.members();
        members.iter().for_each(|member| member.leave());
        if !self.is_started.load(Ordering::Relaxed) || self.state.stop() {
            return;
        }
        let _ = timeout(STOP_TIMEOUT, self.flushed()).await;
        for task in self.tasks.lock().drain(..) {
            task.abort();
        }
        self.counters().dropped.add(self.outbound.queue.close());
        let _ = timeout(STOP_TIMEOUT, catch_future(async { self.engine().stop().await })).await;
    }

    /// Publishes a message of `sender`, which mostly is this server. If `number` is given, it is
    /// called when the message has its place in the order, and its result becomes the message's
    /// sequence number. Returns whether the message was queued.
    pub(super) fn publish(
        self: &Arc<Self>,
        sender: &str,
        namespace: &Arc<str>,
        topic: Topic<'_>,
        message: &Outgoing<'_>,
        is_volatile: bool,
        number: Option<&dyn Fn() -> u64>,
    ) -> bool {
        let mut body = Scratch::take();
        codec::encode(self.traits.dialect, sender, topic, message, &mut body);
        self.publish_body(namespace, topic, &body, is_volatile, number)
    }

    pub(super) fn encode(&self, topic: Topic<'_>, message: &Outgoing<'_>) -> Vec<u8> {
        let mut body = Vec::new();
        codec::encode(self.traits.dialect, self.server.as_str(), topic, message, &mut body);
        body
    }

    /// Publishes an encoded message.
    pub(super) fn publish_body(
        self: &Arc<Self>,
        namespace: &Arc<str>,
        topic: Topic<'_>,
        body: &[u8],
        is_volatile: bool,
        number: Option<&dyn Fn() -> u64>,
    ) -> bool {
        self.start();
        self.enqueue(namespace, topic, body, is_volatile, number)
    }

    /// Publishes an encoded message of a hub that is started.
    pub(super) fn enqueue(
        &self,
        namespace: &Arc<str>,
        topic: Topic<'_>,
        body: &[u8],
        is_volatile: bool,
        number: Option<&dyn Fn() -> u64>,
    ) -> bool {
        let counters = &self.outbound.counters;
        let is_queued = body.len() <= self.traits.max_body && !self.state.is_stopped() && {
            let length = body.len();
            let add_number = |out: &mut Vec<u8>| {
                if let Some(number) = number {
                    let start = out.len() - length;
                    codec::add_sequence(self.traits.dialect, out, start, number());
                }
            };
            self.outbound.queue.push(namespace, topic, is_volatile, body, add_number).is_ok()
        };
        if is_queued {
            counters.queued.add(1);
        } else {
            counters.dropped.add(1);
        }
        is_queued
    }

    /// Publishes a probe to this server. An engine with a log carries it through the log first.
    /// Returns whether it was queued.
    pub(super) fn publish_probe(&self, number: u64) -> bool {
        match self.traits.dialect {
            Dialect::Streams => {
                // Servers on Node.js ignore entries without a namespace.
                let topic = Topic::Log { namespace: "", server: self.server.as_str(), kind: codec::PROBE_IN_LOG };
                self.enqueue_probe(&self.nowhere, topic, number)
            }
            Dialect::Classic | Dialect::Messages => self.publish_probe_directly(number),
        }
    }

    /// Publishes a probe on the topic of answers to this server.
    pub(super) fn publish_probe_directly(&self, number: u64) -> bool {
        self.enqueue_probe(&self.root, Topic::Reply { namespace: ROOT, server: self.server.as_str() }, number)
    }

    fn enqueue_probe(&self, namespace: &Arc<str>, topic: Topic<'_>, number: u64) -> bool {
        let body = self.encode(topic, &Outgoing::Probe { number });
        self.enqueue(namespace, topic, &body, false, None)
    }

    /// Waits until everything that was queued before is published, or failed to be.
    pub(super) async fn flushed(&self) {
        self.outbound.queue.flushed().await;
    }

    /// Counts the other servers that share a namespace. `None` if that fails.
    /// Unless this server `takes_part`, the engine does not count it.
    pub(super) async fn count_others(&self, namespace: &str, takes_part: bool) -> Option<usize> {
        let counted = timeout(COUNT_TIMEOUT, catch_future(async { self.engine().servers(namespace).await })).await;
        match counted {
            Ok(Ok(Ok(servers))) => {
                // A count of 0 is one before this server's own subscription.
                let others = servers.saturating_sub(usize::from(takes_part));
                self.note_others(others);
                Some(others)
            }
            Ok(Ok(Err(error))) => {
                tracing::debug!(
                    error,
                    namespace = &*shown(namespace),
                    "the servers of the cluster could not be counted"
                );
                None
            }
            Ok(Err(_)) | Err(_) => None,
        }
    }

    /// Notes the number of other servers at a count.
    pub(super) fn note_others(&self, others: usize) {
        self.others.store(others, Ordering::Relaxed);
    }

    /// The number of other servers that can't be asked: those of the last count, and at least one.
    pub(super) fn unreached(&self) -> usize {
        self.others.load(Ordering::Relaxed).max(1)
    }

    pub(super) fn add_member(&self, namespace: &Arc<str>, member: &Arc<Member>) {
        self.members.write().insert(Arc::clone(namespace), Arc::downgrade(member));
    }

    /// Removes a member, unless another one has taken its place. Returns whether it was removed.
    pub(super) fn remove_member(&self, namespace: &str, member: &Member) -> bool {
        let mut members = self.members.write();
        let is_there = members.get(namespace).is_some_and(|known| std::ptr::eq(known.as_ptr(), member));
        if is_there {
            members.remove(namespace);
        }
        is_there
    }

    /// All members.
    pub(super) fn members(&self) -> Vec<Arc<Member>> {
        self.members.read().values().filter_map(Weak::upgrade).collect()
    }

    pub(super) fn member(&self, namespace: &str) -> Option<Arc<Member>> {
        self.members.read().get(namespace)?.upgrade()
    }

    pub(super) fn subscribe(&self, topic: Topic<'_>) {
        self.topics.subscribe(topic, self.engine());
    }

    pub(super) fn unsubscribe(&self, topic: Topic<'_>) {
        self.topics.unsubscribe(topic, self.engine());
    }

    pub(super) fn engine(&self) -> &dyn Engine {
        &*self.outbound.engine
    }

    pub(super) fn runtime(&self) -> Option<&Handle> {
        self.runtime.get()
    }

    pub(super) fn server(&self) -> &ServerId {
        &self.server
    }

    /// The last entry of the engine's log that was delivered.
    pub(super) fn position(&self) -> Offset {
        *self.position.read()
    }

    pub(super) fn set_position(&self, offset: Offset) {
        let old = std::mem::replace(&mut *self.position.write(), offset);
        if old == Offset::default() {
            let members: Vec<_> = self.members.read().values().filter_map(Weak::upgrade).collect();
            for recovery in members.iter().filter_map(|member| member.local().recovery()) {
                recovery.begins_after(offset.before());
            }
        }
    }

    /// This server has not read all entries of the log.
    pub(super) fn log_has_gap(&self) {
        let members: Vec<_> = self.members.read().values().filter_map(Weak::upgrade).collect();
        members.iter().filter_map(|member| member.local().recovery()).for_each(|recovery| recovery.log_has_gap());
    }

    pub(super) fn readers(&self) -> &Semaphore {
        &self.readers
    }

    pub(super) fn traits(&self) -> EngineTraits {
        self.traits
    }

    pub(super) fn dialect(&self) -> Dialect {
        self.traits.dialect
    }

    pub(super) fn known(&self) -> Option<&Arc<KnownServers>> {
        self.known.as_ref()
    }

    pub(super) fn max_received(&self) -> usize {
        self.max_received
    }

    pub(super) fn requests(&self) -> &Requests {
        &self.requests
    }

    pub(super) fn state(&self) -> &Arc<State> {
        &self.state
    }

    pub(super) fn counters(&self) -> &ClusterCounters {
        &self.outbound.counters
    }
}

impl Drop for ClusterCore {
    fn drop(&mut self) {
        for task in self.tasks.get_mut() {
            task.abort();
        }
    }
}

impl fmt::Debug for ClusterCore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ClusterCore").field("server", &self.server).finish_non_exhaustive()
    }
}

/// Whether the servers are counted by heartbeats, which the classic dialect does not have.
fn has_heartbeats(traits: &EngineTraits) -> bool {
    traits.counts == Counts::Heartbeats && traits.dialect != Dialect::Classic
}

/// Publishes what is queued, a batch at a time. Batches grow with the load.
async fn publish_all(outbound: Arc<Outbound>) {
    let mut batch = PublishBatch::default();
    loop {
        outbound.queue.take(&mut batch).await;
        let unpublished = match catch_future(async { outbound.engine.publish(&batch).await }).await {
            Ok(Ok(())) => 0,
            Ok(Err(error)) => {
                tracing::debug!(%error, "publishing to the cluster failed");
                error.unpublished.min(batch.len())
            }
            Err(_) => {
                tracing::error!("the engine of the cluster panicked while it published");
                batch.len()
            }
        };
        outbound.counters.unpublished.add(unpublished as u64);
        outbound.counters.published.add((batch.len() - unpublished) as u64);
        outbound.queue.done(batch.len());
    }
}

/// A random id of a server, in the form of the reference's.
fn random_id(dialect: Dialect) -> String {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let mut bytes = [0; 8];
    // Without random numbers the system can't run TLS or name sockets either.
    let _ = getrandom::fill(&mut bytes);
    match dialect {
        Dialect::Classic => {
            bytes[..6].iter().map(|byte| char::from(LETTERS[usize::from(*byte) % LETTERS.len()])).collect()
        }
        Dialect::Messages | Dialect::Streams => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
    }
}
