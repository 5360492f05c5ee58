//! A drain closes each connection when nothing of it is left to do.

use futures_util::future::pending;
use serde_json::json;
use socketio::{AckError, Disconnect, Drain, Hub, HubBuilder, Socket, State, event, events};
use socketio_tests::{Client, Gate, Log, Seen, Server, flavour, log, serve, soon};
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::Message;

const HOUR: Duration = Duration::from_secs(3600);
const MOMENT: Duration = Duration::from_millis(50);

#[event("slow")]
async fn slow(number: u32, log: State<Log>, gate: State<Gate>) -> u32 {
    log.note("slow");
    gate.pass().await;
    number
}

#[event("quick")]
fn quick(number: u32) -> u32 {
    number
}

#[event("stuck")]
async fn stuck(log: State<Log>) {
    log.note("stuck");
    pending::<()>().await;
}

#[event("stream")]
async fn stream(socket: &Socket, log: State<Log>) -> &'static str {
    log.note("stream");
    socket.closed().await;
    "the end"
}

#[event(disconnect)]
fn disconnect(end: Disconnect, log: State<Log>) {
    log.note(format_args!("disconnect: {}", end.reason()));
}

const LEFT: &str = "disconnect: server shutting down";

/// No connection ends by itself during a test.
fn hub() -> (HubBuilder, Gate, Seen) {
    let ((log, seen), gate) = (log(), Gate::default());
    let builder = Hub::builder().state(log).state(gate.clone()).events(events![slow, quick, stuck, stream, disconnect]);
    (builder, gate, seen)
}

async fn server() -> (Server, Gate, Seen) {
    let (builder, gate, seen) = hub();
    (serve(builder.build().expect("a hub")).await, gate, seen)
}

async fn connected(server: &Server) -> Client {
    let mut client = server.connect("ann").await;
    client.settle().await;
    client
}

/// Begins a drain in which it is each client's turn at once.
async fn drain(hub: &Hub, drain: Drain) -> JoinHandle<()> {
    let own = hub.clone();
    let draining = tokio::spawn(async move { own.drain(drain.over(Duration::ZERO)).await });
    soon("begin of the drain", async {
        while !hub.is_draining() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    draining
}

async fn expect_moved(client: &mut Client) {
    assert_eq!(client.closed().await, flavour().told(1012, "server restarting"));
}

async fn expect_end(hub: &Hub, draining: JoinHandle<()>) {
    soon("end of the drain", draining).await.expect("no panic");
    assert_eq!((hub.len(), hub.stats().connections), (0, 0));
}

#[tokio::test]
async fn an_idle_client_is_moved_at_once() {
    let (server, _gate, mut seen) = server().await;
    let mut client = connected(&server).await;
    let draining = drain(&server.hub, Drain::new().grace(HOUR)).await;
    expect_moved(&mut client).await;
    seen.expect(&[LEFT]).await;
    expect_end(&server.hub, draining).await;
    // Nobody is left.
    soon("end of another drain", server.hub.drain(Drain::new())).await;
}

#[tokio::test]
async fn a_client_is_moved_after_its_handlers_and_events_and_all_acks() {
    let (server, gate, mut seen) = server().await;
    let mut client = connected(&server).await;
    client.send(json!({ "event": "slow", "data": 1, "id": "a" }).to_string()).await;
    client.send(json!({ "event": "quick", "data": 2, "id": "b" }).to_string()).await;
    seen.expect(&["slow"]).await;
    client.heard().await;
    let draining = drain(&server.hub, Drain::new().grace(HOUR)).await;
    // What arrives later is handled too.
    client.send(json!({ "event": "quick", "data": 3, "id": "c" }).to_string()).await;
    client.heard().await;
    server.hub.broadcast(("news", 4)).expect("queued");
    gate.open();
    assert_eq!(client.json().await, json!({ "event": "news", "data": 4 }));
    for (id, data) in [("a", 1), ("b", 2), ("c", 3)] {
        assert_eq!(client.json().await, json!({ "id": id, "data": data }));
    }
    expect_moved(&mut client).await;
    seen.expect(&[LEFT]).await;
    expect_end(&server.hub, draining).await;
}

#[tokio::test]
async fn handlers_that_wait_for_the_end_are_told() {
    let (server, _gate, mut seen) = server().await;
    let mut client = connected(&server).await;
    client.send(json!({ "event": "stream", "id": "a" }).to_string()).await;
    seen.expect(&["stream"]).await;
    let draining = drain(&server.hub, Drain::new().grace(HOUR)).await;
    assert_eq!(client.json().await, json!({ "id": "a", "data": "the end" }));
    expect_moved(&mut client).await;
    expect_end(&server.hub, draining).await;
}

#[tokio::test]
async fn a_handler_that_never_returns_is_dropped_after_the_grace() {
    let (server, _gate, mut seen) = server().await;
    let mut client = connected(&server).await;
    client.emit("stuck", ()).await;
    seen.expect(&["stuck"]).await;
    let draining = drain(&server.hub, Drain::new().grace(MOMENT)).await;
    expect_moved(&mut client).await;
    seen.expect(&[LEFT]).await;
    expect_end(&server.hub, draining).await;
    seen.expect_nothing();
}

#[tokio::test]
async fn a_client_that_owes_an_answer_is_moved_after_it() {
    let (server, _gate, mut seen) = server().await;
    let mut client = connected(&server).await;
    let asked = server.hub.sockets().remove(0).emit_with_ack::<u32>(("question", 1)).timeout(HOUR);
    let answer = tokio::spawn(asked);
    let question = client.json().await;
    let draining = drain(&server.hub, Drain::new().grace(HOUR)).await;
    client.heard().await;
    client.send(json!({ "id": question["id"], "data": 7 }).to_string()).await;
    assert_eq!(soon("answer", answer).await.expect("no panic").expect("an answer"), 7);
    expect_moved(&mut client).await;
    seen.expect(&[LEFT]).await;
    expect_end(&server.hub, draining).await;
}

#[tokio::test]
async fn a_client_that_never_answers_is_moved_when_nobody_waits() {
    let (server, _gate, mut seen) = server().await;
    let mut client = connected(&server).await;
    let asked = server.hub.sockets().remove(0).emit_with_ack::<u32>(("question", 1)).timeout(MOMENT);
    let answer = tokio::spawn(asked);
    assert_eq!(client.json().await["event"], "question");
    let draining = drain(&server.hub, Drain::new().grace(HOUR)).await;
    assert!(matches!(soon("timeout", answer).await.expect("no panic"), Err(AckError::Timeout)));
    expect_moved(&mut client).await;
    seen.expect(&[LEFT]).await;
    expect_end(&server.hub, draining).await;
}

#[tokio::test]
async fn a_shutdown_ends_a_drain() {
    let (server, _gate, mut seen) = server().await;
    let mut client = connected(&server).await;
    client.emit("stuck", ()).await;
    seen.expect(&["stuck"]).await;
    let draining = drain(&server.hub, Drain::new().grace(HOUR)).await;
    soon("end of the shutdown", server.hub.shutdown(MOMENT)).await;
    assert_eq!(client.closed().await, flavour().told(1001, "server shutting down"));
    seen.expect(&[LEFT]).await;
    expect_end(&server.hub, draining).await;
    // A drain after a shutdown has nothing to do.
    soon("end of another drain", server.hub.drain(Drain::new())).await;
}

#[event(connect)]
async fn connecting(log: State<Log>, gate: State<Gate>) {
    log.note("connecting");
    gate.pass().await;
}

#[tokio::test]
async fn a_client_that_is_being_accepted_is_moved_afterwards() {
    let ((log, mut seen), gate) = (log(), Gate::default());
    let hub = Hub::builder().state(log).state(gate.clone()).events(events![connecting, disconnect]);
    let server = serve(hub.build().expect("a hub")).await;
    let mut client = server.connect("ann").await;
    seen.expect(&["connecting"]).await;
    let draining = drain(&server.hub, Drain::new().grace(HOUR)).await;
    gate.open();
    let mut told = None;
    while let Some(message) = client.next().await {
        if let Message::Close(frame) = message {
            told = frame.map(|frame| (frame.code.into(), frame.reason.to_string()));
        }
    }
    assert_eq!(told, flavour().told(1012, "server restarting"));
    seen.expect(&[LEFT]).await;
    expect_end(&server.hub, draining).await;
}
