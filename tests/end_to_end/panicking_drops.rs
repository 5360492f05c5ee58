//! Panics that go on: payloads of panics whose drop panics, and values of the application whose
//! drop panics. Each ends where it began, and the connection goes on.

use serde::{Deserialize, Serialize, Serializer};
use serde_json::json;
use socketio::{EventError, EventPayload, Hub, Socket, State, event, events};
use socketio_tests::{Client, Gate, Log, Seen, Server, log, serve, soon};
use std::panic::panic_any;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

/// A value whose drop panics, with a payload whose drop panics, and so on.
#[derive(Clone, Debug)]
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic_any(Self);
    }
}

impl Serialize for Bomb {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u8(1)
    }
}

/// Panics with a payload whose drop panics.
fn explode() {
    panic_any(Bomb);
}

/// A payload whose drop panics.
#[derive(Deserialize)]
struct Argument {
    #[serde(skip)]
    _bomb: Option<Fuse>,
}

/// A bomb that is there once it is deserialized.
struct Fuse(#[allow(dead_code, reason = "it is only dropped")] Bomb);

impl Default for Fuse {
    fn default() -> Self {
        Self(Bomb)
    }
}

#[derive(Deserialize)]
struct Ticking {
    #[serde(skip)]
    _fuse: Fuse,
}

#[event("sync")]
fn sync_handler() {
    explode();
}

#[event("async")]
async fn async_handler() {
    explode();
}

#[event("async later")]
async fn async_later() {
    tokio::task::yield_now().await;
    explode();
}

#[event("beside", concurrent)]
async fn beside() {
    tokio::task::yield_now().await;
    explode();
}

#[event("argument")]
fn argument(_argument: Ticking) {}

#[event("async argument")]
async fn async_argument(_argument: Ticking) {
    tokio::task::yield_now().await;
}

#[event("local")]
async fn local() {
    let _bomb = Bomb;
    tokio::task::yield_now().await;
}

#[event("reply")]
fn reply() -> Bomb {
    Bomb
}

#[event("async reply")]
async fn async_reply() -> Bomb {
    tokio::task::yield_now().await;
    Bomb
}

#[event("fine")]
fn fine(argument: Option<Argument>) -> bool {
    argument.is_none_or(|argument| argument._bomb.is_none())
}

#[event(error)]
fn failed(error: EventError, log: State<Log>) {
    log.note(format_args!("{} in {}", error.code(), error.event().unwrap_or("nothing")));
}

/// The events whose handlers panic.
const PANICKING: [&str; 9] =
    ["sync", "async", "async later", "beside", "argument", "async argument", "local", "reply", "async reply"];

async fn server() -> (Server, Log, Seen) {
    let (log, seen) = log();
    let table = events![
        sync_handler,
        async_handler,
        async_later,
        beside,
        argument,
        async_argument,
        local,
        reply,
        async_reply,
        fine,
        failed
    ];
    let hub = Hub::builder().state(log.clone()).events(table).build().expect("a hub");
    (serve(hub).await, log, seen)
}

async fn lives(client: &mut Client) {
    assert_eq!(client.request(json!({ "event": "fine", "id": 1 })).await, json!({ "id": 1, "data": true }));
}

async fn assert_internal(client: &mut Client, seen: &mut Seen, event: &str) {
    let answer = client.ask(event, json!({})).await;
    assert_eq!(answer["error"], json!({ "code": "internal", "message": "internal error" }), "{event}");
    seen.expect(&[&format!("internal in {event}")]).await;
    lives(client).await;
}

#[tokio::test]
async fn a_handler_may_panic_with_a_payload_whose_drop_panics_or_in_any_drop() {
    let (server, _log, mut seen) = server().await;
    let mut client = server.connect("ann").await;
    for event in PANICKING {
        assert_internal(&mut client, &mut seen, event).await;
    }
    seen.expect_nothing();
}

#[tokio::test]
async fn listeners_run_after_such_a_panic() {
    let (server, log, mut seen) = server().await;
    for event in PANICKING {
        let log = log.clone();
        server.hub.on(event, |_payload| explode());
        server.hub.on(event, |_payload| async { explode() });
        server.hub.on(event, |_payload| Ready(Bomb));
        server.hub.on(event, move |payload| log.note(format_args!("heard {}", payload.name)));
    }
    let mut client = server.connect("ann").await;
    for event in PANICKING {
        let answer = client.ask(event, json!({})).await;
        assert_eq!(answer["error"]["code"], "internal", "{event}");
        let reported = format!("internal in {event}");
        seen.expect(&[&format!("heard {event}"), &reported, &reported, &reported, &reported]).await;
        lives(&mut client).await;
    }
}

/// A future that is ready, and whose drop panics.
struct Ready(#[allow(dead_code, reason = "it is only dropped")] Bomb);

impl Future for Ready {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<()> {
        Poll::Ready(())
    }
}

#[tokio::test]
async fn listeners_for_outgoing_messages_and_middleware_may_panic_so() {
    let (server, _log, mut seen) = server().await;
    server.hub.on("connect", |payload: EventPayload| {
        payload.socket.on_any_outgoing(|_name, _args| explode());
        payload.socket.on_any(|_payload| explode());
    });
    let mut client = server.connect("ann").await;
    lives(&mut client).await;
    seen.expect(&["internal in fine"]).await;
    let socket = server.hub.sockets().remove(0);
    socket.emit(("news", 1)).expect("sent");
    assert_eq!(client.json().await, json!({ "event": "news", "data": 1 }));
    seen.expect(&["internal in news"]).await;
    socket.event_middleware(|event, next| async move {
        next.run(event).await?;
        explode();
        Ok::<_, EventError>(())
    });
    lives(&mut client).await;
    seen.expect(&["internal in fine", "internal in middleware"]).await;
}

#[tokio::test]
async fn middleware_of_the_namespace_and_the_connect_handler_may_panic_so() {
    #[event(connect)]
    async fn connect() {
        tokio::task::yield_now().await;
        explode();
    }

    let (log, mut seen) = log();
    let by_handler = Hub::builder().state(log.clone()).events(events![connect, failed]).build().expect("a hub");
    let by_middleware = Hub::builder()
        .state(log)
        .events(events![failed])
        .middleware(|_socket: Socket| async {
            explode();
            Ok::<_, EventError>(())
        })
        .build()
        .expect("a hub");
    for hub in [by_handler, by_middleware] {
        let server = serve(hub).await;
        let mut client = server.connect("ann").await;
        assert_eq!(client.closed().await, Some((1008, "internal error".to_owned())));
        seen.expect(&["internal in connect"]).await;
        assert!(server.hub.is_empty());
    }
}

#[tokio::test]
async fn values_that_a_socket_keeps_may_panic_when_they_are_dropped() {
    let (server, log, mut seen) = server().await;
    let bomb = Arc::new(Bomb);
    server.hub.on("connect", move |payload: EventPayload| {
        let socket = payload.socket;
        for bomb in [Bomb, Bomb] {
            let bombs = (bomb.clone(), bomb.clone(), bomb.clone(), bomb.clone(), bomb);
            socket.on("fine", move |_payload| _ = &bombs.0);
            socket.on_any(move |_payload| _ = &bombs.1);
            socket.on_any_outgoing(move |_name, _args| _ = &bombs.2);
            socket.event_middleware(move |event, next| {
                let _bomb = &bombs.3;
                next.run(event)
            });
            let removed = socket.on("removed", move |_payload| _ = &bombs.4);
            removed.off();
        }
        socket.insert_extension(Extended(Bomb));
        socket.insert_extension(Other(Bomb));
        let _ = &bomb;
    });
    let mut client = server.connect("ann").await;
    lives(&mut client).await;
    let ended = log.clone();
    server.hub.on("disconnect", move |_payload| ended.note("ended"));
    client.close(1000, "").await;
    seen.expect(&["ended"]).await;
    drop((client, log));
    let emptied = async {
        while server.hub.stats().connections > 0 {
            tokio::task::yield_now().await;
        }
    };
    soon("end of the connection", emptied).await;
    seen.expect_nothing();
}

#[derive(Clone)]
struct Extended(#[allow(dead_code, reason = "it is only dropped")] Bomb);

#[derive(Clone)]
struct Other(#[allow(dead_code, reason = "it is only dropped")] Bomb);

#[event("hold", concurrent)]
async fn hold(gate: State<Gate>) {
    let _bombs = [Bomb];
    gate.pass().await;
}

#[tokio::test]
async fn handlers_that_a_shutdown_drops_may_panic_when_they_are_dropped() {
    let ((log, mut seen), gate) = (log(), Gate::default());
    let hub = Hub::builder().state(gate.clone()).state(log.clone()).events(events![hold, fine]).build();
    let server = serve(hub.expect("a hub")).await;
    server.hub.on("disconnect", move |_payload| log.note("disconnected"));
    let mut client = server.connect("ann").await;
    for _ in 0..3 {
        client.emit("hold", 1).await;
    }
    let all_wait = async {
        while gate.waiting() < 3 {
            tokio::task::yield_now().await;
        }
    };
    soon("three handlers", all_wait).await;
    soon("end of the shutdown", server.hub.shutdown(Duration::ZERO)).await;
    seen.expect(&["disconnected"]).await;
    assert_eq!(server.hub.stats().connections, 0);
}

#[test]
fn values_that_a_hub_keeps_may_panic_when_they_are_dropped() {
    let hub = Hub::builder().state(Extended(Bomb)).state(Other(Bomb)).build().expect("a hub");
    for bomb in [Bomb, Bomb] {
        let other = bomb.clone();
        hub.on("fine", move |_payload| _ = &bomb);
        hub.on_server("fine", move |_event| _ = &other);
    }
    drop(hub);
}
