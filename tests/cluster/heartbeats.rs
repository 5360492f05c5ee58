//! Servers that count each other by heartbeats, as `ClusterAdapterWithHeartbeat` of
//! `socket.io-adapter` does.

use bytes::Bytes;
use socketio::Hub;
use socketio::cluster::{Counts, Dialect, Engine, EngineTraits, RoomTopics, Topic};
use socketio::testing::cluster::{Recorded, Recorder, SimEngine, SimNet, batch};
use std::time::Duration;
use tokio::time::sleep;

const MAIN: Topic<'_> = Topic::Main { namespace: "/" };
const TICK: Duration = Duration::from_millis(100);

fn traits() -> EngineTraits {
    EngineTraits::new(Dialect::Messages).counts(Counts::Heartbeats)
}

async fn hub_with(net: &SimNet, name: &str, traits: EngineTraits) -> Hub {
    let hub = Hub::builder().cluster(net.engine_with(name, traits)).build().expect("a hub");
    hub.ready(Duration::from_secs(10)).await.expect("ready");
    hub
}

async fn hub(net: &SimNet, name: &str) -> Hub {
    hub_with(net, name, traits()).await
}

/// What publishes and hears bytes, in the place of a server on Node.js.
struct Other {
    engine: SimEngine,
    recorder: Recorder,
}

impl Other {
    async fn new(net: &SimNet) -> Self {
        let engine = net.engine_with("other", traits());
        let (inbox, recorder) = Recorder::new();
        engine.subscribe(MAIN);
        engine.start(inbox);
        engine.subscribed().await;
        Self { engine, recorder }
    }

    async fn publish(&self, body: &str) {
        self.engine.publish(&batch([(MAIN, body.as_bytes())])).await.expect("published");
    }

    /// The messages that were heard for some time.
    async fn heard_for(&mut self, time: Duration) -> Vec<Bytes> {
        sleep(time).await;
        let mut heard = Vec::new();
        while let Some(recorded) = self.recorder.try_next() {
            if let Recorded::Message { body, .. } = recorded {
                heard.push(body);
            }
        }
        heard
    }
}

/// The message of a hub that has only a type.
fn message(kind: u8, hub: &Hub) -> String {
    format!(r#"{{"type":{kind},"uid":"{}","nsp":"/"}}"#, hub.cluster().expect("a cluster").id())
}

#[tokio::test(start_paused = true)]
async fn heartbeats_are_published_when_a_server_comes_is_silent_and_leaves() {
    let net = SimNet::seeded(1);
    let mut other = Other::new(&net).await;
    let hub = hub(&net, "a").await;
    assert_eq!(other.heard_for(TICK).await, [message(1, &hub)]);
    assert_eq!(other.heard_for(Duration::from_secs(14)).await, [message(2, &hub), message(2, &hub)]);
    for _ in 0..20 {
        hub.emit(("hello",)).expect("queued");
        let heard = other.heard_for(Duration::from_secs(1)).await;
        assert!(heard.len() == 1 && heard[0].starts_with(br#"{"type":3,"#), "{heard:?}");
    }
    other.publish(r#"{"type":1,"uid":"other","nsp":"/"}"#).await;
    assert_eq!(other.heard_for(TICK).await, [r#"{"type":1,"uid":"other","nsp":"/"}"#, &message(2, &hub)]);
    hub.shutdown(Duration::from_secs(5)).await;
    assert_eq!(other.heard_for(Duration::from_secs(20)).await, [message(13, &hub)]);
}

#[tokio::test(start_paused = true)]
async fn each_message_of_a_server_counts_it() {
    let net = SimNet::seeded(2);
    let (hub, other) = (hub(&net, "a").await, Other::new(&net).await);
    assert_eq!(hub.servers().await, Ok(1));
    let event = |uid: &str| {
        format!(
            r#"{{"type":3,"data":{{"packet":{{"type":2,"data":["a"]}},"opts":{{"rooms":[],"except":[]}}}},"uid":"{uid}","nsp":"/"}}"#
        )
    };
    for (published, servers) in [
        (event("emitter"), 1),
        (event("b"), 2),
        (r#"{"type":2,"uid":"c","nsp":"/"}"#.to_owned(), 3),
        (r#"{"type":2,"uid":"d","nsp":"/other"}"#.to_owned(), 3),
        (r#"{"type":13,"uid":"b","nsp":"/"}"#.to_owned(), 2),
        (r#"{"type":13,"uid":"unknown","nsp":"/"}"#.to_owned(), 2),
        (event("b"), 3),
    ] {
        other.publish(&published).await;
        sleep(TICK).await;
        assert_eq!(hub.servers().await, Ok(servers), "{published}");
    }
    sleep(Duration::from_secs(10)).await;
    assert_eq!(hub.servers().await, Ok(1), "they are silent");
}

#[tokio::test(start_paused = true)]
async fn silent_servers_are_forgotten_and_come_back() {
    let net = SimNet::seeded(3);
    let hubs = [hub(&net, "a").await, hub(&net, "b").await, hub(&net, "c").await];
    sleep(Duration::from_secs(60)).await;
    for hub in &hubs {
        assert_eq!(hub.servers().await, Ok(3));
    }
    net.hang("b");
    sleep(Duration::from_secs(4)).await;
    assert_eq!(hubs[0].servers().await, Ok(3));
    let asked = hubs[0].server_request::<u8>(("question",)).timeout(Duration::from_secs(1)).await.expect("asked");
    assert_eq!(asked.silent, 2);
    sleep(Duration::from_secs(6)).await;
    assert_eq!(hubs[0].servers().await, Ok(2));
    net.resume("b");
    hubs[1].ready(Duration::from_secs(10)).await.expect("ready");
    for hub in &hubs {
        assert_eq!(hub.servers().await, Ok(3));
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_ends_when_the_missing_server_is_forgotten() {
    let net = SimNet::seeded(4);
    let (a, b, c) = (hub(&net, "a").await, hub(&net, "b").await, hub(&net, "c").await);
    for hub in [&b, &c] {
        hub.on_server("question", |event| {
            if let Some(ack) = event.ack() {
                let _ = ack.send(7);
            }
        });
    }
    net.hang("b");
    let asked = a.server_request::<u8>(("question",)).timeout(Duration::from_secs(60)).await.expect("asked");
    assert_eq!((asked.answers.len(), asked.silent), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_ends_without_a_word_is_forgotten() {
    let net = SimNet::seeded(5);
    let (a, b) = (hub(&net, "a").await, hub(&net, "b").await);
    drop(b);
    sleep(TICK).await;
    assert_eq!(a.servers().await, Ok(2));
    sleep(Duration::from_secs(10)).await;
    assert_eq!(a.servers().await, Ok(1));
}

#[tokio::test(start_paused = true)]
async fn messages_that_not_all_servers_receive_replace_no_heartbeat() {
    let net = SimNet::seeded(6);
    let traits = traits().rooms(RoomTopics::Dynamic);
    let (a, b) = (hub_with(&net, "a", traits).await, hub_with(&net, "b", traits).await);
    for _ in 0..30 {
        a.to("lobby").emit(("hello",)).expect("queued");
        sleep(Duration::from_secs(1)).await;
    }
    assert_eq!(b.servers().await, Ok(2));
}

#[tokio::test(start_paused = true)]
async fn the_engine_sets_interval_and_timeout() {
    let net = SimNet::seeded(7);
    let traits = traits().heartbeat_interval(Duration::from_millis(50)).heartbeat_timeout(Duration::from_millis(150));
    let (a, b) = (hub_with(&net, "a", traits).await, hub_with(&net, "b", traits).await);
    sleep(Duration::from_secs(2)).await;
    assert_eq!((a.servers().await, b.servers().await), (Ok(2), Ok(2)));
    net.hang("b");
    sleep(Duration::from_millis(160)).await;
    assert_eq!(a.servers().await, Ok(1));
}
