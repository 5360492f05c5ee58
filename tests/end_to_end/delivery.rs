//! Tests the table of the guide on how connections end. For each end it lists the fate of waiting
//! events and queued messages, and the events that fire.

use futures_util::SinkExt;
use socketio::{Disconnect, EmitError, EventError, Hub, HubBuilder, Socket, State, event, events};
use socketio_tests::{Client, Gate, Log, Seen, Server, flavour, log, masked_frame, serve, soon, websocket_only};
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio_tungstenite::tungstenite::Message;

#[event("hold")]
async fn hold(log: State<Log>, gate: State<Gate>) {
    log.note("hold");
    gate.pass().await;
}

#[event("waiting")]
fn waiting(log: State<Log>) {
    log.note("waiting");
}

#[event(close)]
fn close(log: State<Log>) {
    log.note("close");
}

#[event(disconnecting)]
fn disconnecting(log: State<Log>) {
    log.note("disconnecting");
}

#[event(disconnect)]
fn disconnect(end: Disconnect, log: State<Log>) {
    log.note(format_args!("disconnect: {}", end.reason()));
}

#[event(error)]
fn error(error: EventError, log: State<Log>) {
    log.note(format_args!("error: {}", error.code()));
}

/// A client with one running handler and one waiting event.
struct Held {
    server: Server,
    client: Client,
    socket: Socket,
    gate: Gate,
    seen: Seen,
}

async fn held(set: impl FnOnce(HubBuilder) -> HubBuilder) -> Held {
    let ((log, mut seen), gate) = (log(), Gate::default());
    let builder = Hub::builder().state(log).state(gate.clone());
    let builder = builder.events(events![hold, waiting, close, disconnecting, disconnect, error]);
    let server = serve(set(builder).build().expect("a hub")).await;
    let mut client = server.connect("ann").await;
    for event in ["hold", "waiting"] {
        client.0.feed(Message::text(format!(r#"{{"event":"{event}"}}"#))).await.expect("taken");
    }
    client.0.flush().await.expect("sent");
    seen.expect(&["hold"]).await;
    let socket = server.hub.sockets().pop().expect("a connected socket");
    Held { server, client, socket, gate, seen }
}

fn told(code: u16) -> Option<u16> {
    flavour().told(code, "").map(|(code, _)| code)
}

impl Held {
    /// Waits for the end of the connection, ends the handler, and expects exactly these lines.
    /// Returns the texts that the client still receives, and the code of the close frame.
    async fn expect(mut self, lines: &[&str]) -> (Vec<String>, Option<u16>) {
        soon("end", self.socket.closed()).await;
        self.seen.expect_nothing();
        self.gate.open();
        self.seen.expect(lines).await;
        let (mut texts, mut code) = (Vec::new(), None);
        while let Some(message) = self.client.next().await {
            match message {
                Message::Close(frame) => code = frame.map(|frame| frame.code.into()),
                message => texts.push(message.to_text().expect("a text").to_owned()),
            }
        }
        drop(self.client);
        soon("last of the connection", self.server.hub.shutdown(Duration::from_secs(600))).await;
        self.seen.expect_nothing();
        (texts, code)
    }
}

#[tokio::test]
async fn events_received_before_the_client_disconnects_are_handled() {
    for (code, errors) in [(1000, &[][..]), (1001, &[]), (4000, &["error: transport close"])] {
        let mut held = held(|builder| builder).await;
        held.client.close(code, "").await;
        // Long-polling has no close codes.
        let errors = if flavour().polls() { &[] } else { errors };
        let lines = [&["waiting", "disconnecting", "disconnect: transport close"], errors].concat();
        assert_eq!(held.expect(&lines).await, (vec![], Some(code)));
    }
    if !flavour().polls() {
        let mut held = held(|builder| builder).await;
        held.client.stream().shutdown().await.expect("cut");
        let (cut, error) = (format!("disconnect: {}", flavour().cut()), format!("error: {}", flavour().cut()));
        held.expect(&["waiting", "disconnecting", &cut, &error]).await;
    }
}

#[tokio::test]
async fn events_waiting_at_a_ping_timeout_are_dropped() {
    let beat = Duration::from_millis(20);
    // The client does not read, so it answers no ping.
    let held = held(|builder| builder.ping_interval(beat).ping_timeout(beat)).await;
    let end = held.expect(&["disconnecting", "disconnect: ping timeout", "error: ping timeout"]).await;
    assert_eq!(end, (vec![], None));
}

#[tokio::test]
async fn the_outbox_is_still_delivered_after_an_overflow() {
    let held = held(|builder| builder.outbox(1, 1_000)).await;
    held.socket.send("queued").expect("there is room for one");
    assert!(matches!(held.socket.send("too many"), Err(EmitError::Overflow)));
    assert!(matches!(held.socket.send("later"), Err(EmitError::Closed)));
    let end = held.expect(&["disconnecting", "disconnect: overflow", "error: overflow"]).await;
    assert_eq!(end, (vec!["queued".to_owned()], told(1013)));
}

#[tokio::test]
async fn the_outbox_is_delivered_before_the_server_ends_a_connection() {
    type End = fn(&Socket);
    let ends: [(End, u16, &str); 3] = [
        (Socket::close, 1000, "forced close"),
        (|socket| socket.close_with(4001, ""), 4001, "forced close"),
        (Socket::disconnect, 1000, "server namespace disconnect"),
    ];
    for (end, code, reason) in ends {
        let held = held(|builder| builder).await;
        held.socket.send("queued").expect("sent");
        end(&held.socket);
        assert!(matches!(held.socket.send("later"), Err(EmitError::Closed)));
        let reason = if flavour().is_plain() { reason } else { flavour().closed() };
        let end = held.expect(&["close", "disconnecting", &format!("disconnect: {reason}")]).await;
        assert_eq!(end, (vec!["queued".to_owned()], told(code)));
    }
}

#[tokio::test]
async fn a_shutdown_delivers_what_running_handlers_emit() {
    let held = held(|builder| builder).await;
    held.socket.send("queued").expect("sent");
    let hub = held.server.hub.clone();
    let shutdown = tokio::spawn(async move { hub.shutdown(Duration::from_secs(600)).await });
    soon("end", held.socket.closed()).await;
    held.socket.send("meanwhile").expect("accepted while the handler runs");
    let end = held.expect(&["close", "disconnecting", "disconnect: server shutting down"]).await;
    assert_eq!(end, (vec!["queued".to_owned(), "meanwhile".to_owned()], told(1001)));
    soon("end of the shutdown", shutdown).await.expect("no panic");
}

#[tokio::test]
async fn fired_events_run_after_waiting_events() {
    let mut held = held(|builder| builder).await;
    held.socket.on("fired", |payload| payload.socket.send("fired").expect("sent"));
    held.socket.fire("fired", ()).expect("queued");
    held.socket.fire("waiting", ()).expect("queued");
    held.gate.open();
    held.seen.expect(&["waiting", "waiting"]).await;
    assert_eq!(held.client.text().await, "fired");
    held.socket.fire("waiting", ()).expect("queued, and dropped with the connection");
    held.socket.close();
    let socket = held.socket.clone();
    held.expect(&["close", "disconnecting", &format!("disconnect: {}", flavour().closed())]).await;
    assert!(matches!(socket.fire("waiting", ()), Err(EmitError::Closed)));
}

mod websocket_only {
    use super::*;

    #[tokio::test]
    async fn events_waiting_at_a_protocol_error_are_dropped() {
        // Long-polling has no frames.
        websocket_only();
        let too_large = [masked_frame(0x01, &[b'x'; 100]), masked_frame(0x80, &[b'x'; 101])].concat();
        for (bytes, code, reason) in [
            (masked_frame(0x83, b"reserved opcode"), 1002, "parse error"),
            (masked_frame(0x81, b"\xff"), 1007, "parse error"),
            (too_large, 1009, "payload too large"),
        ] {
            let mut held = held(|builder| builder.max_payload(200)).await;
            held.client.stream().write_all(&bytes).await.expect("sent");
            let end =
                held.expect(&["disconnecting", &format!("disconnect: {reason}"), &format!("error: {reason}")]).await;
            assert_eq!(end, (vec![], Some(code)));
        }
    }
}
