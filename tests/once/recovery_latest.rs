//! Events that are `latest`, and clients whose connection was cut: they get the newest value of
//! what they have missed.

use axum::Router;
use serde::Serialize;
use serde_json::{Value, json};
use socketio::cluster::{Dialect, EngineTraits};
use socketio::testing::cluster::SimNet;
use socketio::testing::settle;
use socketio::{Hub, HubBuilder, Recovery, RecoveryState, event};
use socketio_tests::cut::{Line, Memory, Packet};
use std::time::Duration;
use tokio::time::sleep;

#[event("price", latest(key = "symbol"))]
#[derive(Serialize)]
struct Price {
    symbol: &'static str,
    value: u32,
}

fn price(symbol: &'static str, value: u32) -> Price {
    Price { symbol, value }
}

fn json_of(symbol: &str, value: u32) -> Value {
    json!(["price", { "symbol": symbol, "value": value }])
}

fn server(builder: HubBuilder) -> (Hub, Router) {
    let hub = builder.build().expect("a hub");
    let app = hub.socketio().into();
    (hub, app)
}

async fn in_cluster(net: &SimNet, name: &str) -> (Hub, Router) {
    let engine = net.engine_with(name, EngineTraits::new(Dialect::Streams));
    let (hub, app) = server(Hub::builder().recovery(Recovery::new()).outbox(20, 1_000_000).cluster(engine));
    hub.ready(Duration::from_secs(10)).await.expect("the network is up");
    (hub, app)
}

/// Waits until what was emitted has arrived everywhere.
async fn delivered() {
    for _ in 0..20 {
        settle().await;
        sleep(Duration::from_millis(5)).await;
    }
}

/// Connects, and returns the events that the client gets up to `end`.
async fn join(hub: &Hub, app: &Router, memory: &mut Memory) -> (Line, Vec<Value>) {
    let mut line = Line::open(app, memory, json!({})).await;
    let mut events = line.joined(memory).await;
    hub.emit(("end",)).expect("queued");
    until_end(&mut line, memory, &mut events).await;
    (line, events)
}

async fn until_end(line: &mut Line, memory: &mut Memory, events: &mut Vec<Value>) {
    loop {
        while let Some(packet) = line.next(memory) {
            match packet {
                Packet::Event(event) if event[0] == "end" => return,
                Packet::Event(event) => events.push(event.into()),
                _ => {}
            }
        }
        assert!(line.read(64 * 1024).await > 0);
    }
}

/// Emits more values than an outbox of 20 messages takes.
fn emit_prices(hub: &Hub) {
    for value in 0..100 {
        hub.emit(&price("AAPL", value)).expect("queued");
        hub.to("nobody").emit(&price("MSFT", value)).expect("queued");
        hub.emit(&price("MSFT", value)).expect("queued");
        if value % 30 == 0 {
            hub.emit(("trade", value)).expect("queued");
        }
    }
    hub.latest_by("AAPL").emit(("volume", 1)).expect("queued");
}

fn newest() -> Vec<Value> {
    let trades = [0, 30, 60, 90].map(|value| json!(["trade", value]));
    trades.into_iter().chain([json_of("AAPL", 99), json_of("MSFT", 99), json!(["volume", 1])]).collect()
}

#[tokio::test(start_paused = true)]
async fn a_client_that_was_cut_off_gets_the_newest_value() {
    let (hub, app) = server(Hub::builder().recovery(Recovery::new()).outbox(20, 1_000_000));
    let mut memory = Memory::default();
    let (line, _) = join(&hub, &app, &mut memory).await;
    drop(line);
    settle().await;
    emit_prices(&hub);
    let (_line, events) = join(&hub, &app, &mut memory).await;
    assert_eq!(events, newest());
    let socket = hub.socket(&memory.sid).expect("it is connected");
    assert_eq!(socket.recovery(), RecoveryState::Restored { missed: 7 });
}

#[tokio::test(start_paused = true)]
async fn a_client_that_was_slow_and_cut_off_gets_each_value_at_most_once() {
    let (hub, app) = server(Hub::builder().recovery(Recovery::new()));
    let mut memory = Memory::default();
    let (mut line, _) = join(&hub, &app, &mut memory).await;
    // More than the connection takes: the client is slow.
    hub.emit(("large", "x".repeat(300_000))).expect("queued");
    settle().await;
    for value in 1..=3 {
        hub.emit(&price("AAPL", value)).expect("queued");
        hub.emit(("trade", value)).expect("queued");
    }
    assert_eq!(hub.stats().conflated, 2);
    let mut received = Vec::new();
    // It receives all but the last of what waits: the second value was replaced.
    while received.len() < 4 {
        assert!(line.read(64 * 1024).await > 0);
        while received.len() < 4
            && let Some(packet) = line.next(&mut memory)
        {
            if let Packet::Event(event) = packet {
                received.push(Value::from(event));
            }
        }
    }
    assert_eq!(received[1..], [json!(["trade", 1]), json!(["trade", 2]), json_of("AAPL", 3)]);
    drop(line);
    settle().await;
    hub.emit(&price("MSFT", 1)).expect("queued");
    let (_line, events) = join(&hub, &app, &mut memory).await;
    assert_eq!(events, [json!(["trade", 3]), json_of("MSFT", 1)]);
}

#[tokio::test]
async fn in_a_cluster_with_a_log_too() {
    let net = SimNet::seeded(1);
    let ((one, app), (two, other_app)) = (in_cluster(&net, "one").await, in_cluster(&net, "two").await);
    let mut memory = Memory::default();
    let (line, _) = join(&one, &app, &mut memory).await;
    drop(line);
    delivered().await;
    emit_prices(&two);
    delivered().await;
    let (_line, events) = join(&two, &other_app, &mut memory).await;
    assert_eq!(events, newest());
    let socket = two.socket(&memory.sid).expect("it is connected");
    assert_eq!(socket.recovery(), RecoveryState::Restored { missed: 7 });
}

#[tokio::test]
async fn a_value_that_is_not_in_the_log_replaces_none_that_is() {
    let net = SimNet::seeded(1);
    let (hub, app) = in_cluster(&net, "one").await;
    let mut memory = Memory::default();
    let (mut line, _) = join(&hub, &app, &mut memory).await;
    hub.emit(("large", "x".repeat(300_000))).expect("queued");
    delivered().await;
    for value in [1, 2] {
        hub.emit(&price("AAPL", value)).expect("queued");
        delivered().await;
        hub.local().emit(&price("AAPL", 10 + value)).expect("queued");
    }
    hub.emit(("end",)).expect("queued");
    let mut events = Vec::new();
    until_end(&mut line, &mut memory, &mut events).await;
    assert_eq!(events[1..], [json_of("AAPL", 2), json_of("AAPL", 12)]);
}

/// The policy travels with the event.
#[tokio::test]
async fn a_slow_client_of_another_server_gets_the_newest_value() {
    for dialect in [Dialect::Classic, Dialect::Messages, Dialect::Streams] {
        let net = SimNet::seeded(1);
        let engine = |name| net.engine_with(name, EngineTraits::new(dialect));
        let (one, _) = server(Hub::builder().cluster(engine("one")));
        let (two, app) = server(Hub::builder().cluster(engine("two")));
        for hub in [&one, &two] {
            hub.ready(Duration::from_secs(10)).await.expect("the network is up");
        }
        let mut memory = Memory::default();
        let (mut line, _) = join(&two, &app, &mut memory).await;
        two.emit(("large", "x".repeat(300_000))).expect("queued");
        delivered().await;
        for value in 1..=3 {
            one.emit(&price("AAPL", value)).expect("queued");
            one.latest().emit(("binary", socketio::Binary::from(vec![value as u8; 10]))).expect("queued");
            one.emit(("trade", value)).expect("queued");
        }
        delivered().await;
        assert_eq!((one.stats().conflated, two.stats().conflated), (0, 4), "{dialect:?}");
        one.emit(("end",)).expect("queued");
        let mut events = Vec::new();
        until_end(&mut line, &mut memory, &mut events).await;
        events.remove(0);
        let trades = [1, 2].map(|value| json!(["trade", value]));
        assert_eq!(events[..3], [trades[0].clone(), trades[1].clone(), json_of("AAPL", 3)], "{dialect:?}");
        assert_eq!(events.last(), Some(&json!(["trade", 3])), "{dialect:?}");
    }
}
