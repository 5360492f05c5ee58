//! Hooks that call back: code of the application that emits, fires, joins or ends a socket while
//! the framework calls it. Nothing recurses without end, and nothing waits for itself.

use serde::{Serialize, Serializer};
use serde_json::json;
use socketio::adapter::{Adapter, Audience, LocalAdapter, Packet};
use socketio::{EmitError, EventError, Hub, Socket, State, event, events};
use socketio_tests::{Client, Log, Seen, Server, log, serve};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

#[event("fine")]
fn fine() -> u8 {
    1
}

#[event("echo")]
fn echo(socket: &Socket, text: String) -> Result<(), EmitError> {
    socket.emit(("echoed", text))
}

#[event(error)]
fn failed(error: EventError, log: State<Log>) {
    log.note(format_args!("{} in {}", error.code(), error.event().unwrap_or("nothing")));
}

async fn server() -> (Server, Log, Seen) {
    let (log, seen) = log();
    let hub = Hub::builder().state(log.clone()).events(events![fine, echo, failed]).build().expect("a hub");
    (serve(hub).await, log, seen)
}

async fn lives(client: &mut Client) {
    assert_eq!(client.ask("fine", 1).await, json!({ "id": "ask", "data": 1 }));
}

/// Connects a client, and returns its socket.
async fn connect(server: &Server, id: &str) -> (Client, Socket) {
    let before = server.hub.sockets();
    let mut client = server.connect(id).await;
    lives(&mut client).await;
    let socket = server.hub.sockets().into_iter().find(|socket| !before.contains(socket));
    (client, socket.expect("a new socket"))
}

async fn expect(client: &mut Client, event: &str, data: impl Into<serde_json::Value>) {
    assert_eq!(client.json().await, json!({ "event": event, "data": data.into() }));
}

#[tokio::test]
async fn an_outgoing_listener_that_emits_to_its_own_socket_is_not_called_for_that() {
    let (server, log, mut seen) = server().await;
    let (mut client, socket) = connect(&server, "ann").await;
    let (own, hub) = (socket.clone(), server.hub.clone());
    socket.on_any_outgoing(move |name, _args| {
        log.note(format_args!("outgoing {name}"));
        own.emit(("copy", name)).expect("sent");
        own.emit_to(own.id(), ("copy by id", name)).expect("sent");
        hub.broadcast(("copy to all", name)).expect("sent");
        hub.to(own.id()).emit(("copy to the room", name)).expect("sent");
    });
    for _ in 0..2 {
        socket.emit(("first", 1)).expect("sent");
        seen.expect(&["outgoing first"]).await;
        for copy in ["copy", "copy by id", "copy to all", "copy to the room"] {
            expect(&mut client, copy, "first").await;
        }
        expect(&mut client, "first", 1).await;
    }
    lives(&mut client).await;
    seen.expect_nothing();
}

#[tokio::test]
async fn outgoing_listeners_of_several_sockets_do_not_call_each_other() {
    let (server, log, mut seen) = server().await;
    let mut clients = Vec::new();
    for id in ["ann", "ben", "cid"] {
        clients.push(connect(&server, id).await);
    }
    for (at, (_, socket)) in clients.iter().enumerate() {
        let (log, other, hub) = (log.clone(), clients[(at + 1) % 3].1.clone(), server.hub.clone());
        socket.on_any_outgoing(move |name, _args| {
            log.note(format_args!("{at} sends {name}"));
            other.emit(("from a neighbour", at)).expect("sent");
            hub.broadcast(("from one of all", at)).expect("sent");
        });
    }
    clients[0].1.emit(("first", 1)).expect("sent");
    expect(&mut clients[0].0, "from one of all", 0).await;
    expect(&mut clients[0].0, "first", 1).await;
    expect(&mut clients[1].0, "from a neighbour", 0).await;
    expect(&mut clients[1].0, "from one of all", 0).await;
    expect(&mut clients[2].0, "from one of all", 0).await;
    seen.expect(&["0 sends first"]).await;
    server.hub.broadcast(("again", 2)).expect("sent");
    let mut lines = [seen.next().await, seen.next().await, seen.next().await];
    lines.sort();
    assert_eq!(lines, ["0 sends again", "1 sends again", "2 sends again"]);
    seen.expect_nothing();
}

#[tokio::test]
async fn an_outgoing_listener_is_called_for_what_the_handlers_of_its_events_emit() {
    let (server, log, mut seen) = server().await;
    let (mut client, socket) = connect(&server, "ann").await;
    let own = socket.clone();
    socket.on_any_outgoing(move |name, _args| {
        log.note(format_args!("outgoing {name}"));
        if name == "first" {
            own.fire("echo", "fired").expect("it is queued");
        }
    });
    socket.emit(("first", 1)).expect("sent");
    expect(&mut client, "first", 1).await;
    expect(&mut client, "echoed", "fired").await;
    seen.expect(&["outgoing first", "outgoing echoed"]).await;
}

#[tokio::test]
async fn error_handlers_of_two_sockets_do_not_call_each_other() {
    let (server, log, mut seen) = server().await;
    let (mut ann, first) = connect(&server, "ann").await;
    let (mut ben, second) = connect(&server, "ben").await;
    for (own, other) in [(&first, &second), (&second, &first)] {
        let (log, other) = (log.clone(), other.clone());
        own.on("error", move |_payload| {
            let (log, other) = (log.clone(), other.clone());
            async move {
                let sync = other.emit_to("nobody", ("trouble", 1)).is_ok();
                tokio::task::yield_now().await;
                let later = other.emit_to("nobody", ("trouble", 2)).is_ok();
                log.note(format_args!("told somebody: {sync} {later}"));
            }
        });
    }
    assert!(first.emit_to("nobody", ("hello", 1)).is_err());
    seen.expect(&["unreachable in nothing", "told somebody: false false"]).await;
    for _ in 0..5 {
        lives(&mut ann).await;
        lives(&mut ben).await;
    }
    seen.expect_nothing();
    assert!(second.emit_to("nobody", ("hello", 1)).is_err());
    seen.expect(&["unreachable in nothing", "told somebody: false false"]).await;
}

/// A value that emits itself while it is serialized.
struct Recursive<'a>(&'a Socket, &'a Mutex<Vec<EmitError>>);

impl Serialize for Recursive<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if let Err(error) = self.0.emit(("recursive", Recursive(self.0, self.1))) {
            self.1.lock().expect("no panic").push(error);
        }
        serializer.serialize_u8(7)
    }
}

/// A value that emits and changes its socket while it is serialized.
struct Busy<'a>(&'a Socket);

impl Serialize for Busy<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.emit(("while serializing", 1)).expect("sent");
        self.0.set_attribute("busy", true);
        self.0.join("busy").expect("joined");
        serializer.serialize_str("done")
    }
}

#[tokio::test]
async fn a_value_may_emit_while_it_is_serialized_but_not_itself_without_end() {
    let (server, _log, _seen) = server().await;
    let (mut client, socket) = connect(&server, "ann").await;
    socket.emit(("busy", Busy(&socket))).expect("sent");
    expect(&mut client, "while serializing", 1).await;
    expect(&mut client, "busy", "done").await;
    assert!(socket.is_in("busy"));

    let errors = Mutex::default();
    socket.emit(("recursive", Recursive(&socket, &errors))).expect("sent");
    let errors = errors.into_inner().expect("no panic");
    assert!(matches!(*errors, [EmitError::Encode(_)]), "{errors:?}");
    assert!(errors[0].to_string().contains("hooks that emit call each other"), "{}", errors[0]);
    for _ in 0..16 {
        expect(&mut client, "recursive", 7).await;
    }
    lives(&mut client).await;
}

/// Counts emits, and emits the number to everyone.
#[derive(Debug)]
struct Counting {
    local: LocalAdapter,
    hub: Arc<OnceLock<Hub>>,
    calls: Arc<AtomicUsize>,
    refused: Arc<Mutex<Vec<EmitError>>>,
}

impl Counting {
    fn note(&self, sent: Result<(), EmitError>) {
        if let Err(error) = sent {
            self.refused.lock().expect("no panic").push(error);
        }
    }

    fn count(&self) {
        let calls = self.calls.fetch_add(1, Ordering::Relaxed);
        if let Some(hub) = self.hub.get() {
            self.note(hub.broadcast(("count", calls)));
        }
    }
}

impl Adapter for Counting {
    fn local(&self) -> &LocalAdapter {
        &self.local
    }

    fn emit(&self, packet: &Packet, audience: &Audience) {
        self.count();
        self.local.emit(packet, audience);
    }

    fn emit_to(&self, packet: &Packet, id: &str) -> Result<(), EmitError> {
        self.count();
        self.local.emit_to(packet, id)
    }

    fn emit_to_socket(&self, packet: &Packet, socket: &Socket) -> Result<(), EmitError> {
        self.note(socket.emit(("again", 1)));
        self.local.emit_to_socket(packet, socket)
    }

    fn server_emit(&self, event: &Packet) -> Result<(), EmitError> {
        self.local.received(event, None);
        Ok(())
    }
}

#[tokio::test]
async fn an_adapter_may_emit_but_does_not_call_itself_without_end() {
    let hub: Arc<OnceLock<Hub>> = Arc::default();
    let (calls, refused): (Arc<AtomicUsize>, Arc<Mutex<Vec<EmitError>>>) = Default::default();
    let parts = (Arc::clone(&hub), Arc::clone(&calls), Arc::clone(&refused));
    let builder = Hub::builder().events(events![fine]).adapter(move |_path, local| Counting {
        local,
        hub: Arc::clone(&parts.0),
        calls: Arc::clone(&parts.1),
        refused: Arc::clone(&parts.2),
    });
    let server = serve(builder.build().expect("a hub")).await;
    let (mut client, socket) = connect(&server, "ann").await;
    hub.set(server.hub.clone()).expect("once");
    let refusals = || std::mem::take(&mut *refused.lock().expect("no panic")).len();

    server.hub.broadcast(("news", 1)).expect("sent");
    for call in (0..16).rev().skip(1) {
        expect(&mut client, "count", call).await;
    }
    expect(&mut client, "news", 1).await;
    assert_eq!((calls.swap(0, Ordering::Relaxed), refusals()), (16, 1));

    server.hub.emit_to(socket.id(), ("news", 2)).expect("sent");
    assert_eq!((calls.swap(0, Ordering::Relaxed), refusals()), (16, 1));

    socket.emit(("news", 3)).expect("sent");
    assert_eq!((calls.swap(0, Ordering::Relaxed), refusals()), (0, 1));

    let (namespace, errors) = (server.hub.clone(), Arc::new(Mutex::new(Vec::new())));
    let seen = Arc::clone(&errors);
    server.hub.on_server("ping", move |_event| {
        if let Err(error) = namespace.server_emit(("ping",)) {
            seen.lock().expect("no panic").push(error);
        }
    });
    server.hub.server_emit(("ping",)).expect("sent");
    assert!(matches!(**errors.lock().expect("no panic"), [EmitError::Nested]));
}

#[tokio::test]
async fn the_functions_of_dynamic_namespaces_and_adapters_may_ask_for_namespaces() {
    let hub: Arc<OnceLock<Hub>> = Arc::default();
    let (of_function, of_adapter) = (Arc::clone(&hub), Arc::clone(&hub));
    let builder = Hub::builder()
        .dynamic_namespace(
            move |path: &str| {
                let _ = of_function.get().map(|hub| hub.of(path));
                path.starts_with("/matching")
            },
            |namespace| namespace,
        )
        .adapter(move |path, local| {
            if path.starts_with("/deep") {
                of_adapter.get().map(|hub| hub.of(format!("{path}er")));
            }
            Counting { local, hub: Arc::default(), calls: Arc::default(), refused: Arc::default() }
        });
    hub.set(builder.build().expect("a hub")).expect("once");
    let hub = hub.get().expect("it is set");
    assert_eq!(hub.of("/matching").path(), "/matching");
    assert_eq!(hub.of("/deep").path(), "/deep");
}

#[tokio::test]
async fn handlers_of_the_end_may_use_their_socket() {
    let (server, log, mut seen) = server().await;
    let (mut ann, socket) = connect(&server, "ann").await;
    let (mut ben, _) = connect(&server, "ben").await;
    for event in ["disconnecting", "disconnect"] {
        let log = log.clone();
        socket.on(event, move |payload| {
            let socket = payload.socket;
            let joined = socket.join("late").is_ok();
            socket.leave("late");
            let emitted = socket.emit(("late", 1)).is_ok();
            socket.hub().broadcast(("ended", &*payload.name)).expect("sent");
            let fired = socket.fire("echo", "late").is_ok();
            socket.disconnect();
            socket.close();
            socket.off(&*payload.name);
            log.note(format_args!("{}: joined {joined}, emitted {emitted}, fired {fired}", payload.name));
        });
    }
    ann.close(1000, "").await;
    seen.expect(&["disconnecting: joined false, emitted false, fired false"]).await;
    seen.expect(&["disconnect: joined false, emitted false, fired false"]).await;
    expect(&mut ben, "ended", "disconnecting").await;
    expect(&mut ben, "ended", "disconnect").await;
    lives(&mut ben).await;
}

#[tokio::test]
async fn listeners_and_middleware_may_add_and_remove_each_other() {
    let (server, log, mut seen) = server().await;
    let (mut client, socket) = connect(&server, "ann").await;
    let noted = log.clone();
    socket.on_any(move |payload| {
        noted.note("any");
        let (socket, noted) = (payload.socket, noted.clone());
        socket.off("fine");
        socket.on("fine", move |payload| {
            noted.note("on");
            payload.socket.off("fine");
        });
    });
    socket.event_middleware(move |event, next| {
        let log = log.clone();
        async move {
            let socket = event.socket().clone();
            socket.fire("echo", "from middleware").expect("it is queued");
            socket.emit(("before", event.name())).expect("sent");
            next.run(event).await?;
            log.note("after");
            Ok::<_, EventError>(())
        }
    });
    // The listener that the first event adds receives the second, and removes itself.
    for lines in [&["any", "after"][..], &["any", "on", "after"], &["any", "after"]] {
        client.send(json!({ "event": "fine", "id": 1 }).to_string()).await;
        expect(&mut client, "before", "fine").await;
        assert_eq!(client.json().await, json!({ "id": 1, "data": 1 }));
        expect(&mut client, "echoed", "from middleware").await;
        seen.expect(lines).await;
    }
    seen.expect_nothing();
}
