//! Slow, disconnecting and hostile Engine.IO and Socket.IO clients. Nothing hangs or grows without
//! bound, and no correctly sent message is lost.

use axum::Router;
use futures_util::SinkExt;
use socketio::{Binary, EventPayload, Hub, OverflowPolicy, Socket, State, Text, Upgrade, event, events};
use socketio_tests::{Client, Gate, Log, Seen, Server, log, serve_router, soon};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::{Error, Message};

const SEPARATOR: &str = "\u{1e}";

async fn serve(hub: Hub) -> Server {
    let routes = Router::new().merge(hub.socketio()).merge(hub.engine("/engine.io/"));
    serve_router(hub, routes).await
}

/// Connects over a WebSocket and reads the OPEN packet.
async fn websocket(server: &Server) -> Client {
    let mut client = server.connect_to("/socket.io/?EIO=4&transport=websocket").await;
    assert!(client.text().await.starts_with("0{"));
    client
}

/// A polling client.
struct Poller<'a> {
    server: &'a Server,
    path: String,
}

/// A request whose response is still to come.
struct Pending(TcpStream);

impl Pending {
    /// The status and the body of the response.
    async fn answer(mut self) -> (u16, String) {
        let mut answer = String::new();
        soon("answer", self.0.read_to_string(&mut answer)).await.expect("an answer");
        let (head, body) = answer.split_once("\r\n\r\n").expect("an answer of HTTP");
        (head[9..12].parse().expect("a status"), body.to_owned())
    }
}

impl<'a> Poller<'a> {
    /// Opens a session below this path.
    async fn begin(server: &'a Server, path: &str) -> Self {
        let mut poller = Self { server, path: format!("{path}?EIO=4&transport=polling") };
        let (status, open) = poller.get().await.answer().await;
        assert_eq!(status, 200);
        let (_, sid) = open.split_once(r#""sid":""#).expect("an id");
        poller.path = format!("{}&sid={}", poller.path, &sid[..20]);
        poller
    }

    /// Opens a session and connects to the namespace `/`.
    async fn connect(server: &'a Server) -> Self {
        let poller = Self::begin(server, "/socket.io/").await;
        assert_eq!(poller.post("40").await.answer().await, (200, "ok".to_owned()));
        assert!(poller.get().await.answer().await.1.starts_with("40{"));
        poller
    }

    async fn request(&self, request: String) -> Pending {
        let mut stream = TcpStream::connect(self.server.address()).await.expect("the server listens");
        stream.write_all(request.as_bytes()).await.expect("the server takes it");
        Pending(stream)
    }

    async fn get(&self) -> Pending {
        self.request(format!("GET {} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n", self.path)).await
    }

    /// A poll that the server has received: later requests are answered already.
    async fn waiting_poll(&self) -> Pending {
        let poll = self.get().await;
        for _ in 0..3 {
            self.post("3").await.answer().await;
        }
        poll
    }

    async fn post(&self, body: &str) -> Pending {
        self.post_with("", body).await
    }

    /// A POST with additional headers, each of which ends with a line break.
    async fn post_with(&self, headers: &str, body: &str) -> Pending {
        let head = "HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length:";
        self.request(format!("POST {} {head} {}\r\n{headers}\r\n{body}", self.path, body.len())).await
    }

    /// Probes a WebSocket upgrade, up to the answer.
    async fn probe(&self) -> Client {
        let path = self.path.replace("polling", "websocket");
        let mut client = self.server.connect_to(&path).await;
        client.send("2probe").await;
        assert_eq!(client.text().await, "3probe");
        client
    }
}

async fn handler_waits(gate: &Gate) {
    let waits = async {
        while gate.waiting() == 0 {
            tokio::task::yield_now().await;
        }
    };
    soon("handler", waits).await;
}

/// Logs the end of each socket.
fn watched(hub: Hub) -> (Hub, Seen) {
    let (log, seen) = log();
    hub.on("disconnect", move |payload: EventPayload| {
        log.note(format!("disconnect {}", String::from_utf8_lossy(&payload.data)));
    });
    (hub, seen)
}

#[event("wait")]
async fn wait(gate: State<Gate>) {
    gate.pass().await;
}

#[event("note")]
fn note(log: State<Log>, text: String) {
    log.note(text);
}

#[event("sizes")]
fn sizes(parts: Vec<Binary>) -> Vec<usize> {
    parts.iter().map(|part| part.len()).collect()
}

#[event("echo")]
fn echo(parts: Vec<Binary>) -> Vec<Binary> {
    parts
}

#[event("once")]
fn once(socket: &Socket) {
    let _ = socket.send("x");
}

#[event("flood")]
fn flood(socket: &Socket) {
    for _ in 0..100 {
        let _ = socket.send("x");
    }
}

/// A packet may be larger than the inbox.
#[tokio::test]
async fn attachments_larger_than_the_inbox_are_read() {
    let server = serve(Hub::builder().events(events![sizes]).build().expect("a hub")).await;
    let mut client = websocket(&server).await;
    client.send("40").await;
    client.text().await;
    client.send(r#"452-1["sizes",[{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]]"#).await;
    client.send_binary(vec![0; 200_000]).await;
    client.send_binary(vec![0; 300_000]).await;
    assert_eq!(client.text().await, "431[[200000,300000]]");
}

/// Repeated references to one attachment would multiply its bytes for every recipient.
#[tokio::test]
async fn a_packet_whose_placeholders_exceed_max_payload_is_rejected() {
    let (hub, mut seen) = watched(Hub::builder().events(events![echo]).build().expect("a hub"));
    let server = serve(hub).await;
    let mut client = websocket(&server).await;
    client.send("40").await;
    client.text().await;
    let placeholders = [r#"{"_placeholder":true,"num":0}"#; 12].join(",");
    client.send(format!(r#"451-["echo",[{placeholders}]]"#)).await;
    client.send_binary(vec![0; 100_000]).await;
    seen.expect(&["disconnect parse error"]).await;
}

/// It connects and disconnects, and reads none of the answers.
#[tokio::test]
async fn a_client_that_reconnects_repeatedly_and_never_reads_is_disconnected() {
    for policy in [OverflowPolicy::Disconnect, OverflowPolicy::DropNewest] {
        let hub = Hub::builder().outbox(100, 10_000).overflow(policy).close_timeout(Duration::from_millis(10));
        let hub = hub.build().expect("a hub");
        let server = serve(hub).await;
        let mut client = websocket(&server).await;
        let sends = async {
            while !server.hub.is_empty() || server.hub.stats().connections > 0 {
                for _ in 0..1_000 {
                    client.0.feed(Message::text("40")).await?;
                    client.0.feed(Message::text("41")).await?;
                }
                client.0.flush().await?;
            }
            Ok(())
        };
        let _: Result<(), Error> = soon("end", sends).await;
    }
}

/// Emits for a client that does not poll fill its outbox, which then overflows.
#[tokio::test]
async fn a_client_that_posts_and_never_polls_is_disconnected() {
    let (hub, mut seen) =
        watched(Hub::builder().outbox(2_000, 1 << 20).events(events![once, flood]).build().expect("a hub"));
    let server = serve(hub).await;
    let client = Poller::connect(&server).await;
    let poll = client.waiting_poll().await;
    // The first message answers the poll before the others are read.
    let body = [&[r#"42["once"]"#][..], &["3"; 300], &[r#"42["flood"]"#; 500]].concat().join(SEPARATOR);
    let post = client.post(&body).await;
    assert_eq!(poll.answer().await.0, 200);
    seen.expect(&["disconnect overflow"]).await;
    post.answer().await;
}

/// Handlers may read the headers, so the server keeps them as long as their events.
#[tokio::test]
async fn the_headers_of_events_count_for_the_inbox() {
    let (log, mut seen) = log();
    let gate = Gate::default();
    let hub = Hub::builder().state(gate.clone()).state(log).events(events![wait, note]).inbox(1_000, 50_000);
    let server = serve(hub.keep_all_headers().build().expect("a hub")).await;
    let client = Poller::connect(&server).await;
    client.post(r#"42["wait"]"#).await.answer().await;
    handler_waits(&gate).await;
    let header = format!("x-long: {}\r\n", "x".repeat(15_000));
    for number in 0..3 {
        let body = format!(r#"42["note","{number}"]"#);
        assert_eq!(client.post_with(&header, &body).await.answer().await.0, 200, "{number}");
    }
    let mut fourth = Box::pin(client.post_with(&header, r#"42["note","3"]"#).await.answer());
    timeout(Duration::from_millis(300), &mut fourth).await.expect_err("the inbox is full");
    gate.open();
    assert_eq!(fourth.await.0, 200);
    seen.expect(&["0", "1", "2", "3"]).await;
}

/// The packets beside an event keep no request in memory, so they do not make it cheaper.
#[tokio::test]
async fn the_headers_of_an_event_among_many_other_packets_count_for_the_inbox() {
    let (log, mut seen) = log();
    let gate = Gate::default();
    let hub = Hub::builder().state(gate.clone()).state(log).events(events![wait, note]).inbox(1_000, 50_000);
    let server = serve(hub.keep_all_headers().build().expect("a hub")).await;
    let client = Poller::connect(&server).await;
    client.post(r#"42["wait"]"#).await.answer().await;
    handler_waits(&gate).await;
    let header = format!("x-long: {}\r\n", "x".repeat(15_000));
    let others = format!("{SEPARATOR}6").repeat(1_000);
    for number in 0..3 {
        let body = format!(r#"42["note","{number}"]{SEPARATOR}42["note","again"]{others}"#);
        assert_eq!(client.post_with(&header, &body).await.answer().await.0, 200, "{number}");
    }
    let body = format!(r#"42["note","3"]{others}"#);
    let mut fourth = Box::pin(client.post_with(&header, &body).await.answer());
    timeout(Duration::from_millis(300), &mut fourth).await.expect_err("the inbox is full");
    gate.open();
    assert_eq!(fourth.await.0, 200);
    seen.expect(&["0", "again", "1", "again", "2", "again", "3"]).await;
}

/// The client upgrades while the server still reads one of its POSTs.
#[tokio::test]
async fn an_upgrade_waits_for_a_pending_post() {
    let (log, mut seen) = log();
    let gate = Gate::default();
    let hub = Hub::builder().inbox(1, 1 << 20).state(gate.clone()).state(log).events(events![wait, note]);
    let server = serve(hub.build().expect("a hub")).await;
    let client = Poller::connect(&server).await;
    let events = [r#"42["wait"]"#, r#"42["note","1"]"#, r#"42["note","2"]"#].join(SEPARATOR);
    let post = client.post(&events).await;
    let mut upgraded = client.probe().await;
    upgraded.send("5").await;
    upgraded.send(r#"42["note","3"]"#).await;
    handler_waits(&gate).await;
    // The server has processed the probe by now.
    client.get().await.answer().await;
    gate.open();
    seen.expect(&["1", "2", "3"]).await;
    assert_eq!(post.answer().await.0, 200);
}

/// The messages in a cut poll are lost, even while the server does not read.
#[tokio::test]
async fn a_poll_cut_while_reading_is_paused_ends_the_session() {
    let gate = Gate::default();
    let hub = Hub::builder().inbox(1, 1 << 20).state(gate.clone()).events(events![wait]).build().expect("a hub");
    let (hub, mut seen) = watched(hub);
    let server = serve(hub).await;
    let client = Poller::connect(&server).await;
    let poll = client.waiting_poll().await;
    let post = client.post(&[r#"42["wait"]"#, r#"42["x"]"#, r#"42["x"]"#].join(SEPARATOR)).await;
    handler_waits(&gate).await;
    let socket = server.hub.sockets().pop().expect("a socket");
    drop(poll);
    soon("end", socket.closed()).await;
    gate.open();
    seen.expect(&["disconnect transport error"]).await;
    drop(post);
}

#[tokio::test]
async fn a_poll_cut_immediately_ends_the_session() {
    let (hub, mut seen) = watched(Hub::builder().build().expect("a hub"));
    let server = serve(hub).await;
    for _ in 0..50 {
        let client = Poller::connect(&server).await;
        drop(client.get().await);
        seen.expect(&["disconnect transport error"]).await;
    }
}

/// The server limits the time for the body of a POST.
#[tokio::test]
async fn a_post_whose_body_never_ends_is_abandoned() {
    let hub = Hub::builder().ping_interval(Duration::from_millis(100)).ping_timeout(Duration::from_millis(100));
    let server = serve(hub.build().expect("a hub")).await;
    let client = Poller::begin(&server, "/socket.io/").await;
    let head =
        format!("POST {} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: 9\r\n\r\n4", client.path);
    assert_eq!(client.request(head).await.answer().await.0, 400);
}

/// Browsers do this when the user leaves a page.
#[tokio::test]
async fn a_complete_post_is_handled_although_the_client_disconnects_before_the_response() {
    let (log, mut seen) = log();
    let gate = Gate::default();
    let hub = Hub::builder().inbox(1, 1 << 20).state(gate.clone()).state(log).events(events![wait, note]);
    let server = serve(hub.build().expect("a hub")).await;
    let client = Poller::connect(&server).await;
    let post = client.post(&[r#"42["wait"]"#, r#"42["note","1"]"#, r#"42["note","2"]"#].join(SEPARATOR)).await;
    handler_waits(&gate).await;
    drop(post);
    // This gives the server time to notice.
    tokio::time::sleep(Duration::from_millis(200)).await;
    gate.open();
    seen.expect(&["1", "2"]).await;
}

/// A plain WebSocket client counts as a member of a dynamic namespace too.
#[tokio::test]
async fn a_dynamic_namespace_lives_as_long_as_it_has_sockets() {
    let hub = Hub::builder().namespace("/room-{id}", |room| room).build().expect("a hub");
    let plain = hub.clone();
    let ws = move |upgrade: Upgrade| async move { plain.of("/room-1").websocket().accept(upgrade) };
    let app = Router::new().merge(hub.socketio()).route("/ws", axum::routing::get(ws));
    let server = serve_router(hub.clone(), app).await;
    let mut first = websocket(&server).await;
    first.send("40/room-1,").await;
    first.text().await;
    let mut second = server.connect_to("/ws").await;
    second.settle().await;
    second.close(1000, "").await;
    second.closed().await;
    soon("end", async {
        while hub.of("/room-1").len() > 1 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(hub.namespaces(), ["/", "/room-1"]);
    hub.of("/room-1").send("still here").expect("a text");
    assert_eq!(first.text().await, r#"42/room-1,["message","still here"]"#);
    first.send("41/room-1,").await;
    soon("end", async {
        while hub.namespaces().len() > 1 {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

/// Each parameter could end at many places in this path, so that backtracking would not finish.
#[tokio::test]
async fn a_long_path_that_does_not_match_a_pattern_is_rejected() {
    let hub = Hub::builder().namespace("/{a}-{b}-{c}", |room| room).build().expect("a hub");
    let server = serve(hub).await;
    let mut client = websocket(&server).await;
    let path = format!("/{}/", "-".repeat(900_000));
    client.send(format!("40{path},")).await;
    assert!(client.text().await.contains("Invalid namespace"));
}

#[tokio::test]
async fn looking_up_a_dynamic_namespace_does_not_create_it() {
    let hub = Hub::builder().namespace("/room-{number}", |room| room).build().expect("a hub");
    let server = serve(hub).await;
    server.hub.of("/room-1").broadcast(Text("to nobody")).expect("sent");
    assert_eq!(server.hub.namespaces(), ["/"]);
    let mut client = websocket(&server).await;
    client.send("40/room-1,").await;
    assert!(client.text().await.starts_with("40/room-1,"));
    server.hub.of("/room-1").broadcast(Text("to somebody")).expect("sent");
    assert_eq!(client.text().await, r#"42/room-1,["message","to somebody"]"#);
    client.send(format!("40/room-{},", "x".repeat(1020))).await;
    assert!(client.text().await.ends_with(r#",{"message":"Invalid namespace"}"#));
}

#[tokio::test]
async fn upgraded_resolves_to_false_when_the_session_ends() {
    let server = serve(Hub::builder().build().expect("a hub")).await;
    let poller = Poller::connect(&server).await;
    let polling = server.hub.sockets().remove(0);
    let upgraded = tokio::spawn({
        let polling = polling.clone();
        async move { polling.upgraded().await }
    });
    let waiting = poller.waiting_poll().await;
    assert_eq!(poller.post("1").await.answer().await, (200, "ok".to_owned()));
    assert_eq!(waiting.answer().await, (200, "6".to_owned()));
    assert!(!soon("end of the session", upgraded).await.expect("no panic") && !polling.upgraded().await);
    let mut client = websocket(&server).await;
    client.send("40").await;
    client.text().await;
    assert!(soon("upgrade", server.hub.sockets().remove(0).upgraded()).await);
}
