//! Hooks of the routes for Engine.IO and Socket.IO clients: callbacks for HTTP requests, and custom
//! parsers.

use axum::Router;
use axum::routing::get;
use bytes::Bytes;
use http::HeaderValue;
use socketio::{
    EngineRoutes, EventError, Hub, InvalidPacket, Parser, ParserMessage, ParserPacket, SessionRequest, Socket,
    SocketIo, Upgrade, event, events,
};
use socketio_tests::{Client, Log, Seen, Server, log, serve_router, soon};
use std::panic::panic_any;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[event("fine")]
fn fine() -> u8 {
    1
}

/// A value whose drop panics, with a payload whose drop panics, and so on.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic_any(Self);
    }
}

fn explode() {
    panic_any(Bomb);
}

async fn serve(set: impl FnOnce(EngineRoutes<SocketIo>) -> EngineRoutes<SocketIo>) -> Server {
    let hub = Hub::builder().events(events![fine]).build().expect("a hub");
    let routes = set(hub.socketio());
    serve_router(hub, Router::new().merge(routes)).await
}

const POLLING: &str = "/socket.io/?EIO=4&transport=polling";
const WEBSOCKET: &str = "/socket.io/?EIO=4&transport=websocket";

/// Sends a request, and returns the status and the rest of the response. The headers of an upgrade
/// make it a WebSocket handshake.
async fn request(server: &Server, method: &str, path: &str, is_upgrade: bool) -> (u16, String) {
    let upgrade = "connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
                   sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let headers = if is_upgrade { upgrade } else { "connection: close\r\n" };
    let length = if method == "POST" { "content-length: 2\r\n\r\n40" } else { "\r\n" };
    let mut stream = server.open().await;
    let request = format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\n{headers}{length}");
    stream.write_all(request.as_bytes()).await.expect("the server takes it");
    let mut response = Vec::new();
    let is_complete = |response: &[u8]| is_upgrade && response.windows(4).any(|window| window == b"\r\n\r\n");
    while !is_complete(&response) && soon("response", stream.read_buf(&mut response)).await.expect("a response") > 0 {}
    let response = String::from_utf8_lossy(&response).into_owned();
    assert!(response.len() > 12, "no response: {response:?}");
    (response[9..12].parse().expect("a status"), response)
}

async fn assert_no_session(server: &Server) {
    let gone = async {
        while server.hub.stats().connections > 0 {
            tokio::task::yield_now().await;
        }
    };
    soon("end of the sessions", gone).await;
}

type Set = fn(EngineRoutes<SocketIo>) -> EngineRoutes<SocketIo>;

#[tokio::test]
async fn a_callback_of_a_handshake_that_panics_is_answered_with_500() {
    let callbacks: [(&str, Set); 4] = [
        ("allow_request", |routes| {
            routes.allow_request(|_request: SessionRequest| {
                explode();
                std::future::ready(Ok::<_, EventError>(()))
            })
        }),
        ("later in allow_request", |routes| {
            routes.allow_request(|_request| async {
                tokio::task::yield_now().await;
                explode();
                Ok::<_, EventError>(())
            })
        }),
        ("initial_headers", |routes| routes.initial_headers(|_headers, _request| explode())),
        ("headers", |routes| routes.headers(|_headers, _request| explode())),
    ];
    for (name, set) in callbacks {
        let server = serve(|routes| set(routes.cookie("io"))).await;
        for (path, is_upgrade) in [(POLLING, false), (WEBSOCKET, true)] {
            let (status, response) = request(&server, "GET", path, is_upgrade).await;
            assert_eq!(status, 500, "{name}: {response}");
            assert!(!response.contains("sid") && !response.contains("set-cookie"), "{name}: {response}");
            assert_no_session(&server).await;
        }
        assert!(server.hub.sockets().is_empty());
    }
}

#[tokio::test]
async fn an_on_refused_that_panics_is_answered_with_500() {
    let server = serve(|routes| routes.on_refused(|_refused| explode())).await;
    for (path, is_upgrade) in [(POLLING, true), (WEBSOCKET, false), ("/socket.io/?transport=none", false)] {
        assert_eq!(request(&server, "GET", path, is_upgrade).await.0, 500, "{path}");
    }
    assert_no_session(&server).await;
}

#[tokio::test]
async fn an_on_refused_of_a_websocket_route_that_panics_is_answered_with_500() {
    let hub = Hub::builder().max_header_bytes(1_000).build().expect("a hub");
    let route = hub.websocket().on_refused(|_refused| explode());
    let own = route.clone();
    let accept = move |upgrade: Upgrade| std::future::ready(own.accept(upgrade));
    let app = Router::new().route("/route", get(route)).route("/own", get(accept));
    let server = serve_router(hub, app).await;
    assert_eq!(request(&server, "GET", "/route", false).await.0, 500);
    // The URL is too large.
    let query = "x".repeat(1_000);
    for path in ["/route", "/own"] {
        assert_eq!(request(&server, "GET", &format!("{path}?{query}"), true).await.0, 500, "{path}");
    }
    assert_no_session(&server).await;
}

#[tokio::test]
async fn headers_that_panic_in_a_session_end_it() {
    for method in ["GET", "POST"] {
        let server = serve(|routes| {
            routes.headers(|headers, request| {
                headers.insert("x-seen", HeaderValue::from_static("yes"));
                if request.uri.query().is_some_and(|query| query.contains("sid=")) {
                    explode();
                }
            })
        })
        .await;
        let (status, open) = request(&server, "GET", POLLING, false).await;
        assert_eq!(status, 200);
        assert!(open.contains("x-seen: yes"), "{open}");
        let (_, sid) = open.split_once(r#""sid":""#).expect("an id");
        let path = format!("{POLLING}&sid={}", &sid[..20]);
        if method == "GET" {
            let (status, _) = request(&server, "POST", &path, false).await;
            assert_eq!(status, 500);
        }
        let (status, _) = request(&server, method, &path, false).await;
        assert!(status == 500 || (method == "GET" && status == 400), "{status}");
        assert_no_session(&server).await;
    }
}

/// The default encoding, with a hook that runs first in each call.
#[derive(Clone)]
struct Hooked(Arc<dyn Fn(&str) + Send + Sync>);

impl std::fmt::Debug for Hooked {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Hooked")
    }
}

impl Parser for Hooked {
    fn encode(&self, packet: &ParserPacket) -> Vec<ParserMessage> {
        (self.0)(&packet.text);
        let attachments = packet.attachments.iter().cloned().map(ParserMessage::Binary);
        [ParserMessage::Text(packet.text.clone())].into_iter().chain(attachments).collect()
    }

    fn decode(&self, received: &[ParserMessage]) -> Result<Option<ParserPacket>, InvalidPacket> {
        let [ParserMessage::Text(text)] = received else { return Err(InvalidPacket) };
        (self.0)(text);
        Ok(Some(ParserPacket { text: text.clone(), attachments: Vec::<Bytes>::new() }))
    }
}

async fn connect(server: &Server) -> Client {
    let mut client = server.connect_to(WEBSOCKET).await;
    assert!(client.text().await.starts_with("0{"));
    client.send("40").await;
    client
}

fn serve_with(hub: Hub, hook: impl Fn(&str) + Send + Sync + 'static) -> impl Future<Output = Server> {
    let routes = hub.socketio().parser(Hooked(Arc::new(hook)));
    serve_router(hub, Router::new().merge(routes))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_parser_may_use_all_sockets() {
    let hub = Hub::builder().events(events![fine]).build().expect("a hub");
    let used = hub.clone();
    let server = serve_with(hub, move |_text| {
        for socket in used.sockets() {
            socket.set_attribute("used", true);
            let _ = (socket.id(), socket.rooms(), socket.is_alive(), socket.join("used"));
        }
        let _ = (used.namespaces(), used.stats());
    })
    .await;
    let held = server.hub.clone();
    server.hub.on("connect", move |payload| {
        let socket = payload.socket;
        let _ = (socket.rooms(), held.len());
    });
    let mut client = connect(&server).await;
    assert!(client.text().await.starts_with("40{"));
    client.send(r#"420["fine"]"#).await;
    assert_eq!(client.text().await, "430[1]");
    client.send("41").await;
    client.send("40").await;
    assert!(client.text().await.starts_with("40{"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_parser_may_use_the_socket_that_is_being_accepted() {
    let kept: Arc<Mutex<Vec<Socket>>> = Arc::default();
    let keep = Arc::clone(&kept);
    let builder = Hub::builder().events(events![fine]).middleware(move |socket: Socket| {
        socket.emit(("held", 1)).expect("it is held back");
        keep.lock().expect("no panic").push(socket);
        std::future::ready(Ok::<_, EventError>(()))
    });
    let server = serve_with(builder.build().expect("a hub"), move |text| {
        let sockets = kept.lock().expect("no panic").clone();
        for socket in sockets {
            socket.set_attribute("used", true);
            let _ = (socket.id(), socket.rooms(), socket.set_id("other"));
            if text.starts_with("0{") {
                socket.emit(("while connecting", 1)).expect("it is held back");
            }
        }
    })
    .await;
    let mut client = connect(&server).await;
    // The client is told the id that the socket has.
    let connected = client.text().await;
    assert_eq!(connected, format!(r#"40{{"sid":"{}"}}"#, server.hub.sockets()[0].id()));
    assert_eq!(client.text().await, r#"42["held",1]"#);
    assert_eq!(client.text().await, r#"42["while connecting",1]"#);
}

#[tokio::test]
async fn a_parser_that_emits_does_not_call_itself_without_end() {
    let (hub, own) = (Hub::builder().events(events![fine]).build().expect("a hub"), Arc::new(OnceLock::new()));
    let (emitting, (log, mut seen)) = (Arc::clone(&own), log());
    let server = serve_with(hub, move |text| {
        if let Some(hub) = emitting.get()
            && text.starts_with("2[")
        {
            let hub: &Hub = hub;
            if let Some(socket) = hub.sockets().first()
                && let Err(error) = socket.emit(("nested", 1))
            {
                log.note(error);
            }
        }
    })
    .await;
    let mut client = connect(&server).await;
    assert!(client.text().await.starts_with("40{"));
    own.set(server.hub.clone()).expect("once");
    server.hub.sockets()[0].emit(("first", 1)).expect("sent");
    for _ in 0..15 {
        assert_eq!(client.text().await, r#"42["nested",1]"#);
    }
    assert_eq!(client.text().await, r#"42["first",1]"#);
    assert!(seen.next().await.contains("hooks that emit call each other"));
}

#[tokio::test]
async fn a_parser_may_panic() {
    let hub = Hub::builder().events(events![fine]).build().expect("a hub");
    let server = serve_with(hub, |text| {
        if text.contains("bad") {
            explode();
        }
    })
    .await;
    let (mut client, mut other) = (connect(&server).await, connect(&server).await);
    assert!(client.text().await.starts_with("40{"));
    assert!(other.text().await.starts_with("40{"));
    let socket = server.hub.sockets().remove(0);
    let error = socket.emit(("bad", 1)).expect_err("it is not encoded");
    assert!(error.to_string().contains("the parser panicked"), "{error}");
    server.hub.broadcast(("bad", 1)).expect("nobody is told");
    server.hub.broadcast(("good", 1)).expect("sent");
    assert_eq!(client.text().await, r#"42["good",1]"#);
    assert_eq!(other.text().await, r#"42["good",1]"#);
    // A packet that the parser can't read is a violation of the protocol.
    client.send(r#"42["bad"]"#).await;
    assert!(client.closed().await.is_some());
    other.send(r#"421["fine"]"#).await;
    assert_eq!(other.text().await, "431[1]");
}

/// The number of rounds of a client that leaves and joins again.
const ROUNDS: usize = 20_000;

fn small_hub(log: Log, namespaces: usize) -> Hub {
    let hub = Hub::builder()
        .max_namespaces(namespaces)
        .ping_interval(Duration::from_secs(3_600))
        .namespace("/a", |namespace| namespace)
        .namespace("/b", |namespace| namespace)
        .build();
    let hub = hub.expect("a hub");
    for path in ["/a", "/b"] {
        let log = log.clone();
        hub.of(path).on("disconnect", move |_payload| {
            let log = log.clone();
            async move {
                tokio::task::yield_now().await;
                log.note("left");
            }
        });
    }
    hub
}

async fn expect_rounds(seen: &mut Seen, joined: usize) {
    assert_eq!(joined, ROUNDS);
    for _ in 0..ROUNDS - 1 {
        seen.expect(&["left"]).await;
    }
}

#[tokio::test]
async fn a_client_at_its_maximum_of_namespaces_may_leave_and_join_again_over_a_websocket() {
    let (log, mut seen) = log();
    let hub = small_hub(log, 2);
    let server = serve_router(hub.clone(), Router::new().merge(hub.socketio())).await;
    let mut client = server.connect_to(WEBSOCKET).await;
    client.text().await;
    client.send("40/b,").await;
    assert!(client.text().await.starts_with("40/b,{"));
    client.send("40/a,").await;
    let mut joined = 0;
    for round in 0..ROUNDS {
        // Nothing waits for the end of the last socket.
        if round > 0 {
            client.send("41/a,").await;
            client.send("40/a,").await;
        }
        if round % 50 == 49 {
            for _ in 0..50 {
                let answer = client.text().await;
                assert!(answer.starts_with("40/a,{"), "{joined} of {ROUNDS} rounds went well, then: {answer}");
                joined += 1;
            }
        }
    }
    expect_rounds(&mut seen, joined).await;
}

#[tokio::test]
async fn a_client_at_its_maximum_of_namespaces_may_leave_and_join_again_over_polling() {
    let (log, mut seen) = log();
    let hub = small_hub(log, 1);
    let server = serve_router(hub.clone(), Router::new().merge(hub.socketio())).await;
    let open = request(&server, "GET", POLLING, false).await.1;
    let (_, sid) = open.split_once(r#""sid":""#).expect("an id");
    let path = format!("{POLLING}&sid={}", &sid[..20]);
    let body = vec!["41/a,\u{1e}40/a,"; ROUNDS].join("\u{1e}");
    let body = body.strip_prefix("41/a,\u{1e}").expect("the first round only joins");
    let mut stream = server.open().await;
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all([head.as_bytes(), body.as_bytes()].concat().as_slice()).await.expect("the server takes it");
    let mut joined = 0;
    while joined < ROUNDS {
        let polled = request(&server, "GET", &path, false).await.1;
        let polled = polled.split_once("\r\n\r\n").expect("a body").1;
        for packet in polled.split('\u{1e}') {
            assert!(packet.starts_with("40/a,{"), "{joined} of {ROUNDS} rounds went well, then: {packet}");
            joined += 1;
        }
    }
    expect_rounds(&mut seen, joined).await;
}

#[tokio::test]
async fn a_client_can_not_leave_more_namespaces_than_it_may_have_while_their_handlers_run() {
    let hub = Hub::builder().max_namespaces(3).namespace("/a", |namespace| namespace).build().expect("a hub");
    let (log, mut seen) = log();
    let gate = socketio_tests::Gate::default();
    let handler = gate.clone();
    hub.of("/a").on("disconnecting", move |_payload| {
        log.note("leaving");
        let gate = handler.clone();
        async move { gate.pass().await }
    });
    let server = serve_router(hub.clone(), Router::new().merge(hub.socketio())).await;
    let mut client = server.connect_to(WEBSOCKET).await;
    client.text().await;
    for _ in 0..10 {
        client.send("40/a,").await;
        client.send("41/a,").await;
    }
    seen.expect(&["leaving"; 3]).await;
    for _ in 0..3 {
        assert!(client.text().await.starts_with("40/a,{"));
    }
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
    seen.expect_nothing();
    for _ in 0..7 {
        gate.open();
        seen.expect(&["leaving"]).await;
        assert!(client.text().await.starts_with("40/a,{"));
    }
    gate.open_for(3);
}
