//! Messages that arrive in part, or byte by byte, and never end. Each has a deadline.

use axum::Router;
use axum::routing::get;
use socketio::{EventPayload, Hub};
use socketio_tests::{Seen, log, soon};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::OwnedWriteHalf;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::interval;

const SHORT: Duration = Duration::from_millis(200);
const PLAIN: &str = "/ws";
const SOCKETIO: &str = "/socket.io/?EIO=4&transport=websocket";
const ENGINE: &str = "/engine.io/?EIO=4&transport=websocket";

/// A hub whose messages must arrive soon, and whose other timeouts are long.
async fn serve() -> (SocketAddr, Seen) {
    let hub = Hub::builder().message_timeout(SHORT).build().expect("a hub");
    let (log, seen) = log();
    hub.on("disconnect", move |payload: EventPayload| log.note(String::from_utf8_lossy(&payload.data)));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    let app = Router::new().route("/ws", get(hub.websocket())).merge(hub.socketio()).merge(hub.engine("/engine.io/"));
    tokio::spawn(async move { socketio::serve(listener, app).await });
    (address, seen)
}

/// A client's frame, masked with zeros. `missing` is the number of bytes to come.
fn frame(first: u8, payload: &[u8], missing: usize) -> Vec<u8> {
    let length = u8::try_from(payload.len() + missing).ok().filter(|length| *length < 126).expect("a short payload");
    [&[first, 0x80 | length, 0, 0, 0, 0], payload].concat()
}

fn text(payload: &str) -> Vec<u8> {
    frame(0x81, payload.as_bytes(), 0)
}

async fn upgrade(address: SocketAddr, path: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.expect("connected");
    stream.set_nodelay(true).expect("a socket");
    let head = format!(
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.expect("sent");
    stream
}

/// Sends bytes, then `drip` again and again, until the server closes the connection. Returns the
/// code of its close frame.
async fn close_code(address: SocketAddr, path: &str, begin: &[u8], drip: &[u8]) -> u16 {
    let mut stream = upgrade(address, path).await;
    stream.write_all(begin).await.expect("sent");
    let (mut read, write) = stream.into_split();
    let (mut received, dripping) = (Vec::new(), tokio::spawn(send_drops(write, drip.to_vec())));
    soon("end", read.read_to_end(&mut received)).await.expect("an orderly end");
    dripping.abort();
    // The close frame is the last one.
    let close = received.windows(2).rposition(|window| window[0] == 0x88).expect("a close frame");
    u16::from_be_bytes([received[close + 2], received[close + 3]])
}

async fn send_drops(mut write: OwnedWriteHalf, drop: Vec<u8>) {
    let mut pace = interval(SHORT / 20);
    while !drop.is_empty() && write.write_all(&drop).await.is_ok() {
        pace.tick().await;
    }
    // The writing side stays open.
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn an_incomplete_message_times_out_on_each_route() {
    let (address, _seen) = serve().await;
    let begins: [&[u8]; 5] = [
        // Parts of a frame's header, and of its payload.
        &[0x81],
        &[0x81, 0xfe, 1],
        &frame(0x81, b"6", 100),
        // A message without its last fragment, and one with a part of it.
        &frame(0x01, b"6", 0),
        &[frame(0x01, b"6", 0), frame(0x80, b"x", 1)].concat(),
    ];
    for path in [PLAIN, SOCKETIO, ENGINE] {
        for begin in begins {
            assert_eq!(close_code(address, path, begin, &[]).await, 1008, "{begin:?} on {path}");
        }
    }
}

#[tokio::test]
async fn a_message_that_grows_slowly_times_out() {
    let (address, _seen) = serve().await;
    let long = [&[0x81, 0xff, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0][..], b"6"].concat();
    for path in [PLAIN, SOCKETIO, ENGINE] {
        assert_eq!(close_code(address, path, &long, b"x").await, 1008, "bytes on {path}");
        assert_eq!(close_code(address, path, &frame(0x01, b"6", 0), &frame(0x00, b"x", 0)).await, 1008, "fragments");
        // Control frames between the fragments do not count.
        assert_eq!(close_code(address, path, &frame(0x01, b"6", 0), &frame(0x89, b"", 0)).await, 1008, "pings");
    }
}

#[tokio::test]
async fn a_packet_without_its_attachments_times_out() {
    let (address, mut seen) = serve().await;
    let event = text(r#"451-["x",{"_placeholder":true,"num":0}]"#);
    let begin = [text("40"), event].concat();
    assert_eq!(close_code(address, SOCKETIO, &begin, &[]).await, 1008);
    seen.expect(&["transport error"]).await;
    // Heartbeats between the attachments do not count.
    assert_eq!(close_code(address, SOCKETIO, &begin, &text("3")).await, 1008);
    let event = text(r#"459-["x",{"_placeholder":true,"num":0}]"#);
    let begin = [text("40"), event, frame(0x82, b"one", 0)].concat();
    assert_eq!(close_code(address, SOCKETIO, &begin, &[]).await, 1008);
}

#[tokio::test]
async fn messages_that_overlap_the_next_one_have_a_deadline_of_their_own() {
    let (address, _seen) = serve().await;
    let mut stream = upgrade(address, PLAIN).await;
    // Each write completes a message and begins the next one.
    let mut pace = interval(SHORT / 10);
    stream.write_all(&[0x81]).await.expect("sent");
    for _ in 0..30 {
        pace.tick().await;
        stream.write_all(&[0x81, 0, 0, 0, 0, b'x', 0x81]).await.expect("the connection is open");
    }
    stream.write_all(&[0x80, 0, 0, 0, 0]).await.expect("sent");
    stream.write_all(&frame(0x88, &1000_u16.to_be_bytes(), 0)).await.expect("sent");
    let mut received = Vec::new();
    soon("end", stream.read_to_end(&mut received)).await.expect("an orderly end");
    assert!(received.ends_with(&1000_u16.to_be_bytes()), "{received:?}");
}

/// Sends a request, and returns the response's status and headers, and what has arrived of its
/// body.
async fn request(address: SocketAddr, request: &str) -> (TcpStream, String) {
    let mut stream = TcpStream::connect(address).await.expect("connected");
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut received = Vec::new();
    soon("response", async {
        while !received.windows(4).any(|window| window == b"\r\n\r\n") {
            assert_ne!(stream.read_buf(&mut received).await.expect("a response"), 0, "{request}");
        }
    })
    .await;
    (stream, String::from_utf8_lossy(&received).into_owned())
}

async fn session(address: SocketAddr) -> String {
    const POLLING: &str = "/socket.io/?EIO=4&transport=polling";
    let (_, open) = request(address, &format!("GET {POLLING} HTTP/1.1\r\nHost: localhost\r\n\r\n")).await;
    let (_, sid) = open.split_once(r#""sid":""#).expect("an id");
    format!("{POLLING}&sid={}", &sid[..20])
}

/// Polls until the session is unknown.
async fn has_ended(address: SocketAddr, path: &str) {
    let poll = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    let mut answer = String::new();
    while !answer.contains("Session ID unknown") {
        let mut stream = TcpStream::connect(address).await.expect("connected");
        stream.write_all(poll.as_bytes()).await.expect("sent");
        answer.clear();
        stream.read_to_string(&mut answer).await.expect("a response");
    }
}

#[tokio::test]
async fn a_body_that_never_ends_times_out() {
    let (address, _seen) = serve().await;
    for body in ["content-length: 100\r\n\r\n40", "transfer-encoding: chunked\r\n\r\n2\r\n40\r\n"] {
        let path = session(address).await;
        let (_, response) = request(address, &format!("POST {path} HTTP/1.1\r\nHost: localhost\r\n{body}")).await;
        assert!(response.starts_with("HTTP/1.1 400"), "{response}");
        soon("end of the session", has_ended(address, &path)).await;
    }
}

/// A request that is refused is answered before its body arrives, and the connection is closed.
#[tokio::test]
async fn the_body_of_a_refused_request_is_not_awaited() {
    let (address, _seen) = serve().await;
    for path in ["/ws", "/socket.io/?EIO=4&transport=polling", "/socket.io/?EIO=4&transport=polling&sid=x"] {
        let head = format!("POST {path} HTTP/1.1\r\nHost: localhost\r\ncontent-length: 100\r\n\r\nx");
        let (mut stream, response) = request(address, &head).await;
        assert!(response.starts_with("HTTP/1.1 40"), "{response}");
        let mut rest = Vec::new();
        let _ = soon("end", stream.read_to_end(&mut rest)).await;
    }
}

#[tokio::test]
async fn a_polled_packet_without_its_attachments_times_out() {
    let (address, mut seen) = serve().await;
    let path = session(address).await;
    for body in ["40", r#"451-["x",{"_placeholder":true,"num":0}]"#] {
        let head = format!("POST {path} HTTP/1.1\r\nHost: localhost\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        assert!(request(address, &head).await.1.starts_with("HTTP/1.1 200"));
    }
    seen.expect(&["transport error"]).await;
    soon("end of the session", has_ended(address, &path)).await;
}
