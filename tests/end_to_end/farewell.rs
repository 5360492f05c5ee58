//! The last events of a socket when its handlers panic, the runtime shuts down, or several ends
//! coincide. `disconnect` fires once, and a failure does not skip the steps after it.

use socketio::adapter::{Adapter, LocalAdapter};
use socketio::{Disconnect, EventError, Events, Hub, Socket, State, Text, event, events};
use socketio_tests::{Client, Log, Seen, Server, flavour, log, serve, soon, websocket_only};
use std::collections::HashMap;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::{self, Runtime};
use tokio::task::{JoinSet, yield_now};

/// Logs the event, and panics if the client's name says so.
fn log_or_panic(socket: &Socket, log: &Log, event: &str) {
    log.note(event);
    assert_ne!(socket.params("id"), Some(&*format!("panic-in-{event}")), "a secret of the server");
}

mod at_once {
    use super::*;

    #[event(close)]
    fn close(socket: &Socket, log: State<Log>) {
        log_or_panic(socket, &log, "close");
    }

    #[event(disconnecting)]
    fn disconnecting(socket: &Socket, log: State<Log>) {
        log_or_panic(socket, &log, "disconnecting");
    }

    #[event(disconnect)]
    fn disconnect(socket: &Socket, log: State<Log>) {
        log_or_panic(socket, &log, "disconnect");
    }

    #[event(error)]
    fn error(socket: &Socket, error: EventError, log: State<Log>) {
        log.note(error.code());
        log_or_panic(socket, &log, "error");
    }

    pub(super) const EVENTS: Events = events![close, disconnecting, disconnect, error];
}

mod later {
    use super::*;

    /// Does the same after a yield, or never returns if the client's name says so.
    async fn step(socket: &Socket, log: &Log, event: &str) {
        log.note(format_args!("begin {event}"));
        yield_now().await;
        if socket.params("id") == Some(&*format!("wait-in-{event}")) {
            pending::<()>().await;
        }
        log_or_panic(socket, log, event);
    }

    #[event(connect)]
    async fn connect(socket: &Socket, log: State<Log>) {
        step(socket, &log, "connect").await;
    }

    #[event("event")]
    async fn event(socket: &Socket, log: State<Log>) {
        step(socket, &log, "event").await;
    }

    #[event(close)]
    async fn close(socket: &Socket, log: State<Log>) {
        step(socket, &log, "close").await;
    }

    #[event(disconnecting)]
    async fn disconnecting(socket: &Socket, log: State<Log>) {
        step(socket, &log, "disconnecting").await;
    }

    #[event(disconnect)]
    async fn disconnect(socket: &Socket, end: Disconnect, log: State<Log>) {
        log.note(end.reason());
        step(socket, &log, "disconnect").await;
    }

    #[event(error)]
    async fn error(socket: &Socket, error: EventError, log: State<Log>) {
        log.note(error.code());
        step(socket, &log, "error").await;
    }

    pub(super) const EVENTS: Events = events![connect, event, close, disconnecting, disconnect, error];
}

fn hub(events: Events) -> (Hub, Log, Seen) {
    let (log, seen) = log();
    (Hub::builder().state(log.clone()).events(events).build().expect("a hub"), log, seen)
}

async fn connected(server: &Server, name: &str) -> (Client, Socket) {
    let mut client = server.connect(name).await;
    client.settle().await;
    (client, server.hub.sockets().remove(0))
}

#[tokio::test]
async fn each_handler_of_the_end_may_panic() {
    for event in ["close", "disconnecting", "disconnect"] {
        let (hub, log, mut seen) = hub(at_once::EVENTS);
        hub.on("disconnect", move |_payload| log.note("heard"));
        let server = serve(hub).await;
        let (mut client, socket) = connected(&server, &format!("panic-in-{event}")).await;
        socket.send("queued").expect("queued");
        socket.close();
        assert_eq!(client.text().await, "queued");
        assert_eq!(client.closed().await, Some((1000, String::new())));
        seen.expect(&["close", "disconnecting", "disconnect", "heard", "internal", "error"]).await;
        assert!(server.hub.is_empty() && server.hub.socket(socket.id()).is_none());
        server.hub.shutdown(Duration::from_secs(60)).await;
        seen.expect_nothing();
    }
}

#[tokio::test]
async fn each_async_handler_of_the_end_may_panic() {
    for event in ["close", "disconnecting", "disconnect"] {
        let (hub, log, mut seen) = hub(later::EVENTS);
        hub.on("disconnect", move |_payload| log.note("heard"));
        let server = serve(hub).await;
        let (mut client, socket) = connected(&server, &format!("panic-in-{event}")).await;
        seen.expect(&["begin connect", "connect"]).await;
        socket.close();
        assert_eq!(client.closed().await, Some((1000, String::new())));
        seen.expect(&["begin close", "close", "begin disconnecting", "disconnecting"]).await;
        seen.expect(&[flavour().closed(), "begin disconnect", "disconnect", "heard"]).await;
        seen.expect(&["internal", "begin error", "error"]).await;
        server.hub.shutdown(Duration::from_secs(60)).await;
        seen.expect_nothing();
    }
}

#[tokio::test]
async fn an_async_connect_handler_that_panics_refuses_the_client() {
    let (hub, _log, mut seen) = hub(later::EVENTS);
    let server = serve(hub).await;
    let mut client = server.connect("panic-in-connect").await;
    assert_eq!(client.closed().await, Some((1008, "internal error".to_owned())));
    seen.expect(&["begin connect", "connect", "internal", "begin error", "error"]).await;
    server.hub.shutdown(Duration::from_secs(60)).await;
    seen.expect_nothing();
}

fn new_runtime() -> Runtime {
    runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

/// Serves one client on a runtime, drops the runtime after these lines, and returns the lines
/// logged afterwards.
fn logged_after_runtime_drop(client: &str, lines: &[&str]) -> Vec<String> {
    let (hub, log, mut seen) = hub(later::EVENTS);
    let (serving, watching) = (new_runtime(), new_runtime());
    let client = serving.block_on(async {
        let mut connected = serve(hub.clone()).await.connect(client).await;
        match client {
            "wait-in-event" => connected.emit("event", 1).await,
            "wait-in-connect" => {}
            _ => connected.close(1000, "").await,
        }
        seen.expect(lines).await;
        connected
    });
    drop(serving);
    assert!(hub.is_empty() && hub.stats().connections == 0);
    drop((client, hub, log));
    watching.block_on(seen.rest())
}

#[test]
fn the_end_of_a_socket_completes_when_the_runtime_is_dropped() {
    let lines = ["begin connect", "connect", "begin event"];
    let rest = logged_after_runtime_drop("wait-in-event", &lines);
    assert_eq!(rest, ["aborted", "begin disconnect", "aborted", "begin error"]);
    let lines = ["begin connect", "connect", "begin disconnecting"];
    let rest = logged_after_runtime_drop("wait-in-disconnecting", &lines);
    assert_eq!(rest, ["transport close", "begin disconnect"]);
    let lines =
        ["begin connect", "connect", "begin disconnecting", "disconnecting", "transport close", "begin disconnect"];
    assert_eq!(logged_after_runtime_drop("wait-in-disconnect", &lines), [""; 0]);
    assert_eq!(logged_after_runtime_drop("wait-in-connect", &["begin connect"]), [""; 0]);
}

#[test]
fn disconnect_fires_when_the_runtime_drops_the_connection_task() {
    let (log, mut seen) = log();
    let (serving, watching) = (new_runtime(), new_runtime());
    let hub = Hub::builder().build().expect("a hub");
    for event in ["disconnect", "error"] {
        let log = log.clone();
        hub.on(event, move |payload| {
            let code = payload.error.as_ref().map_or("none", EventError::code).to_owned();
            log.note(format_args!("{}: {code}, {} left", payload.name, payload.socket.hub().len()));
        });
    }
    let (server, client) = serving.block_on(async {
        let server = serve(hub).await;
        let mut client = server.connect("ann").await;
        client.settle().await;
        (server, client)
    });
    assert_eq!(server.hub.len(), 1);
    drop(serving);
    watching.block_on(seen.expect(&["disconnect: aborted, 0 left", "error: aborted, 0 left"]));
    seen.expect_nothing();
    assert_eq!(server.hub.stats().connections, 0);
    drop(client);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn disconnect_fires_once_for_several_simultaneous_ends() {
    #[event(disconnect)]
    fn disconnect(socket: &Socket, log: State<Log>) {
        log.note(socket.params("id").unwrap_or_default());
    }

    const CLIENTS: usize = 200;
    let (hub, _log, mut seen) = hub(events![disconnect]);
    let server = serve(hub).await;
    let mut tasks = JoinSet::new();
    for number in 0..CLIENTS {
        let mut client = server.connect(&number.to_string()).await;
        client.settle().await;
        let find = |socket: &Socket| socket.params("id") == Some(&*number.to_string());
        let socket = server.hub.sockets().into_iter().find(find).expect("a connected socket");
        let other = socket.clone();
        tasks.spawn(async move {
            if number % 3 == 0 {
                drop(client);
            } else {
                client.close(1000, "").await;
            }
        });
        tasks.spawn(async move { socket.close() });
        tasks.spawn(async move { other.disconnect() });
        if number == CLIENTS / 2 {
            let hub = server.hub.clone();
            tasks.spawn(async move {
                hub.broadcast(Text("x".repeat(100))).expect("sent");
            });
        }
    }
    let hub = server.hub.clone();
    tasks.spawn(async move { hub.shutdown(Duration::from_secs(60)).await });
    soon("end of all", tasks.join_all()).await;
    let mut times = HashMap::new();
    for _ in 0..CLIENTS {
        *times.entry(seen.next().await).or_insert(0) += 1;
    }
    seen.expect_nothing();
    assert!(times.len() == CLIENTS && times.values().all(|times| *times == 1), "{times:?}");
}

/// Panics when a socket leaves a room.
#[derive(Debug)]
struct Failing(LocalAdapter);

impl Adapter for Failing {
    fn local(&self) -> &LocalAdapter {
        &self.0
    }

    fn left(&self, _socket: &Socket, _room: &Arc<str>) {
        panic!("the adapter of the others failed");
    }
}

#[tokio::test]
async fn a_panicking_adapter_does_not_leak_sockets() {
    let (log, mut seen) = log();
    let builder = Hub::builder().state(log).events(at_once::EVENTS).adapter(|_, local| Failing(local));
    let server = serve(builder.build().expect("a hub")).await;
    let (mut client, socket) = connected(&server, "ann").await;
    socket.join("a").expect("joined");
    socket.join("b").expect("joined");
    let held = Arc::new(());
    socket.insert_extension(Arc::clone(&held));
    drop(socket);
    client.close(1000, "").await;
    assert_eq!(client.closed().await, Some((1000, String::new())));
    seen.expect(&["disconnecting", "disconnect"]).await;
    assert!(server.hub.is_empty() && server.hub.to("a").sockets().is_empty());
    server.hub.shutdown(Duration::from_secs(60)).await;
    seen.expect_nothing();
    assert_eq!(Arc::strong_count(&held), 1, "no room may keep the socket in memory");
}

mod websocket_only {
    use super::*;

    #[tokio::test]
    async fn the_error_handler_of_an_end_may_panic() {
        // With long-polling, no end by the client has a code that fires `error`.
        websocket_only();
        let (hub, _log, mut seen) = hub(at_once::EVENTS);
        let server = serve(hub).await;
        let (mut client, _) = connected(&server, "panic-in-error").await;
        client.close(4000, "").await;
        seen.expect(&["disconnecting", "disconnect", "transport close", "error"]).await;
        server.hub.shutdown(Duration::from_secs(60)).await;
        seen.expect_nothing();
        let (hub, _log, mut seen) = self::hub(later::EVENTS);
        let server = serve(hub).await;
        let (mut client, _) = connected(&server, "panic-in-error").await;
        client.close(4000, "").await;
        seen.expect(&["begin connect", "connect", "begin disconnecting", "disconnecting"]).await;
        seen.expect(&["transport close", "begin disconnect", "disconnect"]).await;
        seen.expect(&["transport close", "begin error", "error"]).await;
        server.hub.shutdown(Duration::from_secs(60)).await;
        seen.expect_nothing();
    }
}
