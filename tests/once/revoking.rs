//! `disconnect_where`: the sockets whose attribute has a value are disconnected on all servers, and
//! no client resumes their sessions.

use axum::Router;
use serde_json::{Value, json};
use socketio::cluster::{Dialect, EngineTraits};
use socketio::testing::cluster::SimNet;
use socketio::testing::{TestError, settle};
use socketio::{
    Disconnect, Handshake, Hub, HubBuilder, Recovery, RecoveryFailure, RecoveryState, ServerEvent, Socket, State,
    event, events,
};
use socketio_tests::cut::{Line, Memory, Packet};
use socketio_tests::{Gate, Log, Seen, log};
use std::time::Duration;
use tokio::time::sleep;

#[event(connect)]
async fn connect(socket: &Socket, handshake: Handshake<'_>, gate: State<Gate>, log: State<Log>) {
    match socket.recovery() {
        RecoveryState::Restored { .. } => log.note("restored"),
        RecoveryState::Failed(reason) => log.note(format_args!("failed {reason:?}")),
        _ => log.note("new"),
    }
    let auth: Value = handshake.auth().unwrap_or_default();
    if !auth["wait"].is_null() {
        gate.pass().await;
    }
    if !auth["user"].is_null() {
        socket.set_attribute("user", auth["user"].clone());
    }
}

#[event(disconnect)]
fn disconnect(end: Disconnect, log: State<Log>) {
    log.note(end);
}

struct Server {
    hub: Hub,
    app: Router,
    gate: Gate,
    seen: Seen,
}

fn server(change: impl FnOnce(HubBuilder) -> HubBuilder) -> Server {
    let ((log, seen), gate) = (log(), Gate::default());
    let builder = Hub::builder().state(log).state(gate.clone()).events(events![connect, disconnect]);
    let hub = change(builder).build().expect("a hub");
    Server { app: hub.socketio().into(), hub, gate, seen }
}

async fn member(net: &SimNet, name: &str, dialect: Dialect, recovery: Option<Recovery>) -> Server {
    let engine = net.engine_with(name, EngineTraits::new(dialect));
    let server = server(|builder| {
        let builder = builder.cluster(engine);
        recovery.into_iter().fold(builder, HubBuilder::recovery)
    });
    server.hub.ready(Duration::from_secs(10)).await.expect("the network is up");
    server
}

/// Connects over a line that can be cut.
async fn join(server: &Server, memory: &mut Memory, auth: Value) -> Line {
    let mut line = Line::open(&server.app, memory, auth).await;
    loop {
        assert!(line.read(4_096).await > 0);
        while let Some(packet) = line.next(memory) {
            if matches!(packet, Packet::Connected(_)) {
                return line;
            }
        }
    }
}

/// What is noted when a connection was cut.
const CUT: &str = "transport close: the connection was cut";

#[tokio::test(start_paused = true)]
async fn the_sockets_with_the_attribute_are_disconnected_and_no_others() -> Result<(), TestError> {
    let Server { hub, mut seen, .. } = server(|builder| builder);
    for user in [json!(42), json!("42"), json!({ "id": [1, null] })] {
        let mut clients = Vec::new();
        for own in [json!(42), json!("42"), json!({ "id": [1, null] }), json!(null)] {
            for builder in [hub.test_client(), hub.test_client().plain()] {
                let client = builder.connect().await?;
                seen.expect(&["new"]).await;
                hub.socket(client.id()).expect("it is connected").set_attribute("user", own.clone());
                clients.push((client, own == user));
            }
        }
        let ended = hub.disconnect_where("user", user).await.expect("there is one server");
        assert_eq!((ended.sockets, ended.sessions, ended.silent), (2, 0, 0));
        for (client, is_ended) in &mut clients {
            match is_ended {
                true => drop(client.expect_end().await?),
                false => client.expect_nothing().await?,
            }
        }
        let mut ends = [seen.next().await, seen.next().await];
        ends.sort();
        assert_eq!(ends, ["server namespace disconnect", "server namespace disconnect (1000)"]);
        hub.disconnect_sockets();
        for _ in 0..6 {
            seen.next().await;
        }
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_client_that_is_not_accepted_yet_does_not_slip_through() -> Result<(), TestError> {
    let Server { hub, gate, mut seen, .. } = server(|builder| builder);
    let connecting = tokio::spawn(hub.test_client().auth(json!({ "user": 42, "wait": true })).connect());
    seen.expect(&["new"]).await;
    // It has no attribute yet.
    assert_eq!(hub.disconnect_where("user", 42).await.expect("there is one server").sockets, 0);
    gate.open();
    let mut client = connecting.await.expect("it does not panic")?;
    assert_eq!(client.expect_end().await?.reason(), "io server disconnect");
    seen.expect(&["server namespace disconnect"]).await;
    // Who logs in again is another matter.
    let mut client = hub.test_client().auth(json!({ "user": 42 })).connect().await?;
    client.expect_nothing().await
}

#[tokio::test(start_paused = true)]
async fn sessions_that_wait_for_their_client_end() {
    let mut server = server(|builder| builder.recovery(Recovery::new()));
    let (mut first, mut second) = (Memory::default(), Memory::default());
    for (memory, user) in [(&mut first, 1), (&mut second, 2)] {
        drop(join(&server, memory, json!({ "user": user })).await);
        server.seen.expect(&["new", CUT]).await;
    }
    settle().await;
    let ended = server.hub.disconnect_where("user", 1).await.expect("there is one server");
    assert_eq!((ended.sockets, ended.sessions), (0, 1));
    let _line = join(&server, &mut first, json!({})).await;
    server.seen.expect(&[&format!("failed {:?}", RecoveryFailure::Unknown)]).await;
    let _line = join(&server, &mut second, json!({})).await;
    server.seen.expect(&["restored"]).await;
}

#[tokio::test(start_paused = true)]
async fn all_servers_of_a_cluster_disconnect_their_sockets() -> Result<(), TestError> {
    let net = SimNet::seeded(1);
    let (one, two) =
        (member(&net, "one", Dialect::Messages, None).await, member(&net, "two", Dialect::Messages, None).await);
    let mut clients = Vec::new();
    for (server, user) in [(&one, 1), (&one, 2), (&two, 1), (&two, 1), (&two, 2)] {
        let client = server.hub.test_client().auth(json!({ "user": user })).connect().await?;
        clients.push((client, user == 1));
    }
    let ended = one.hub.disconnect_where("user", 1).await.expect("the network is up");
    assert_eq!((ended.sockets, ended.sessions, ended.silent), (3, 0, 0));
    for (client, is_ended) in &mut clients {
        match is_ended {
            true => assert_eq!(client.expect_end().await?.reason(), "io server disconnect"),
            false => client.expect_nothing().await?,
        }
    }
    // A server that does not answer is counted.
    net.hang("two");
    let ended = one.hub.disconnect_where("user", 2).await.expect("it was asked");
    assert_eq!((ended.sockets, ended.silent), (1, 1));
    clients[4].0.expect_nothing().await
}

#[tokio::test(start_paused = true)]
async fn what_servers_tell_each_other_has_a_documented_form() {
    let net = SimNet::seeded(2);
    let (one, two) =
        (member(&net, "one", Dialect::Messages, None).await, member(&net, "two", Dialect::Messages, None).await);
    // Other events between servers still reach their listeners.
    let (log, mut seen) = log();
    let note = move |event: &ServerEvent<'_>| log.note(event.args().json());
    two.hub.on_server("socketio:other", note);
    one.hub.server_emit(("socketio:other", "user", 42)).expect("queued");
    seen.expect(&[r#""user",42"#]).await;
    let asked = one.hub.server_request::<Value>(("socketio:disconnect_where", "user", 42)).await.expect("an answer");
    assert_eq!(asked.into_values().collect::<Vec<_>>(), [json!({ "sockets": 0, "sessions": 0 })]);
    // What makes no sense is not answered, and does no harm.
    let asked = one.hub.server_request::<Value>(("socketio:disconnect_where",)).timeout(Duration::from_secs(1)).await;
    assert_eq!(asked.expect("it was asked").silent, 1);
}

#[tokio::test(start_paused = true)]
async fn sessions_that_the_cluster_stores_are_not_resumed_at_any_server() {
    let net = SimNet::seeded(3);
    let recovery = Some(Recovery::new());
    let mut one = member(&net, "one", Dialect::Streams, recovery.clone()).await;
    let mut two = member(&net, "two", Dialect::Streams, recovery).await;
    let (mut first, mut second) = (Memory::default(), Memory::default());
    for (memory, user) in [(&mut first, 1), (&mut second, 2)] {
        drop(join(&one, memory, json!({ "user": user })).await);
        one.seen.expect(&["new", CUT]).await;
    }
    sleep(Duration::from_secs(1)).await;
    let ended = one.hub.disconnect_where("user", 1).await.expect("the network is up");
    assert_eq!((ended.sockets, ended.silent), (0, 0));
    let _line = join(&two, &mut first, json!({})).await;
    two.seen.expect(&[&format!("failed {:?}", RecoveryFailure::Unauthorized)]).await;
    let _line = join(&two, &mut second, json!({})).await;
    two.seen.expect(&["restored"]).await;
}
