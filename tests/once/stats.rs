//! What `Hub::stats` counts.

use axum::Router;
use serde_json::{Value, json};
use socketio::testing::{Client, settle};
use socketio::{
    AckError, Binary, DisconnectReason, EmitError, Events, Hub, OverflowPolicy, Recoveries, Socket, event, events,
};
use socketio_tests::in_process::{both, kinds};
use socketio_tests::raw::{RawClient, text_frame};
use socketio_tests::raw_polling::RawPolling;
use socketio_tests::{serve, serve_router, soon};
use std::time::Duration;
use tokio::task::spawn_blocking;
use tokio::time::sleep;

#[event("echo")]
fn echo(socket: &Socket, text: &str) -> Result<(), EmitError> {
    socket.emit(("echo", text))
}

#[event("all")]
fn all(hub: &Hub, text: &str) -> Result<(), EmitError> {
    hub.broadcast(("all", text))
}

#[event("picture")]
fn picture(socket: &Socket, bytes: Binary) -> Result<(), EmitError> {
    socket.emit(("picture", bytes))
}

#[event("sum")]
fn sum(a: i32, b: i32) -> i32 {
    a + b
}

const EVENTS: Events = events![echo, all, picture, sum];

fn hub() -> Hub {
    Hub::builder().events(EVENTS).build().expect("a hub")
}

/// The messages and the bytes that were received, and those that were sent.
fn traffic(hub: &Hub) -> [u64; 4] {
    let stats = hub.stats();
    [stats.received.messages, stats.received.bytes, stats.sent.messages, stats.sent.bytes]
}

/// The numbers of messages that were received and sent.
fn messages(hub: &Hub) -> (u64, u64) {
    let [received, _, sent, _] = traffic(hub);
    (received, sent)
}

/// Waits for the traffic. What was written is counted a little later than the client has it.
async fn expect_traffic(hub: &Hub, expected: [u64; 4]) {
    soon("the traffic", async {
        while traffic(hub) != expected {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bytes_are_those_of_the_frames() {
    let server = serve(hub()).await;
    let address = server.address();
    let [echo, all] = ["echo", "all"].map(|event| text_frame(&json!({ "event": event, "data": "hello" }).to_string()));
    // The frames of clients have a mask.
    let [echo_len, all_len] = [echo.len() as u64, all.len() as u64];
    let clients = spawn_blocking(move || {
        let mut first = RawClient::connect(address, "/ws/1").expect("a connection");
        let mut second = RawClient::connect(address, "/ws/2").expect("a connection");
        first.send(&[0x8a, 0x80, 0, 0, 0, 0]).expect("the server takes it");
        for frame in [&echo, &echo, &all] {
            first.send(frame).expect("the server takes it");
            first.receive(1, |_| {}).expect("an event");
        }
        second.receive(1, |_| {}).expect("an event");
        (first, second)
    });
    let clients = clients.await.expect("no panic");
    // A pong is no message. The other client's task sleeps, so that the first one's task writes.
    let [received, sent] = [6 + 2 * echo_len + all_len, 2 * (echo_len - 4) + 2 * (all_len - 4)];
    expect_traffic(&server.hub, [3, received, 4, sent]).await;
    drop(clients);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn long_polling_counts_the_packets_of_bodies() {
    let hub = hub();
    let server = serve_router(hub.clone(), Router::new().merge(hub.socketio())).await;
    let address = server.address();
    let client = spawn_blocking(move || {
        let mut client = RawPolling::connect(address).expect("a session");
        let post = client.post("420[\"sum\",1,2]\u{1e}421[\"sum\",3,4]");
        client.send(&post).expect("the server takes it");
        client.receive(2).expect("two answers");
        client
    });
    let client = client.await.expect("no panic");
    let connect = hub.sockets()[0].id().len() as u64;
    assert_eq!((hub.stats().connections, hub.stats().polling), (1, 1));
    // `40`, and the events; `40{"sid":"…"}`, and the answers with a separator, or in two bodies.
    soon("the traffic", async {
        while messages(&hub) != (3, 3) {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let [_, received, _, sent] = traffic(&hub);
    assert_eq!(received, 2 + 2 * r#"420["sum",1,2]"#.len() as u64);
    let answers = sent - (r#"40{"sid":""}"#.len() as u64 + connect);
    assert!([14, 15].contains(&answers), "{answers}");
    drop(client);
    hub.shutdown(Duration::from_secs(5)).await;
    assert_eq!((hub.stats().connections, hub.stats().polling), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn packets_count_once_and_heartbeats_do_not() {
    let hub = hub();
    let client = hub.test_client().connect().await.expect("a connection");
    // CONNECT, in both directions.
    assert_eq!(messages(&hub), (1, 1));
    client.emit(("picture", Binary::from(vec![1, 2, 3]))).expect("sent");
    settle().await;
    assert_eq!(messages(&hub), (2, 2));
    let sum: i32 = client.emit_with_ack(("sum", 1, 2)).await.expect("an answer");
    assert_eq!((sum, messages(&hub)), (3, (3, 3)));
    let before = traffic(&hub);
    sleep(Duration::from_secs(60)).await;
    let [received, received_bytes, sent, sent_bytes] = traffic(&hub);
    assert_eq!((received, sent), (3, 3));
    assert!(received_bytes > before[1] && sent_bytes > before[3]);
}

#[tokio::test(start_paused = true)]
async fn closed_connections_have_a_reason() {
    let hub = hub();
    assert_eq!(hub.stats(), Hub::builder().build().expect("a hub").stats());
    let [socketio, plain] = both(&hub).await.expect("two clients");
    assert_eq!((hub.stats().opened, hub.stats().closed.total(), hub.stats().sockets), (2, 0, 2));
    socketio.disconnect().await;
    plain.close_with(1000, "bye").await;
    let closed = |reason| hub.stats().closed.by(reason);
    assert_eq!(closed(DisconnectReason::TransportClose), 2);
    let connect = || async { hub.test_client().plain().connect().await.expect("a connection") };
    let client = connect().await;
    client.freeze();
    sleep(Duration::from_secs(60)).await;
    assert_eq!(closed(DisconnectReason::PingTimeout), 1);
    let _client = connect().await;
    hub.sockets()[0].close();
    settle().await;
    assert_eq!(closed(DisconnectReason::ServerClose), 1);
    let _client = connect().await;
    hub.shutdown(Duration::from_secs(1)).await;
    assert_eq!(closed(DisconnectReason::Shutdown), 1);
    let stats = hub.stats();
    assert_eq!((stats.opened, stats.closed.total(), stats.sockets, stats.connections), (5, 5, 0, 0));
}

#[test]
fn a_task_that_is_dropped_closes_its_connection() {
    let hub = hub();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let client = runtime.block_on(async { hub.test_client().connect().await.expect("a connection") });
    drop(runtime);
    assert_eq!(hub.stats().closed.by(DisconnectReason::Aborted), 1);
    drop(client);
}

#[tokio::test(start_paused = true)]
async fn a_full_outbox_counts_what_it_drops() {
    let builder = Hub::builder().overflow(OverflowPolicy::DropNewest).outbox(2, 1_000);
    let hub = builder.build().expect("a hub");
    for kind in kinds(&hub) {
        let client = kind.connect().await.expect("a connection");
        let before = hub.stats();
        let socket = hub.sockets().remove(0);
        let sent = (0..5).filter(|number| socket.emit(("news", *number)).is_ok()).count();
        socket.volatile().emit(("news", 5)).expect("it may be dropped");
        let stats = hub.stats();
        assert_eq!(sent, 2);
        assert_eq!(stats.dropped - before.dropped, 3);
        assert_eq!(stats.dropped_volatile - before.dropped_volatile, 1);
        assert_eq!(stats.overflows - before.overflows, 1);
        settle().await;
        assert_eq!(hub.stats().sent.messages - before.sent.messages, 2);
        client.disconnect().await;
    }
}

async fn ask(client: &Client, socket: &Socket) -> Result<Value, AckError> {
    let answer = tokio::spawn(socket.timeout(Duration::from_secs(5)).emit_with_ack(("question",)));
    settle().await;
    assert!(client.record().contains("question"));
    answer.await.expect("no panic")
}

#[tokio::test(start_paused = true)]
async fn requests_for_acks_are_pending_until_they_are_settled() {
    let hub = hub();
    let clients = both(&hub).await.expect("two clients");
    let acks = || {
        let stats = hub.stats();
        (stats.ack_requests, stats.pending_acks, stats.ack_timeouts)
    };
    let sockets = hub.sockets();
    let dropped = sockets[0].emit_with_ack::<Value>(("question",));
    assert_eq!(acks(), (1, 1, 0));
    drop(dropped);
    assert_eq!(acks(), (1, 0, 0));
    for (client, number) in clients.iter().zip([2, 3]) {
        let socket = hub.socket(client.id()).expect("it is connected");
        assert!(matches!(ask(client, &socket).await, Err(AckError::Timeout)));
        assert_eq!(acks(), (number, 0, number - 1));
    }
    let everyone = hub.emit_with_ack::<Value>(("question",)).timeout(Duration::from_secs(5));
    assert_eq!(acks(), (5, 2, 2));
    assert_eq!(everyone.into_future().await.expect("the question was sent").missing.sockets(), 2);
    assert_eq!(acks(), (5, 0, 4));
}

#[tokio::test(start_paused = true)]
async fn rooms_and_namespaces_are_those_that_exist() {
    let hub = Hub::builder().namespace("/room-{id}", |room| room).build().expect("a hub");
    let counts = || {
        let stats = hub.stats();
        (stats.namespaces, stats.rooms, stats.sockets)
    };
    assert_eq!(counts(), (1, 0, 0));
    let client = hub.test_client().connect().await.expect("a connection");
    let in_room = client.connect_to("/room-1", json!({})).await.expect("a namespace");
    assert_eq!(counts(), (2, 0, 2));
    let socket = hub.sockets().remove(0);
    socket.join("a").expect("there is room");
    socket.join("b").expect("there is room");
    assert_eq!(counts(), (2, 2, 2));
    socket.leave("b");
    in_room.disconnect().await;
    assert_eq!(counts(), (1, 1, 1));
    drop(socket);
    client.disconnect().await;
    assert_eq!(counts(), (1, 0, 0));
    assert_eq!(hub.stats().recoveries, Recoveries::default());
}
