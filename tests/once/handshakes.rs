//! HTTP requests that the routes and `serve` must refuse, as raw bytes over real sockets.

use axum::Router;
use axum::routing::get;
use socketio::Hub;
use socketio_tests::soon;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const POLLING: &str = "/socket.io/?EIO=4&transport=polling";
const WEBSOCKET: &str = "/socket.io/?EIO=4&transport=websocket";
/// The default of `max_header_bytes`.
const LIMIT: usize = 16 * 1024;

/// The headers of a WebSocket handshake but `Host`.
const UPGRADE: [&str; 4] = [
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
];

fn app() -> Router {
    let hub = Hub::builder().build().expect("a hub");
    let routes = Router::new().merge(hub.socketio()).merge(hub.engine("/engine.io/"));
    routes.route("/ws", get(hub.websocket())).route("/page", get(async || "a page"))
}

async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    (listener, address)
}

/// A server of this crate, and one of axum's.
async fn servers() -> [SocketAddr; 2] {
    let ((ours, our_address), (axums, axum_address)) = (listener().await, listener().await);
    tokio::spawn(async move { socketio::serve(ours, app()).await });
    tokio::spawn(async move { axum::serve(axums, app()).await });
    [our_address, axum_address]
}

fn request(method: &str, path: &str, version: &str, headers: &[&str]) -> String {
    let mut request = format!("{method} {path} HTTP/{version}\r\n");
    for header in headers {
        request.push_str(header);
        request.push_str("\r\n");
    }
    request + "\r\n"
}

/// Sends a request, and returns the head of the response and the beginning of its body.
async fn response(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.expect("connected");
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut received = Vec::new();
    soon("response", async {
        while !received.windows(4).any(|window| window == b"\r\n\r\n") {
            assert_ne!(stream.read_buf(&mut received).await.expect("a response"), 0, "{request}");
        }
    })
    .await;
    String::from_utf8_lossy(&received).into_owned()
}

async fn status(address: SocketAddr, request: &str) -> u16 {
    response(address, request).await[9..12].parse().expect("a status")
}

/// The statuses of a GET with these headers on the plain route, on a page, for a polling handshake,
/// and for a Socket.IO WebSocket. The first and the last have the handshake's headers in addition.
async fn statuses(address: SocketAddr, version: &str, headers: &[&str]) -> [u16; 4] {
    let upgrade = [headers, &UPGRADE].concat();
    [
        status(address, &request("GET", "/ws", version, &upgrade)).await,
        status(address, &request("GET", "/page", version, headers)).await,
        status(address, &request("GET", POLLING, version, headers)).await,
        status(address, &request("GET", WEBSOCKET, version, &upgrade)).await,
    ]
}

#[tokio::test]
async fn a_request_of_http_1_1_has_one_valid_host() {
    let [ours, axums] = servers().await;
    for host in ["Host: localhost", "Host: [::1]:8080", "Host: a_b.example:80", "Host:"] {
        for address in [ours, axums] {
            assert_eq!(statuses(address, "1.1", &[host]).await, [101, 200, 200, 101], "{host}");
        }
    }
    let invalid: [&[&str]; 8] = [
        &[],
        &["Host: localhost", "Host: localhost"],
        &["Host: localhost", "Host: other"],
        &["Host: a b"],
        &["Host: user@localhost"],
        &["Host: localhost/path"],
        &["Host: localhost:99999"],
        &["Host: a, b"],
    ];
    for headers in invalid {
        assert_eq!(statuses(ours, "1.1", headers).await, [400, 400, 400, 400], "{headers:?}");
        assert_eq!(statuses(axums, "1.1", headers).await, [400, 200, 400, 400], "{headers:?}");
    }
}

#[tokio::test]
async fn a_request_of_http_1_0_needs_no_host() {
    let [ours, axums] = servers().await;
    for address in [ours, axums] {
        // HTTP/1.0 has no upgrades.
        assert_eq!(statuses(address, "1.0", &[]).await, [426, 200, 200, 400]);
        assert_eq!(statuses(address, "1.0", &["Host: localhost"]).await, [426, 200, 200, 400]);
    }
    let two = ["Host: a", "Host: b"];
    assert_eq!(statuses(ours, "1.0", &two).await, [400, 400, 400, 400]);
    assert_eq!(statuses(axums, "1.0", &two).await, [400, 200, 400, 400]);
}

#[tokio::test]
async fn websocket_handshakes_are_checked_strictly() {
    const HOST: &str = "Host: localhost";
    const KEY: &str = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
    const VERSION: &str = "Sec-WebSocket-Version: 13";
    const CONNECTION: &str = "Connection: Upgrade";
    const TO_WEBSOCKET: &str = "Upgrade: websocket";
    let accepted: [&[&str]; 5] = [
        &[HOST, CONNECTION, TO_WEBSOCKET, VERSION, KEY],
        &[HOST, "connection: keep-alive, uPgRaDe", "upgrade: WebSocket", VERSION, KEY],
        &[HOST, "Connection: keep-alive", "Connection: Upgrade", TO_WEBSOCKET, VERSION, KEY],
        &[HOST, CONNECTION, "Upgrade: h2c, websocket", VERSION, KEY],
        &[HOST, CONNECTION, TO_WEBSOCKET, VERSION, "Sec-WebSocket-Key:   dGhlIHNhbXBsZSBub25jZQ==  "],
    ];
    let refused: [(u16, &[&str]); 16] = [
        (426, &[HOST, TO_WEBSOCKET, VERSION, KEY]),
        (426, &[HOST, CONNECTION, VERSION, KEY]),
        (426, &[HOST, "Connection: Upgrades", TO_WEBSOCKET, VERSION, KEY]),
        (426, &[HOST, "Connection: close", TO_WEBSOCKET, VERSION, KEY]),
        (426, &[HOST, CONNECTION, "Upgrade: websockets", VERSION, KEY]),
        (426, &[HOST, CONNECTION, TO_WEBSOCKET, KEY]),
        (426, &[HOST, CONNECTION, TO_WEBSOCKET, "Sec-WebSocket-Version: 8", KEY]),
        (426, &[HOST, CONNECTION, TO_WEBSOCKET, "Sec-WebSocket-Version: 13, 8", KEY]),
        (426, &[HOST, CONNECTION, TO_WEBSOCKET, VERSION, "Sec-WebSocket-Version: 8", KEY]),
        (426, &[HOST, CONNECTION, TO_WEBSOCKET, VERSION, VERSION, KEY]),
        (400, &[HOST, CONNECTION, TO_WEBSOCKET, VERSION]),
        (400, &[HOST, CONNECTION, TO_WEBSOCKET, VERSION, KEY, KEY]),
        (400, &[HOST, CONNECTION, TO_WEBSOCKET, VERSION, "Sec-WebSocket-Key:"]),
        (400, &[HOST, CONNECTION, TO_WEBSOCKET, VERSION, "Sec-WebSocket-Key: c2hvcnQ="]),
        (400, &[HOST, CONNECTION, TO_WEBSOCKET, VERSION, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZSEhISE="]),
        (400, &[HOST, CONNECTION, TO_WEBSOCKET, VERSION, "Sec-WebSocket-Key: !!!!IHNhbXBsZSBub25jZQ=="]),
    ];
    for address in servers().await {
        for headers in accepted {
            assert_eq!(status(address, &request("GET", "/ws", "1.1", headers)).await, 101, "{headers:?}");
            assert_eq!(status(address, &request("GET", WEBSOCKET, "1.1", headers)).await, 101, "{headers:?}");
        }
        for (expected, headers) in refused {
            assert_eq!(status(address, &request("GET", "/ws", "1.1", headers)).await, expected, "{headers:?}");
            // The reference server's status.
            assert_eq!(status(address, &request("GET", WEBSOCKET, "1.1", headers)).await, 400, "{headers:?}");
        }
        for method in ["POST", "PUT", "HEAD"] {
            let valid = request(method, "/ws", "1.1", accepted[0]);
            assert_eq!(status(address, &valid).await, 405, "{method}");
            let valid = request(method, WEBSOCKET, "1.1", accepted[0]);
            assert_eq!(status(address, &valid).await, 400, "{method}");
        }
        let version = response(address, &request("GET", "/ws", "1.1", refused[6].1)).await;
        assert!(version.contains("sec-websocket-version: 13\r\n"), "{version}");
    }
}

/// A request of exactly this many bytes.
fn of_length(path: &str, headers: &[&str], length: usize) -> String {
    let bare = request("GET", path, "1.1", &[headers, &["X-Big: "]].concat());
    let value = "x".repeat(length - bare.len());
    request("GET", path, "1.1", &[headers, &[&format!("X-Big: {value}")]].concat())
}

#[tokio::test]
async fn the_head_of_a_request_to_serve_has_a_limit() {
    let [ours, _] = servers().await;
    let upgrade = [&["Host: localhost"][..], &UPGRADE].concat();
    for (path, headers, accepted) in [
        ("/ws", &upgrade[..], 101),
        ("/page", &upgrade[..1], 200),
        (POLLING, &upgrade[..1], 200),
        (WEBSOCKET, &upgrade, 101),
    ] {
        let longest = of_length(path, headers, LIMIT);
        assert_eq!(longest.len(), LIMIT);
        assert_eq!(status(ours, &longest).await, accepted, "{path}");
        assert_eq!(status(ours, &of_length(path, headers, LIMIT + 1)).await, 431, "{path}");
    }
}

#[tokio::test]
async fn the_head_of_a_request_has_a_limit_under_every_server() {
    let [_, axums] = servers().await;
    let upgrade = [&["Host: localhost"][..], &UPGRADE].concat();
    let page = &upgrade[..1];
    assert_eq!(status(axums, &of_length("/page", page, LIMIT + 1_000)).await, 200);
    for (path, headers, accepted) in [("/ws", &upgrade[..], 101), (POLLING, page, 200), (WEBSOCKET, &upgrade, 101)] {
        assert_eq!(status(axums, &of_length(path, headers, LIMIT)).await, accepted, "{path}");
        assert_eq!(status(axums, &of_length(path, headers, LIMIT + 1_000)).await, 431, "{path}");
        // The URL counts, and so do many short headers.
        let separator = if path.contains('?') { '&' } else { '?' };
        let long = format!("{path}{separator}q={}", "x".repeat(LIMIT));
        assert_eq!(status(axums, &request("GET", &long, "1.1", headers)).await, 431, "{path}");
        let cookie = format!("Cookie: {}", "c".repeat(300));
        let cookies = [headers, &vec![&*cookie; 60]].concat();
        assert_eq!(status(axums, &request("GET", path, "1.1", &cookies)).await, 431, "{path}");
    }
    // Requests of a polling session.
    let open = response(axums, &request("GET", POLLING, "1.1", page)).await;
    let (_, sid) = open.split_once(r#""sid":""#).expect("an id");
    let session = format!("{POLLING}&sid={}", &sid[..20]);
    assert_eq!(status(axums, &of_length(&session, page, LIMIT + 1_000)).await, 431);
    let big = format!("X-Big: {}", "x".repeat(LIMIT));
    let post = request("POST", &session, "1.1", &["Host: localhost", "Content-Length: 2", &big]) + "40";
    assert_eq!(status(axums, &post).await, 431);
    let post = request("POST", &session, "1.1", &["Host: localhost", "Content-Length: 2"]) + "40";
    assert_eq!(status(axums, &post).await, 200, "the session goes on");
}

#[tokio::test]
async fn a_large_body_does_not_count_as_a_header() {
    for address in servers().await {
        let open = response(address, &request("GET", POLLING, "1.1", &["Host: localhost"])).await;
        let (_, sid) = open.split_once(r#""sid":""#).expect("an id");
        let session = format!("{POLLING}&sid={}", &sid[..20]);
        let body = format!("6{}", "x".repeat(900_000));
        let length = format!("Content-Length: {}", body.len());
        let post = request("POST", &session, "1.1", &["Host: localhost", &length]) + &body;
        assert_eq!(status(address, &post).await, 200);
        let chunked = request("POST", &session, "1.1", &["Host: localhost", "Transfer-Encoding: chunked"]);
        let chunked = format!("{chunked}{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
        assert_eq!(status(address, &chunked).await, 200);
    }
}
