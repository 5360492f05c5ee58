//! Events that the server itself queues: `fire` and `close` in a handler take effect before events
//! that the client sent after the handled one, and what waits is bounded.

use futures_util::SinkExt;
use socketio::{EmitError, EventError, Hub, HubBuilder, Socket, State, event, events};
use socketio_tests::{Client, Gate, Log, Seen, Server, log, serve};
use std::time::Duration;
use tokio_tungstenite::tungstenite::Message;

#[event("first")]
fn first(socket: &Socket, log: State<Log>) {
    log.note("first");
    socket.fire("fired", ()).expect("the socket is connected");
}

#[event("fired")]
fn fired(log: State<Log>) {
    log.note("fired");
}

#[event("second")]
fn second(log: State<Log>) {
    log.note("second");
}

#[event("end")]
fn end(socket: &Socket, log: State<Log>) {
    log.note("end");
    socket.close();
}

#[event(disconnect)]
fn gone(log: State<Log>) {
    log.note("gone");
}

#[tokio::test]
async fn fired_events_and_closes_of_a_handler_precede_later_events_of_the_client() {
    let (log, mut seen) = log();
    let hub = Hub::builder().state(log).events(events![first, fired, second, end, gone]).build().expect("a hub");
    let server = serve(hub).await;
    let mut client = server.connect("1").await;
    let names = ["first", "second", "end", "second"];
    for name in names {
        client.0.feed(Message::text(format!(r#"{{"event":"{name}"}}"#))).await.expect("the server takes it");
    }
    client.0.flush().await.expect("the server takes it");
    seen.expect(&["first", "fired", "second", "end", "gone"]).await;
}

#[event("hold")]
async fn hold(log: State<Log>, gate: State<Gate>) {
    log.note("holding");
    gate.pass().await;
}

#[event("counted")]
fn counted(number: usize, log: State<Log>) {
    log.note(number);
}

#[event("text")]
fn text(text: String, log: State<Log>) {
    log.note(text.len());
}

/// A client whose handler waits at the gate.
async fn held(change: impl FnOnce(HubBuilder) -> HubBuilder) -> (Server, Client, Socket, Gate, Seen) {
    let ((log, mut seen), gate) = (log(), Gate::default());
    let builder = Hub::builder().state(log).state(gate.clone()).events(events![hold, counted, text]);
    let server = serve(change(builder).build().expect("a hub")).await;
    let mut client = server.connect("ann").await;
    client.emit("hold", 1).await;
    seen.expect(&["holding"]).await;
    let socket = server.hub.sockets().remove(0);
    (server, client, socket, gate, seen)
}

#[tokio::test]
async fn as_many_fired_events_wait_as_the_inbox_takes() {
    let (server, mut client, socket, gate, mut seen) = held(|builder| builder).await;
    let taken = (0..1_000).take_while(|number| socket.fire("counted", number).is_ok()).count();
    assert_eq!(taken, 256);
    let refused = socket.fire("counted", 0).expect_err("no room");
    assert!(matches!(refused, EmitError::Overflow), "{refused:?}");
    // An overflow counts once, until there is room again.
    for _ in 0..10 {
        server.hub.fire("counted", 0).expect("a slow client is no error");
    }
    assert_eq!(server.hub.stats().overflows, 1);
    gate.open();
    for number in 0..256 {
        seen.expect(&[&number.to_string()]).await;
    }
    client.settle().await;
    seen.expect_nothing();
    socket.fire("counted", 256).expect("there is room again");
    seen.expect(&["256"]).await;
}

#[tokio::test]
async fn fired_events_are_bounded_in_bytes() {
    let (_server, mut client, socket, gate, mut seen) = held(|builder| builder.inbox(1_000, 10_000)).await;
    let large = "x".repeat(3_000);
    let taken = (0..1_000).take_while(|_| socket.fire("text", &large).is_ok()).count();
    assert_eq!(taken, 3);
    gate.open();
    seen.expect(&["3000", "3000", "3000"]).await;
    client.settle().await;
    // A single event may be larger if no other waits.
    socket.fire("text", "x".repeat(50_000)).expect("nothing else waits");
    seen.expect(&["50000"]).await;
}

#[tokio::test]
async fn events_of_the_client_leave_room_for_fired_events() {
    let (_server, mut client, socket, gate, mut seen) = held(|builder| builder.inbox(2, 1_000)).await;
    for number in 0..10 {
        client.emit("counted", number).await;
    }
    socket.fire("counted", 100).expect("fired events have room of their own");
    gate.open();
    let mut lines = Vec::new();
    for _ in 0..11 {
        lines.push(seen.next().await);
    }
    assert!(lines.contains(&"100".to_owned()), "{lines:?}");
}

#[event(error)]
async fn failed(error: EventError, log: State<Log>, gate: State<Gate>) {
    log.note(error.code());
    gate.pass().await;
}

#[tokio::test]
async fn errors_that_wait_for_their_handler_are_bounded() {
    let ((log, mut seen), gate) = (log(), Gate::default());
    let builder = Hub::builder().state(log).state(gate.clone()).events(events![failed]).inbox(10, 10_000);
    let server = serve(builder.build().expect("a hub")).await;
    let mut client = server.connect("ann").await;
    client.settle().await;
    let socket = server.hub.sockets().remove(0);
    for _ in 0..1_000 {
        socket.emit_to("nobody", ("x", 1)).expect_err("nobody is there");
    }
    gate.open_for(1_000);
    for _ in 0..10 {
        seen.expect(&["unreachable"]).await;
    }
    client.settle().await;
    seen.expect_nothing();
}

fn is_closed(fired: Result<(), EmitError>) -> bool {
    matches!(fired, Err(EmitError::Closed))
}

#[event(disconnecting)]
fn disconnecting(socket: &Socket, log: State<Log>) {
    log.note(format_args!("disconnecting: {}", is_closed(socket.fire("counted", 1))));
}

#[event(disconnect)]
fn disconnect(socket: &Socket, log: State<Log>) {
    log.note(format_args!("disconnect: {}", is_closed(socket.fire("counted", 1))));
}

#[event("end")]
fn end_in_handler(socket: &Socket, how: &str, log: State<Log>) {
    match how {
        "close" => socket.close(),
        _ => socket.disconnect(),
    }
    log.note(format_args!("end: {}", is_closed(socket.fire("counted", 1))));
}

#[tokio::test]
async fn an_ending_socket_takes_no_fired_events() {
    for how in ["close", "disconnect", "client", "shutdown"] {
        let (log, mut seen) = log();
        let table = events![disconnecting, disconnect, end_in_handler, counted];
        let server = serve(Hub::builder().state(log).events(table).build().expect("a hub")).await;
        let mut client = server.connect("ann").await;
        client.settle().await;
        let socket = server.hub.sockets().remove(0);
        match how {
            "client" => client.close(1000, "").await,
            "shutdown" => server.hub.shutdown(Duration::from_secs(60)).await,
            how => {
                client.emit("end", how).await;
                seen.expect(&["end: true"]).await;
            }
        }
        seen.expect(&["disconnecting: true", "disconnect: true"]).await;
        assert!(is_closed(socket.fire("counted", 1)), "{how}");
        server.hub.fire("counted", 1).expect("the others are reached");
        server.hub.shutdown(Duration::from_secs(60)).await;
        seen.expect_nothing();
    }
}
