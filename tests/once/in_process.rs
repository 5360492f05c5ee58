//! The clients of `socketio::testing`, of both kinds, and how hubs treat them.

use axum::http::StatusCode;
use axum::routing::get;
use axum::{Extension, Router};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use socketio::testing::{Refused, TestError, settle};
use socketio::{
    Ack, AckError, AnyValue, Args, Binary, Disconnect, EmitError, EventError, Events, Frame, Handshake, Hub,
    HubBuilder, RateLimit, Refusal, Socket, State, Text, event, events,
};
use socketio_tests::in_process::{both, kinds};
use socketio_tests::{Log, Seen, log};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::sleep;

#[event("message")]
#[derive(Debug, Deserialize, PartialEq, Serialize)]
struct Message {
    to: String,
    text: String,
}

#[event("delivered")]
#[derive(Debug, Deserialize, PartialEq, Serialize)]
struct Delivered {
    from: String,
    text: String,
}

#[event("picture")]
#[derive(Debug, Deserialize, PartialEq, Serialize)]
struct Picture {
    name: String,
    bytes: Binary,
}

#[event]
fn message(socket: &Socket, message: Message) -> Result<usize, EmitError> {
    let Message { to, text } = message;
    let length = text.len();
    socket.emit_to(to, &Delivered { from: socket.id().to_string(), text })?;
    Ok(length)
}

#[event("sum")]
fn sum(a: i32, b: i32) -> Args<(i32, i32)> {
    Args((a + b, a * b))
}

#[event]
fn picture(socket: &Socket, picture: Picture) -> Result<Picture, EmitError> {
    socket.emit(&picture)?;
    Ok(picture)
}

#[event("join")]
fn join(socket: &Socket, room: String) -> Result<(), EventError> {
    socket.join(&room).map_err(|error| EventError::new("not_joined", error.to_string()))?;
    socket.to(&room).emit(("joined", socket.id(), room)).map_err(EventError::from)
}

#[event("panic")]
fn panic() {
    panic!("as it should");
}

#[event("unanswered")]
fn unanswered(_ack: Ack) {}

#[event(message)]
fn raw(socket: &Socket, frame: Frame<'_>) -> Result<(), EmitError> {
    match frame {
        Frame::Text(text) if !text.starts_with('{') => socket.send(format!("you said {text}")),
        Frame::Text(_) => Ok(()),
        Frame::Binary(bytes) => socket.emit(bytes.clone()),
    }
}

#[event(connect)]
fn connect(handshake: Handshake<'_>) -> Result<(), Refusal> {
    match handshake.query("refuse") {
        Some(why) => Err(Refusal::new(why.into_owned()).with_data(json!({ "retry": 7 }))),
        None => Ok(()),
    }
}

#[event(disconnect)]
fn disconnect(end: Disconnect, log: State<Log>) {
    log.note(end);
}

const EVENTS: Events = events![message, sum, picture, join, panic, unanswered, raw, connect, disconnect];

fn builder() -> (HubBuilder, Seen) {
    let (log, seen) = log();
    (Hub::builder().state(log).events(EVENTS), seen)
}

fn hub() -> (Hub, Seen) {
    let (builder, seen) = builder();
    (builder.build().expect("a hub"), seen)
}

#[tokio::test(start_paused = true)]
async fn events_are_acknowledged() -> Result<(), TestError> {
    let (hub, _seen) = hub();
    for mut client in both(&hub).await? {
        let to = client.id().to_string();
        let note = Message { to, text: "hello".into() };
        assert_eq!(client.request::<usize>("message", &note).await?, 5);
        assert_eq!(client.expect::<Delivered>().await?, Delivered { from: note.to.clone(), text: "hello".into() });
        client.emit(&note)?;
        client.expect_exact(&Delivered { from: note.to.clone(), text: "hello".into() }).await?;
        assert_eq!(client.emit_with_ack::<usize>(&note).await?, 5);
        client.expect_exact(("delivered", json!({ "text": "hello", "from": note.to }))).await?;
        assert_eq!(client.emit_with_ack::<i32>(("sum", 3, 4)).await?, 7);
        assert_eq!(client.emit_with_ack::<Args<(i32, i32)>>(("sum", 3, 4)).await?, Args((7, 12)));
        client.request::<()>("join", "room").await?;
        client.expect_nothing().await?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn rate_limits_use_the_paused_clock() -> Result<(), TestError> {
    let (builder, _seen) = builder();
    let hub = builder.rate_limit(RateLimit::per_hour(2).burst(1)).build().expect("a hub");
    let half_an_hour = Duration::from_secs(1_800);
    for client in both(&hub).await? {
        for _ in 0..3 {
            assert_eq!(client.emit_with_ack::<i32>(("sum", 3, 4)).await?, 7);
            sleep(half_an_hour - Duration::from_millis(1)).await;
            let error = client.emit_with_ack::<i32>(("sum", 3, 4)).await.expect_err("the wait is 1 ms too short");
            let error = error.failed().expect("an answer");
            assert_eq!((error.code(), error.data()), ("rate_limited", Some(&json!({ "retry_after_ms": 1 }))));
            sleep(Duration::from_millis(1)).await;
        }
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn acks_may_be_errors() -> Result<(), TestError> {
    let (hub, _seen) = hub();
    for client in both(&hub).await? {
        for (event, payload, code, path) in [
            ("message", json!({ "to": "nobody", "text": "" }), "handler_error", None),
            ("message", json!({ "to": "nobody", "text": 1 }), "invalid_payload", Some("text")),
            ("nobody handles this", json!(1), "unknown_event", None),
            ("panic", json!(1), "internal", None),
            ("unanswered", json!(1), "unanswered", None),
        ] {
            let error = client.request::<Value>(event, &payload).await.expect_err(event);
            let error = error.failed().expect("an answer");
            assert_eq!((error.code(), error.path(), error.event()), (code, path, Some(event)));
        }
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn binary_data_travels_both_ways() -> Result<(), TestError> {
    let (hub, _seen) = hub();
    for mut client in both(&hub).await? {
        let sent = Picture { name: "dot".into(), bytes: vec![0, 1, 255].into() };
        assert_eq!(client.request::<Picture>("picture", &sent).await?, sent);
        assert_eq!(client.expect::<Picture>().await?, sent);
        hub.emit_to(client.id(), ("several", &sent.bytes, 1, &sent.bytes))?;
        client.expect_exact(("several", &sent.bytes, 1, &sent.bytes)).await?;
        hub.emit_to(client.id(), vec![7; 100_000])?;
        assert_eq!(client.expect_binary().await?, vec![7; 100_000]);
    }
    Ok(())
}

#[event("any")]
fn any(value: AnyValue) -> AnyValue {
    value
}

#[tokio::test(start_paused = true)]
async fn values_of_any_kind_travel_both_ways() -> Result<(), TestError> {
    let hub = Hub::builder().events(events![any]).build().expect("a hub");
    let sent: AnyValue =
        [("name", "dot".into()), ("parts", AnyValue::from_iter([Binary::from(vec![0, 255])]))].into_iter().collect();
    // A plain client's binary data is an ordinary string.
    for (mut client, is_binary) in both(&hub).await?.into_iter().zip([true, false]) {
        let received = if is_binary { sent.clone() } else { sent.clone().into_json().into() };
        assert_eq!(client.request::<AnyValue>("any", &sent).await?, received);
        let socket = hub.socket(client.id()).expect("the socket is connected");
        let asked = tokio::spawn(socket.emit_with_ack::<AnyValue>(("question", &sent, 1)).into_future());
        let question = client.expect_event("question").await?;
        assert_eq!(question.args().all::<AnyValue>()?, [received.clone(), 1.into()]);
        question.answer(&sent)?;
        let answer = asked.await.expect("no panic").expect("an answer");
        assert_eq!(answer, received);
        assert_eq!(answer["parts"][0].to_binary(), Some(vec![0, 255].into()));
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn raw_messages_and_texts_reach_their_handlers() -> Result<(), TestError> {
    let (hub, _seen) = hub();
    let [mut socketio, mut plain] = both(&hub).await?;
    plain.send("hello")?;
    assert_eq!(plain.expect_text().await?, "you said hello");
    plain.emit(b"\0")?;
    assert_eq!(plain.expect_binary().await?, b"\0"[..]);
    // A text may contain a reserved name.
    plain.send(r#"{"event": "disconnect", "id": "me"}"#)?;
    let refused = r#"{"id":"me","error":{"code":"reserved_event","message":"`disconnect` can't be sent by clients"}}"#;
    assert_eq!(plain.expect_text().await?, refused);
    hub.broadcast(Text("to all"))?;
    for client in [&mut plain, &mut socketio] {
        client.expect_exact(Text("to all")).await?;
        client.expect_nothing().await?;
    }
    // To a Socket.IO client a text is the event `message`, in both directions.
    let error = socketio.emit_with_ack::<()>(("message", "hello")).await.expect_err("no Message");
    assert_eq!(error.failed().expect("an answer").code(), "invalid_payload");
    Ok(())
}

#[event("guess")]
async fn guess(socket: &Socket, log: State<Log>) {
    let asked = socket.timeout(Duration::from_secs(60)).emit_with_ack::<u8>(("which?", 1, 10));
    log.note(match asked.await {
        Ok(number) => format!("it is {number}"),
        Err(AckError::Failed(error)) => format!("it fails: {}", error.code()),
        Err(error) => error.to_string(),
    });
}

#[tokio::test(start_paused = true)]
async fn clients_acknowledge_events_of_the_server() -> Result<(), TestError> {
    let (log, mut seen) = log();
    let hub = Hub::builder().state(log).events(events![guess]).build().expect("a hub");
    for mut client in both(&hub).await? {
        client.emit(("guess",))?;
        let question = client.expect_event("which?").await?;
        assert!(question.wants_answer() && question.name() == "which?");
        assert_eq!(question.args().all::<u8>()?, [1, 10]);
        question.answer(7)?;
        seen.expect(&["it is 7"]).await;

        client.emit(("guess",))?;
        client.expect_event("which?").await?.answer_args(Args((8, "or not")))?;
        seen.expect(&["it is 8"]).await;

        client.emit(("guess",))?;
        client.expect_event("which?").await?;
        sleep(Duration::from_secs(61)).await;
        seen.expect(&["the client did not answer in time"]).await;

        client.emit(("guess",))?;
        client.expect_event("which?").await?.fail(EventError::new("tired", "no more"))?;
        seen.expect(&["it fails: tired"]).await;

        hub.emit_to(client.id(), ("told",))?;
        let told = client.expect_event("told").await?;
        assert!(!told.wants_answer());
        let error = told.answer(1).expect_err("no ack is pending");
        assert_eq!(error.to_string(), "the server wants no answer to `told`");
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn clients_receive_emits_to_rooms_and_broadcasts() -> Result<(), TestError> {
    let (hub, _seen) = hub();
    let [mut ann, mut bob] = both(&hub).await?;
    let mut cid = hub.test_client().connect().await?;
    ann.request::<()>("join", "room").await?;
    bob.request::<()>("join", "room").await?;
    ann.expect_exact(("joined", bob.id(), "room")).await?;
    hub.to("room").emit(("news", 1))?;
    hub.broadcast(("news", 2))?;
    for client in [&mut ann, &mut bob] {
        client.expect_exact(("news", 1)).await?;
    }
    for client in [&mut ann, &mut bob, &mut cid] {
        client.expect_exact(("news", 2)).await?;
        client.expect_nothing().await?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn clients_join_several_namespaces_on_one_connection() -> Result<(), TestError> {
    let (builder, mut seen) = builder();
    let hub = builder.namespace("/admin", |admin| admin.events(events![sum, disconnect])).build().expect("a hub");
    let mut ann = hub.test_client().connect().await?;
    let mut admin = ann.connect_to("/admin", ()).await?;
    let mut alone = hub.of("/admin").test_client().connect().await?;
    let mut plain = hub.of("/admin").test_client().plain().connect().await?;
    assert_eq!((hub.len(), hub.of("/admin").len(), hub.stats().connections), (1, 3, 3));
    hub.broadcast(("news",))?;
    hub.of("/admin").broadcast(("secrets",))?;
    ann.expect_event("news").await?;
    for client in [&mut admin, &mut alone, &mut plain] {
        client.expect_event("secrets").await?;
        assert_eq!(client.emit_with_ack::<i32>(("sum", 1, 2)).await?, 3);
    }

    let error = ann.connect_to("/admin", ()).await.expect_err("the namespace is joined already");
    assert_eq!(error.to_string(), "this connection has a client in `/admin` already");
    let error = plain.connect_to("/", ()).await.expect_err("a plain client has one namespace");
    assert!(matches!(error, TestError::Impossible(_)), "{error}");
    let error = ann.connect_to("/nowhere", ()).await.expect_err("it does not exist");
    assert_eq!(error.to_string(), "the server refused the client: Invalid namespace");

    // The connection stays open for the other namespaces.
    admin.disconnect().await;
    seen.expect(&["client namespace disconnect"]).await;
    ann.request::<()>("join", "room").await?;
    let mut again = ann.connect_to("/admin", json!({})).await?;
    ann.disconnect().await;
    seen.expect(&["client namespace disconnect"]).await;
    hub.of("/admin").disconnect_sockets();
    assert_eq!(again.expect_end().await?.reason(), "io server disconnect");
    settle().await;
    assert_eq!(hub.stats().connections, 0);
    Ok(())
}

#[event(connect)]
fn check(handshake: Handshake<'_>, log: State<Log>) {
    let auth: Value = handshake.auth().expect("JSON");
    let (id, room) = (handshake.param("id"), handshake.query("room"));
    log.note(format_args!("{} {id:?} {room:?} {auth}", handshake.path()));
    log.note(format_args!("{:?} {:?}", handshake.header("x-token"), handshake.cookie("b")));
    log.note(format_args!("{:?}", handshake.peer_addr()));
}

#[tokio::test(start_paused = true)]
async fn the_handshake_is_built_from_the_clients_settings() -> Result<(), TestError> {
    let (log, mut seen) = log();
    let hub = Hub::builder().state(log).events(events![check]).keep_headers(["cookie", "x-token"]);
    let hub = hub.build().expect("a hub");
    let [socketio, plain] = kinds(&hub).map(|client| {
        let client = client.param("id", "a b/ü").query("room", "x&y").header("X-Token", "secret");
        client.cookie("a", 1.to_string()).cookie("b", "2").peer_addr(([10, 0, 0, 1], 80).into())
    });
    let _clients = [socketio.auth(json!({ "token": 1 })).connect().await?, plain.clone().connect().await?];
    for (path, auth) in [("/socket.io", json!({ "token": 1 })), ("/ws", json!({}))] {
        let line = format!(r#"{path}/a%20b%2F%C3%BC Some("a b/ü") Some("x&y") {auth}"#);
        seen.expect(&[&line, r#"Some("secret") Some("2")"#, "Some(10.0.0.1:80)"]).await;
    }
    let error = plain.auth(json!({})).connect().await.expect_err("only Socket.IO has it");
    assert!(error.to_string().starts_with("only Socket.IO clients send `auth`"), "{error}");
    Ok(())
}

#[event("secure")]
fn secure(handshake: Handshake<'_>) -> (bool, bool) {
    (handshake.is_secure(), handshake.is_cross_domain())
}

#[tokio::test(start_paused = true)]
async fn a_connection_is_secure_if_the_server_or_a_trusted_proxy_says_so() -> Result<(), TestError> {
    for trust in [false, true] {
        let hub = Hub::builder().events(events![secure]).trust_forwarded_proto(trust).keep_headers(["host"]);
        let hub = hub.build().expect("a hub");
        for client in kinds(&hub) {
            let https = client.clone().header("x-forwarded-proto", "https").connect().await?;
            assert_eq!(https.request::<(bool, bool)>("secure", &()).await?, (trust, false));
            let http = client.clone().header("x-forwarded-proto", "http").secure(true).connect().await?;
            assert_eq!(http.request::<(bool, bool)>("secure", &()).await?, (!trust, false));
            let tls = client.secure(true).header("origin", "http://localhost").connect().await?;
            assert_eq!(tls.request::<(bool, bool)>("secure", &()).await?, (true, true));
        }
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn refused_clients_get_an_error() -> Result<(), TestError> {
    let (builder, mut seen) = builder();
    let hub = builder.max_connections(2).build().expect("a hub");
    let [socketio, plain] = kinds(&hub);
    let error = socketio.query("refuse", "no room").connect().await.expect_err("refused");
    assert_eq!(error.to_string(), r#"the server refused the client: no room, with {"retry":7}"#);
    assert_eq!(error.refused().and_then(Refused::data), Some(json!({ "retry": 7 })));
    let error = plain.query("refuse", "no room").connect().await.expect_err("refused");
    assert_eq!(error.to_string(), "the server refused the client with close code 1008: no room");

    let error = hub.test_client().auth("no object").connect().await.expect_err("refused");
    assert_eq!(error.to_string(), "the server refused the client with close code 1002");

    let routes = hub.socketio().allow_request(|request| async move {
        match request.query("day").as_deref() {
            Some("a & b") => Ok(()),
            day => Err(format!("not on {day:?}, {:?}", request.peer_addr())),
        }
    });
    let client = hub.test_client().through(routes).peer_addr(([10, 0, 0, 1], 80).into());
    let error = client.clone().query("day", "ü").connect().await.expect_err("refused");
    let expected = r#"the server refused the client with status 403: not on Some("ü"), Some(10.0.0.1:80)"#;
    assert_eq!(error.to_string(), expected);
    drop(client.query("day", "a & b").connect().await?);
    settle().await;
    assert_eq!(seen.next().await, "transport close: the connection was cut");
    let mounted = Router::new().route("/chat/{room}", get(hub.websocket().protocols(["chat"])));
    let client = hub.test_client().plain().through(mounted).path("/chat/lobby");
    let error = client.clone().header("origin", "https://elsewhere.example").connect().await.expect_err("refused");
    assert_eq!(error.refused().and_then(Refused::status), Some(StatusCode::FORBIDDEN));
    let own = client.clone().header("origin", "http://localhost").header("sec-websocket-protocol", "chat");
    drop(own.connect().await?);
    let error = client.clone().path("/cat").connect().await.expect_err("refused");
    assert_eq!(error.refused().and_then(Refused::status), Some(StatusCode::NOT_FOUND));

    settle().await;
    assert_eq!(seen.next().await, "transport error: the connection was cut");
    let _clients = both(&hub).await?;
    let error = client.connect().await.expect_err("one too many");
    assert_eq!(error.to_string(), "the server refused the client with status 503: no more connections are accepted");
    seen.expect_nothing();
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn clients_connect_through_the_application_router() -> Result<(), TestError> {
    let (hub, _seen) = hub();
    let route = hub.websocket().on_open(|socket| {
        let name = socket.query("name").expect("a name");
        socket.set_id(name).expect("free");
    });
    let app = Router::new().route("/ws", get(route)).merge(hub.socketio().path("/io")).layer(Extension("a layer's"));
    let plain = hub.test_client().plain().through(app.clone()).path("ws?name=a%20b").connect().await?;
    assert_eq!(&*plain.id(), "a b");
    let socketio = hub.test_client().through(app).path("/io/").connect().await?;
    for client in [plain, socketio] {
        let socket = hub.socket(client.id()).expect("the socket is connected");
        assert_eq!(socket.extension::<&str>(), Some("a layer's"));
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn many_clients_run_in_separate_tasks() -> Result<(), TestError> {
    const CLIENTS: usize = 300;
    let (hub, _seen) = hub();
    let mut tasks = JoinSet::new();
    for at in 0..CLIENTS {
        let client = kinds(&hub)[at % 2].clone();
        tasks.spawn(async move {
            let mut client = client.connect().await?;
            client.wait_for::<Delivered>().await?;
            client.expect_nothing().await.map(|()| client)
        });
    }
    sleep(Duration::from_secs(1)).await;
    assert_eq!(hub.len(), CLIENTS);
    let delivered = Delivered { from: "the hub".into(), text: "to all".into() };
    hub.broadcast(&delivered).and_then(|()| hub.broadcast(&delivered)).expect("sent");
    for result in tasks.join_all().await {
        let error = result.expect_err("there is another one");
        assert!(error.to_string().starts_with("expected nothing; the next message is event `delivered`"), "{error}");
    }
    Ok(())
}
