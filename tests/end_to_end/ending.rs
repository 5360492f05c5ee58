//! How connections end, by either side: which events fire, in which order, and what the client
//! receives.

use futures_util::SinkExt;
use serde_json::json;
use socketio::{Disconnect, EventError, Hub, HubBuilder, Socket, State, Text, event, events};
use socketio_tests::stream::{self, Kind};
use socketio_tests::{Log, Seen, Server, flavour, log, masked_frame, plain_only, serve, soon, websocket_only};
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio_tungstenite::tungstenite::Message;

#[event(connect)]
fn connect(socket: &Socket, log: State<Log>) {
    socket.join("room").expect("joined");
    log.note("connect");
}

#[event("said")]
fn said(text: &str, log: State<Log>) {
    log.note(format_args!("said {text}"));
}

#[event("quick")]
fn quick(log: State<Log>) {
    log.note("quick");
}

#[event(close)]
fn close(socket: &Socket, log: State<Log>) {
    log.note(format_args!("close, rooms: {:?}", &socket.rooms()[1..]));
}

#[event(disconnecting)]
async fn disconnecting(socket: &Socket, end: Disconnect, log: State<Log>) {
    tokio::task::yield_now().await;
    assert!(socket.hub().socket(socket.id()).is_none() && socket.hub().to("room").sockets().is_empty());
    assert!(socket.hub().is_empty() && !socket.is_alive() && !socket.connected());
    assert_eq!(socket.rooms(), [socket.id().to_string(), "room".to_owned()]);
    log.note(format_args!("disconnecting: {}", end.reason()));
}

#[event(disconnect)]
async fn disconnect(socket: &Socket, end: Disconnect, log: State<Log>) {
    tokio::task::yield_now().await;
    assert!(socket.hub().socket(socket.id()).is_none() && socket.hub().to("room").sockets().is_empty());
    assert!(socket.hub().sockets().is_empty() && socket.hub().is_empty() && socket.rooms().is_empty());
    assert!(socket.join("room").is_err() && socket.set_id("x").is_err() && socket.send("x").is_err());
    socket.closed().await;
    let code = end.code().map_or("no code".to_owned(), |code| code.to_string());
    log.note(format_args!("disconnect: {}, {code}, {:?}", end.reason(), end.message().unwrap_or_default()));
}

#[event(error)]
fn error(error: EventError, log: State<Log>) {
    log.note(format_args!("error: {}", error.code()));
}

fn hub() -> (HubBuilder, Log, Seen) {
    let (log, seen) = log();
    let table = events![connect, said, quick, close, disconnecting, disconnect, error];
    (Hub::builder().state(log.clone()).events(table), log, seen)
}

async fn server_of(builder: HubBuilder, log: Log) -> Server {
    let hub = builder.build().expect("a hub");
    hub.on("disconnect", move |payload| {
        let error = payload.error.as_ref().map_or("none", EventError::code).to_owned();
        log.note(format_args!("heard: {}, {error}", String::from_utf8_lossy(&payload.data)));
    });
    serve(hub).await
}

async fn server() -> (Server, Seen) {
    let (builder, log, seen) = hub();
    (server_of(builder, log).await, seen)
}

/// Expects that no other event fires, by connecting and disconnecting a second client.
async fn expect_no_more(server: &Server, seen: &mut Seen) {
    let mut other = server.connect("other").await;
    other.close(1000, "").await;
    let lines = [
        "connect",
        "disconnecting: transport close",
        &format!("disconnect: transport close, {}, \"\"", flavour().left(1000, "").0),
        "heard: transport close, none",
    ];
    seen.expect(&lines).await;
    server.hub.shutdown(Duration::from_secs(5)).await;
    seen.expect_nothing();
}

#[tokio::test]
async fn a_client_closes_with_code_1000() {
    for code in [1000, 1001] {
        let (server, mut seen) = server().await;
        let mut client = server.connect("ann").await;
        client.close(code, "bye").await;
        assert_eq!(client.closed().await, Some((code, "bye".to_owned())));
        let (code, reason) = flavour().left(code, "bye");
        let disconnect = format!("disconnect: transport close, {code}, {reason:?}");
        let lines = ["connect", "disconnecting: transport close", &disconnect, "heard: transport close, none"];
        seen.expect(&lines).await;
        expect_no_more(&server, &mut seen).await;
    }
}

#[tokio::test]
async fn a_client_closes_without_a_code() {
    let (server, mut seen) = server().await;
    let mut client = server.connect("ann").await;
    client.0.send(Message::Close(None)).await.expect("sent");
    assert_eq!(client.closed().await, None);
    let disconnect = "disconnect: transport close, 1005, \"\"";
    let lines = ["connect", "disconnecting: transport close", disconnect, "heard: transport close, none"];
    seen.expect(&lines).await;
    expect_no_more(&server, &mut seen).await;
}

#[tokio::test]
async fn the_server_closes_or_disconnects_a_socket() {
    for (how, reason, code, text) in [
        ("close", "forced close", 1000, ""),
        ("close with", "forced close", 4002, "enough"),
        ("disconnect", "server namespace disconnect", 1000, ""),
        ("not allowed", "forced close", 1000, ""),
    ] {
        let (server, mut seen) = server().await;
        let mut client = server.connect("ann").await;
        client.emit("said", "hello").await;
        seen.expect(&["connect", "said hello"]).await;
        let socket = server.hub.sockets().remove(0);
        for number in 0..100 {
            socket.emit(("queued", number)).expect("queued");
        }
        match how {
            "close" => socket.close(),
            "close with" => socket.close_with(4002, "enough"),
            "not allowed" => socket.close_with(1006, ""),
            _ => socket.disconnect(),
        }
        assert!(!socket.is_alive() && socket.send("too late").is_err());
        socket.close();
        for number in 0..100 {
            assert_eq!(client.json().await, json!({ "event": "queued", "data": number }));
        }
        let (told, reason, code, text) = match flavour().is_plain() {
            true => (Some((code, text.to_owned())), reason, code.to_string(), text),
            // A Socket.IO client first receives a DISCONNECT for its namespace, whatever the close
            // code.
            false => (flavour().told(code, text), flavour().closed(), "no code".to_owned(), ""),
        };
        if how != "disconnect" || flavour().is_plain() {
            assert_eq!(client.closed().await, told, "{how}");
        } else {
            // The client closes a connection that has no namespace left.
            assert_eq!(client.closed().await.map(|(code, _)| code), Some(1000));
        }
        let (disconnecting, heard) = (format!("disconnecting: {reason}"), format!("heard: {reason}, none"));
        let disconnect = format!("disconnect: {reason}, {code}, {text:?}");
        seen.expect(&["close, rooms: [\"room\"]", &disconnecting, &disconnect, &heard]).await;
        expect_no_more(&server, &mut seen).await;
    }
}

#[tokio::test]
async fn a_shutdown_closes_the_connection() {
    let (server, mut seen) = server().await;
    let mut client = server.connect("ann").await;
    seen.expect(&["connect"]).await;
    server.hub.broadcast(Text("queued")).expect("queued");
    let (_, (text, said)) = tokio::join!(server.hub.shutdown(Duration::from_secs(60)), async {
        (client.text().await, client.closed().await)
    });
    assert_eq!((&*text, said), ("queued", flavour().told(1001, "server shutting down")));
    seen.expect(&["close, rooms: [\"room\"]", "disconnecting: server shutting down"]).await;
    seen.expect(&["disconnect: server shutting down, 1001, \"\"", "heard: server shutting down, none"]).await;
    seen.expect_nothing();
}

#[tokio::test]
async fn an_outbox_overflow_closes_the_connection() {
    let (builder, log, mut seen) = hub();
    let server = server_of(builder.outbox(10, usize::MAX), log).await;
    let mut client = server.connect("ann").await;
    seen.expect(&["connect"]).await;
    let socket = server.hub.sockets().remove(0);
    let taken = (0..100).take_while(|_| socket.send("x").is_ok()).count();
    assert_eq!((taken, socket.is_alive()), (10, false));
    for _ in 0..10 {
        assert_eq!(client.text().await, "x");
    }
    assert_eq!(client.closed().await, flavour().told(1013, "overflow"));
    seen.expect(&["disconnecting: overflow", "disconnect: overflow, 1013, \"\""]).await;
    seen.expect(&["heard: overflow, overflow", "error: overflow"]).await;
    expect_no_more(&server, &mut seen).await;
}

#[tokio::test]
async fn an_outbox_larger_than_the_kernels_buffers_is_delivered_before_the_close() {
    let (server, mut seen) = server().await;
    let mut client = server.connect("ann").await;
    seen.expect(&["connect"]).await;
    let socket = server.hub.sockets().remove(0);
    let large = "x".repeat(50_000);
    for number in 0..100 {
        socket.emit(("large", number, &large)).expect("queued");
    }
    socket.close();
    for number in 0..100 {
        let message = client.json().await;
        assert_eq!((&message["args"][0], message["args"][1].as_str()), (&json!(number), Some(&*large)));
    }
    assert_eq!(client.closed().await, Some((1000, String::new())));
}

#[tokio::test]
async fn close_timeout_limits_the_wait_for_the_clients_close_frame() {
    let (builder, log, mut seen) = hub();
    let server = server_of(builder.close_timeout(Duration::from_millis(50)), log).await;
    let _silent = server.connect("ann").await;
    seen.expect(&["connect"]).await;
    let socket = server.hub.sockets().remove(0);
    socket.send("x".repeat(8_000_000)).expect("queued");
    socket.close();
    seen.expect(&["close, rooms: [\"room\"]", &format!("disconnecting: {}", flavour().closed())]).await;
    soon("end of the connection", async {
        while server.hub.stats().connections > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_client_that_answers_no_ping_is_disconnected() {
    let (builder, log, mut seen) = hub();
    let beat = Duration::from_millis(50);
    let server = server_of(builder.ping_interval(beat).ping_timeout(beat), log).await;
    // The test never reads from the client, so that it answers no ping.
    let _client = server.connect("ann").await;
    seen.expect(&["connect", "disconnecting: ping timeout"]).await;
    seen.expect(&["disconnect: ping timeout, no code, \"\"", "heard: ping timeout, ping timeout"]).await;
    seen.expect(&["error: ping timeout"]).await;
}

#[tokio::test]
async fn events_received_before_a_clients_close_frame_are_handled() {
    let (server, mut seen) = server().await;
    let mut client = server.connect("ann").await;
    for _ in 0..20 {
        client.0.feed(Message::text(r#"{"event":"quick"}"#)).await.expect("sent");
    }
    client.close(1000, "").await;
    seen.expect(&["connect"]).await;
    for _ in 0..20 {
        seen.expect(&["quick"]).await;
    }
    seen.expect(&["disconnecting: transport close"]).await;
}

mod plain_only {
    use super::*;

    #[tokio::test]
    async fn a_client_resets_the_connection() {
        // Engine.IO reports a reset as any other loss of the connection.
        plain_only();
        let (server, mut seen) = server().await;
        let mut client = server.connect("ann").await;
        seen.expect(&["connect"]).await;
        server.hub.broadcast(Text("never read")).expect("sent");
        soon("message", client.stream().arrived()).await;
        // Closing a TCP socket with unread data sends a reset.
        drop(client);
        seen.expect(&["disconnecting: transport error"]).await;
        let line = seen.next().await;
        let how = if stream::kind() == Kind::Memory { "cut" } else { "reset" };
        assert!(line.starts_with("disconnect: transport error, no code, \"") && line.contains(how), "{line}");
        seen.expect(&["heard: transport error, transport error", "error: transport error"]).await;
        expect_no_more(&server, &mut seen).await;
    }

    #[tokio::test]
    async fn a_close_reason_is_cut_to_the_size_of_a_close_frame() {
        // Socket.IO clients receive a DISCONNECT, which has no reason.
        plain_only();
        let (server, mut seen) = server().await;
        let mut client = server.connect("ann").await;
        seen.expect(&["connect"]).await;
        server.hub.sockets()[0].close_with(4000, "ä".repeat(100));
        assert_eq!(client.closed().await, Some((4000, "ä".repeat(61))));
    }

    #[tokio::test]
    async fn a_client_that_answers_pings_stays_connected() {
        // Engine.IO heartbeats are messages, and the test client answers them internally.
        plain_only();
        let (builder, log, mut seen) = hub();
        let interval = Duration::from_millis(20);
        let builder = builder.ping_interval(interval).ping_timeout(Duration::from_secs(5));
        let server = server_of(builder, log).await;
        let mut client = server.connect("ann").await;
        for _ in 0..5 {
            let ping = soon("ping", futures_util::StreamExt::next(&mut client.0)).await.expect("a ping");
            assert_eq!(ping.expect("a ping"), Message::Ping(Default::default()));
        }
        client.emit("said", "still here").await;
        seen.expect(&["connect", "said still here"]).await;
    }
}

mod websocket_only {
    use super::*;

    #[tokio::test]
    async fn a_client_closes_with_a_code_of_its_own() {
        // Only close frames have codes.
        websocket_only();
        let (server, mut seen) = server().await;
        let mut client = server.connect("ann").await;
        client.close(4001, "tired").await;
        assert_eq!(client.closed().await, Some((4001, "tired".to_owned())));
        let disconnect = "disconnect: transport close, 4001, \"tired\"";
        seen.expect(&["connect", "disconnecting: transport close", disconnect]).await;
        seen.expect(&["heard: transport close, transport close", "error: transport close"]).await;
        expect_no_more(&server, &mut seen).await;
    }

    #[tokio::test]
    async fn a_connection_is_cut_without_a_close_frame() {
        // A polling client has no single connection that could be cut behind a message.
        websocket_only();
        let (server, mut seen) = server().await;
        let mut client = server.connect("ann").await;
        client.emit("said", "last").await;
        drop(client);
        let cut = flavour().cut();
        seen.expect(&["connect", "said last", &format!("disconnecting: {cut}")]).await;
        seen.expect(&[&format!("disconnect: {cut}, no code, \"the connection was cut\"")]).await;
        seen.expect(&[&format!("heard: {cut}, {cut}"), &format!("error: {cut}")]).await;
        expect_no_more(&server, &mut seen).await;
    }

    #[tokio::test]
    async fn a_message_beyond_max_payload_closes_the_connection() {
        // A polling request that is too large gets an HTTP status, and the session stays open.
        websocket_only();
        let (builder, log, mut seen) = hub();
        let server = server_of(builder.max_payload(1000), log).await;
        for fragments in [false, true] {
            let mut client = server.connect("ann").await;
            client.emit("said", "x".repeat(900)).await;
            seen.expect(&["connect", &format!("said {}", "x".repeat(900))]).await;
            if fragments {
                for first_byte in [0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x80] {
                    let frame = masked_frame(first_byte, &[b'x'; 120]);
                    client.stream().write_all(&frame).await.expect("sent");
                }
            } else {
                client.send("x".repeat(1001)).await;
            }
            assert_eq!(client.closed().await.map(|(code, _)| code), Some(1009));
            seen.expect(&["disconnecting: payload too large"]).await;
            assert!(seen.next().await.starts_with("disconnect: payload too large, 1009, "));
            seen.expect(&["heard: payload too large, payload too large", "error: payload too large"]).await;
        }
        expect_no_more(&server, &mut seen).await;
    }

    #[tokio::test]
    async fn invalid_frames_close_the_connection() {
        // Long-polling has no frames.
        websocket_only();
        let text = |payload: &[u8]| masked_frame(0x81, payload);
        let (server, mut seen) = server().await;
        for (bytes, code) in [
            (text(b"\xff\xfe"), 1007),
            (text(b"\xed\xa0\x80"), 1007),
            ([masked_frame(0x01, b"\xe2\x82"), masked_frame(0x80, b"x")].concat(), 1007),
            (masked_frame(0x83, b"reserved opcode"), 1002),
            (masked_frame(0xc1, b"reserved bit"), 1002),
            (masked_frame(0x80, b"nothing to continue"), 1002),
            (masked_frame(0x09, b"a fragmented ping"), 1002),
            (b"\x81\x05plain".to_vec(), 1002),
            (masked_frame(0x88, b"\x03"), 1002),
        ] {
            let mut client = server.connect("ann").await;
            client.stream().write_all(&bytes).await.expect("sent");
            assert_eq!(client.closed().await.map(|(code, _)| code), Some(code), "{bytes:?}");
            seen.expect(&["connect", "disconnecting: parse error"]).await;
            let line = seen.next().await;
            assert!(line.starts_with(&format!("disconnect: parse error, {code}, ")), "{line}");
            seen.expect(&["heard: parse error, parse error", "error: parse error"]).await;
        }
        expect_no_more(&server, &mut seen).await;
    }
}
