//! Clients whose connection was cut resume their session at any server of a cluster whose engine
//! has a log.

use axum::Router;
use serde_json::{Value, json};
use socketio::cluster::{Dialect, EngineTraits};
use socketio::testing::cluster::SimNet;
use socketio::testing::settle;
use socketio::{
    DeliveryError, Disconnect, Drain, Hub, Persist, Recovery, RecoveryFailure, RecoveryState, Socket, State, event,
    events,
};
use socketio_tests::cut::{Line, Memory, Packet};
use socketio_tests::{Log, Seen, log};
use std::time::Duration;
use tokio::time::sleep;

#[event(connect)]
fn connect(socket: &Socket, log: State<Log>) {
    match socket.recovery() {
        RecoveryState::Restored { missed } => log.note(format_args!("restored {missed}")),
        RecoveryState::Failed(reason) => log.note(format_args!("failed {reason:?}")),
        _ => log.note("new"),
    }
}

#[event(disconnect)]
fn disconnect(end: Disconnect, log: State<Log>) {
    log.note(format_args!("left: {end}"));
}

struct Server {
    hub: Hub,
    app: Router,
    seen: Seen,
}

async fn server(net: &SimNet, name: &str, recovery: Recovery) -> Server {
    let (log, seen) = log();
    let engine = net.engine_with(name, EngineTraits::new(Dialect::Streams));
    let builder = Hub::builder().state(log).events(events![connect, disconnect]).recovery(recovery).cluster(engine);
    let hub = builder.build().expect("a hub");
    hub.ready(Duration::from_secs(10)).await.expect("the network is up");
    let app = hub.socketio().into();
    Server { hub, app, seen }
}

async fn pair(net: &SimNet, recovery: &Recovery) -> (Server, Server) {
    (server(net, "one", recovery.clone()).await, server(net, "two", recovery.clone()).await)
}

/// Waits until what was emitted has arrived everywhere.
async fn delivered() {
    for _ in 0..20 {
        settle().await;
        sleep(Duration::from_millis(5)).await;
    }
}

/// Connects, and returns the events that arrive with the connection.
async fn join(server: &Server, memory: &mut Memory) -> (Line, Vec<Value>) {
    let mut line = Line::open(&server.app, memory, json!({})).await;
    let mut events = line.joined(memory).await;
    events.extend(received(&mut line, memory).await);
    (line, events)
}

/// The events that have arrived, and whether the connection is open.
async fn received(line: &mut Line, memory: &mut Memory) -> Vec<Value> {
    delivered().await;
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

/// The packets that have arrived and are no events.
async fn others(line: &mut Line, memory: &mut Memory) -> Vec<String> {
    delivered().await;
    assert!(line.read(4_096).await > 0);
    let mut others = Vec::new();
    while let Some(packet) = line.next(memory) {
        if let Packet::Other(text) = packet {
            others.push(text);
        }
    }
    others
}

#[tokio::test(start_paused = true)]
async fn reliable_events_move_with_the_session() {
    for persist in [Persist::AtEnd, Persist::Eager] {
        let net = SimNet::seeded(7);
        let (one, two) = pair(&net, &Recovery::new().persist(persist)).await;
        let mut memory = Memory::default();
        let (mut line, _) = join(&one, &mut memory).await;
        let socket = one.hub.socket(&memory.sid).expect("it is connected");
        let mut delivery = Box::pin(socket.reliable().emit(("order", 7)).expect("queued").into_future());
        let first = others(&mut line, &mut memory).await;
        assert!(first[0].starts_with("42") && first[0].contains(r#"["order",7,""#), "{first:?}");
        sleep(Duration::from_secs(1)).await;
        if persist == Persist::Eager {
            // The server crashes.
            net.isolate("one");
            std::mem::forget((one, line));
        } else {
            drop(line);
            assert!(matches!(delivery.as_mut().await, Err(DeliveryError::Moved)));
            std::mem::forget(one);
        }
        delivered().await;
        let mut line = Line::open(&two.app, &memory, json!({})).await;
        // The second server waits for the first.
        sleep(Duration::from_secs(1)).await;
        let packets = others(&mut line, &mut memory).await;
        let again = packets.iter().find(|packet| packet.contains("order")).expect("it is sent again");
        let id = |packet: &str| packet.rsplit('"').nth(1).map(str::to_owned);
        assert_eq!(id(again), id(&first[0]), "{persist:?}");
        // It is acked, and not sent again.
        let ack = &again[2..again.find('[').expect("an array")];
        line.send(&format!("43{ack}[]")).await;
        sleep(Duration::from_secs(400)).await;
        assert_eq!(two.hub.stats().undelivered, 0, "{persist:?}");
    }
}

const CUT: &str = "left: transport close: the connection was cut";

#[tokio::test(start_paused = true)]
async fn a_client_resumes_at_another_server() {
    let net = SimNet::seeded(1);
    let (mut one, mut two) = pair(&net, &Recovery::new()).await;
    let mut memory = Memory::default();
    let (mut line, _) = join(&one, &mut memory).await;
    let (sid, pid) = (memory.sid.clone(), memory.pid.clone());
    let old = one.hub.socket(&sid).expect("it is connected");
    old.join("room").expect("there is room");
    old.join("left").expect("there is room");
    old.set_attribute("name", "Ann");
    two.hub.to("room").emit(("one", 1)).expect("queued");
    one.hub.to("left").emit(("two", 2)).expect("queued");
    old.emit(("three", "text")).expect("queued");
    assert_eq!(
        received(&mut line, &mut memory).await,
        [json!(["one", 1]), json!(["two", 2]), json!(["three", "text"])]
    );
    old.leave("left");
    drop(line);
    delivered().await;
    assert!(one.hub.is_empty());
    one.seen.expect(&["new", CUT]).await;

    one.hub.to("room").emit(("four", 4)).expect("queued");
    delivered().await;
    two.hub.emit_to(&sid, ("five", 5)).expect("queued");
    delivered().await;
    old.emit(("six", 6)).expect("it is kept");
    delivered().await;
    two.hub.to("left").emit(("seven", 7)).expect("queued");
    two.hub.volatile().emit(("eight", 8)).expect("queued");
    two.hub.except("room").emit(("nine", 9)).expect("queued");
    two.hub.emit(("ten", 10)).expect("queued");
    let (mut line, events) = join(&two, &mut memory).await;
    let expected = [json!(["four", 4]), json!(["five", 5]), json!(["six", 6]), json!(["ten", 10])];
    assert_eq!(events, expected);
    two.seen.expect(&["restored 4"]).await;
    assert_eq!((&memory.sid, &memory.pid), (&sid, &pid));
    let socket = two.hub.socket(&sid).expect("it is connected");
    assert!(socket.recovered() && socket.is_in("room") && !socket.is_in("left"));
    assert_eq!(socket.get_string_attribute("name").as_deref(), Some("Ann"));
    one.hub.to("room").emit(("eleven", 11)).expect("queued");
    assert_eq!(received(&mut line, &mut memory).await, [json!(["eleven", 11])]);
    old.emit(("twelve", 12)).expect("the old handle reaches the client too");
    assert_eq!(received(&mut line, &mut memory).await, [json!(["twelve", 12])]);

    // A token is good for as long as the session.
    drop(line);
    delivered().await;
    let (_line, events) = join(&one, &mut memory).await;
    assert_eq!(events, [] as [Value; 0]);
    one.seen.expect(&["restored 0"]).await;
}

#[tokio::test(start_paused = true)]
async fn the_old_connection_of_a_client_that_is_back_elsewhere_ends() {
    let net = SimNet::seeded(2);
    let eager = Recovery::new().persist(Persist::Eager);
    let (mut one, mut two) = pair(&net, &eager).await;
    let mut memory = Memory::default();
    let (_half_open, _) = join(&one, &mut memory).await;
    let old = one.hub.socket(&memory.sid).expect("it is connected");
    delivered().await;
    let (mut line, _) = join(&two, &mut memory).await;
    two.seen.expect(&["restored 0"]).await;
    delivered().await;
    assert!(!old.connected() && one.hub.is_empty());
    one.seen.expect(&["new", "left: transport error: the client has connected again"]).await;
    two.hub.emit(("once", 1)).expect("queued");
    assert_eq!(received(&mut line, &mut memory).await, [json!(["once", 1])]);
    // The log has it for the session, wherever the client is.
    old.emit(("late", 2)).expect("published");
    assert_eq!(received(&mut line, &mut memory).await, [json!(["late", 2])]);
    // The session of the other server is the one that is stored.
    drop(line);
    delivered().await;
    let (_line, _) = join(&one, &mut memory).await;
    one.seen.expect(&["restored 0"]).await;
}

#[tokio::test(start_paused = true)]
async fn a_session_moves_with_what_was_not_stored_yet() {
    let net = SimNet::seeded(9);
    let (mut one, mut two) = pair(&net, &Recovery::new().persist(Persist::Eager)).await;
    let mut memory = Memory::default();
    let (_half_open, _) = join(&one, &mut memory).await;
    delivered().await;
    one.seen.expect(&["new"]).await;
    one.hub.socket(&memory.sid).expect("it is connected").join("late").expect("there is room");
    let (mut line, _) = join(&two, &mut memory).await;
    two.seen.expect(&["restored 0"]).await;
    one.seen.expect(&["left: transport error: the client has connected again"]).await;
    one.hub.to("late").emit(("late", 1)).expect("queued");
    assert_eq!(received(&mut line, &mut memory).await, [json!(["late", 1])]);
}

#[tokio::test(start_paused = true)]
async fn an_older_copy_of_a_session_is_not_resumed() {
    for crashes in [false, true] {
        older_copy(crashes).await;
    }
}

/// `crashes`: the server that has the newest copy.
async fn older_copy(crashes: bool) {
    let net = SimNet::seeded(8);
    let eager = Recovery::new().persist(Persist::Eager);
    let (one, mut two) = pair(&net, &eager).await;
    let mut three = server(&net, "three", eager.clone()).await;
    let mut memory = Memory::default();
    let (_half_open, _) = join(&one, &mut memory).await;
    delivered().await;
    // The first server learns late that the second wants the session, and resumes an earlier copy
    // of it. Until then it publishes nothing but the older copy: it has just published a probe.
    sleep(Duration::from_millis(1200)).await;
    net.slow("one", Duration::from_millis(1900));
    let old = one.hub.socket(&memory.sid).expect("it is connected");
    let (_half_open_too, _) = join(&two, &mut memory).await;
    two.seen.expect(&["restored 0"]).await;
    two.hub.socket(&memory.sid).expect("it is connected").join("new").expect("there is room");
    // Both store it after 50 ms.
    sleep(Duration::from_millis(60)).await;
    old.join("old").expect("it is not ended yet");
    delivered().await;
    if crashes {
        net.isolate("two");
    }
    let (_line, _) = join(&three, &mut memory).await;
    if crashes {
        three.seen.expect(&["failed Unknown"]).await;
    } else {
        // The second server hands it over.
        three.seen.expect(&["restored 0"]).await;
        let rooms = three.hub.socket(&memory.sid).expect("it is connected").rooms();
        assert!(rooms.iter().any(|room| &**room == "new") && rooms.len() == 2, "{rooms:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn sessions_survive_the_crash_of_their_server_if_they_are_stored_eagerly() {
    for persist in [Persist::AtEnd, Persist::Eager] {
        let net = SimNet::seeded(3);
        let (one, mut two) = pair(&net, &Recovery::new().persist(persist)).await;
        let mut memory = Memory::default();
        let (mut line, _) = join(&one, &mut memory).await;
        one.hub.socket(&memory.sid).expect("it is connected").join("room").expect("there is room");
        one.hub.emit(("one", 1)).expect("queued");
        assert_eq!(received(&mut line, &mut memory).await, [json!(["one", 1])]);
        sleep(Duration::from_secs(1)).await;
        net.isolate("one");
        let Server { hub, app, .. } = one;
        std::mem::forget((hub, app, line));
        two.hub.to("room").emit(("two", 2)).expect("queued");
        let (_line, events) = join(&two, &mut memory).await;
        if persist == Persist::Eager {
            assert_eq!(events, [json!(["two", 2])]);
            two.seen.expect(&["restored 1"]).await;
        } else {
            two.seen.expect(&["failed Unknown"]).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_emitted_while_the_log_is_away_can_not_be_resumed() {
    let net = SimNet::seeded(4);
    let (mut one, mut two) = pair(&net, &Recovery::new()).await;
    let (mut memory, mut other) = (Memory::default(), Memory::default());
    let (mut line, _) = join(&one, &mut memory).await;
    let (mut other_line, _) = join(&one, &mut other).await;
    one.hub.emit(("one", 1)).expect("queued");
    assert_eq!(received(&mut line, &mut memory).await, [json!(["one", 1])]);
    received(&mut other_line, &mut other).await;
    net.stop();
    delivered().await;
    one.hub.emit(("two", "text")).expect("delivered to this server's clients");
    assert_eq!(received(&mut line, &mut memory).await, [json!(["two", "text"])]);
    assert_eq!(one.hub.cluster().expect("a cluster").stats().unlogged, 1);
    net.start();
    for server in [&one, &two] {
        server.hub.ready(Duration::from_secs(20)).await.expect("the network is up");
    }
    drop(line);
    delivered().await;
    let (_line, _) = join(&two, &mut memory).await;
    two.seen.expect(&["failed Trimmed"]).await;
    // A client that received a later message has received that one too.
    two.hub.emit(("three", 3)).expect("queued");
    assert_eq!(received(&mut other_line, &mut other).await, [json!(["two", "text"]), json!(["three", 3])]);
    drop(other_line);
    delivered().await;
    let (_other_line, _) = join(&two, &mut other).await;
    two.seen.expect(&["restored 0"]).await;
    one.seen.expect(&["new", "new", CUT, CUT]).await;
}

#[tokio::test(start_paused = true)]
async fn clients_of_a_server_that_shuts_down_resume_elsewhere() {
    let net = SimNet::seeded(5);
    let (one, mut two) = pair(&net, &Recovery::new()).await;
    let mut memory = Memory::default();
    let (line, _) = join(&one, &mut memory).await;
    one.hub.shutdown(Duration::from_secs(5)).await;
    drop(line);
    two.hub.emit(("one", 1)).expect("queued");
    let (_line, events) = join(&two, &mut memory).await;
    assert_eq!(events, [json!(["one", 1])]);
    two.seen.expect(&["restored 1"]).await;
}

#[tokio::test(start_paused = true)]
async fn clients_of_a_server_that_drains_resume_elsewhere() {
    let net = SimNet::seeded(5);
    let (one, mut two) = pair(&net, &Recovery::new()).await;
    let mut memory = Memory::default();
    let (line, _) = join(&one, &mut memory).await;
    one.hub.drain(Drain::new()).await;
    drop(line);
    two.hub.emit(("one", 1)).expect("queued");
    // The server that drains still delivers to the others.
    one.hub.emit(("two", 2)).expect("queued");
    delivered().await;
    let (_line, events) = join(&two, &mut memory).await;
    assert_eq!(events, [json!(["one", 1]), json!(["two", 2])]);
    two.seen.expect(&["restored 2"]).await;
}

#[tokio::test(start_paused = true)]
async fn each_failure_has_its_reason() {
    let net = SimNet::seeded(6);
    let recovery = Recovery::new().max_disconnection(Duration::from_secs(60));
    let (one, mut two) = pair(&net, &recovery).await;
    let cut_off = async || {
        let mut memory = Memory::default();
        let (line, _) = join(&one, &mut memory).await;
        one.hub.emit(("one", 1)).expect("queued");
        let mut line = line;
        received(&mut line, &mut memory).await;
        drop(line);
        delivered().await;
        memory
    };
    let failures = [
        (RecoveryFailure::Unknown, json!({ "pid": "forged" })),
        (RecoveryFailure::Unknown, json!({ "offset": "hello" })),
        (RecoveryFailure::Epoch, json!({ "offset": "99999999999999-1" })),
        (RecoveryFailure::Trimmed, json!({ "offset": "0-0" })),
    ];
    for (reason, change) in failures {
        let mut memory = cut_off().await;
        if reason == RecoveryFailure::Trimmed {
            one.hub.emit(("missed", 1)).expect("queued");
            delivered().await;
            net.trim_log(0);
        }
        if let Some(pid) = change["pid"].as_str() {
            memory.pid = Some(pid.to_owned());
        }
        if let Some(offset) = change["offset"].as_str().filter(|_| reason != RecoveryFailure::Trimmed) {
            memory.offset = Some(offset.to_owned());
        }
        let sid = memory.sid.clone();
        let (line, events) = join(&two, &mut memory).await;
        assert_eq!(events, [] as [Value; 0], "{reason:?}");
        assert_ne!(memory.sid, sid);
        two.seen.expect(&[&format!("failed {reason:?}")]).await;
        drop(line);
        two.seen.expect(&[CUT]).await;
    }
    let mut memory = cut_off().await;
    sleep(Duration::from_secs(61)).await;
    let (_line, _) = join(&two, &mut memory).await;
    two.seen.expect(&["failed Unknown"]).await;
    let mut memory = cut_off().await;
    net.stop();
    delivered().await;
    let (_line, _) = join(&two, &mut memory).await;
    two.seen.expect(&["failed Unavailable"]).await;
}
