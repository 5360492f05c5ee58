//! Rooms, selections and namespaces, and what an adapter observes of them.

use serde_json::{Value, json};
use socketio::adapter::{Adapter, Audience, Change, LocalAdapter, Packet};
use socketio::{EmitError, Hub, JoinError, Selection, Socket, event, events};
use socketio_tests::{Client, Log, Server, flavour, log, serve, serve_router, soon};
use std::sync::{Arc, OnceLock};
use tokio::sync::{mpsc, oneshot};

/// Connects one client per name, in this order, and returns the clients and their sockets.
async fn clients<const N: usize>(server: &Server, names: [&str; N]) -> ([Client; N], [Socket; N]) {
    let mut clients = Vec::new();
    for name in names {
        let mut client = server.connect(name).await;
        client.settle().await;
        clients.push(client);
    }
    let sockets = names.map(|name| {
        let found = server.hub.sockets().into_iter().find(|socket| socket.params("id") == Some(name));
        found.expect("a connected socket")
    });
    (clients.try_into().expect("one client per name"), sockets)
}

async fn server() -> Server {
    serve(Hub::builder().build().expect("a hub")).await
}

/// What each client received before the event `end`, which is sent to all.
async fn received<const N: usize>(hub: &Hub, clients: &mut [Client; N]) -> [Vec<Value>; N] {
    hub.broadcast(("end",)).expect("sent");
    let mut all = std::array::from_fn(|_| Vec::new());
    for (client, received) in clients.iter_mut().zip(&mut all) {
        loop {
            let message = client.json().await;
            if message["event"] == "end" {
                break;
            }
            received.push(message["data"].clone());
        }
    }
    all
}

fn ids(selection: Selection<'_>) -> Vec<String> {
    let mut ids: Vec<_> =
        selection.sockets().iter().map(|socket| socket.params("id").unwrap_or_default().to_owned()).collect();
    ids.sort();
    ids
}

#[tokio::test]
async fn selections_reach_their_audience_once() {
    let server = server().await;
    let (mut clients, [a, b, c, d]) = clients(&server, ["a", "b", "c", "d"]).await;
    let hub = &server.hub;
    for (socket, rooms) in [(&a, &["x", "y"][..]), (&b, &["x"]), (&c, &["y", "z"])] {
        for room in rooms {
            socket.join(room).expect("joined");
        }
    }
    let emit = |selection: Selection<'_>, data: u32| selection.emit(("to", data)).expect("sent");
    emit(hub.to("x"), 1);
    emit(hub.to("x").to("y"), 2);
    emit(hub.to("x").to("y").within("x"), 3);
    emit(hub.to("x").except("y"), 4);
    emit(hub.except("x"), 5);
    emit(hub.except("x").except("z"), 6);
    emit(hub.local(), 7);
    emit(hub.local().to("z"), 8);
    emit(hub.volatile(), 9);
    emit(hub.to("nobody is here"), 10);
    emit(a.to("x"), 11);
    emit(a.within("x"), 12);
    emit(a.to("x").to("y"), 13);
    emit(a.except("z"), 14);
    emit(a.local(), 15);
    emit(a.volatile(), 16);
    emit(a.volatile().to("x"), 17);
    emit(a.to("x").to("y").except("z"), 18);
    emit(hub.to("x").to(d.id()), 19);
    emit(hub.to(a.id()).to("x"), 20);
    emit(hub.except(d.id()), 21);
    emit(a.to(b.id()), 22);
    emit(a.to(a.id()), 23);
    emit(a.within(a.id()), 24);
    assert_eq!(ids(hub.to("x").to("y")), ["a", "b", "c"]);
    assert_eq!(ids(hub.except("x")), ["c", "d"]);
    assert_eq!(ids(a.to("x")), ["b"]);
    assert_eq!(ids(a.volatile()), ["a"]);
    // With long-polling, a volatile message is dropped if no poll is waiting.
    let is_certain = |number: &Value| !flavour().polls() || ![9, 16, 17].map(Value::from).contains(number);
    let mut received = received(hub, &mut clients).await;
    received.iter_mut().for_each(|received| received.retain(is_certain));
    let [a, b, c, d] = received;
    let expected =
        |numbers: &[u32]| -> Vec<_> { numbers.iter().copied().map(Value::from).filter(is_certain).collect() };
    assert_eq!(a, expected(&[1, 2, 3, 7, 9, 12, 16, 19, 20, 21, 24]));
    assert_eq!(b, expected(&[1, 2, 3, 4, 7, 9, 11, 12, 13, 14, 15, 17, 18, 19, 20, 21, 22]));
    assert_eq!(c, expected(&[2, 3, 5, 7, 8, 9, 13, 15, 21]));
    assert_eq!(d, expected(&[5, 6, 7, 9, 14, 15, 19]));
}

#[tokio::test]
async fn a_join_is_visible_to_every_emit_that_starts_after_it() {
    let server = server().await;
    let ([mut client], [socket]) = clients(&server, ["a"]).await;
    for round in 0..200 {
        socket.join("room").expect("joined");
        server.hub.to("room").emit(("in", round)).expect("sent");
        socket.leave("room");
        server.hub.to("room").emit(("out", round)).expect("sent");
    }
    for round in 0..200 {
        assert_eq!(client.json().await, json!({ "event": "in", "data": round }));
    }
    socket.leave("never joined");
    assert_eq!(socket.rooms(), [socket.id().to_string()]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_join_is_visible_to_tasks_that_are_told_of_it_during_concurrent_joins() {
    const ROUNDS: u64 = 2_000;
    let server = server().await;
    let names = ["a", "b", "c", "d", "e", "f"];
    let (mut clients, sockets) = clients(&server, names).await;
    let mut tasks = tokio::task::JoinSet::new();
    for (at, socket) in sockets.into_iter().enumerate() {
        let (joined, mut hears) = mpsc::channel(1);
        let (emitted, mut is_emitted) = mpsc::channel(1);
        let hub = server.hub.clone();
        tasks.spawn(async move {
            for round in 0..ROUNDS {
                socket.join("room").expect("joined");
                joined.send(round).await.expect("the receiver is alive");
                is_emitted.recv().await.expect("the event was emitted");
                socket.leave("room");
            }
        });
        tasks.spawn(async move {
            while let Some(round) = hears.recv().await {
                hub.to("room").emit(("to", at, round)).expect("sent");
                emitted.send(()).await.expect("the receiver is alive");
            }
        });
    }
    let reading = clients.iter_mut().enumerate().map(|(at, client)| async move {
        let mut next = [0; 6];
        while next[at] < ROUNDS {
            let message = client.json().await;
            let [from, round] = [0, 1].map(|arg| message["args"][arg].as_u64().expect("a number"));
            let known = &mut next[from as usize];
            // Emits of other tasks arrive while this socket is in the room. The emit that follows
            // its own join arrives each time.
            assert!(round >= *known && (from as usize != at || round == *known), "{from}: {round} after {known}");
            *known = round + 1;
        }
    });
    futures_util::future::join_all(reading).await;
    soon("end of the tasks", tasks.join_all()).await;
}

#[tokio::test]
async fn rooms_are_removed_with_their_last_member_and_limited_by_max_rooms() {
    let hub = Hub::builder().max_rooms(2).build().expect("a hub");
    let server = serve(hub).await;
    let ([mut client, _other], [socket, _]) = clients(&server, ["a", "b"]).await;
    socket.join("x").expect("joined");
    socket.join("x").expect("joined already");
    socket.join("y").expect("joined");
    assert_eq!(socket.join("z"), Err(JoinError::TooManyRooms));
    socket.join("y").expect("joined already");
    socket.leave("x");
    socket.join("z").expect("joined");
    let mut rooms = socket.rooms();
    assert_eq!(rooms.remove(0), *socket.id());
    rooms.sort();
    assert_eq!(rooms, ["y", "z"]);
    client.close(1000, "").await;
    socket.closed().await;
    assert_eq!(client.closed().await, Some((1000, String::new())));
    assert_eq!(ids(server.hub.to("y")), [""; 0]);
    assert_eq!(socket.join("y"), Err(JoinError::Closed));
    assert_eq!(ids(server.hub.to("y")), [""; 0]);
}

#[event("where")]
fn place(socket: &Socket) -> String {
    socket.namespace().to_owned()
}

#[event("everyone")]
fn everyone(socket: &Socket) -> Result<(), EmitError> {
    socket.broadcast(("all", socket.namespace()), false)
}

/// Logs the calls that it receives.
#[derive(Debug)]
struct Watching {
    local: LocalAdapter,
    log: Log,
}

impl Adapter for Watching {
    fn local(&self) -> &LocalAdapter {
        &self.local
    }

    fn emit(&self, packet: &Packet, audience: &Audience) {
        let except = audience.except_id().is_some();
        let (rooms, except_rooms) = (audience.rooms(), audience.except_rooms());
        let flags = (audience.is_local(), packet.is_volatile());
        self.log.note(format_args!("emit {:?} {rooms:?} {except_rooms:?} {except} {flags:?}", packet.name()));
        self.local.emit(packet, audience);
    }

    fn emit_to(&self, packet: &Packet, id: &str) -> Result<(), EmitError> {
        self.log.note(format_args!("emit_to {:?} {id}", packet.name()));
        self.local.emit_to(packet, id)
    }

    fn emit_to_socket(&self, packet: &Packet, socket: &Socket) -> Result<(), EmitError> {
        self.log.note(format_args!("emit_to_socket {:?}", packet.name()));
        self.local.emit_to_socket(packet, socket)
    }

    fn joined(&self, _socket: &Socket, room: &Arc<str>) {
        self.log.note(format_args!("join {room}"));
    }

    fn left(&self, _socket: &Socket, room: &Arc<str>) {
        self.log.note(format_args!("leave {room}"));
    }

    fn change(&self, change: &Change<'_>, audience: &Audience) {
        self.log.note(format_args!("change {change:?} {:?}", audience.rooms()));
        self.local.change(change, audience);
    }
}

#[tokio::test]
async fn an_adapter_receives_every_emit_and_every_room_change() {
    let (log, mut seen) = log();
    let hub = Hub::builder().adapter(move |_, local| Watching { local, log: log.clone() }).build().expect("a hub");
    let server = serve(hub).await;
    let ([mut client], [socket]) = clients(&server, ["a"]).await;
    let hub = &server.hub;
    seen.expect_nothing();
    socket.join("x").expect("joined");
    socket.join("x").expect("joined already");
    seen.expect(&["join x"]).await;
    hub.to("x").except("y").emit(("a", 1)).expect("sent");
    seen.expect(&[r#"emit Some("a") ["x"] ["y"] false (false, false)"#]).await;
    socket.volatile().local().send("text").expect("sent");
    seen.expect(&["emit None [] [] true (true, true)"]).await;
    hub.broadcast(("b", 1)).expect("sent");
    socket.broadcast(("c", 1), true).expect("sent");
    seen.expect(&[r#"emit Some("b") [] [] false (false, false)"#, r#"emit Some("c") [] [] true (false, false)"#]).await;
    let id = socket.id();
    hub.emit_to(&id, ("d", 1)).expect("sent");
    hub.emit_to_list([&*id, "nobody"], ("e", 1)).expect("sent");
    socket.emit_to(&id, ("f", 1)).expect("sent");
    socket.emit_to_list([&id], ("g", 1)).expect("sent");
    for (event, id) in [("d", &*id), ("e", &*id), ("e", "nobody"), ("f", &*id), ("g", &*id)] {
        seen.expect(&[&format!("emit_to Some({event:?}) {id}")]).await;
    }
    socket.emit(vec![1]).expect("sent");
    socket.volatile().emit(("h",)).expect("sent");
    let _asked = socket.emit_with_ack::<()>(("i",));
    let lines = ["emit_to_socket None", "emit_to_socket Some(\"h\")", "emit_to_socket Some(\"i\")"];
    seen.expect(&lines).await;
    socket.leave("x");
    socket.join("y").expect("joined");
    client.close(1000, "").await;
    seen.expect(&["leave x", "join y", "leave y"]).await;
}

#[tokio::test]
async fn the_debug_output_of_an_adapter_shows_no_sockets() {
    let (log, mut seen) = log();
    let own = log.clone();
    let make = move |_: &str, local: LocalAdapter| {
        own.note(format_args!("{local:?}"));
        let _ = SHOWN.set(local.clone());
        local
    };
    static SHOWN: OnceLock<LocalAdapter> = OnceLock::new();
    let server = serve(Hub::builder().adapter(make).build().expect("a hub")).await;
    let ([_client], [socket]) = clients(&server, ["a"]).await;
    socket.join("room").expect("joined");
    log.note(format_args!("{:?}", SHOWN.get().expect("made")));
    seen.expect(&["LocalAdapter { sockets: 0, .. }", "LocalAdapter { sockets: 1, .. }"]).await;
}

mod plain_only {
    use super::*;

    #[tokio::test]
    async fn namespaces_share_neither_ids_nor_rooms_nor_broadcasts() {
        let admin = events![place, everyone];
        let hub = Hub::builder().events(events![place]).namespace("admin", |namespace| namespace.events(admin)).build();
        let hub = hub.expect("a hub");
        let (log, mut seen) = log();
        let own = log.clone();
        hub.of("/admin").on("said", move |payload| own.note(format_args!("admin {}", payload.socket.namespace())));
        hub.on("said", move |payload| log.note(format_args!("root {}", payload.socket.namespace())));
        let app = axum::Router::new()
            .route("/ws/{id}", axum::routing::get(hub.websocket()))
            .route("/admin/{id}", axum::routing::get(hub.of("/admin").websocket()));
        let server = serve_router(hub, app).await;
        let (mut root, mut admin) = (server.connect("a").await, server.connect_to("/admin/b").await);
        assert_eq!(root.ask("where", 1).await["data"], "/");
        assert_eq!(admin.ask("where", 1).await["data"], "/admin");
        assert_eq!(root.ask("everyone", 1).await["error"]["code"], "unknown_event");
        let (hub, admins) = (&server.hub, server.hub.of("admin"));
        assert_eq!((hub.len(), admins.len(), hub.of("/other").len()), (1, 1, 0));
        let (one, other) = (hub.sockets().remove(0), admins.sockets().remove(0));
        one.set_id("same").expect("free");
        other.set_id("same").expect("free in its own namespace");
        one.join("room").expect("joined");
        other.join("room").expect("joined");
        hub.to("room").emit(("room", "/")).expect("sent");
        admins.to("room").emit(("room", "/admin")).expect("sent");
        admins.emit_to("same", ("same", "/admin")).expect("sent");
        assert_eq!(root.json().await, json!({ "event": "room", "data": "/" }));
        assert_eq!(admin.json().await, json!({ "event": "room", "data": "/admin" }));
        assert_eq!(admin.json().await, json!({ "event": "same", "data": "/admin" }));
        admin.emit("everyone", 1).await;
        assert_eq!(admin.json().await, json!({ "event": "all", "data": "/admin" }));
        root.emit("said", 1).await;
        seen.expect(&["root /"]).await;
        admin.emit("said", 1).await;
        seen.expect(&["admin /admin"]).await;
        root.settle().await;
    }
}

mod no_clients {
    use super::*;

    #[tokio::test]
    async fn the_adapter_factory_may_look_up_namespaces() {
        let (log, mut seen) = log();
        let known = Arc::new(OnceLock::<Hub>::new());
        let asked = Arc::clone(&known);
        let make = move |_: &str, local| {
            if let Some(hub) = asked.get() {
                log.note(hub.of("/first").path());
            }
            Watching { local, log: log.clone() }
        };
        let hub = Hub::builder().adapter(make).namespace("/first", |first| first).build().expect("a hub");
        known.set(hub.clone()).expect("set once");
        let (done, is_done) = oneshot::channel();
        // On a separate thread, so that a deadlock does not block the test.
        std::thread::spawn(move || done.send(hub.of("/second").path().to_owned()));
        assert_eq!(soon("namespace", is_done).await.expect("no panic"), "/second");
        seen.expect(&["/first"]).await;
    }
}
