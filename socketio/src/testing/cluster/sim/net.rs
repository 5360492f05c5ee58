//! [`SimNet`]: the public handle of the network, with its faults.

use bytes::Bytes;
use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

use super::driver::Shared;
use super::engine::SimEngine;
use super::event::Report;
use super::member::Link;
use super::network::Network;
use super::stats::SimStats;
use crate::cluster::{Dialect, EngineTraits, GapReason, LogEntry, Offset, Topic};

/// A simulated network that carries the messages of clusters, in memory, with faults on demand.
/// Cloning the handle is cheap.
///
/// Each way of a message takes a random time. All random choices depend on the seed alone. A test
/// that panics prints the seed. With tokio's clock paused a test takes no real time:
/// `#[tokio::test(start_paused = true)]`.
///
/// Servers have names, by which faults choose them. A name may be used again, for the server that
/// takes the place of one that is gone.
///
/// Engines of the dialect [`Streams`](Dialect::Streams) share a log, which belongs to the network.
/// It outlives restarts of the network. Entries have offsets of the form `<milliseconds>-<number>`,
/// where the time is that of tokio's clock since the first entry.
#[derive(Clone)]
pub struct SimNet(Arc<Shared>);

impl SimNet {
    /// Creates a network whose random choices depend on this seed.
    pub fn seeded(seed: u64) -> Self {
        Self(Arc::new(Shared::new(seed)))
    }

    /// The seed.
    pub fn seed(&self) -> u64 {
        self.0.seed
    }

    /// Creates the engine of one server, with the dialect [`Messages`](Dialect::Messages).
    pub fn engine(&self, name: impl AsRef<str>) -> SimEngine {
        self.engine_with(name, EngineTraits::new(Dialect::Messages))
    }

    /// Creates the engine of one server with these properties. All engines of a cluster should have
    /// the same.
    pub fn engine_with(&self, name: impl AsRef<str>, traits: EngineTraits) -> SimEngine {
        SimEngine::new(Arc::clone(&self.0), name.as_ref(), traits)
    }

    /// What the network has counted.
    pub fn stats(&self) -> SimStats {
        self.0.network.lock().stats()
    }

    /// The number of subscriptions of all servers.
    pub fn subscriptions(&self) -> usize {
        self.0.network.lock().members.iter().map(|member| member.subscribed.len()).sum()
    }

    fn change(&self, change: impl FnOnce(&mut Network, Instant)) {
        self.0.change(change);
    }

    /// Sets how long each way takes: from a server to the network, and back. Default: up to a
    /// millisecond. Messages on one connection do not overtake each other.
    pub fn delay(&self, range: RangeInclusive<Duration>) {
        self.change(|network, _| network.delay = range);
    }

    /// Lets messages of different topics overtake each other on the way to a server, as if each
    /// topic had a connection of its own. Default: `false`.
    pub fn reorder_topics(&self, reorder: bool) {
        self.change(|network, _| {
            network.reorder_topics = reorder;
            network.members.iter_mut().for_each(|member| member.downward.begin());
        });
    }

    /// Drops messages to other servers with this probability. Default: 0. Messages that a server
    /// sends to itself are not dropped, and entries of the log neither.
    pub fn drop_messages(&self, probability: f64) {
        self.change(|network, _| network.drop = probability);
    }

    /// Delivers messages to other servers twice with this probability. Default: 0. An engine must
    /// not do that. Entries of the log are delivered once.
    pub fn duplicate(&self, probability: f64) {
        self.change(|network, _| network.duplicate = probability);
    }

    /// Lets publishing fail with this probability. The messages before a random one of the batch
    /// are published nevertheless. Default: 0.
    pub fn fail_publish(&self, probability: f64) {
        self.change(|network, _| network.fail_publish = probability);
    }

    /// Drops all messages between two servers, until [`heal`](Self::heal). Both stay connected, and
    /// so read what the other one adds to the log.
    pub fn partition(&self, one: impl Into<String>, other: impl Into<String>) {
        let (one, other) = (one.into(), other.into());
        self.change(|network, _| {
            network.partitions.extend([(one.clone(), other.clone()), (other, one)]);
        });
    }

    /// Ends all partitions, and [isolations](Self::isolate).
    pub fn heal(&self) {
        self.change(|network, _| {
            network.partitions.clear();
            network.members.iter_mut().for_each(|member| member.is_isolated = false);
        });
    }

    /// Ends the connections of a server, whose attempts to connect fail until [`heal`](Self::heal).
    pub fn isolate(&self, name: impl AsRef<str>) {
        self.each(name.as_ref(), |network, id, now| {
            network.members[id].is_isolated = true;
            network.cut(id, "the connection was cut", now);
        });
    }

    /// Removes entries of the log, all but the last `kept`. A server that has not read them reports
    /// a gap when it connects again.
    pub fn trim_log(&self, kept: usize) {
        self.change(|network, _| network.log.trim(kept));
    }

    /// Sets the greatest number of entries in the log, at least 1. The oldest are removed. Default:
    /// 10,000.
    pub fn limit_log(&self, entries: usize) {
        self.change(|network, _| network.log.set_max_entries(entries));
    }

    /// Replaces the log by an empty one, as if the server that has it lost its data. The sessions
    /// are lost too. Later entries have greater offsets than those of the old log.
    pub fn replace_log(&self) {
        self.change(|network, _| network.log.replace());
    }

    /// The entries in the log.
    pub fn log_entries(&self) -> Vec<LogEntry<'static>> {
        self.0.network.lock().log.after(Offset::default()).cloned().collect()
    }

    /// The last entry of the log that the engine of a server has delivered, or before which it has
    /// begun to read. `None` before it has connected. Of several with the name, the last one
    /// counts.
    pub fn log_position(&self, name: impl AsRef<str>) -> Option<Offset> {
        let network = self.0.network.lock();
        let id = network.named(name.as_ref()).pop()?;
        network.members[id].position
    }

    /// The number of sessions that are stored.
    pub fn sessions(&self) -> usize {
        self.0.network.lock().log.sessions()
    }

    /// Ends the connections of a server. What was on the way is lost. The server connects again.
    pub fn cut(&self, name: impl AsRef<str>) {
        self.each(name.as_ref(), |network, id, now| network.cut(id, "the connection was cut", now));
    }

    /// Restarts the network: all connections and subscriptions end, and what was on the way is
    /// lost.
    pub fn restart(&self) {
        self.stop();
        self.start();
    }

    /// Stops the network: all connections end, and attempts to connect fail until
    /// [`start`](Self::start).
    pub fn stop(&self) {
        self.change(|network, now| {
            network.is_up = false;
            for id in 0..network.members.len() {
                network.cut(id, "the network stopped", now);
            }
        });
    }

    /// Starts the network after [`stop`](Self::stop). Servers connect again at their next attempt,
    /// at most 2 seconds later.
    pub fn start(&self) {
        self.change(|network, _| network.is_up = true);
    }

    /// Delays the deliveries to a server by this time, one after the other. Zero ends it.
    pub fn slow(&self, name: impl AsRef<str>, delay: Duration) {
        self.each(name.as_ref(), |network, id, _| network.members[id].slowness = delay);
    }

    /// Lets nothing pass from and to a server, until [`resume`](Self::resume). The network goes on
    /// counting it as a server of its namespaces, and goes on sending to it.
    pub fn hang(&self, name: impl AsRef<str>) {
        self.each(name.as_ref(), |network, id, _| network.members[id].is_hung = true);
    }

    /// Ends [`hang`](Self::hang). If the server has not lost patience with its connection, what was
    /// held arrives now.
    pub fn resume(&self, name: impl AsRef<str>) {
        self.each(name.as_ref(), |network, id, now| {
            network.members[id].is_hung = false;
            if network.members[id].link == Link::Down {
                // The network notices that the connection is gone.
                network.members[id].subscribed.clear();
            }
            for event in std::mem::take(&mut network.members[id].held) {
                network.add_event(now, event);
            }
        });
    }

    /// Tells servers that this is the number of servers. `None`: the true number.
    pub fn lie_about_count(&self, count: impl Into<Option<usize>>) {
        let count = count.into();
        self.change(|network, _| network.count = count);
    }

    /// Publishes bytes, as something that is no engine of this network.
    pub fn inject(&self, topic: Topic<'_>, body: impl Into<Bytes>) {
        self.flood(topic, body, 1);
    }

    /// Publishes the same bytes several times.
    pub fn flood(&self, topic: Topic<'_>, body: impl Into<Bytes>, messages: usize) {
        let (topic, body) = (topic.into(), body.into());
        self.change(|network, now| {
            for _ in 0..messages {
                network.route(None, &topic, &body, now);
            }
        });
    }

    /// Lets the engine of a server report bytes that it can't assign to a topic.
    pub fn inject_malformed(&self, name: impl AsRef<str>, bytes: impl Into<Bytes>) {
        let bytes = bytes.into();
        self.each(name.as_ref(), |network, id, _| network.report(id, Report::Malformed(bytes.clone())));
    }

    /// Lets the engine of a server report that it may have lost messages.
    pub fn gap(&self, name: impl AsRef<str>, reason: GapReason) {
        self.each(name.as_ref(), |network, id, _| network.report(id, Report::Gap(reason.clone())));
    }

    fn each(&self, name: &str, mut change: impl FnMut(&mut Network, usize, Instant)) {
        self.change(|network, now| network.named(name).into_iter().for_each(|id| change(network, id, now)));
    }
}

impl fmt::Debug for SimNet {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("SimNet").field("seed", &self.seed()).finish_non_exhaustive()
    }
}
