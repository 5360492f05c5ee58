//! Panics of user code: the client receives the code `internal` only, `error` fires, and the
//! connection stays open.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::json;
use socketio::{Ack, EventError, Hub, Socket, State, Text, event, events};
use socketio_tests::{Client, Log, Seen, Server, log, serve, serve_route};

/// Panics whenever it is serialized or deserialized.
struct Bomb;

impl Serialize for Bomb {
    fn serialize<S: Serializer>(&self, _serializer: S) -> Result<S::Ok, S::Error> {
        panic!("a secret of the server")
    }
}

impl<'de> Deserialize<'de> for Bomb {
    fn deserialize<D: Deserializer<'de>>(_deserializer: D) -> Result<Self, D::Error> {
        panic!("a secret of the server")
    }
}

#[event("sync")]
fn sync_handler() {
    panic!("a secret of the server");
}

#[event("async")]
async fn async_handler() {
    panic!("a secret of the server");
}

#[event("async later")]
async fn async_later() {
    tokio::task::yield_now().await;
    panic!("a secret of the server");
}

#[event("beside", concurrent)]
async fn beside() {
    tokio::task::yield_now().await;
    panic!("a secret of the server");
}

#[event("with ack")]
fn with_ack(_ack: Ack) {
    panic!("a secret of the server");
}

#[event("async with ack")]
async fn async_with_ack(_ack: Ack) {
    tokio::task::yield_now().await;
    panic!("a secret of the server");
}

#[event("reply")]
fn reply() -> Bomb {
    Bomb
}

#[event("async reply")]
async fn async_reply() -> Bomb {
    Bomb
}

#[event("payload")]
fn payload(_bomb: Bomb) {}

#[event("emit")]
fn emit(socket: &Socket) -> Result<(), socketio::EmitError> {
    socket.emit(("bomb", Bomb))
}

/// A value that can't be serialized as JSON: a map whose keys are not strings.
#[event("unserializable")]
fn unserializable() -> std::collections::HashMap<(u8, u8), u8> {
    [((1, 2), 3)].into()
}

#[event("fine")]
fn fine() -> u8 {
    1
}

#[event(error)]
fn failed(error: EventError, log: State<Log>) {
    log.note(format_args!("{} in {}", error.code(), error.event().unwrap_or("nothing")));
}

const PANICKING: [&str; 10] =
    ["sync", "async", "async later", "beside", "with ack", "async with ack", "reply", "async reply", "payload", "emit"];

fn hub() -> (Hub, Log, Seen) {
    let (log, seen) = log();
    let table = events![
        sync_handler,
        async_handler,
        async_later,
        beside,
        with_ack,
        async_with_ack,
        reply,
        async_reply,
        payload,
        emit,
        unserializable,
        fine,
        failed
    ];
    (Hub::builder().state(log.clone()).events(table).build().expect("a hub"), log, seen)
}

async fn server() -> (Server, Log, Seen) {
    let (hub, log, seen) = hub();
    (serve(hub).await, log, seen)
}

async fn lives(client: &mut Client) {
    assert_eq!(client.ask("fine", 1).await, json!({ "id": "ask", "data": 1 }));
}

#[tokio::test]
async fn a_panicking_handler_is_answered_with_internal_and_the_connection_stays_open() {
    let (server, _log, mut seen) = server().await;
    let mut client = server.connect("ann").await;
    for event in PANICKING.into_iter().chain(["unserializable"]) {
        let answer = client.ask(event, 1).await;
        assert_eq!(answer["error"], json!({ "code": "internal", "message": "internal error" }), "{event}");
        seen.expect(&[&format!("internal in {event}")]).await;
        client.emit(event, 1).await;
        // Without an ack, the reply is not serialized.
        if !["reply", "async reply", "unserializable"].contains(&event) {
            seen.expect(&[&format!("internal in {event}")]).await;
        }
        lives(&mut client).await;
    }
    seen.expect_nothing();
}

#[tokio::test]
async fn listeners_run_after_a_handler_panics() {
    let (server, log, mut seen) = server().await;
    for event in PANICKING {
        let log = log.clone();
        server.hub.on(event, move |payload| log.note(format_args!("heard {}", payload.name)));
    }
    let mut client = server.connect("ann").await;
    for event in PANICKING {
        let answer = client.ask(event, 1).await;
        assert_eq!(answer["error"], json!({ "code": "internal", "message": "internal error" }), "{event}");
        seen.expect(&[&format!("heard {event}"), &format!("internal in {event}")]).await;
    }
    lives(&mut client).await;
}

#[tokio::test]
async fn a_panicking_listener_does_not_stop_other_listeners() {
    let (server, log, mut seen) = server().await;
    let heard = |name: &'static str| {
        let log = log.clone();
        move |_payload: socketio::EventPayload| log.note(name)
    };
    server.hub.on("connect", |payload| {
        payload.socket.on("heard", |_payload| -> () { panic!("a secret of the server") });
    });
    server.hub.on("heard", heard("first"));
    server.hub.on("heard", |_payload| -> () { panic!("a secret of the server") });
    server.hub.on("heard", heard("second"));
    server.hub.on("heard", |_payload| async {
        tokio::task::yield_now().await;
        panic!("a secret of the server")
    });
    server.hub.on("heard", heard("third"));
    let mut client = server.connect("ann").await;
    client.emit("heard", 1).await;
    seen.expect(&["first", "second", "third"]).await;
    seen.expect(&["internal in heard", "internal in heard", "internal in heard"]).await;
    lives(&mut client).await;
}

#[tokio::test]
async fn a_panicking_error_listener_does_not_fire_another_error() {
    let (server, _log, mut seen) = server().await;
    server.hub.on("error", |_payload| -> () { panic!("a secret of the server") });
    let mut client = server.connect("ann").await;
    client.emit("sync", 1).await;
    seen.expect(&["internal in sync"]).await;
    lives(&mut client).await;
    lives(&mut client).await;
    seen.expect_nothing();
}

#[tokio::test]
async fn failed_emits_of_an_error_handler_do_not_fire_error_again() {
    let (server, log, mut seen) = server().await;
    server.hub.on("error", move |payload| {
        let log = log.clone();
        async move {
            tokio::task::yield_now().await;
            let sent = payload.socket.emit_to("the operator", Text("something is wrong"));
            log.note(format_args!("operator told: {}", sent.is_ok()));
        }
    });
    let mut client = server.connect("ann").await;
    client.emit("sync", 1).await;
    seen.expect(&["internal in sync", "operator told: false"]).await;
    lives(&mut client).await;
    lives(&mut client).await;
    seen.expect_nothing();
    let handle = server.hub.on("fine", |_payload| -> () { panic!("a secret of the server") });
    lives(&mut client).await;
    seen.expect(&["internal in fine", "operator told: false"]).await;
    handle.off();
}

#[tokio::test]
async fn handlers_of_raw_messages_and_of_the_end_may_panic() {
    let (server, log, mut seen) = server().await;
    for event in ["message", "ping", "disconnecting", "disconnect"] {
        server.hub.on(event, |_payload| -> () { panic!("a secret of the server") });
    }
    server.hub.on("disconnect", move |payload| {
        log.note(format_args!("disconnect, {} left", payload.socket.hub().len()));
    });
    let mut client = server.connect("ann").await;
    client.send("text").await;
    seen.expect(&["internal in message"]).await;
    client.close(1000, "").await;
    seen.expect(&["disconnect, 0 left", "internal in disconnecting", "internal in disconnect"]).await;
    assert!(server.hub.sockets().is_empty());
}

#[tokio::test]
async fn a_panicking_connect_listener_does_not_refuse_the_client() {
    let (server, log, mut seen) = server().await;
    server.hub.on("connect", |_payload| -> () { panic!("a secret of the server") });
    server.hub.on("connect", |_payload| async {
        tokio::task::yield_now().await;
        panic!("a secret of the server")
    });
    server.hub.on("connect", move |_payload| log.note("connected"));
    let mut client = server.connect("ann").await;
    seen.expect(&["connected", "internal in connect", "internal in connect"]).await;
    lives(&mut client).await;
}

/// Expects that the client is refused after a panic, without details.
async fn assert_refused(server: &Server, seen: &mut Seen) {
    let mut client = server.connect("ann").await;
    assert_eq!(client.closed().await, Some((1008, "internal error".to_owned())));
    seen.expect(&["internal in connect"]).await;
    assert!(server.hub.is_empty());
}

#[tokio::test]
async fn a_panic_in_connect_refuses_the_connection() {
    #[event(connect)]
    fn connect() {
        panic!("a secret of the server");
    }

    let (log, mut seen) = log();
    let hub = Hub::builder().state(log).events(events![connect, failed]).build().expect("a hub");
    let server = serve(hub).await;
    assert_refused(&server, &mut seen).await;
}

mod plain_only {
    use super::*;

    #[tokio::test]
    async fn a_panic_in_on_open_refuses_the_connection() {
        let (sync, _log, mut seen) = hub();
        let route = sync.websocket().on_open(|socket| -> () {
            let _ = socket.send("never sent");
            panic!("a secret of the server")
        });
        let server = serve_route(sync, route).await;
        assert_refused(&server, &mut seen).await;

        let (later, _log, mut seen) = hub();
        let route = later.websocket().on_open(|socket| async move {
            tokio::task::yield_now().await;
            let _ = socket.send("never sent");
            panic!("a secret of the server")
        });
        let server = serve_route(later, route).await;
        assert_refused(&server, &mut seen).await;
    }
}
