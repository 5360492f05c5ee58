//! Limits: what happens beyond them, and how to set them; and how a hub shuts down.

use futures_util::SinkExt;
use serde_json::json;
use socketio::{
    BuildProblem, Disconnect, EmitError, EventError, Hub, HubBuilder, OverflowPolicy, Socket, State, Text, event,
    events,
};
use socketio_tests::{Client, Gate, Log, Seen, Server, flavour, log, serve, soon};
use std::time::Duration;
use tokio_tungstenite::tungstenite::Message;

#[event("wait")]
async fn wait(socket: &Socket, log: State<Log>, gate: State<Gate>) -> &'static str {
    log.note("waiting");
    gate.pass().await;
    let sent = socket.send("from the handler").is_ok();
    log.note(format_args!("waited, alive: {sent}"));
    "done"
}

#[event("forever")]
async fn forever(log: State<Log>) {
    /// Logs a line when the future that holds it is dropped.
    struct Dropped(Log);
    impl Drop for Dropped {
        fn drop(&mut self) {
            self.0.note("dropped");
        }
    }
    let _dropped = Dropped((*log).clone());
    log.note("waiting");
    std::future::pending::<()>().await;
}

#[event(close)]
fn close(log: State<Log>) {
    log.note("close");
}

#[event(disconnect)]
fn disconnect(end: Disconnect, log: State<Log>) {
    let code = end.code().unwrap_or_default();
    log.note(format_args!("disconnect: {} {code} {}", end.reason(), end.is_clean()));
}

#[event(error)]
fn error(error: EventError, log: State<Log>) {
    log.note(format_args!("error: {}", error.code()));
}

fn hub() -> (HubBuilder, Gate, Seen) {
    let ((log, seen), gate) = (log(), Gate::default());
    let builder = Hub::builder().state(log).state(gate.clone());
    (builder.events(events![wait, forever, close, disconnect, error]), gate, seen)
}

async fn connected(server: &Server, name: &str) -> (Client, Socket) {
    let mut client = server.connect(name).await;
    client.settle().await;
    let found = server.hub.sockets().into_iter().find(|socket| socket.params("id") == Some(name));
    (client, found.expect("a connected socket"))
}

/// Emits until the outbox is full, and returns the number of accepted messages.
async fn fill(socket: &Socket) -> usize {
    let large = "x".repeat(100_000);
    for taken in 0..10_000 {
        match socket.emit(("large", taken, &large)) {
            Ok(()) => tokio::task::yield_now().await,
            Err(EmitError::Overflow) => return taken,
            Err(error) => panic!("{error}"),
        }
    }
    panic!("there is no limit");
}

#[tokio::test]
async fn a_client_that_does_not_read_is_disconnected() {
    let (builder, _gate, mut seen) = hub();
    let builder = builder.outbox(100, 1_000_000).close_timeout(Duration::from_millis(50));
    let server = serve(builder.build().expect("a hub")).await;
    let ((_slow, socket), (mut other, _)) = (connected(&server, "slow").await, connected(&server, "other").await);
    fill(&socket).await;
    assert!(!socket.is_alive());
    assert!(matches!(socket.send("more"), Err(EmitError::Closed)));
    seen.expect(&["disconnect: overflow 1013 false", "error: overflow"]).await;
    server.hub.broadcast(Text("others go on")).expect("sent");
    assert_eq!(other.text().await, "others go on");
    assert_eq!((server.hub.len(), server.hub.stats().overflows), (1, 1));
}

#[tokio::test]
async fn a_slow_client_receives_its_outbox_and_the_close_code() {
    let (builder, _gate, mut seen) = hub();
    let server = serve(builder.outbox(100, 1_000_000).build().expect("a hub")).await;
    let (mut client, socket) = connected(&server, "slow").await;
    let taken = fill(&socket).await;
    for number in 0..taken {
        assert_eq!(client.json().await["args"][0], number);
    }
    assert_eq!(client.closed().await, flavour().told(1013, "overflow"));
    seen.expect(&["disconnect: overflow 1013 false", "error: overflow"]).await;
}

#[tokio::test]
async fn drop_newest_keeps_the_connection_and_reports_the_overflow_once() {
    let (builder, _gate, mut seen) = hub();
    let builder = builder.outbox(100, 1_000_000).overflow(OverflowPolicy::DropNewest);
    let server = serve(builder.build().expect("a hub")).await;
    let (mut client, socket) = connected(&server, "slow").await;
    for round in 1..=2 {
        let taken = fill(&socket).await;
        for _ in 0..10 {
            assert!(matches!(socket.send("x".repeat(100_000)), Err(EmitError::Overflow)));
        }
        server.hub.broadcast(Text("x".repeat(100_000))).expect("broadcasts do not fail");
        socket.volatile().send("x".repeat(100_000)).expect("dropped without an error");
        seen.expect(&["error: overflow"]).await;
        assert_eq!(server.hub.stats().overflows, round);
        assert!(socket.is_alive());
        for number in 0..taken {
            assert_eq!(client.json().await["args"][0], number);
        }
        client.settle().await;
    }
    seen.expect_nothing();
    client.close(1000, "").await;
    seen.expect(&[&format!("disconnect: transport close {} true", flavour().left(1000, "").0)]).await;
}

#[tokio::test]
async fn the_outbox_is_limited_in_messages() {
    let (builder, _gate, mut seen) = hub();
    let builder = builder.outbox(100, usize::MAX).overflow(OverflowPolicy::DropNewest);
    let server = serve(builder.build().expect("a hub")).await;
    let (mut client, socket) = connected(&server, "slow").await;
    // This exceeds the kernel's buffers.
    socket.send("x".repeat(7_000_000)).expect("queued");
    let taken = (0..1_000).take_while(|number| socket.emit(("small", number)).is_ok()).count();
    assert_eq!((taken, server.hub.stats().overflows), (99, 1));
    seen.expect(&["error: overflow"]).await;
    assert_eq!(client.text().await.len(), 7_000_000);
    for number in 0..99 {
        assert_eq!(client.json().await, json!({ "event": "small", "data": number }));
    }
    client.settle().await;
    socket.send("again").expect("there is room");
    assert_eq!(client.text().await, "again");
    seen.expect_nothing();
}

#[tokio::test]
async fn volatile_messages_are_dropped_for_a_client_that_does_not_read() {
    let (builder, _gate, mut seen) = hub();
    let server = serve(builder.build().expect("a hub")).await;
    let (mut client, socket) = connected(&server, "slow").await;
    // This exceeds the kernel's buffers, but fits into the outbox.
    let large = "x".repeat(7_000_000);
    socket.emit(("large", &large)).expect("queued");
    let mut dropped = 0;
    for number in 0..1_000 {
        socket.volatile().emit(("volatile", number)).expect("no error");
        tokio::task::yield_now().await;
        dropped = number;
    }
    socket.emit(("end",)).expect("queued");
    assert_eq!(client.json().await["event"], "large");
    let mut received = 0;
    while client.json().await["event"] == "volatile" {
        received += 1;
    }
    assert!(received < dropped, "{received} of {dropped}");
    seen.expect_nothing();
}

#[tokio::test]
async fn connections_beyond_max_connections_are_refused() {
    let (builder, _gate, mut seen) = hub();
    let server = serve(builder.max_connections(2).build().expect("a hub")).await;
    let ((mut ann, _), (_bob, _)) = (connected(&server, "ann").await, connected(&server, "bob").await);
    assert_eq!(server.refusal("/ws/carl").await, 503);
    ann.close(1000, "").await;
    seen.expect(&[&format!("disconnect: transport close {} true", flavour().left(1000, "").0)]).await;
    assert!(ann.closed().await.is_some());
    soon("place", async {
        while server.hub.stats().connections == 2 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    connected(&server, "carl").await;
}

#[tokio::test]
async fn reading_pauses_when_the_inbox_is_full_and_no_event_is_lost() {
    let (builder, gate, mut seen) = hub();
    let server = serve(builder.inbox(4, 1_000).build().expect("a hub")).await;
    let (client, _socket) = connected(&server, "ann").await;
    let (mut sink, mut stream) = futures_util::StreamExt::split(client.0);
    let large = json!({ "event": "wait", "data": "x".repeat(100_000), "id": 1 }).to_string();
    let sending = tokio::spawn(async move {
        for _ in 0..200 {
            SinkExt::send(&mut sink, Message::text(large.clone())).await.expect("sent");
        }
        sink
    });
    seen.expect(&["waiting"]).await;
    // The events exceed the kernel's buffers, so the client can't finish before the handler. A
    // polling client sends requests one by one and does not block.
    assert!(flavour().polls() || !sending.is_finished());
    gate.open_for(200);
    for _ in 0..200 {
        let mut message = String::new();
        while !message.contains("done") {
            let next = soon("message", futures_util::StreamExt::next(&mut stream)).await.expect("a message");
            message = next.expect("a message").to_text().expect("text").to_owned();
        }
    }
    drop(sending.await.expect("all is sent"));
}

#[tokio::test]
async fn a_shutdown_closes_all_connections_and_drops_handlers_at_the_deadline() {
    let (builder, gate, mut seen) = hub();
    let server = serve(builder.build().expect("a hub")).await;
    let (mut idle, socket) = connected(&server, "idle").await;
    let mut busy = server.connect("busy").await;
    busy.emit("wait", 1).await;
    let mut stuck = server.connect("stuck").await;
    seen.expect(&["waiting"]).await;
    stuck.emit("forever", 1).await;
    seen.expect(&["waiting"]).await;
    socket.send("queued before").expect("queued");
    let hub = server.hub.clone();
    let shutdown = tokio::spawn(async move { hub.shutdown(Duration::from_millis(500)).await });
    assert_eq!(idle.text().await, "queued before");
    assert_eq!(idle.closed().await, flavour().told(1001, "server shutting down"));
    seen.expect(&["close", "disconnect: server shutting down 1001 true"]).await;
    assert_eq!(server.refusal("/ws/late").await, 503);
    gate.open();
    let reading = tokio::spawn(async move { (busy.closed().await, stuck.closed().await) });
    assert!(seen.next().await.starts_with("waited"));
    seen.expect(&["close", "disconnect: server shutting down 1001 true"]).await;
    seen.expect(&["dropped", "close", "disconnect: server shutting down 1001 true"]).await;
    soon("end of the shutdown", shutdown).await.expect("no panic");
    assert_eq!((server.hub.len(), server.hub.stats().connections), (0, 0));
    seen.expect_nothing();
    let told = flavour().told(1001, "server shutting down");
    assert_eq!(reading.await.expect("no panic"), (told.clone(), told));
}

#[tokio::test]
async fn acks_sent_by_handlers_during_a_shutdown_arrive() {
    let (builder, gate, mut seen) = hub();
    let server = serve(builder.build().expect("a hub")).await;
    let mut client = server.connect("ann").await;
    // Both events go out in one write, so that the server has both before it handles the first.
    client.0.feed(Message::text(r#"{"event":"wait","id":1}"#)).await.expect("taken");
    client.send(r#"{"event":"wait","id":2}"#).await;
    seen.expect(&["waiting"]).await;
    let hub = server.hub.clone();
    let shutdown = tokio::spawn(async move { hub.shutdown(Duration::from_secs(60)).await });
    assert_eq!(server.refusal_soon("/ws/late").await, 503);
    // The waiting event is dropped, and its ack is `unanswered`.
    assert_eq!(client.json().await["error"]["code"], "unanswered");
    gate.open_for(2);
    assert_eq!(client.text().await, "from the handler");
    assert_eq!(client.json().await, json!({ "id": 1, "data": "done" }));
    assert_eq!(client.closed().await, flavour().told(1001, "server shutting down"));
    seen.expect(&["waited, alive: true", "close", "disconnect: server shutting down 1001 true"]).await;
    soon("end of the shutdown", shutdown).await.expect("no panic");
    seen.expect_nothing();
}

mod no_clients {
    use super::*;

    #[test]
    fn build_fails_on_duplicate_events_and_missing_state() {
        #[event("wait")]
        fn second() {}
        #[event(error)]
        fn second_error() {}
        let built =
            Hub::builder().state(log().0).state(Gate::default()).events(events![wait]).events(events![second]).build();
        let duplicate = BuildProblem::DuplicateEvent { event: "wait", namespace: "/".into() };
        assert_eq!(built.expect_err("two handlers").problems(), [duplicate]);
        let built = Hub::builder().state(log().0).events(events![error]).events(events![second_error]).build();
        let duplicate = built.expect_err("two handlers").to_string();
        assert!(duplicate.contains("`error`") && duplicate.contains("`/`"), "{duplicate}");
        let missing = Hub::builder().state(log().0).events(events![wait]).build().expect_err("no gate");
        assert!(matches!(missing.problems(), [BuildProblem::MissingState { event: "wait", .. }]));
        assert!(missing.to_string().contains("`wait`") && missing.to_string().contains("Gate"), "{missing}");
        let apart = |hub: HubBuilder| {
            hub.namespace("/a", |a| a.events(events![second])).namespace("/b", |b| b.events(events![second]))
        };
        apart(Hub::builder()).build().expect("the same event in two namespaces");
    }
}
