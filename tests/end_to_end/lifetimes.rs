//! What keeps a connection, a socket or a handler alive, and what ends it.

use serde_json::{Value, json};
use socketio::{Ack, AckError, Disconnect, EventError, Hub, HubBuilder, Socket, State, event, events};
use socketio_tests::{Client, Gate, Log, Seen, Server, log, serve, soon};
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

#[event("short", timeout = "3s")]
async fn short(log: State<Log>, gate: State<Gate>) -> &'static str {
    hold(log, gate).await
}

#[event("short beside", concurrent, timeout = "3s")]
async fn short_beside(log: State<Log>, gate: State<Gate>) -> &'static str {
    hold(log, gate).await
}

#[event("patient", timeout = "none")]
async fn patient(log: State<Log>, gate: State<Gate>) -> &'static str {
    hold(log, gate).await
}

#[event("takes ack")]
async fn takes_ack(ack: Ack, log: State<Log>, gate: State<Gate>) {
    ack.send("first").expect("sent");
    hold(log, gate).await;
}

#[event(error)]
fn error(error: EventError, log: State<Log>) {
    log.note(format_args!("error: {} in {}", error.code(), error.event().unwrap_or_default()));
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
    let table = events![
        join,
        hold,
        beside,
        quick,
        ask_ann,
        short,
        short_beside,
        patient,
        takes_ack,
        error,
        disconnecting,
        disconnect
    ];
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
    let step = Duration::from_secs(20).min(span);
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

/// Lets time pass while the server runs.
async fn pass(span: Duration) {
    passes(span, || false).await;
}

const SECOND: Duration = Duration::from_secs(1);

fn asking(event: &str, id: u32) -> String {
    json!({ "event": event, "id": id }).to_string()
}

fn timed_out(id: u32) -> Value {
    json!({ "id": id, "error": { "code": "timeout", "message": "the handler took too long" } })
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
    let (builder, gate, mut seen) = builder();
    let server = serve(builder.inbox(4, 1_000).build().expect("a hub")).await;
    let (mut client, _socket) = connected(&server, "ann").await;
    client.emit("hold", ()).await;
    seen.expect(&["holding"]).await;
    for number in 0..100 {
        client.emit("quick", number).await;
    }
    let hub = server.hub.clone();
    assert!(!passes(Duration::from_secs(200), || hub.is_empty()).await, "a pause of some minutes is no reason");
    assert!(passes(30 * DAY, || hub.is_empty()).await, "the client is connected after 30 days");
    drop(client);
    gate.open();
    seen.expect(&["held", "disconnecting, rooms: [\"ann\"]"]).await;
    seen.expect(&["ping timeout: its events waited too long, rooms: []"]).await;
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
}

#[tokio::test]
async fn a_handler_beyond_its_timeout_is_dropped_and_answered() {
    for (event, seconds) in [("hold", 5), ("beside", 5), ("short", 3), ("short beside", 3)] {
        let (builder, _gate, mut seen) = builder();
        let server = serve(builder.handler_timeout(5 * SECOND).build().expect("a hub")).await;
        let (mut client, _socket) = connected(&server, "ann").await;
        client.send(asking(event, 1)).await;
        seen.expect(&["holding"]).await;
        client.heard().await;
        pass((seconds - 1) * SECOND).await;
        seen.expect_nothing();
        pass(SECOND).await;
        assert_eq!(client.json().await, timed_out(1), "{event}");
        seen.expect(&[&format!("error: timeout in {event}")]).await;
        assert_eq!(client.ask("quick", 2).await["data"], 2);
    }
}

#[tokio::test]
async fn the_timeout_of_one_concurrent_handler_leaves_the_others_alone() {
    let (builder, gate, mut seen) = builder();
    let server = serve(builder.build().expect("a hub")).await;
    let (mut client, _socket) = connected(&server, "ann").await;
    for (at, event) in ["beside", "short beside", "beside"].into_iter().enumerate() {
        client.send(asking(event, at as u32)).await;
        seen.expect(&["holding"]).await;
    }
    pass(5 * SECOND).await;
    assert_eq!(client.json().await, timed_out(1));
    seen.expect(&["error: timeout in short beside"]).await;
    // The gate still counts the permit of the one that was dropped.
    gate.open_for(2);
    let mut answers = [client.json().await, client.json().await];
    answers.sort_by_key(|answer| answer["id"].as_u64());
    assert_eq!(answers, [json!({ "id": 0, "data": "held" }), json!({ "id": 2, "data": "held" })]);
}

#[tokio::test]
async fn handlers_have_no_timeout_by_default_and_with_none() {
    for (event, timeout) in [("hold", None), ("beside", None), ("patient", Some(SECOND))] {
        let (builder, gate, mut seen) = builder();
        let beat = 365 * DAY;
        let builder = builder.ping_interval(beat);
        let builder = match timeout {
            Some(timeout) => builder.handler_timeout(timeout),
            None => builder,
        };
        let server = serve(builder.build().expect("a hub")).await;
        let (mut client, _socket) = connected(&server, "ann").await;
        client.send(asking(event, 1)).await;
        seen.expect(&["holding"]).await;
        pass(DAY).await;
        gate.open();
        assert_eq!(client.json().await, json!({ "id": 1, "data": "held" }), "{event}");
    }
}

#[tokio::test]
async fn a_handler_that_has_answered_is_dropped_without_another_answer() {
    let (builder, _gate, mut seen) = builder();
    let server = serve(builder.handler_timeout(SECOND).build().expect("a hub")).await;
    let (mut client, _socket) = connected(&server, "ann").await;
    client.send(asking("takes ack", 1)).await;
    assert_eq!(client.json().await, json!({ "id": 1, "data": "first" }));
    seen.expect(&["holding"]).await;
    pass(SECOND).await;
    seen.expect(&["error: timeout in takes ack"]).await;
    assert_eq!(client.ask("quick", 2).await["data"], 2);
}

#[tokio::test]
async fn listeners_and_middleware_share_the_timeout_of_their_event() {
    let ((log, mut seen), (hung, gate)) = (log(), (Gate::default(), Gate::default()));
    let builder = Hub::builder().state(log.clone()).state(gate).events(events![quick, patient, error]);
    let (stuck, noted) = (hung.clone(), log.clone());
    let builder = builder.event_middleware(move |event, next| {
        let (stuck, noted) = (stuck.clone(), noted.clone());
        async move {
            if event.name() == "stuck in middleware" || event.name() == "patient" {
                noted.note("stuck");
                stuck.pass().await;
            }
            next.run(event).await
        }
    });
    let server = serve(builder.handler_timeout(2 * SECOND).build().expect("a hub")).await;
    let (stuck, noted) = (hung.clone(), log.clone());
    server.hub.on("quick", move |_| {
        let (stuck, noted) = (stuck.clone(), noted.clone());
        async move {
            noted.note("stuck");
            stuck.pass().await;
        }
    });
    let mut client = server.connect("ann").await;
    let noted = log.clone();
    server.hub.on("quick", move |_| noted.note("not called"));
    client.send(asking("stuck in middleware", 1)).await;
    seen.expect(&["stuck"]).await;
    pass(2 * SECOND).await;
    assert_eq!(client.json().await, timed_out(1));
    seen.expect(&["error: timeout in stuck in middleware"]).await;
    // The handler has answered before the listener is dropped.
    client.send(json!({ "event": "quick", "data": 2, "id": 2 }).to_string()).await;
    seen.expect(&["stuck"]).await;
    assert_eq!(client.json().await, json!({ "id": 2, "data": 2 }));
    pass(2 * SECOND).await;
    seen.expect(&["error: timeout in quick"]).await;
    client.send(asking("patient", 3)).await;
    seen.expect(&["stuck"]).await;
    pass(60 * SECOND).await;
    seen.expect_nothing();
}

#[event("fail")]
fn fail() -> Result<(), &'static str> {
    Err("no")
}

#[event(error, timeout = "4s")]
async fn hung_error(log: State<Log>, gate: State<Gate>) {
    log.note("error");
    gate.pass().await;
}

#[event(disconnecting)]
async fn hung_disconnecting(log: State<Log>, gate: State<Gate>) {
    log.note("disconnecting");
    gate.pass().await;
}

#[event(disconnect)]
async fn hung_disconnect(log: State<Log>, gate: State<Gate>) {
    log.note("disconnect");
    gate.pass().await;
}

#[tokio::test]
async fn handlers_of_lifecycle_events_have_the_timeout_too() {
    let ((log, mut seen), gate) = (log(), Gate::default());
    let table = events![quick, fail, hung_error, hung_disconnecting, hung_disconnect];
    let builder = Hub::builder().state(log).state(gate).events(table).handler_timeout(2 * SECOND);
    let server = serve(builder.build().expect("a hub")).await;
    let mut client = server.connect("ann").await;
    client.emit("fail", ()).await;
    seen.expect(&["error"]).await;
    client.send(json!({ "event": "quick", "data": 2, "id": 2 }).to_string()).await;
    client.heard().await;
    pass(4 * SECOND).await;
    assert_eq!(client.json().await, json!({ "id": 2, "data": 2 }));
    client.close(1000, "").await;
    seen.expect(&["disconnecting"]).await;
    pass(2 * SECOND).await;
    seen.expect(&["disconnect"]).await;
    pass(2 * SECOND).await;
    // Errors of the end fire after it.
    for _ in 0..2 {
        seen.expect(&["error"]).await;
        pass(4 * SECOND).await;
    }
    soon("end of the connection", async {
        while server.hub.stats().connections > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_timeout_ends_the_hung_handler_of_a_client_that_is_gone() {
    for event in ["hold", "beside"] {
        let (builder, _gate, mut seen) = builder();
        let server = serve(builder.handler_timeout(10 * SECOND).build().expect("a hub")).await;
        let (mut client, socket) = connected(&server, "ann").await;
        client.emit(event, ()).await;
        seen.expect(&["holding"]).await;
        client.close(1000, "").await;
        soon("end", socket.closed()).await;
        pass(10 * SECOND).await;
        seen.expect(&[&format!("error: timeout in {event}"), "disconnecting, rooms: [\"ann\"]"]).await;
        assert!(seen.next().await.starts_with("transport close"));
        soon("end of the connection", async {
            while server.hub.stats().connections > 0 {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }
}
