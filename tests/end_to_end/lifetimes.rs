//! What keeps a connection, a socket or a handler alive, and what ends it.

use serde_json::json;
use socketio::{AckError, Disconnect, Hub, HubBuilder, Socket, State, event, events};
use socketio_tests::{Client, Gate, Log, Seen, Server, flavour, log, serve, soon};
use std::time::Duration;
use tokio::time;

const DAY: Duration = Duration::from_secs(86_400);

#[event("join")]
fn join(socket: &Socket, room: &str) {
    socket.join(room).expect("joined");
}

#[event("hold")]
async fn hold(log: State<Log>, gate: State<Gate>) -> &'static str {
    log.note("holding");
    gate.pass().await;
    log.note("held");
    "held"
}

#[event("beside", concurrent)]
async fn beside(log: State<Log>, gate: State<Gate>) -> &'static str {
    hold(log, gate).await
}

#[event("quick")]
fn quick(number: u32) -> u32 {
    number
}

#[event("ask ann")]
async fn ask_ann(socket: &Socket) -> Result<u32, String> {
    let ann = socket.hub().to("ann").sockets().remove(0);
    ann.emit_with_ack(("question",)).await.map_err(|error: AckError| error.to_string())
}

#[event(disconnecting)]
fn disconnecting(socket: &Socket, log: State<Log>) {
    log.note(format_args!("disconnecting, rooms: {:?}", &socket.rooms()[1..]));
}

#[event(disconnect)]
fn disconnect(socket: &Socket, end: Disconnect, log: State<Log>) {
    log.note(format_args!("{end}, rooms: {:?}", socket.rooms()));
}

fn builder() -> (HubBuilder, Gate, Seen) {
    let ((log, seen), gate) = (log(), Gate::default());
    let table = events![join, hold, beside, quick, ask_ann, disconnecting, disconnect];
    (Hub::builder().state(log).state(gate.clone()).events(table), gate, seen)
}

async fn connected(server: &Server, name: &str) -> (Client, Socket) {
    let mut client = server.connect(name).await;
    client.ask("join", name).await;
    let socket = server.hub.to(name).sockets().remove(0);
    (client, socket)
}

/// Lets time pass while the server runs, until `is_over`. Returns whether it was in time.
async fn passes(span: Duration, is_over: impl Fn() -> bool) -> bool {
    let step = Duration::from_secs(20);
    time::pause();
    let mut left = span;
    while !is_over() && left > Duration::ZERO {
        time::advance(step).await;
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        left = left.saturating_sub(step);
    }
    time::resume();
    is_over()
}

#[tokio::test]
async fn a_socket_whose_client_is_gone_leaves_at_once() {
    for event in ["hold", "beside"] {
        let (builder, gate, mut seen) = builder();
        let server = serve(builder.build().expect("a hub")).await;
        let (mut client, socket) = connected(&server, "ann").await;
        client.emit(event, ()).await;
        seen.expect(&["holding"]).await;
        client.close(1000, "").await;
        soon("end", socket.closed()).await;
        assert!(!socket.connected() && !socket.is_alive(), "{event}");
        assert!(server.hub.is_empty() && server.hub.sockets().is_empty(), "{event}");
        assert!(server.hub.socket(socket.id()).is_none(), "{event}");
        assert!(server.hub.to("ann").sockets().is_empty(), "{event}");
        assert!(socket.join("late").is_err() && socket.set_id("late").is_err(), "{event}");
        // The events of the end wait for the handler. Its rooms are known until then.
        seen.expect_nothing();
        assert!(socket.is_in("ann") && socket.is_in(socket.id()));
        gate.open();
        seen.expect(&["held", "disconnecting, rooms: [\"ann\"]"]).await;
        let line = seen.next().await;
        assert!(line.starts_with("transport close") && line.ends_with("rooms: []"), "{line}");
        server.hub.shutdown(Duration::from_secs(60)).await;
        seen.expect_nothing();
    }
}

#[tokio::test]
async fn an_id_is_free_as_soon_as_its_client_is_gone() {
    let (builder, _gate, mut seen) = builder();
    let server = serve(builder.build().expect("a hub")).await;
    let (mut client, socket) = connected(&server, "ann").await;
    client.emit("hold", ()).await;
    seen.expect(&["holding"]).await;
    client.close(1000, "").await;
    soon("end", socket.closed()).await;
    let (_again, again) = connected(&server, "ann").await;
    assert_eq!(server.hub.to("ann").sockets(), [again]);
    assert_eq!(server.hub.len(), 1);
}

#[tokio::test]
async fn a_frozen_client_behind_a_full_inbox_is_disconnected() {
    let (builder, _gate, mut seen) = builder();
    let server = serve(builder.inbox(4, 1_000).build().expect("a hub")).await;
    let (mut client, _socket) = connected(&server, "ann").await;
    client.emit("hold", ()).await;
    seen.expect(&["holding"]).await;
    for number in 0..100 {
        client.emit("quick", number).await;
    }
    let hub = server.hub.clone();
    assert!(passes(30 * DAY, || hub.is_empty()).await, "the client is connected after 30 days");
    drop(client);
}

#[tokio::test]
async fn a_question_from_another_connection_resumes_paused_reading() {
    let (builder, gate, mut seen) = builder();
    let server = serve(builder.inbox(2, 1_000).build().expect("a hub")).await;
    let (mut ann, _ann) = connected(&server, "ann").await;
    let (mut bob, _bob) = connected(&server, "bob").await;
    ann.emit("hold", ()).await;
    seen.expect(&["holding"]).await;
    for number in 0..10 {
        ann.emit("quick", number).await;
    }
    // The reader pauses now: bob's events are handled after ann's were read.
    bob.ask("quick", 1).await;
    bob.send(json!({ "event": "ask ann", "id": 1 }).to_string()).await;
    let question = ann.json().await;
    ann.send(json!({ "id": question["id"], "data": 42 }).to_string()).await;
    assert_eq!(bob.json().await, json!({ "id": 1, "data": 42 }));
    gate.open();
    let _ = flavour();
}
