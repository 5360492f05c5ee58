//! What can be emitted, how it arrives, and the errors of emits that fail.

use serde::Serialize;
use serde_json::{Value, json};
use socketio::{Binary, EmitError, EventError, Hub, Socket, SocketId, State, Text, event, events};
use socketio_tests::{Client, Gate, Log, Seen, Server, log, serve};
use std::borrow::Cow;
use tokio_tungstenite::tungstenite::{Bytes, Message};

#[event("delivered")]
#[derive(Serialize)]
struct Delivered<'a> {
    from: &'a str,
    picture: Binary,
}

#[event("changed")]
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Changed {
    Name(String),
    Nothing,
}

async fn connected(server: &Server, name: &str) -> (Client, Socket) {
    let mut client = server.connect(name).await;
    client.settle().await;
    let found = server.hub.sockets().into_iter().find(|socket| socket.params("id") == Some(name));
    (client, found.expect("a connected socket"))
}

/// A server that logs its `error` events.
async fn server() -> (Server, Seen) {
    let (log, seen) = log();
    (serve_noting_errors(Hub::builder().build().expect("a hub"), log).await, seen)
}

async fn serve_noting_errors(hub: Hub, log: Log) -> Server {
    hub.on("error", move |payload| {
        let error = payload.error.as_ref().expect("an error");
        let (target, data) = (error.target().map(SocketId::as_str), String::from_utf8_lossy(&payload.data));
        log.note(format_args!("{} {} {target:?} {data}", error.code(), error.message()));
    });
    serve(hub).await
}

#[tokio::test]
async fn every_kind_of_message_arrives_unchanged() {
    let (server, _seen) = server().await;
    let (mut client, socket) = connected(&server, "ann").await;
    let picture = Binary::from(vec![255, 254]);
    socket.emit(&Delivered { from: "bob", picture: picture.clone() }).expect("sent");
    socket.emit(&Changed::Name("x".into())).expect("sent");
    socket.emit(&Changed::Nothing).expect("sent");
    socket.emit(("none",)).expect("sent");
    socket.emit(("one", 1)).expect("sent");
    socket.emit(("list", [1, 2])).expect("sent");
    socket.emit(("null", ())).expect("sent");
    socket.emit((String::from("three"), 1, "two", picture)).expect("sent");
    socket.emit(("eight", 1, 2, 3, 4, 5, 6, 7, 8)).expect("sent");
    socket.emit(("quo\"ted \u{7}", "\"\\\n\u{1F600}")).expect("sent");
    for expected in [
        json!({ "event": "delivered", "data": { "from": "bob", "picture": "//4=" } }),
        json!({ "event": "changed", "data": { "name": "x" } }),
        json!({ "event": "changed", "data": "nothing" }),
        json!({ "event": "none" }),
        json!({ "event": "one", "data": 1 }),
        json!({ "event": "list", "data": [1, 2] }),
        json!({ "event": "null", "data": null }),
        json!({ "event": "three", "args": [1, "two", "//4="] }),
        json!({ "event": "eight", "args": [1, 2, 3, 4, 5, 6, 7, 8] }),
        json!({ "event": "quo\"ted \u{7}", "data": "\"\\\n\u{1F600}" }),
    ] {
        assert_eq!(client.json().await, expected);
    }
    socket.send("text").expect("sent");
    socket.send(String::from("string")).expect("sent");
    let empty = String::new();
    socket.send(&empty).expect("sent");
    for expected in ["text", "string", ""] {
        assert_eq!(client.next().await, Some(Message::text(expected)));
    }
    socket.emit(&[1_u8, 2][..]).expect("sent");
    socket.emit(vec![3]).expect("sent");
    socket.emit(Bytes::from_static(&[4])).expect("sent");
    socket.emit(&[5]).expect("sent");
    socket.emit(Binary::from(vec![6])).expect("sent");
    socket.send(vec![7]).expect("sent");
    for expected in [&[1, 2][..], &[3], &[4], &[5], &[6], &[7]] {
        assert_eq!(client.next().await, Some(Message::binary(expected.to_vec())));
    }
}

#[tokio::test]
async fn every_verb_sends_texts() {
    let (server, mut seen) = server().await;
    let ((mut ann, a), (mut bob, b)) = (connected(&server, "ann").await, connected(&server, "bob").await);
    let hub = &server.hub;
    b.join("room").expect("joined");
    let fetched = hub.to("room").fetch_sockets().await.expect("this server answers");
    a.send("1").expect("sent");
    hub.send("2").expect("sent");
    hub.root().send(Text("3")).expect("sent");
    hub.to("room").send(String::from("4")).expect("sent");
    a.volatile().send("5").expect("sent");
    a.to("room").send(Cow::from("6")).expect("sent");
    fetched.sockets[0].send("7").expect("sent");
    hub.emit_to(a.id(), Text("8")).expect("sent");
    hub.emit_to_list([a.id(), b.id()], Text("9")).expect("sent");
    a.emit_to(b.id(), Text(String::from("10"))).expect("sent");
    a.emit_to_list([b.id(), a.id()], Text("11")).expect("sent");
    a.broadcast(Text("12"), true).expect("sent");
    hub.broadcast(Text("13")).expect("sent");
    for (client, expected) in
        [(&mut ann, &["1", "2", "3", "5", "8", "9", "11", "13"][..]), (&mut bob, &["2", "3", "4", "6", "7", "9"])]
    {
        for text in expected {
            assert_eq!(client.text().await, *text);
        }
    }
    for text in ["10", "11", "12", "13"] {
        assert_eq!(bob.text().await, text);
    }
    seen.expect_nothing();
}

#[tokio::test]
async fn messages_of_every_size_arrive_in_order() {
    let (server, _seen) = server().await;
    let (mut client, socket) = connected(&server, "ann").await;
    let sizes = [0, 100, 125, 126, 4_000, 4_096, 5_000, 65_535, 65_536, 100, 300_000, 1];
    for size in sizes {
        socket.send("x".repeat(size)).expect("sent");
        socket.emit(vec![7; size]).expect("sent");
    }
    for size in sizes {
        assert_eq!(client.next().await.expect("a message").len(), size);
        assert_eq!(client.next().await, Some(Message::binary(vec![7; size])));
    }
}

#[tokio::test]
async fn emits_of_hub_and_socket_reach_their_audience() {
    let (server, mut seen) = server().await;
    let ((mut ann, a), (mut bob, b)) = (connected(&server, "ann").await, connected(&server, "bob").await);
    let hub = &server.hub;
    hub.emit_to(a.id(), ("hub", 1)).expect("sent");
    hub.emit_to_list([&*a.id(), "nobody", &*b.id()], ("hub", 2)).expect("sent");
    hub.broadcast(("hub", 3)).expect("sent");
    hub.emit(("hub", 4)).expect("sent");
    a.emit_to(b.id(), ("socket", 5)).expect("sent");
    a.emit_to_list(vec![b.id(), a.id()], ("socket", 6)).expect("sent");
    a.broadcast(("socket", 7), true).expect("sent");
    a.broadcast(("socket", 8), false).expect("sent");
    for (client, expected) in [(&mut ann, &[1, 2, 3, 4, 6, 8][..]), (&mut bob, &[2, 3, 4, 5, 6, 7, 8])] {
        for number in expected {
            assert_eq!(client.json().await["data"], *number);
        }
    }
    seen.expect_nothing();
}

#[tokio::test]
async fn emit_to_an_unknown_id_fails_and_fires_error_on_the_socket() {
    let (server, mut seen) = server().await;
    let (_client, socket) = connected(&server, "ann").await;
    let missing = server.hub.emit_to("nobody", Text("x"));
    assert!(matches!(missing, Err(EmitError::NotFound(id)) if id == "nobody"));
    let missing = socket.emit_to("nobody", Text("x"));
    assert!(matches!(missing, Err(EmitError::NotFound(id)) if id == "nobody"));
    seen.expect(&["unreachable no socket has the id `nobody` Some(\"nobody\") nobody"]).await;
    socket.emit_to_list(["nobody", "noone"], Text("x")).expect("errors of single recipients are ignored");
    seen.expect(&["unreachable no socket has the id `nobody` Some(\"nobody\") nobody"]).await;
    seen.expect(&["unreachable no socket has the id `noone` Some(\"noone\") noone"]).await;
}

#[tokio::test]
async fn a_disconnecting_or_closed_socket_can_not_be_emitted_to() {
    #[event(disconnecting)]
    async fn disconnecting(gate: State<Gate>) {
        gate.pass().await;
    }

    let ((log, mut seen), gate) = (log(), Gate::default());
    let hub = Hub::builder().state(gate.clone()).events(events![disconnecting]).build().expect("a hub");
    let server = serve_noting_errors(hub, log).await;
    let ((_ann, a), (mut bob, b)) = (connected(&server, "ann").await, connected(&server, "bob").await);
    let bob_id = b.id();
    b.join("room").expect("joined");
    b.close();
    // The connection's task has not run yet, so the socket is still registered and in its rooms.
    assert!(matches!(server.hub.emit_to(&bob_id, Text("x")), Err(EmitError::Closed)));
    assert!(matches!(a.emit_to(&bob_id, Text("x")), Err(EmitError::Closed)));
    seen.expect(&[&format!("unreachable the socket is closed Some({bob_id:?}) {bob_id}")]).await;
    server.hub.to("room").send("x").expect("a closed recipient is not an error");
    assert_eq!(bob.next().await.map(|message| message.is_close()), Some(true));
    // It has left, although its handler still runs.
    assert_eq!((gate.waiting(), server.hub.len()), (1, 1));
    assert!(matches!(server.hub.emit_to(&bob_id, Text("x")), Err(EmitError::NotFound(id)) if id == *bob_id));
    assert!(matches!(a.emit_to(&bob_id, Text("x")), Err(EmitError::NotFound(id)) if id == *bob_id));
    seen.expect(&[&format!("unreachable no socket has the id `{bob_id}` Some({bob_id:?}) {bob_id}")]).await;
    assert!(matches!(b.send("x"), Err(EmitError::Closed)));
    seen.expect_nothing();
}

#[tokio::test]
async fn reserved_names_and_values_without_json_are_rejected() {
    let (server, mut seen) = server().await;
    let (mut client, socket) = connected(&server, "ann").await;
    for name in ["", "connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"] {
        assert!(matches!(socket.emit((name, 1)), Err(EmitError::InvalidName(refused)) if refused == name));
        assert!(matches!(server.hub.broadcast((name, 1)), Err(EmitError::InvalidName(_))));
    }
    let unserializable = std::collections::HashMap::from([((1, 2), 3)]);
    assert!(matches!(socket.emit(("map", &unserializable)), Err(EmitError::Encode(_))));
    assert!(matches!(socket.broadcast(("map", &unserializable), false), Err(EmitError::Encode(_))));
    assert!(matches!(server.hub.to("x").emit(("map", 1, &unserializable)), Err(EmitError::Encode(_))));
    assert!(matches!(socket.emit_to(socket.id(), ("map", &unserializable)), Err(EmitError::Encode(_))));
    assert!(socket.fire("map", &unserializable).is_err());
    socket.emit(("fine", f64::NAN)).expect("sent");
    assert_eq!(client.json().await, json!({ "event": "fine", "data": null }));
    client.settle().await;
    seen.expect_nothing();
}

#[event("flood")]
async fn flood(socket: &Socket, hub: &Hub, count: u32) -> Result<u32, EventError> {
    for number in 0..count {
        match number % 4 {
            0 => socket.emit(("flood", number))?,
            1 => hub.broadcast(("flood", number))?,
            2 => hub.emit_to(socket.id(), ("flood", number))?,
            _ => socket.volatile().within(socket.id()).emit(("flood", number))?,
        }
        if number % 100 == 0 {
            tokio::task::yield_now().await;
        }
    }
    Ok(count)
}

#[tokio::test]
async fn messages_of_one_task_arrive_in_order_across_all_emit_methods() {
    let server = serve(Hub::builder().events(events![flood]).build().expect("a hub")).await;
    let mut client = server.connect("ann").await;
    client.send(json!({ "event": "flood", "data": 2_000, "id": 1 }).to_string()).await;
    let mut next = 0;
    loop {
        let message: Value = client.json().await;
        if message["id"] == 1 {
            break;
        }
        let number = message["data"].as_u64().expect("a number");
        // Only volatile messages may be missing.
        while next != number {
            assert_eq!(next % 4, 3, "{next} is missing");
            next += 1;
        }
        next += 1;
    }
    assert!(next >= 1_999);
}

#[tokio::test]
async fn one_handler_may_emit_ten_thousand_messages_without_yielding() {
    #[event("burst")]
    fn burst(socket: &Socket) -> Result<(), EmitError> {
        (0..10_000).try_for_each(|number| socket.emit(("burst", number)))
    }

    #[event("burst later")]
    async fn burst_later(socket: &Socket) -> Result<(), EmitError> {
        (10_000..20_000).try_for_each(|number| socket.emit(("burst", number)))
    }

    // The client may read the first messages only after the last ones are queued.
    let builder = Hub::builder().events(events![burst, burst_later]).outbox(30_000, 8_000_000);
    let server = serve(builder.build().expect("a hub")).await;
    let mut client = server.connect("ann").await;
    client.send(json!({ "event": "burst", "id": 1 }).to_string()).await;
    client.send(json!({ "event": "burst later", "id": 2 }).to_string()).await;
    for number in 0..10_000 {
        assert_eq!(client.json().await["data"], number);
    }
    assert_eq!(client.json().await, json!({ "id": 1 }));
    for number in 10_000..20_000 {
        assert_eq!(client.json().await["data"], number);
    }
    assert_eq!(client.json().await, json!({ "id": 2 }));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn messages_of_each_task_arrive_in_order_when_many_tasks_emit() {
    let (server, mut seen) = server().await;
    let (mut client, socket) = connected(&server, "ann").await;
    let tasks: Vec<_> = (0..4)
        .map(|task| {
            let socket = socket.clone();
            tokio::spawn(async move {
                for number in 0..3_000_u64 {
                    match number % 3 {
                        0 => socket.emit(("n", task, number)).expect("sent"),
                        1 => socket.hub().broadcast(("n", task, number)).expect("sent"),
                        _ => socket.hub().emit_to(socket.id(), ("n", task, number)).expect("sent"),
                    }
                    if number % 64 == 0 {
                        tokio::task::yield_now().await;
                    }
                }
            })
        })
        .collect();
    let mut next = [0; 4];
    for _ in 0..12_000 {
        let message = client.json().await;
        let task = usize::try_from(message["args"][0].as_u64().expect("a number")).expect("a small number");
        assert_eq!(message["args"][1], next[task]);
        next[task] += 1;
    }
    for task in tasks {
        task.await.expect("no panic");
    }
    seen.expect_nothing();
}
