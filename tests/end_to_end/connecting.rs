//! How connections begin: the upgrade, `on_open`, `connect`, and what a refused client receives.

use axum::Router;
use axum::extract::State as AppState;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use serde_json::json;
use socketio::{Disconnect, Events, Handshake, Hub, Refusal, Socket, State, Text, Upgrade, event, events};
use socketio_tests::{Gate, Log, Seen, Server, flavour, log, plain_only, serve, serve_route, serve_router};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::client::Request;

#[event(connect)]
async fn connect(
    socket: &Socket,
    hub: &Hub,
    handshake: Handshake<'_>,
    log: State<Log>,
    gate: State<Gate>,
) -> Result<(), Refusal> {
    log.note(format_args!("connect {}", handshake.param("id").unwrap_or_default()));
    assert!(hub.is_empty() && hub.sockets().is_empty() && hub.socket(socket.id()).is_none());
    assert!(hub.to("room").sockets().is_empty() && socket.is_alive());
    socket.join("room").expect("joined");
    socket.send("from connect").expect("queued");
    gate.pass().await;
    match handshake.query("refuse") {
        Some(reason) => Err(Refusal::new(reason.into_owned()).with_data(1)),
        None => Ok(()),
    }
}

#[event("said")]
fn said(number: u32, log: State<Log>) -> u32 {
    log.note(format_args!("said {number}"));
    number
}

#[event(disconnect)]
fn disconnect(end: Disconnect, log: State<Log>) {
    log.note(format_args!("disconnect: {}", end.reason()));
}

#[event(close)]
fn close(log: State<Log>) {
    log.note("close");
}

const EVENTS: Events = events![connect, said, disconnect, close];

async fn server() -> (Server, Gate, Seen) {
    let ((log, seen), gate) = (log(), Gate::default());
    let hub = Hub::builder().state(log.clone()).state(gate.clone()).events(EVENTS).build().expect("a hub");
    let own = log.clone();
    hub.on("connect", move |payload| {
        own.note(format_args!("connected, {} of {}", payload.from_client(), payload.socket.hub().len()));
        // The client may be disconnected already.
        let _ = payload.socket.send("from the listener");
    });
    for event in ["disconnecting", "error"] {
        let own = log.clone();
        hub.on(event, move |payload| own.note(payload.name));
    }
    let route = hub.websocket().on_open(move |socket| {
        log.note("open");
        socket.set_id("known").expect("free");
        let log = log.clone();
        async move {
            tokio::task::yield_now().await;
            socket.send("from on_open").expect("queued");
            log.note("opened");
        }
    });
    (serve_route(hub, route).await, gate, seen)
}

/// The reason, cut to the length that fits into a close frame.
fn cut(reason: &str) -> &str {
    &reason[..reason.len().min(123)]
}

#[tokio::test]
async fn a_connect_handler_is_ended_by_connect_timeout() {
    let ((log, mut seen), gate) = (log(), Gate::default());
    let builder = Hub::builder().state(log).state(gate.clone()).events(EVENTS);
    let hub = builder.connect_timeout(Duration::from_millis(50)).build().expect("a hub");
    let server = serve(hub).await;
    let mut client = server.connect("ann").await;
    let Some(Message::Close(Some(frame))) = client.next().await else { panic!("not a close frame") };
    assert_eq!(u16::from(frame.code), 1008);
    seen.expect(&["connect ann"]).await;
    gate.open();
    let mut client = server.connect("bob").await;
    assert_eq!(client.text().await, "from connect");
    seen.expect(&["connect bob"]).await;
}

#[tokio::test]
async fn closing_while_connect_runs_delivers_the_outbox_if_accepted_and_nothing_if_refused() {
    #[event(connect)]
    async fn close_at_once(socket: &Socket, handshake: Handshake<'_>, gate: State<Gate>) -> Result<(), Refusal> {
        socket.send("hello").expect("queued");
        socket.close_with(4000, "go away");
        gate.pass().await;
        handshake.query("refuse").map_or(Ok(()), |_| Err(Refusal::new("no")))
    }
    let gate = Gate::default();
    gate.open();
    let hub = Hub::builder().state(gate.clone()).events(events![close_at_once]).build().expect("a hub");
    let server = serve(hub).await;
    let mut client = server.connect("ann").await;
    assert_eq!(client.text().await, "hello");
    assert_eq!(client.closed().await, flavour().told(4000, "go away"));
    let mut client = server.connect_to("/ws/ann?refuse=yes").await;
    if flavour().is_plain() {
        client.ping(b"?").await;
    }
    gate.open();
    assert!(client.next().await.is_none_or(|message| message.is_close()));
}

/// The subprotocol that the server chose; an error if the client rejects the response.
async fn chosen_protocol(server: &Server, request: Request) -> Result<String, Box<dyn std::error::Error>> {
    let (_client, response) = server.handshake(request).await?;
    let chosen = response.headers().get("sec-websocket-protocol");
    Ok(chosen.map(|chosen| chosen.to_str().map(str::to_owned)).transpose()?.unwrap_or_default())
}

/// The status code of the response to a request written as text.
async fn status(server: &Server, request: &str) -> String {
    let mut stream = server.open().await;
    let request = request.replace('\n', "\r\n") + "\r\n\r\n";
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut answer = vec![0; 12];
    stream.read_exact(&mut answer).await.expect("an answer");
    String::from_utf8_lossy(&answer[9..]).into_owned()
}

mod plain_only {
    use super::*;

    #[tokio::test]
    async fn emits_before_acceptance_arrive_after_it_in_order() {
        let (server, gate, mut seen) = server().await;
        let mut client = server.connect("ann").await;
        client.send(json!({ "event": "said", "data": 1, "id": 1 }).to_string()).await;
        seen.expect(&["open", "opened", "connect ann"]).await;
        let hub = &server.hub;
        hub.emit_to("known", Text("addressed")).expect("queued");
        hub.to("room").send("to its room").expect("queued");
        hub.broadcast(Text("to everyone")).expect("queued");
        assert!(hub.is_empty() && hub.sockets().is_empty() && hub.socket("known").is_none());
        seen.expect_nothing();
        gate.open();
        seen.expect(&["connected, false of 1", "said 1"]).await;
        for text in ["from on_open", "from connect", "addressed", "to its room", "to everyone", "from the listener"] {
            assert_eq!(client.text().await, text);
        }
        assert_eq!(client.json().await, json!({ "id": 1, "data": 1 }));
        assert_eq!(hub.sockets(), [hub.socket("known").expect("connected")]);
    }

    #[tokio::test]
    async fn a_refused_client_receives_the_reason_and_nothing_else() {
        let (server, gate, mut seen) = server().await;
        for reason in ["no%20token", &"x".repeat(200)] {
            let mut client = server.connect_to(&format!("/ws/ann?refuse={reason}")).await;
            client.send(json!({ "event": "said", "data": 1, "id": 1 }).to_string()).await;
            seen.expect(&["open", "opened", "connect ann"]).await;
            server.hub.emit_to("known", Text("never sent")).expect("queued");
            server.hub.to("room").send("never sent").expect("queued");
            server.hub.broadcast(Text("never sent")).expect("queued");
            gate.open();
            let frame = match client.next().await {
                Some(Message::Close(frame)) => frame.expect("a code"),
                other => panic!("not a close frame: {other:?}"),
            };
            assert_eq!((u16::from(frame.code), frame.reason.as_str()), (1008, cut(&reason.replace("%20", " "))));
            assert_eq!(client.next().await, None);
        }
        server.hub.shutdown(Duration::from_secs(5)).await;
        seen.expect_nothing();
    }

    #[tokio::test]
    async fn a_client_may_disconnect_while_connect_runs() {
        let (server, gate, mut seen) = server().await;
        let mut client = server.connect("ann").await;
        client.send(json!({ "event": "said", "data": 1 }).to_string()).await;
        seen.expect(&["open", "opened", "connect ann"]).await;
        client.close(1000, "").await;
        assert_eq!(client.closed().await, Some((1000, String::new())));
        gate.open();
        assert!(seen.next().await.starts_with("connected"));
        seen.expect(&["said 1", "disconnecting", "disconnect: transport close"]).await;
        let mut client = server.connect_to("/ws/bob?refuse=no").await;
        seen.expect(&["open", "opened", "connect bob"]).await;
        client.close(1000, "").await;
        assert_eq!(client.closed().await, Some((1000, String::new())));
        gate.open();
        server.hub.shutdown(Duration::from_secs(5)).await;
        seen.expect_nothing();
    }

    #[tokio::test]
    async fn closing_in_on_open_delivers_the_outbox() {
        let (log, mut seen) = log();
        let hub = Hub::builder().build().expect("a hub");
        for event in ["connect", "close", "disconnecting", "disconnect", "error"] {
            let log = log.clone();
            hub.on(event, move |payload| log.note(payload.name));
        }
        let route = hub.websocket().on_open(|socket: Socket| {
            socket.send("hello").expect("queued");
            socket.close_with(4000, "go away");
        });
        let server = serve_route(hub, route).await;
        let mut client = server.connect("ann").await;
        assert_eq!(client.text().await, "hello");
        assert_eq!(client.closed().await, Some((4000, "go away".to_owned())));
        seen.expect(&["connect", "close", "disconnecting", "disconnect"]).await;
        server.hub.shutdown(Duration::from_secs(5)).await;
        seen.expect_nothing();
    }

    #[tokio::test]
    async fn subprotocols_are_negotiated() {
        let hub = Hub::builder().build().expect("a hub");
        let route = hub.websocket().protocols(["chat.v2", "chat.v1"]);
        let server = serve_route(hub, route).await;
        for (offer, chosen) in
            [("chat.v1", Some("chat.v1")), ("other, chat.v1, chat.v2", Some("chat.v2")), ("other", None), ("", None)]
        {
            let mut request = server.request("/ws/ann");
            if !offer.is_empty() {
                request.headers_mut().insert("sec-websocket-protocol", offer.parse().expect("a header"));
            }
            let answer = chosen_protocol(&server, request).await;
            assert_eq!(answer.as_deref().ok(), chosen.or(Some("")).filter(|_| chosen.is_some() || offer.is_empty()));
        }
    }

    #[tokio::test]
    async fn an_extractor_of_the_application_runs_before_the_upgrade() {
        async fn ws(AppState(hub): AppState<Hub>, headers: HeaderMap, upgrade: Upgrade) -> Response {
            if !headers.contains_key("authorization") {
                return StatusCode::UNAUTHORIZED.into_response();
            }
            assert!(upgrade.headers().contains_key("authorization"));
            hub.websocket().accept(upgrade.with_extension("a user"))
        }
        let (log, mut seen) = log();
        let hub = Hub::builder().build().expect("a hub");
        hub.on("connect", move |payload| {
            let user = payload.socket.extension::<&str>();
            log.note(format_args!("{user:?} as {:?}", payload.socket.params("id")));
        });
        let app = Router::new().route("/ws/{id}", get(ws)).with_state(hub.clone());
        let server = serve_router(hub, app).await;
        assert_eq!(server.refusal("/ws/ann").await, 401);
        let mut request = server.request("/ws/ann");
        request.headers_mut().insert("authorization", "secret".parse().expect("a header"));
        let mut client = server.handshake(request).await.expect("accepted").0;
        client.settle().await;
        seen.expect(&["Some(\"a user\") as Some(\"ann\")"]).await;
    }

    #[tokio::test]
    async fn requests_that_are_not_websocket_handshakes_get_an_http_error() {
        // `tests/node` compares the Engine.IO responses with those of the reference.
        plain_only();
        let server = serve(Hub::builder().build().expect("a hub")).await;
        let upgrade = "connection: keep-alive, Upgrade\nupgrade: WebSocket";
        let key = "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==";
        for (request, expected) in [
            ("GET /ws/a HTTP/1.1\nhost: x".to_owned(), "426"),
            (format!("GET /ws/a HTTP/1.1\nhost: x\n{upgrade}\nsec-websocket-version: 8\n{key}"), "426"),
            (format!("GET /ws/a HTTP/1.1\nhost: x\n{upgrade}\nsec-websocket-version: 13"), "400"),
            (format!("POST /ws/a HTTP/1.1\nhost: x\n{upgrade}\nsec-websocket-version: 13\n{key}"), "405"),
            (
                format!("GET /ws/a HTTP/1.1\nhost: x\n{upgrade}\nsec-websocket-version: 13\n{key}\norigin: http://y"),
                "403",
            ),
            (
                format!("GET /ws/a HTTP/1.1\nhost: x\n{upgrade}\nsec-websocket-version: 13\n{key}\norigin: http://x"),
                "101",
            ),
            (format!("GET /ws/a HTTP/1.1\nhost: x\n{upgrade}\nsec-websocket-version: 13\n{key}"), "101"),
        ] {
            assert_eq!(status(&server, &request).await, expected, "{request}");
        }
    }

    #[tokio::test]
    async fn a_request_with_another_method_is_answered_with_the_allowed_one() {
        let hub = Hub::builder().build().expect("a hub");
        let app = Router::new().route("/ws", any(hub.websocket()));
        let server = serve_router(hub, app).await;
        let mut stream = server.open().await;
        stream.write_all(b"POST /ws HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("an answer");
        assert!(answer.starts_with("HTTP/1.1 405 ") && answer.contains("\r\nallow: GET\r\n"), "{answer}");
    }
}
