//! What Socket.IO clients may send and receive while a `connect` handler runs.

use axum::Router;
use socketio::{Hub, Socket, State, event, events};
use socketio_tests::{Client, Gate, Log, Seen, Server, log, serve_router};

#[event("note")]
fn note(socket: &Socket, text: String, log: State<Log>) -> usize {
    log.note(format_args!("{}: {text}", socket.namespace()));
    text.len()
}

#[event(connect)]
async fn decide(socket: &Socket, gate: State<Gate>, log: State<Log>) -> Result<(), String> {
    log.note("undecided");
    gate.pass().await;
    socket.emit(("welcome",)).map_err(|error| error.to_string())?;
    if socket.namespace() == "/closed" { Err("closed".to_owned()) } else { Ok(()) }
}

/// Serves the hub and opens a session. The `connect` handlers of `/slow` and `/closed` wait for the
/// gate.
async fn serve() -> (Server, Client, Gate, Seen) {
    let (gate, (log, seen)) = (Gate::default(), log());
    let builder = Hub::builder().state(gate.clone()).state(log).events(events![note]);
    let builder = ["/slow", "/closed"]
        .into_iter()
        .fold(builder, |builder, path| builder.namespace(path, |slow| slow.events(events![decide, note])));
    let hub = builder.build().expect("a hub");
    let routes = Router::new().merge(hub.socketio());
    let server = serve_router(hub, routes).await;
    let mut client = server.connect_to("/socket.io/?EIO=4&transport=websocket").await;
    assert!(client.text().await.starts_with("0{"));
    (server, client, gate, seen)
}

#[tokio::test]
async fn events_wait_for_the_connect_handler_of_their_namespace_only() {
    let (_server, mut client, gate, mut seen) = serve().await;
    let nobody_handles_it = format!("42/slow,2[\"{}\"]", "x".repeat(257));
    for packet in ["40/slow,", "42/slow,1[\"note\",\"early\"]", &nobody_handles_it, "40", "42[\"note\",\"elsewhere\"]"]
    {
        client.send(packet).await;
    }
    assert!(client.text().await.starts_with("40{"));
    seen.expect(&["undecided", "/: elsewhere"]).await;
    gate.open();
    assert!(client.text().await.starts_with("40/slow,{"));
    assert!(client.text().await.starts_with("43/slow,2[{\"error\":{\"code\":\"unknown_event\""));
    assert_eq!(client.text().await, "42/slow,[\"welcome\"]");
    assert_eq!(client.text().await, "43/slow,1[5]");
    seen.expect(&["/slow: early"]).await;
}

#[tokio::test]
async fn events_of_a_refused_client_are_not_handled() {
    let (_server, mut client, gate, mut seen) = serve().await;
    for packet in ["40/closed,", "42/closed,1[\"note\",\"early\"]"] {
        client.send(packet).await;
    }
    seen.expect(&["undecided"]).await;
    gate.open();
    assert_eq!(client.text().await, "44/closed,{\"message\":\"closed\"}");
    client.send("40").await;
    assert!(client.text().await.starts_with("40{"));
    client.send("421[\"note\",\"after it\"]").await;
    assert_eq!(client.text().await, "431[8]");
    seen.expect(&["/: after it"]).await;
}

#[tokio::test]
async fn a_second_connect_during_the_first_ends_the_connection() {
    let (server, mut client, gate, mut seen) = serve().await;
    client.send("40/slow,").await;
    seen.expect(&["undecided"]).await;
    client.send("40/slow,").await;
    gate.open();
    assert_eq!(client.closed().await, Some((1000, String::new())));
    assert!(server.hub.of("/slow").is_empty());
}
