//! A shutdown ends connections in every state and keeps its deadline.

use axum::Router;
use axum::response::Response;
use axum::routing::get;
use futures_util::future::{join_all, pending};
use socketio::{Disconnect, EventError, Hub, HubBuilder, Socket, State, Text, Upgrade, event, events};
use socketio_tests::{Client, Gate, Log, Seen, Server, flavour, log, serve, serve_router, soon, websocket_only};
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio_tungstenite::tungstenite::Message;

const HOUR: Duration = Duration::from_secs(3600);
const MOMENT: Duration = Duration::from_millis(50);

#[event("stuck")]
async fn stuck(socket: &Socket, log: State<Log>) {
    log.note("stuck");
    socket.closed().await;
    log.note("told");
    pending::<()>().await;
}

#[event(disconnect)]
async fn disconnect(end: Disconnect, log: State<Log>, gate: State<Gate>) {
    log.note(format_args!("disconnect: {}", end.reason()));
    gate.pass().await;
}

/// No connection ends by itself during a test.
fn hub() -> (HubBuilder, Gate, Seen) {
    let ((log, seen), gate) = (log(), Gate::default());
    let builder = Hub::builder().state(log).state(gate.clone()).events(events![stuck, disconnect]);
    (builder.close_timeout(HOUR).upgrade_timeout(HOUR), gate, seen)
}

async fn server() -> (Server, Gate, Seen) {
    let (builder, gate, seen) = hub();
    (serve(builder.build().expect("a hub")).await, gate, seen)
}

async fn connected(server: &Server) -> (Client, Socket) {
    let mut client = server.connect("ann").await;
    client.settle().await;
    (client, server.hub.sockets().remove(0))
}

async fn expect_shutdown(hub: &Hub, deadline: Duration) {
    soon("end of the shutdown", hub.shutdown(deadline)).await;
    assert_eq!((hub.len(), hub.stats().connections), (0, 0));
}

#[tokio::test]
async fn a_close_that_the_client_does_not_answer_is_cut_at_the_deadline() {
    let (server, gate, mut seen) = server().await;
    gate.open();
    let (_silent, socket) = connected(&server).await;
    socket.close();
    seen.expect(&[&format!("disconnect: {}", flavour().closed())]).await;
    expect_shutdown(&server.hub, MOMENT).await;
    seen.expect_nothing();
}

#[event(disconnecting)]
async fn leaving(log: State<Log>) {
    tokio::task::yield_now().await;
    log.note("leaving");
}

#[event(disconnect)]
fn left(end: Disconnect, log: State<Log>) {
    log.note(format_args!("left: {}", end.reason()));
}

#[event(error)]
fn error(error: EventError, log: State<Log>) {
    log.note(error.code());
}

#[tokio::test]
async fn a_handler_that_never_returns_does_not_turn_a_shutdown_into_an_error() {
    let (log, mut seen) = log();
    let hub = Hub::builder().state(log).events(events![stuck, leaving, left, error]).build().expect("a hub");
    let server = serve(hub).await;
    let (mut client, _) = connected(&server).await;
    client.emit("stuck", ()).await;
    seen.expect(&["stuck"]).await;
    expect_shutdown(&server.hub, MOMENT).await;
    let mut lines = Vec::new();
    while lines.last().is_none_or(|line: &String| !line.starts_with("left")) {
        lines.push(seen.next().await);
    }
    assert_eq!(lines.last().map(String::as_str), Some("left: server shutting down"));
    seen.expect_nothing();
}

#[tokio::test]
async fn closing_a_socket_during_a_shutdown_does_not_extend_the_deadline() {
    let (server, gate, mut seen) = server().await;
    gate.open();
    let (mut client, socket) = connected(&server).await;
    client.emit("stuck", 1).await;
    seen.expect(&["stuck"]).await;
    let hub = server.hub.clone();
    let shutdown = tokio::spawn(async move { hub.shutdown(Duration::from_secs(1)).await });
    seen.expect(&["told"]).await;
    socket.close();
    soon("end of the shutdown", shutdown).await.expect("no panic");
    seen.expect(&[&format!("disconnect: {}", flavour().closed())]).await;
}

#[tokio::test]
async fn the_earliest_of_several_deadlines_applies() {
    let (server, gate, mut seen) = server().await;
    gate.open();
    let (mut client, _) = connected(&server).await;
    client.emit("stuck", 1).await;
    seen.expect(&["stuck"]).await;
    let hub = server.hub.clone();
    let patient = tokio::spawn(async move { hub.shutdown(Duration::MAX).await });
    seen.expect(&["told"]).await;
    expect_shutdown(&server.hub, MOMENT).await;
    soon("end of the other shutdown", patient).await.expect("no panic");
    seen.expect(&["disconnect: server shutting down"]).await;
    expect_shutdown(&server.hub, HOUR).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_connect_during_a_shutdown_are_disconnected() {
    let (server, gate, _seen) = server().await;
    gate.open_for(1000);
    let own = server.clone();
    let clients = (0..100).map(move |number| {
        let server = own.clone();
        async move {
            // A client is refused, abandoned, or accepted and closed.
            if let Ok((mut client, _)) = server.handshake(server.request(&format!("/ws/{number}"))).await {
                client.closed().await;
            }
        }
    });
    let clients = tokio::spawn(join_all(clients));
    soon("connection", async {
        while server.hub.stats().connections == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    expect_shutdown(&server.hub, HOUR).await;
    soon("end of all clients", clients).await.expect("no panic");
}

#[event(disconnect)]
fn failing() -> Result<(), &'static str> {
    Err("no")
}

#[event(error)]
async fn endless() {
    pending::<()>().await;
}

#[tokio::test]
async fn error_handlers_of_the_last_events_do_not_delay_a_shutdown() {
    let (log, mut seen) = log();
    let hub = Hub::builder().state(log).events(events![stuck, failing, endless]).build().expect("a hub");
    let server = serve(hub).await;
    let (mut client, _) = connected(&server).await;
    client.emit("stuck", 1).await;
    seen.expect(&["stuck"]).await;
    expect_shutdown(&server.hub, MOMENT).await;
}

#[event(connect)]
async fn connecting(log: State<Log>) {
    log.note("connecting");
    pending::<()>().await;
}

#[tokio::test]
async fn a_client_waiting_for_acceptance_is_disconnected_by_a_shutdown() {
    let (log, mut seen) = log();
    let builder = Hub::builder().state(log).events(events![connecting, leaving, left, error]);
    let server = serve(builder.connect_timeout(HOUR).build().expect("a hub")).await;
    let mut client = server.connect("ann").await;
    seen.expect(&["connecting"]).await;
    server.hub.broadcast(Text("never sent")).expect("queued");
    expect_shutdown(&server.hub, MOMENT).await;
    let said = match client.next().await {
        Some(Message::Close(Some(frame))) => (u16::from(frame.code), frame.reason.to_string()),
        other => panic!("not a close frame: {other:?}"),
    };
    assert_eq!(Some(said), flavour().told(1001, "server shutting down"));
    seen.expect_nothing();
}

#[event(disconnecting)]
async fn never_leaving(log: State<Log>) {
    log.note("leaving");
    pending::<()>().await;
}

#[tokio::test]
async fn disconnect_fires_although_the_disconnecting_handler_never_returns() {
    let (log, mut seen) = log();
    let hub = Hub::builder().state(log).events(events![never_leaving, left, error]).build().expect("a hub");
    let server = serve(hub).await;
    let (mut client, _) = connected(&server).await;
    let (_, told) = tokio::join!(expect_shutdown(&server.hub, Duration::from_millis(500)), client.closed());
    assert_eq!(told, flavour().told(1001, "server shutting down"));
    seen.expect(&["leaving", "left: server shutting down"]).await;
    seen.expect_nothing();
}

#[event("shut down")]
async fn shut_down(hub: &Hub, log: State<Log>) {
    log.note("shutting down");
    hub.shutdown(MOMENT).await;
    log.note("its own handler is gone by then");
}

#[tokio::test]
async fn a_handler_may_shut_down_the_hub() {
    let (log, mut seen) = log();
    let hub = Hub::builder().state(log).events(events![shut_down, left, error]).build().expect("a hub");
    let server = serve(hub).await;
    let (mut client, _) = connected(&server).await;
    client.emit("shut down", ()).await;
    assert_eq!(client.closed().await, flavour().told(1001, "server shutting down"));
    seen.expect(&["shutting down", "left: server shutting down"]).await;
    expect_shutdown(&server.hub, HOUR).await;
    seen.expect_nothing();
}

mod plain_only {
    use super::*;

    #[tokio::test]
    async fn a_shutdown_abandons_a_pending_upgrade() {
        let (builder, _gate, mut seen) = hub();
        let hub = builder.build().expect("a hub");
        let own = hub.clone();
        // The response never goes out, so the upgrade never completes.
        let held = |upgrade: Upgrade| async move {
            let _response = own.websocket().accept(upgrade);
            pending::<Response>().await
        };
        let server = serve_router(hub, Router::new().route("/ws", get(held))).await;
        let mut stream = server.open().await;
        let request = b"GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
            Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
        stream.write_all(request).await.expect("sent");
        soon("connection", async {
            while server.hub.stats().connections == 0 {
                tokio::task::yield_now().await;
            }
        })
        .await;
        expect_shutdown(&server.hub, HOUR).await;
        seen.expect_nothing();
    }
}

mod websocket_only {
    use super::*;

    #[tokio::test]
    async fn a_waiting_disconnect_handler_is_dropped_at_the_deadline() {
        // With long-polling, a lost client may be detected only by its heartbeat.
        websocket_only();
        let (server, _gate, mut seen) = server().await;
        let (client, _) = connected(&server).await;
        drop(client);
        seen.expect(&[&format!("disconnect: {}", flavour().cut())]).await;
        assert!(server.hub.is_empty());
        expect_shutdown(&server.hub, MOMENT).await;
    }
}
