//! Tests with engines alone: what a [`SimNet`] carries, loses and counts.

mod log;

use bytes::Bytes;
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::Duration;

use super::{SimEngine, SimNet};
use crate::cluster::{
    Dialect, Engine, EngineTraits, GapReason, Inbox, LogEntry, PublishBatch, Receive, RoomTopics, Topic,
};
use crate::testing::settle;

const MAIN: Topic<'static> = Topic::Main { namespace: "/" };
const LOBBY: Topic<'static> = Topic::Room { namespace: "/", room: "lobby" };
const REQUESTS: Topic<'static> = Topic::Requests { namespace: "/" };

/// Keeps one line for each report of an engine.
#[derive(Default)]
struct Log(Mutex<Vec<String>>);

impl Log {
    fn add(&self, line: String) {
        self.0.lock().push(line);
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock())
    }
}

impl Receive for Log {
    fn deliver(&self, topic: Topic<'_>, body: Bytes) {
        let text = String::from_utf8_lossy(&body).into_owned();
        self.add(match topic {
            Topic::Room { room, .. } => format!("{room}: {text}"),
            _ => text,
        });
    }

    fn deliver_entry(&self, entry: LogEntry<'_>) {
        self.add(format!("{}: {}", entry.offset, String::from_utf8_lossy(&entry.data)));
    }

    fn connected(&self) {
        self.add("connected".to_owned());
    }

    fn disconnected(&self, reason: String) {
        self.add(format!("disconnected: {reason}"));
    }

    fn gap(&self, reason: GapReason) {
        self.add(format!("gap: {reason:?}"));
    }

    fn malformed(&self, bytes: &[u8]) {
        self.add(format!("malformed: {bytes:?}"));
    }
}

struct Server {
    engine: SimEngine,
    log: Arc<Log>,
}

impl Server {
    /// A server that subscribes to the main topic.
    async fn new(net: &SimNet, name: &str) -> Self {
        Self::with(net, name, EngineTraits::new(Dialect::Messages), MAIN).await
    }

    async fn with(net: &SimNet, name: &str, traits: EngineTraits, topic: Topic<'_>) -> Self {
        let (engine, log) = (net.engine_with(name, traits), Arc::new(Log::default()));
        engine.subscribe(topic);
        engine.start(Inbox::new(&log));
        engine.subscribed().await;
        assert_eq!(log.take(), ["connected"]);
        Self { engine, log }
    }

    async fn publish(&self, topic: Topic<'_>, texts: &[&str]) -> Result<(), usize> {
        let mut batch = PublishBatch::default();
        for text in texts {
            batch.push(&"/".into(), topic, |out| out.extend_from_slice(text.as_bytes()));
        }
        self.engine.publish(&batch).await.map_err(|error| error.unpublished)
    }

    /// What the engine has reported until now.
    async fn reports(&self) -> Vec<String> {
        settle().await;
        self.log.take()
    }
}

async fn pair(net: &SimNet) -> (Server, Server) {
    (Server::new(net, "a").await, Server::new(net, "b").await)
}

#[tokio::test(start_paused = true)]
async fn messages_reach_all_subscribers_in_order() {
    let net = SimNet::seeded(1);
    let (a, b) = pair(&net).await;
    a.publish(MAIN, &["1", "2"]).await.expect("published");
    a.publish(MAIN, &["3"]).await.expect("published");
    assert_eq!(a.reports().await, ["1", "2", "3"]);
    assert_eq!(b.reports().await, ["1", "2", "3"]);
    let stats = net.stats();
    assert_eq!((stats.published, stats.routed, stats.delivered, stats.waiting), (3, 6, 6, 0));
    assert!(stats.is_balanced());
}

#[tokio::test(start_paused = true)]
async fn the_main_topic_includes_those_of_rooms_only_where_the_engine_says_so() {
    for (rooms, expected) in [(RoomTopics::Included, vec!["lobby: hi"]), (RoomTopics::Dynamic, vec![])] {
        let net = SimNet::seeded(2);
        let traits = EngineTraits::new(Dialect::Messages).rooms(rooms);
        let server = Server::with(&net, "a", traits, MAIN).await;
        server.publish(LOBBY, &["hi"]).await.expect("published");
        assert_eq!(server.reports().await, expected);
        server.engine.subscribe(LOBBY);
        server.engine.subscribed().await;
        server.publish(LOBBY, &["hello"]).await.expect("published");
        assert_eq!(server.reports().await, ["lobby: hello"]);
        server.engine.unsubscribe(LOBBY);
        server.engine.unsubscribe(MAIN);
        server.engine.subscribed().await;
        server.publish(LOBBY, &["hello?"]).await.expect("published");
        assert!(server.reports().await.is_empty());
        assert_eq!(net.subscriptions(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn servers_are_counted_by_the_topic_of_their_dialect() {
    let net = SimNet::seeded(3);
    let (a, b) = pair(&net).await;
    assert_eq!(a.engine.servers("/").await, Ok(2));
    assert_eq!(a.engine.servers("/other").await, Ok(0));
    let classic = Server::with(&net, "c", EngineTraits::new(Dialect::Classic), REQUESTS).await;
    assert_eq!(classic.engine.servers("/").await, Ok(3));
    net.lie_about_count(7);
    assert_eq!(a.engine.servers("/").await, Ok(7));
    net.lie_about_count(None);
    drop(b);
    assert_eq!(a.engine.servers("/").await, Ok(2));
}

#[tokio::test(start_paused = true)]
async fn after_a_restart_the_engines_subscribe_again() {
    let net = SimNet::seeded(4);
    let (a, b) = pair(&net).await;
    net.restart();
    assert_eq!(net.subscriptions(), 0);
    assert_eq!(a.publish(MAIN, &["1", "2"]).await, Err(2), "the engine is not connected");
    for server in [&a, &b] {
        server.engine.subscribed().await;
        assert_eq!(server.log.take(), ["disconnected: the network stopped", "connected"]);
    }
    a.publish(MAIN, &["3"]).await.expect("published");
    assert_eq!(b.reports().await, ["3"]);
}

#[tokio::test(start_paused = true)]
async fn engines_try_to_connect_until_the_network_is_back() {
    let net = SimNet::seeded(5);
    let (a, _b) = pair(&net).await;
    net.stop();
    tokio::time::sleep(Duration::from_secs(40)).await;
    let reports = a.log.take();
    assert_eq!(reports[0], "disconnected: the network stopped");
    assert!(
        reports.len() > 10 && reports[1..].iter().all(|report| report == "disconnected: the connection was refused")
    );
    assert_eq!(a.engine.servers("/").await, Err("not connected".to_owned()));
    net.start();
    a.engine.subscribed().await;
    assert_eq!(a.log.take(), ["connected"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_on_the_way_is_lost_with_the_connection_and_counted() {
    let net = SimNet::seeded(6);
    let (a, b) = pair(&net).await;
    net.slow("b", Duration::from_secs(1));
    a.publish(MAIN, &["1", "2"]).await.expect("published");
    settle().await;
    assert_eq!(net.stats().waiting, 2, "those to the slow server");
    net.cut("b");
    net.slow("b", Duration::ZERO);
    b.engine.subscribed().await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(b.log.take(), ["disconnected: the connection was cut", "connected"]);
    let stats = net.stats();
    assert_eq!((stats.lost, stats.delivered, stats.waiting), (2, 2, 0));
    assert!(stats.is_balanced());
}

#[tokio::test(start_paused = true)]
async fn a_publish_fails_if_the_connection_ends_before_its_answer() {
    let net = SimNet::seeded(7);
    let (a, _b) = pair(&net).await;
    net.delay(Duration::from_millis(5)..=Duration::from_millis(5));
    let (published, ()) = tokio::join!(a.publish(MAIN, &["1", "2"]), async {
        tokio::time::sleep(Duration::from_millis(2)).await;
        net.cut("a");
    });
    assert_eq!(published, Err(2));
    assert_eq!((net.stats().published, net.stats().unpublished), (0, 2));
}

#[tokio::test(start_paused = true)]
async fn messages_are_dropped_duplicated_and_parted_as_asked() {
    let net = SimNet::seeded(8);
    let (a, b) = pair(&net).await;
    net.drop_messages(1.0);
    a.publish(MAIN, &["1"]).await.expect("published");
    assert_eq!((a.reports().await, b.reports().await), (vec!["1".to_owned()], vec![]));
    net.drop_messages(0.0);
    net.duplicate(1.0);
    a.publish(MAIN, &["2"]).await.expect("published");
    assert_eq!(b.reports().await, ["2", "2"]);
    net.duplicate(0.0);
    net.partition("a", "b");
    a.publish(MAIN, &["3"]).await.expect("published");
    b.publish(MAIN, &["4"]).await.expect("published");
    assert_eq!(b.reports().await, ["4"]);
    net.heal();
    a.publish(MAIN, &["5"]).await.expect("published");
    assert_eq!(b.reports().await, ["5"]);
    let stats = net.stats();
    assert_eq!((stats.dropped, stats.duplicated), (3, 1));
    assert!(stats.is_balanced());
}

#[tokio::test(start_paused = true)]
async fn publishing_fails_with_an_unknown_outcome() {
    let net = SimNet::seeded(9);
    let (a, b) = pair(&net).await;
    net.fail_publish(1.0);
    let mut carried = 0;
    for _ in 0..20 {
        assert_eq!(a.publish(MAIN, &["1", "2", "3"]).await, Err(3));
        let reports = b.reports().await;
        assert_eq!(reports, ["1", "2", "3"][..reports.len()]);
        carried += reports.len() as u64;
    }
    let stats = net.stats();
    assert_eq!((stats.published, stats.unpublished), (carried, 60 - carried));
    assert!(0 < carried && carried < 60);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_hangs_is_counted_and_receives_when_it_resumes() {
    let net = SimNet::seeded(10);
    let (a, b) = pair(&net).await;
    net.hang("b");
    a.publish(MAIN, &["1"]).await.expect("published");
    assert_eq!(a.engine.servers("/").await, Ok(2));
    assert!(b.reports().await.is_empty());
    assert_eq!(b.publish(MAIN, &["2"]).await, Err(1));
    net.resume("b");
    assert_eq!(b.reports().await, ["1", "2"], "the outcome was unknown");

    net.hang("b");
    a.publish(MAIN, &["3"]).await.expect("published");
    b.engine.reconnect();
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(a.engine.servers("/").await, Ok(2), "the network does not notice");
    net.resume("b");
    b.engine.subscribed().await;
    let reports = b.log.take();
    assert_eq!((&*reports[0], &*reports[reports.len() - 1]), ("disconnected: the engine connects anew", "connected"));
    assert!(net.stats().is_balanced());
    assert_eq!(net.stats().lost, 1);
}

#[tokio::test(start_paused = true)]
async fn topics_overtake_each_other_where_asked() {
    let net = SimNet::seeded(11);
    net.reorder_topics(true);
    let traits = EngineTraits::new(Dialect::Messages).rooms(RoomTopics::Included);
    let server = Server::with(&net, "a", traits, MAIN).await;
    let mut is_overtaken = false;
    for _ in 0..20 {
        let mut batch = PublishBatch::default();
        for (topic, text) in [(MAIN, "1"), (LOBBY, "2"), (MAIN, "3"), (LOBBY, "4")] {
            batch.push(&"/".into(), topic, |out| out.extend_from_slice(text.as_bytes()));
        }
        server.engine.publish(&batch).await.expect("published");
        let reports = server.reports().await;
        let position = |text: &str| reports.iter().position(|report| report == text);
        assert!(position("1") < position("3") && position("lobby: 2") < position("lobby: 4"));
        is_overtaken |= position("3") < position("lobby: 2");
    }
    assert!(is_overtaken);
}

#[tokio::test(start_paused = true)]
async fn topics_keep_their_order_when_others_begin_or_cease_to_overtake() {
    let net = SimNet::seeded(14);
    let (a, b) = pair(&net).await;
    net.slow("b", Duration::from_millis(100));
    let mut expected = Vec::new();
    for round in 0..10 {
        net.reorder_topics(round % 2 == 0);
        net.slow("b", Duration::from_millis(100 - round * 10));
        let text = round.to_string();
        a.publish(MAIN, &[&text]).await.expect("published");
        expected.push(text);
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(b.log.take(), expected);
}

#[tokio::test(start_paused = true)]
async fn bytes_and_reports_are_injected() {
    let net = SimNet::seeded(12);
    let (a, b) = pair(&net).await;
    net.inject(MAIN, "?");
    net.flood(MAIN, "!", 2);
    net.inject_malformed("a", "x");
    net.gap("b", GapReason::Moved);
    assert_eq!(a.reports().await, ["malformed: [120]", "?", "!", "!"]);
    assert_eq!(b.reports().await, ["gap: Moved", "?", "!", "!"]);
}

#[tokio::test(start_paused = true)]
async fn the_seed_determines_what_is_lost_and_when() {
    let run = async |seed| {
        let net = SimNet::seeded(seed);
        let (a, b) = pair(&net).await;
        net.drop_messages(0.5);
        let start = tokio::time::Instant::now();
        for text in ["1", "2", "3", "4", "5", "6", "7", "8"] {
            a.publish(MAIN, &[text]).await.expect("published");
        }
        (b.reports().await, start.elapsed())
    };
    assert_eq!(run(1).await, run(1).await);
    assert_ne!(run(1).await, run(2).await);
}

#[tokio::test(start_paused = true)]
async fn a_stopped_engine_reports_nothing() {
    let net = SimNet::seeded(13);
    let (a, b) = pair(&net).await;
    b.engine.stop().await;
    a.publish(MAIN, &["1"]).await.expect("published");
    net.restart();
    a.engine.subscribed().await;
    assert!(b.reports().await.is_empty());
    assert_eq!(net.subscriptions(), 1);
    assert_eq!(net.stats().published, 1);
}
