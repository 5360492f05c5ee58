//! Clients whose connection was cut resume their session, within the bounds of the settings.

use axum::Router;
use serde_json::{Value, json};
use socketio::cluster::{Dialect, EngineTraits, RoomTopics};
use socketio::testing::cluster::SimNet;
use socketio::testing::settle;
use socketio::{
    Disconnect, EmitError, EventError, Hub, HubBuilder, OverflowPolicy, Recovery, RecoveryFailure, RecoveryState,
    Socket, State, event, events,
};
use socketio_tests::cut::{Line, Memory, Packet};
use socketio_tests::{Log, Seen, log};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::advance;

#[event(connect)]
fn connect(socket: &Socket, log: State<Log>) {
    match socket.recovery() {
        RecoveryState::Restored { missed } => log.note(format_args!("restored {missed}")),
        RecoveryState::Failed(reason) => log.note(format_args!("failed {reason:?}")),
        _ => log.note("new"),
    }
}

#[event(disconnect)]
fn disconnect(socket: &Socket, end: Disconnect, log: State<Log>) {
    socket.set_attribute("left", true);
    log.note(format_args!("left: {end}"));
}

/// What is noted when a connection was cut.
const CUT: &str = "left: transport close: the connection was cut";

fn server(recovery: Recovery, change: impl FnOnce(HubBuilder) -> HubBuilder) -> (Hub, Router, Seen) {
    let (log, seen) = log();
    let builder = Hub::builder().state(log).events(events![connect, disconnect]).recovery(recovery);
    let hub = change(builder).build().expect("a hub");
    let app = hub.socketio().into();
    (hub, app, seen)
}

/// Connects, and returns the events that arrive with the connection.
async fn join(app: &Router, memory: &mut Memory) -> (Line, Vec<Value>) {
    let line = Line::open(app, memory, json!({})).await;
    joined(line, memory).await
}

/// Waits until the client is accepted, and returns the events that arrive with the connection.
async fn joined(mut line: Line, memory: &mut Memory) -> (Line, Vec<Value>) {
    let mut events = line.joined(memory).await;
    events.extend(received(&mut line, memory).await);
    (line, events)
}

/// The events that have arrived.
async fn received(line: &mut Line, memory: &mut Memory) -> Vec<Value> {
    settle().await;
    let mut events = Vec::new();
    loop {
        tokio::select! {
            biased;
            count = line.read(4_096) => if count == 0 { break },
            () = tokio::task::yield_now() => break,
        }
    }
    while let Some(packet) = line.next(memory) {
        if let Packet::Event(event) = packet {
            events.push(event.into());
        }
    }
    events
}

#[tokio::test(start_paused = true)]
async fn a_client_that_received_nothing_resumes() {
    let (hub, app, mut seen) = server(Recovery::new(), |builder| builder);
    let mut memory = Memory::default();
    let (line, _) = join(&app, &mut memory).await;
    let (sid, pid) = (memory.sid.clone(), memory.pid.clone());
    let old = hub.socket(&sid).expect("it is connected");
    old.join("room").expect("there is room");
    old.set_attribute("name", "Ann");
    drop(line);
    settle().await;
    assert!(hub.is_empty());
    hub.to("room").emit(("one", 1)).expect("queued");
    hub.emit_to(&sid, ("two", 2)).expect("it is kept");
    old.emit(("three", 3)).expect("it is kept");
    hub.to("elsewhere").emit(("four", 4)).expect("queued");
    old.volatile().emit(("five", 5)).expect_err("it is not kept");
    let (_line, events) = join(&app, &mut memory).await;
    assert_eq!(events, [json!(["one", 1]), json!(["two", 2]), json!(["three", 3])]);
    assert_eq!((&memory.sid, &memory.pid), (&sid, &pid));
    let socket = hub.socket(&sid).expect("it is connected");
    assert!(socket.recovered() && socket.is_in("room") && socket != old);
    assert_eq!(socket.get_string_attribute("name").as_deref(), Some("Ann"));
    assert_eq!(socket.get_bool_attribute("left"), Some(true));
    seen.expect(&["new", CUT, "restored 3"]).await;
    // The old handle reaches the client too.
    old.emit(("six", 6)).expect("queued");
}

#[tokio::test(start_paused = true)]
async fn each_failure_has_its_reason() {
    let time = Duration::from_secs(60);
    let (hub, app, mut seen) = server(Recovery::new().max_disconnection(time).max_packets(10), |builder| builder);
    let mut memory = Memory::default();
    let (mut line, _) = join(&app, &mut memory).await;
    hub.emit(("news", 0)).expect("queued");
    received(&mut line, &mut memory).await;
    let offset = memory.offset.clone().expect("an offset");
    let (epoch, _) = offset.split_once('-').expect("two numbers");
    seen.expect(&["new"]).await;
    let cut = |line: Line| async move {
        drop(line);
        settle().await;
    };
    cut(line).await;
    seen.expect(&[CUT]).await;
    // The session stays: the tries fail for other reasons.
    for (pid, offset, expected) in [
        (memory.pid.clone(), "1-1".to_owned(), RecoveryFailure::Epoch),
        (memory.pid.clone(), format!("{epoch}-2"), RecoveryFailure::Unknown),
        (memory.pid.clone(), "nonsense".to_owned(), RecoveryFailure::Unknown),
        (Some("forged".to_owned()), offset.clone(), RecoveryFailure::Unknown),
    ] {
        let mut forged = Memory { pid, offset: Some(offset), sid: String::new() };
        let (line, _) = join(&app, &mut forged).await;
        assert_ne!(forged.sid, memory.sid);
        cut(line).await;
        seen.expect(&[&format!("failed {expected:?}"), CUT]).await;
    }
    // Everything is still known, until there is one message too many.
    for number in 1..=10 {
        hub.emit(("news", number)).expect("queued");
    }
    let (line, events) = join(&app, &mut memory.clone()).await;
    assert_eq!(events.len(), 10);
    cut(line).await;
    seen.expect(&["restored 10", CUT]).await;
    hub.emit(("news", 11)).expect("queued");
    let (line, events) = join(&app, &mut memory.clone()).await;
    assert_eq!(events.len(), 0);
    seen.expect(&["failed Trimmed"]).await;
    cut(line).await;
    seen.expect(&[CUT]).await;

    let mut memory = Memory::default();
    let (line, _) = join(&app, &mut memory).await;
    cut(line).await;
    seen.expect(&["new", CUT]).await;
    advance(time).await;
    let (line, _) = join(&app, &mut memory.clone()).await;
    seen.expect(&["failed Expired"]).await;
    cut(line).await;
    seen.expect(&[CUT]).await;
    advance(time * 4).await;
    settle().await;
    let _line = join(&app, &mut memory).await;
    seen.expect(&["failed Unknown"]).await;
}

#[tokio::test(start_paused = true)]
async fn an_idle_client_of_a_busy_namespace_resumes() {
    let (hub, app, mut seen) = server(Recovery::new().max_packets(10), |builder| builder);
    let mut memory = Memory::default();
    let (mut line, _) = join(&app, &mut memory).await;
    hub.emit_to(&memory.sid, ("for you",)).expect("queued");
    received(&mut line, &mut memory).await;
    for number in 0..100 {
        hub.to("others").emit(("news", number)).expect("queued");
    }
    drop(line);
    settle().await;
    hub.emit_to(&memory.sid, ("for you", 2)).expect("it is kept");
    let (_line, events) = join(&app, &mut memory).await;
    assert_eq!(events, [json!(["for you", 2])]);
    seen.expect(&["new", CUT, "restored 1"]).await;
}

#[tokio::test(start_paused = true)]
async fn the_outbox_bounds_what_can_be_missed() {
    let (hub, app, mut seen) = server(Recovery::new(), |builder| builder.outbox(10, 100_000));
    let mut memory = Memory::default();
    let (line, _) = join(&app, &mut memory).await;
    drop(line);
    settle().await;
    for number in 0..10 {
        hub.emit(("news", number)).expect("queued");
    }
    let (line, events) = join(&app, &mut memory).await;
    assert_eq!(events.len(), 10);
    drop(line);
    settle().await;
    for number in 0..11 {
        hub.emit(("news", number)).expect("queued");
    }
    let (_line, events) = join(&app, &mut memory).await;
    assert_eq!(events.len(), 0);
    seen.expect(&["new", CUT, "restored 10", CUT, "failed Trimmed"]).await;
}

#[tokio::test(start_paused = true)]
async fn the_oldest_sessions_are_dropped_first() {
    let (_hub, app, mut seen) = server(Recovery::new().max_sessions(2), |builder| builder);
    let mut clients = Vec::new();
    for _ in 0..3 {
        let mut memory = Memory::default();
        let (line, _) = join(&app, &mut memory).await;
        clients.push((memory, line));
    }
    let mut memories = Vec::new();
    for (memory, line) in clients {
        drop(line);
        settle().await;
        memories.push(memory);
    }
    seen.expect(&["new", "new", "new", CUT, CUT, CUT]).await;
    let mut lines = Vec::new();
    for mut memory in memories {
        lines.push(join(&app, &mut memory).await);
    }
    seen.expect(&["failed Unknown", "restored 0", "restored 0"]).await;
}

#[tokio::test(start_paused = true)]
async fn a_message_that_was_dropped_for_a_slow_client_ends_its_session() {
    let (hub, app, mut seen) =
        server(Recovery::new(), |builder| builder.outbox(4, 100_000).overflow(OverflowPolicy::DropNewest));
    let mut memory = Memory::default();
    let (line, _) = join(&app, &mut memory).await;
    for number in 0..10 {
        hub.emit(("news", number)).expect("queued");
    }
    drop(line);
    settle().await;
    let _line = join(&app, &mut memory).await;
    seen.expect(&["new", CUT, "failed Unknown"]).await;
}

#[tokio::test(start_paused = true)]
async fn ends_on_purpose_are_final() {
    for (how, expected) in [("disconnect", false), ("close", false), ("leave", false), ("cut", true)] {
        let (hub, app, _seen) = server(Recovery::new(), |builder| builder);
        let mut memory = Memory::default();
        let (mut line, _) = join(&app, &mut memory).await;
        let socket = hub.socket(&memory.sid).expect("it is connected");
        match how {
            "disconnect" => socket.disconnect(),
            "close" => socket.close(),
            "leave" => line.send("41").await,
            _ => {}
        }
        settle().await;
        drop(line);
        settle().await;
        assert_eq!(socket.emit(("late",)).is_ok(), expected, "{how}");
        let sid = memory.sid.clone();
        let _line = join(&app, &mut memory).await;
        assert_eq!(memory.sid == sid, expected, "{how}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_dynamic_namespace_waits_for_its_clients() {
    let (hub, app, _seen) = server(Recovery::new().max_disconnection(Duration::from_secs(60)), |builder| {
        builder.namespace("/room-{id}", |room| room)
    });
    let memory = Memory::default();
    let mut line = Line::open(&app, &memory, json!({})).await;
    line.send("40/room-1,").await;
    settle().await;
    assert_eq!(hub.namespaces(), ["/", "/room-1"]);
    drop(line);
    settle().await;
    assert_eq!(hub.namespaces(), ["/", "/room-1"]);
    advance(Duration::from_secs(200)).await;
    settle().await;
    assert_eq!(hub.namespaces(), ["/"]);
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_does_not_wait_for_clients_that_are_cut_off() {
    let (hub, app, _seen) = server(Recovery::new(), |builder| builder.namespace("/room-{id}", |room| room));
    let mut line = Line::open(&app, &Memory::default(), json!({})).await;
    line.send("40/room-1,").await;
    settle().await;
    drop(line);
    settle().await;
    hub.shutdown(Duration::from_secs(10)).await;
    assert_eq!(hub.namespaces(), ["/"]);
}

#[tokio::test(start_paused = true)]
async fn one_of_two_clients_with_the_same_token_stays() {
    let (hub, app, mut seen) = server(Recovery::new(), |builder| builder);
    let mut memory = Memory::default();
    let (line, _) = join(&app, &mut memory).await;
    drop(line);
    settle().await;
    let (mut first, _) = join(&app, &mut memory.clone()).await;
    let (mut second, _) = join(&app, &mut memory).await;
    assert_eq!(hub.len(), 1);
    hub.emit(("news", 1)).expect("queued");
    assert_eq!(received(&mut second, &mut memory).await, [json!(["news", 1])]);
    assert_eq!(received(&mut first, &mut memory.clone()).await, [] as [Value; 0]);
    let replaced = "left: transport error: the client has connected again";
    seen.expect(&["new", CUT, "restored 0", replaced, "restored 0"]).await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_is_cut_off_before_it_is_accepted_resumes() {
    let gate = Arc::new(Semaphore::new(1));
    let (hub, app, mut seen) = server(Recovery::new(), |builder| {
        let gate = Arc::clone(&gate);
        builder.middleware(move |_socket: Socket| {
            let gate = Arc::clone(&gate);
            async move {
                gate.acquire().await.expect("it is open").forget();
                Ok::<_, EventError>(())
            }
        })
    });
    let mut memory = Memory::default();
    let (line, _) = join(&app, &mut memory).await;
    let sid = memory.sid.clone();
    hub.socket(&sid).expect("it is connected").join("room").expect("there is room");
    drop(line);
    settle().await;
    hub.to("room").emit(("one", 1)).expect("queued");
    let waiting = Line::open(&app, &memory, json!({})).await;
    settle().await;
    hub.to("room").emit(("two", 2)).expect("queued");
    drop(waiting);
    settle().await;
    hub.to("room").emit(("three", 3)).expect("queued");
    let line = Line::open(&app, &memory, json!({})).await;
    settle().await;
    gate.add_permits(2);
    let (_line, events) = joined(line, &mut memory).await;
    assert_eq!(events, [json!(["one", 1]), json!(["two", 2]), json!(["three", 3])]);
    assert_eq!((memory.sid, hub.len()), (sid, 1));
    // The `connect` handler of the socket in between ran when it was let in.
    seen.expect(&["new", CUT, "restored 1", CUT, "restored 3"]).await;
}

#[tokio::test(start_paused = true)]
async fn nothing_is_kept_without_the_setting() {
    let hub = Hub::builder().build().expect("a hub");
    let app: Router = hub.socketio().into();
    let mut memory = Memory { pid: Some("foo".into()), offset: Some("bar".into()), sid: String::new() };
    let (line, _) = join(&app, &mut memory).await;
    assert_eq!(memory.pid, None);
    let socket = hub.socket(&memory.sid).expect("it is connected");
    assert_eq!(socket.recovery(), RecoveryState::New);
    drop(line);
    settle().await;
    assert!(matches!(hub.emit_to(&memory.sid, ("late",)), Err(EmitError::NotFound(_))));
    assert!(matches!(socket.emit(("late",)), Err(EmitError::Closed)));
}

#[tokio::test(start_paused = true)]
async fn listeners_for_outgoing_messages_are_called_once() -> Result<(), EventError> {
    let (hub, app, mut seen) = server(Recovery::new(), |builder| builder);
    let mut memory = Memory::default();
    let (mut line, _) = join(&app, &mut memory).await;
    let (log, mut outgoing) = log();
    let inner = hub.clone();
    hub.socket(&memory.sid).expect("it is connected").on_any_outgoing(move |name, args| {
        log.note(format_args!("{name} {}", args.json()));
        // It may emit.
        inner.emit(("echo",)).expect("queued");
    });
    hub.emit(("news", 1))?;
    outgoing.expect(&["news 1"]).await;
    outgoing.expect_nothing();
    assert_eq!(received(&mut line, &mut memory).await.len(), 2);
    seen.expect(&["new"]).await;
    Ok(())
}

#[test]
fn settings_are_checked() {
    let recovery = Recovery::new().max_bytes(0).max_packets(0).max_sessions(0).max_disconnection(Duration::ZERO);
    let error = Hub::builder().recovery(recovery).build().expect_err("zeros");
    let text = error.to_string();
    for setting in ["max_bytes", "max_packets", "max_sessions", "max_disconnection"] {
        assert!(text.contains(&format!("recovery.{setting}")), "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn messages_of_other_servers_are_kept() {
    for dialect in [Dialect::Classic, Dialect::Messages] {
        let net = SimNet::seeded(1);
        let traits = EngineTraits::new(dialect);
        let (hub, app, mut seen) = server(Recovery::new(), |builder| builder.cluster(net.engine_with("a", traits)));
        let other = Hub::builder().cluster(net.engine_with("b", traits)).build().expect("a hub");
        for hub in [&hub, &other] {
            hub.ready(Duration::from_secs(10)).await.expect("it is connected");
        }
        let mut memory = Memory::default();
        let (line, _) = join(&app, &mut memory).await;
        hub.socket(&memory.sid).expect("it is connected").join("room").expect("there is room");
        drop(line);
        settle().await;
        other.to("room").emit(("one", 1)).expect("queued");
        other.emit(("two", 2)).expect("queued");
        other.emit_to(&memory.sid, ("three", 3)).expect("queued");
        hub.emit_to(&memory.sid, ("four", 4)).expect("kept");
        other.to("elsewhere").emit(("five", 5)).expect("queued");
        settle().await;
        let (_line, events) = join(&app, &mut memory).await;
        let expected = [json!(["one", 1]), json!(["two", 2]), json!(["four", 4]), json!(["three", 3])];
        for event in &expected {
            assert!(events.contains(event), "{dialect:?}: {event} is not among {events:?}");
        }
        assert_eq!(events.len(), expected.len(), "{dialect:?}");
        seen.expect(&["new", CUT, "restored 4"]).await;
    }
}

#[test]
fn engines_that_subscribe_to_each_room_are_refused() {
    let traits = EngineTraits::new(Dialect::Messages).rooms(RoomTopics::Dynamic);
    let engine = SimNet::seeded(1).engine_with("a", traits);
    let error = Hub::builder().cluster(engine).recovery(Recovery::new()).build().expect_err("it would miss messages");
    assert!(error.to_string().contains("recovery"), "{error}");
}
