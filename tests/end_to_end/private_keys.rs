//! Objects with the private keys of serde_json are rejected before they are decoded. A `Value`
//! would interpret these keys instead of storing them.

use axum::Router;
use axum::routing::get;
use garde::Validate;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use socketio::testing::TestError;
use socketio::{
    AckError, Args, EmitError, EventError, EventPayload, Frame, Handshake, Hub, IncomingEvent, Next, PayloadError,
    RawArgs, Refusal, Socket, State, Valid, event, events,
};
use socketio_tests::{Client, Log, Seen, Server, flavour, log, serve, serve_router};
use std::collections::HashMap;

const MESSAGE: &str = "an object has a reserved key";

/// Arguments that contain a private key at various depths and in various spellings.
const ARGUMENTS: [&str; 9] = [
    r#"{"$serde_json::private::RawValue":"[1,2]"}"#,
    r#"{"\u0024serde_json::private::RawValue":"[1,2]"}"#,
    r#"{"$serde_json\u003a\u003Aprivate::\u0052awValue":"[1,2]"}"#,
    r#"{"a":1,"$serde_json::private::RawValue":"[1,2]"}"#,
    r#"{"kind":"A","a":{"$serde_json::private::RawValue":"[1,2]"}}"#,
    r#"{"kind":"B","$serde_json::private::RawValue":"[1,2]"}"#,
    r#"[0,[{"a":[{}, { "$serde_json::private::RawValue" : "[1,2]" }]}]]"#,
    r#"{"$serde_json::private::Number":"1e1000000"}"#,
    r#"{"$serde_json::private::":null}"#,
];

#[derive(Deserialize)]
struct Flattened {
    #[serde(flatten)]
    rest: Map<String, Value>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Untagged {
    Number(u8),
    Any(Value),
}

#[derive(Deserialize)]
#[serde(tag = "kind")]
enum Tagged {
    A { a: Value },
    B(Value),
}

#[derive(Deserialize, Validate)]
struct Checked {
    #[garde(skip)]
    #[serde(flatten)]
    rest: Map<String, Value>,
}

#[event("value")]
fn value(value: Value) -> Value {
    value
}

#[event("flattened")]
fn flattened(value: Flattened) -> usize {
    value.rest.len()
}

#[event("untagged")]
fn untagged(value: Untagged) -> Value {
    match value {
        Untagged::Number(number) => number.into(),
        Untagged::Any(value) => value,
    }
}

#[event("tagged")]
fn tagged(value: Tagged) -> Value {
    match value {
        Tagged::A { a: value } | Tagged::B(value) => value,
    }
}

#[event("boxed")]
fn boxed(value: Box<RawValue>) -> Box<RawValue> {
    value
}

#[event("raw")]
fn raw(args: RawArgs<'_>) -> usize {
    args.json().len()
}

#[event("valid")]
fn valid(value: Valid<Checked>) -> usize {
    value.rest.len()
}

#[event("result")]
fn result(value: Result<Value, PayloadError>) -> bool {
    value.is_ok()
}

#[event("map")]
fn map(value: HashMap<String, String>) -> usize {
    value.len()
}

#[event("nothing")]
fn nothing() {}

const EVENTS: [&str; 10] =
    ["value", "flattened", "untagged", "tagged", "boxed", "raw", "valid", "result", "map", "nothing"];

#[event(error)]
fn failed(error: EventError, log: State<Log>) {
    log.note(format_args!("{}: {error} in {}", error.code(), error.event().unwrap_or_default()));
}

async fn serving() -> (Server, Seen) {
    let (log, seen) = log();
    let handlers = events![value, flattened, untagged, tagged, boxed, raw, valid, result, map, nothing, failed];
    (serve(Hub::builder().state(log).events(handlers).build().expect("a hub")).await, seen)
}

async fn connected(server: &Server) -> (Client, Socket) {
    let mut client = server.connect("ann").await;
    client.settle().await;
    (client, server.hub.sockets().pop().expect("a connected socket"))
}

/// A map with a private key. A server could store it from a client's input as a map of strings.
fn map_with_private_key() -> HashMap<&'static str, &'static str> {
    HashMap::from([("$serde_json::private::RawValue", "[1,2]")])
}

/// Nested arrays. An argument may have 127 levels.
fn lists(levels: usize) -> Value {
    (1..levels).fold(json!([]), |value, _| json!([value]))
}

#[tokio::test]
async fn no_event_with_a_private_key_is_handled() {
    let (server, mut seen) = serving().await;
    let (log, mut heard) = log();
    for event in EVENTS {
        let log = log.clone();
        server.hub.on(event, move |payload| log.note(payload.name));
    }
    let (mut client, socket) = connected(&server).await;
    socket.on_any(move |payload| log.note(format_args!("any: {}", payload.name)));
    for event in EVENTS {
        for argument in ARGUMENTS {
            for arguments in [format!(r#""data":{argument}"#), format!(r#""args":[1,{argument},2]"#)] {
                client.send(format!(r#"{{"event":"{event}",{arguments},"id":1}}"#)).await;
                let error = json!({ "code": "invalid_payload", "message": MESSAGE });
                assert_eq!(client.json().await, json!({ "id": 1, "error": error }), "{event} {argument}");
                client.send(format!(r#"{{"event":"{event}",{arguments}}}"#)).await;
                let line = format!("invalid_payload: {MESSAGE} in {event}");
                seen.expect(&[&line, &line]).await;
            }
        }
    }
    heard.expect_nothing();
    // The same text as a string, and similar keys, are ordinary data.
    for argument in [json!("$serde_json::private::RawValue"), json!({ "$serde_json": "::private::RawValue" })] {
        assert_eq!(client.ask("value", argument.clone()).await["data"], argument);
    }
}

#[tokio::test]
async fn no_ack_with_a_private_key_is_decoded() {
    let (server, _seen) = serving().await;
    let (mut client, socket) = connected(&server).await;
    for argument in ARGUMENTS {
        for fields in ["data", "error"]
            .map(|field| format!(r#""{field}":{argument}"#))
            .into_iter()
            .chain([format!(r#""args":[1,{argument}]"#), format!(r#""args":[{argument},1]"#)])
        {
            // A Socket.IO ack is a list of arguments, and the test client translates only `data`.
            if fields.starts_with("\"error\"") && !flavour().is_plain() {
                continue;
            }
            let asked = (
                socket.emit_with_ack::<Value>(("question",)),
                socket.emit_with_ack::<Args<(Untagged, Box<RawValue>)>>(("question",)),
                socket.emit_with_ack::<()>(("question",)),
            );
            for _ in 0..3 {
                let id = client.json().await["id"].take();
                client.send(format!(r#"{{"id":{id},{fields}}}"#)).await;
            }
            let refused = |error: Option<AckError>| {
                assert!(matches!(&error, Some(AckError::Payload(error)) if error.message() == MESSAGE), "{error:?}");
            };
            refused(asked.0.await.err());
            refused(asked.1.await.err());
            refused(asked.2.await.err());
        }
    }
}

#[event(connect)]
fn connect(handshake: Handshake<'_>, log: State<Log>) -> Result<(), Refusal> {
    log.note("connect");
    handshake.auth::<Value>().map(drop).map_err(|_| Refusal::new("no auth"))
}

#[tokio::test]
async fn connect_with_a_private_key_in_auth_is_refused() -> Result<(), TestError> {
    let (log, mut seen) = log();
    let hub = Hub::builder().max_depth(4).state(log).events(events![connect]).namespace("/other", |other| other);
    let hub = hub.build().expect("a hub");
    let refused = |error: TestError, why: &str| {
        let refused = error.refused().expect("a refusal");
        assert_eq!(refused.message(), "Invalid auth");
        assert_eq!(refused.data::<Value>(), Some(json!({ "code": "invalid_payload", "message": why })));
    };
    let too_deep = json!({ "a": [[[]]] });
    refused(hub.test_client().auth(map_with_private_key()).connect().await.unwrap_err(), MESSAGE);
    refused(hub.test_client().auth(&too_deep).connect().await.unwrap_err(), "nested too deeply");
    seen.expect_nothing();
    let client = hub.test_client().auth(json!({ "a": [[]] })).connect().await?;
    seen.expect(&["connect"]).await;
    // The connection stays open, and other namespaces too.
    refused(client.connect_to("/other", map_with_private_key()).await.unwrap_err(), MESSAGE);
    refused(client.connect_to("/other", &too_deep).await.unwrap_err(), "nested too deeply");
    let _other = client.connect_to("/other", json!({})).await?;
    Ok(())
}

#[event(message)]
fn message(socket: &Socket, frame: Frame<'_>) {
    let _ = socket.send(told(frame.json()));
}

fn told(decoded: Result<Value, PayloadError>) -> String {
    decoded.map_or_else(|error| error.to_string(), |value| format!("decoded {value}"))
}

mod plain_only {
    use super::*;

    #[tokio::test]
    async fn no_raw_message_with_a_private_key_is_decoded() {
        let hub = Hub::builder().max_depth(4).namespace("/handled", |namespace| namespace.events(events![message]));
        let hub = hub.build().expect("a hub");
        hub.on("message", |payload: EventPayload| {
            let _ = payload.socket.send(told(payload.json()));
        });
        let routes = [("/listened", hub.websocket(), 3), ("/handled", hub.of("/handled").websocket(), 127)];
        let app = routes.iter().fold(Router::new(), |app, (path, route, _)| app.route(path, get(route.clone())));
        let server = serve_router(hub, app).await;
        for (path, _, levels) in routes {
            let mut client = server.connect_to(path).await;
            for argument in ARGUMENTS {
                client.send(argument).await;
                assert_eq!(client.text().await, MESSAGE, "{path} {argument}");
                client.send_binary(argument.into()).await;
                assert_eq!(client.text().await, MESSAGE, "{path} {argument}");
            }
            // A streaming decoder would return the value before the fault.
            for (text, fault) in [
                (format!("[{},", ARGUMENTS[0]), "EOF while parsing a value"),
                (format!("{} {}", "{}", ARGUMENTS[0]), "trailing characters"),
                ("no JSON".to_owned(), "expected ident"),
                (lists(levels + 1).to_string(), "nested too deeply"),
            ] {
                client.send(&text).await;
                assert_eq!(client.text().await, fault, "{path} {text}");
            }
        }
    }
}

#[tokio::test]
async fn fire_rejects_payloads_that_can_not_be_decoded() {
    let (server, mut seen) = serving().await;
    let (log, mut heard) = log();
    server.hub.on("value", move |payload| log.note(payload.json::<Value>().is_ok()));
    let (mut client, socket) = connected(&server).await;
    let raw = RawValue::from_string(ARGUMENTS[1].to_owned()).expect("JSON");
    let errors = [
        (socket.fire("value", map_with_private_key()), MESSAGE),
        (socket.fire("value", &raw), MESSAGE),
        (server.hub.fire("value", map_with_private_key()), MESSAGE),
        (socket.fire("value", lists(128)), "nested too deeply"),
    ];
    for (error, message) in errors {
        assert!(matches!(&error, Err(EmitError::Encode(error)) if error.to_string() == message), "{error:?}");
    }
    client.settle().await;
    heard.expect_nothing();
    socket.fire("value", lists(127)).expect("the depth is at the limit");
    heard.expect(&["true"]).await;
    seen.expect_nothing();
}

#[tokio::test]
async fn middleware_can_not_set_arguments_that_can_not_be_decoded() {
    let middleware = |mut event: IncomingEvent, next: Next| async move {
        let errors = [
            event.set_args(Args((1, map_with_private_key()))).map_err(|error| error.to_string()),
            event.set_args(Args((lists(128),))).map_err(|error| error.to_string()),
        ];
        assert_eq!(errors.map(|error| error.is_err_and(|error| error.ends_with(MESSAGE))), [true, false]);
        if event.args().json() == "[]" {
            event.set_args(Args((lists(127),))).expect("the depth is at the limit");
        }
        next.run(event).await
    };
    let hub =
        Hub::builder().namespace("/", |namespace| namespace.event_middleware(middleware)).events(events![value, raw]);
    let server = serve(hub.build().expect("a hub")).await;
    let (mut client, _socket) = connected(&server).await;
    // The original arguments stay in place.
    assert_eq!(client.ask("value", json!({ "a": 1 })).await["data"], json!({ "a": 1 }));
    assert_eq!(client.ask("raw", json!([])).await["data"], lists(127).to_string().len());
}

#[tokio::test]
async fn outgoing_listeners_and_test_clients_can_not_decode_private_keys() {
    let (server, _seen) = serving().await;
    let (log, mut heard) = log();
    let (mut client, socket) = connected(&server).await;
    socket.on_any_outgoing(move |name, args| {
        let all = args.all::<Value>().map(|all| all.len());
        log.note(format_args!("{name} {} {:?}", args.json(), all.map_err(|error| error.message().to_owned())));
    });
    socket.emit(("sent", map_with_private_key())).expect("sent");
    heard.expect(&[&format!(r#"sent {{"$serde_json::private::RawValue":"[1,2]"}} Err("{MESSAGE}")"#)]).await;
    socket.emit(("sent", 1, json!({ "a": [] }))).expect("sent");
    heard.expect(&[r#"sent 1,{"a":[]} Ok(2)"#]).await;
    client.settle().await;

    let hub = Hub::builder().build().expect("a hub");
    for mut client in socketio_tests::in_process::both(&hub).await.expect("connected") {
        hub.broadcast(("sent", map_with_private_key())).expect("sent");
        let event = client.expect_event("sent").await.expect("the event");
        assert_eq!(event.json::<Value>().unwrap_err().message(), MESSAGE);
        assert_eq!(event.args().json(), r#"{"$serde_json::private::RawValue":"[1,2]"}"#);
    }
}
