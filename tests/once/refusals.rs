//! Each refusal, on each route, reaches the application's listener.

use axum::Router;
use axum::routing::any;
use socketio::{Hub, HubBuilder, Refused};
use socketio_tests::{Log, PATIENCE, Seen, log, soon};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const POLLING: &str = "/socket.io/?EIO=4&transport=polling";
const WEBSOCKET: &str = "/socket.io/?EIO=4&transport=websocket";
const HOST: &str = "Host: localhost\r\n";
const UPGRADE: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
     Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

struct Server {
    hub: Hub,
    address: SocketAddr,
    seen: Seen,
}

fn listener(log: &Log) -> impl Fn(Refused<'_>) + Send + Sync + 'static {
    let log = log.clone();
    move |refused| {
        let Refused { status, code, message, .. } = refused;
        let code = code.map_or(String::new(), |code| format!(" {code}"));
        log.note(format_args!("{}{code} {message}", status.as_u16()));
    }
}

/// Serves with axum, whose own limits are higher.
async fn serve(builder: HubBuilder) -> Server {
    let (log, seen) = log();
    let hub = builder.build().expect("a hub");
    let socketio = hub.socketio().on_refused(listener(&log)).allow_request(|request| async move {
        if request.query("forbid").is_some() { Err("not you") } else { Ok(()) }
    });
    let plain = hub.websocket().on_refused(listener(&log));
    let app = Router::new().merge(socketio).route("/ws", any(plain));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move { axum::serve(listener, app).await });
    Server { hub, address, seen }
}

/// A request whose response is still to come.
struct Pending(TcpStream);

impl Pending {
    /// The status, and the beginning of the body.
    async fn response(&mut self) -> (u16, String) {
        let mut received = Vec::new();
        soon("response", async {
            while !received.windows(4).any(|window| window == b"\r\n\r\n") {
                assert_ne!(self.0.read_buf(&mut received).await.expect("a response"), 0);
            }
        })
        .await;
        let text = String::from_utf8_lossy(&received).into_owned();
        let (head, body) = text.split_once("\r\n\r\n").expect("a head");
        (head[9..12].parse().expect("a status"), body.to_owned())
    }
}

impl Server {
    async fn send(&self, method: &str, path: &str, headers: &str, body: &str) -> Pending {
        let mut stream = TcpStream::connect(self.address).await.expect("connected");
        let request = format!("{method} {path} HTTP/1.1\r\n{headers}\r\n{body}");
        stream.write_all(request.as_bytes()).await.expect("sent");
        Pending(stream)
    }

    async fn get(&self, path: &str, headers: &str) -> u16 {
        self.send("GET", path, headers, "").await.response().await.0
    }

    async fn post(&self, path: &str, headers: &str, body: &str) -> u16 {
        let headers = format!("{HOST}{headers}Content-Length: {}\r\n", body.len());
        self.send("POST", path, &headers, body).await.response().await.0
    }

    /// Opens a polling session, and returns its path.
    async fn session(&self) -> String {
        let (status, open) = self.send("GET", POLLING, HOST, "").await.response().await;
        assert_eq!(status, 200);
        let (_, sid) = open.split_once(r#""sid":""#).expect("an id");
        format!("{POLLING}&sid={}", &sid[..20])
    }

    /// Expects this status, and a refusal in the listener's log that begins so.
    async fn expect(&mut self, status: u16, refusal: &str) {
        let seen = self.seen.next().await;
        assert!(seen.starts_with(refusal) && seen.starts_with(&status.to_string()), "{status}: {seen}");
        self.seen.expect_nothing();
    }
}

fn with_large_header(headers: &str) -> String {
    format!("{headers}X-Big: {}\r\n", "x".repeat(20_000))
}

#[tokio::test]
async fn refused_requests_to_engine_routes_reach_the_listener() {
    let mut server = serve(Hub::builder()).await;
    let upgrade = format!("{HOST}{UPGRADE}");
    let session = server.session().await;
    let foreign = format!("{HOST}Origin: http://evil.example\r\n");
    for (path, headers, expected) in [
        ("/socket.io/?EIO=4", HOST, "400 0 Transport unknown"),
        (&*format!("{POLLING}&sid=x"), HOST, "400 1 Session ID unknown"),
        (WEBSOCKET, HOST, "400 3 Bad request"),
        (POLLING, &upgrade, "400 3 Bad request"),
        (&format!("{POLLING}&forbid"), HOST, "403 4 not you"),
        (POLLING, &foreign, "403 4 "),
        ("/socket.io/?EIO=3&transport=polling", HOST, "400 5 Unsupported protocol version"),
        (POLLING, "", "400 the request must have one valid `Host` header"),
        (WEBSOCKET, UPGRADE, "400 the request must have one valid `Host` header"),
        (POLLING, &with_large_header(HOST), "431 the request's URL and headers are too large"),
        (WEBSOCKET, &with_large_header(&upgrade), "431 the request's URL and headers are too large"),
        (&session, &with_large_header(HOST), "431 the request's URL and headers are too large"),
    ] {
        let status = server.get(path, headers).await;
        server.expect(status, expected).await;
    }
    let status = server.post(POLLING, "", "40").await;
    server.expect(status, "400 2 Bad handshake method").await;
    let status = server.post(&session, &with_large_header(""), "40").await;
    server.expect(status, "431 the request's URL and headers are too large").await;
}

#[tokio::test]
async fn refused_requests_of_a_session_reach_the_listener() {
    let mut server =
        serve(Hub::builder().max_payload(1_000).max_packets(3).message_timeout(Duration::from_millis(50))).await;
    let session = server.session().await;
    let status = server.post(&session, "", &"6".repeat(1_001)).await;
    server.expect(status, "413 the body is too large").await;
    let binary = "Content-Type: application/octet-stream\r\n";
    for (headers, body, expected) in [
        (binary, "40", "400 the body of a POST is not text"),
        ("", "6\u{1e}6\u{1e}6\u{1e}6", "400 the body of a POST is invalid"),
        ("", "x", "400 a packet in the body of a POST is invalid"),
    ] {
        let session = server.session().await;
        let status = server.post(&session, headers, body).await;
        server.expect(status, expected).await;
    }
    let session = server.session().await;
    let incomplete = format!("{HOST}Content-Length: 10\r\n");
    let status = server.send("POST", &session, &incomplete, "40").await.response().await.0;
    server.expect(status, "400 the body of a POST did not arrive completely").await;

    let session = server.session().await;
    let mut polls = [server.send("GET", &session, HOST, "").await, server.send("GET", &session, HOST, "").await];
    let [first, second] = &mut polls;
    let (first, second) = tokio::join!(first.response(), second.response());
    assert_eq!(first.0 + second.0, 600, "one of them is refused");
    server.expect(400, "400 two polls at once").await;
}

#[tokio::test]
async fn two_posts_at_once_reach_the_listener() {
    let mut server = serve(Hub::builder()).await;
    let session = server.session().await;
    let expecting = format!("{HOST}Content-Length: 10\r\nExpect: 100-continue\r\n");
    let mut first = server.send("POST", &session, &expecting, "").await;
    // The server reads the first one.
    assert_eq!(first.response().await.0, 100);
    let status = server.post(&session, "", "40").await;
    server.expect(status, "400 two POST requests at once").await;
}

#[tokio::test]
async fn refused_requests_to_a_plain_route_reach_the_listener() {
    let mut server = serve(Hub::builder()).await;
    let upgrade = format!("{HOST}{UPGRADE}");
    for (headers, expected) in [
        (HOST, "426 this is a WebSocket endpoint: connect with a WebSocket client"),
        (&*upgrade.replace("13", "8"), "426 the version of the WebSocket protocol must be 13"),
        (
            &upgrade.replace("Key: ", "Key: x"),
            "400 the header `Sec-WebSocket-Key` must be there once, with 16 bytes in base64",
        ),
        (UPGRADE, "400 the request must have one valid `Host` header"),
        (&format!("{upgrade}Origin: http://evil.example\r\n"), "403 "),
        (&with_large_header(&upgrade), "431 the request's URL and headers are too large"),
    ] {
        let status = server.get("/ws", headers).await;
        server.expect(status, expected).await;
    }
    let status = server.post("/ws", "", "").await;
    server.expect(status, "405 a WebSocket begins with a GET request").await;
}

#[tokio::test]
async fn a_hub_without_room_or_that_shuts_down_reaches_the_listener() {
    let mut server = serve(Hub::builder().max_connections(1)).await;
    let upgrade = format!("{HOST}{UPGRADE}");
    let _only = server.session().await;
    for is_shut_down in [false, true] {
        if is_shut_down {
            soon("end of the hub", server.hub.shutdown(PATIENCE)).await;
        }
        for (path, headers) in [(POLLING, HOST), (WEBSOCKET, &upgrade), ("/ws", &upgrade)] {
            let status = server.get(path, headers).await;
            server.expect(status, "503 no more connections are accepted").await;
        }
    }
}
