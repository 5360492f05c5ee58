//! How events find their handlers, what parameters handlers take, and how return values become
//! acks.

use serde::{Deserialize, Serialize};
use serde_json::json;
use socketio::{
    AnyValue, Args, Argument, Arguments, Binary, EventError, EventName, Handshake, Hub, PayloadError, RawArgs, Socket,
    State, event, events, handlers,
};
use socketio_tests::{Log, flavour, log, serve};
use std::borrow::Cow;
use std::sync::atomic::{AtomicU32, Ordering};

#[derive(Deserialize, Serialize)]
struct User<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    age: u8,
}

/// A custom parameter type.
struct Caller(String);

impl<'a> Argument<'a> for Caller {
    fn from_event(arguments: &mut Arguments<'a>) -> Result<Self, EventError> {
        let id = arguments.socket().params("id").filter(|id| *id != "nobody");
        id.map(|id| Self(id.to_owned())).ok_or_else(|| EventError::new("signed_out", "sign in first"))
    }
}

#[event("greet")]
fn greet(user: User<'_>) -> String {
    format!("{} is {}", user.name, user.age)
}

#[event("greet later")]
async fn greet_later(user: User<'_>, log: State<Log>) -> String {
    tokio::task::yield_now().await;
    log.note("greeted");
    format!("{} is {}", user.name, user.age)
}

#[allow(clippy::too_many_arguments, reason = "one of each kind")]
#[event("context")]
async fn context(
    by_reference: &Socket,
    owned: Socket,
    hub: &Hub,
    owned_hub: Hub,
    handshake: Handshake<'_>,
    name: EventName<'_>,
    args: RawArgs<'_>,
    caller: Caller,
    first: i32,
) -> serde_json::Value {
    json!([
        *by_reference == owned,
        hub.len(),
        owned_hub.len(),
        handshake.param("id"),
        &*name,
        args.json(),
        caller.0,
        first
    ])
}

#[event("move")]
fn move_to(x: i32, y: i32, note: Option<String>) -> Args<(i32, i32, Option<String>)> {
    Args((x, y, note))
}

#[event("maybe")]
fn maybe(user: Option<User<'_>>) -> bool {
    user.is_some()
}

#[event("checked")]
fn checked(user: Result<User<'_>, PayloadError>, after: Option<u8>) -> String {
    match user {
        Ok(user) => format!("{} {after:?}", user.name),
        Err(error) => {
            format!("{} at {:?} of {}, {after:?}", error.message(), error.path(), error.argument().expect("one"))
        }
    }
}

#[derive(Deserialize, Serialize)]
struct Picture {
    name: String,
    parts: Vec<Binary>,
}

#[event("binary")]
fn binary(bytes: Binary, picture: Picture) -> Args<(Binary, Picture)> {
    let reversed = bytes.iter().rev().copied().collect::<Vec<_>>();
    Args((reversed.into(), picture))
}

/// Returns its argument, and whether that contains binary data.
#[event("any")]
fn any(first: AnyValue, second: Option<AnyValue>) -> Args<(AnyValue, AnyValue, bool)> {
    let has_binary = first.has_binary();
    Args((first, second.unwrap_or_default(), has_binary))
}

#[event("nothing")]
fn nothing() {}

#[event("fails")]
async fn fails(how: &str) -> Result<(), EventError> {
    match how {
        "string" => Err(format!("{how} failed").into()),
        "static" => Err("failed".into()),
        "full" => Err(EventError::new("muted", "you are muted").with_path("room").with_data(json!({ "minutes": 3 }))),
        _ => Ok(()),
    }
}

#[event("fallible")]
fn fallible(ok: bool) -> Result<u32, &'static str> {
    if ok { Ok(7) } else { Err("not ok") }
}

#[event("fallible args")]
fn fallible_args(ok: bool) -> Result<Args<(u32, &'static str)>, String> {
    if ok { Ok(Args((1, "a"))) } else { Err("no".into()) }
}

#[event("\"quoted\" café")]
fn quoted() -> u8 {
    1
}

#[event(fallback)]
fn fallback(name: EventName<'_>, args: RawArgs<'_>) -> Result<String, PayloadError> {
    let values: Vec<serde_json::Value> = args.all()?;
    Ok(format!("{} of {}: {}", &*name, values.len(), args.json()))
}

async fn server() -> (socketio_tests::Server, socketio_tests::Seen) {
    let (log, seen) = log();
    let table = events![
        greet,
        greet_later,
        context,
        move_to,
        maybe,
        checked,
        binary,
        any,
        nothing,
        fails,
        fallible,
        fallible_args,
        quoted
    ];
    let hub = Hub::builder().state(log).events(table).build().expect("a hub");
    (serve(hub).await, seen)
}

#[tokio::test]
async fn sync_and_async_handlers_take_typed_payloads() {
    let (server, mut seen) = server().await;
    let mut client = server.connect("ann").await;
    for event in ["greet", "greet later"] {
        let answer = client.ask(event, json!({ "name": "Zo\"e", "age": 3, "other": [] })).await;
        assert_eq!(answer, json!({ "id": "ask", "data": "Zo\"e is 3" }));
    }
    seen.expect(&["greeted"]).await;
}

#[tokio::test]
async fn every_kind_of_parameter_is_extracted() {
    let (server, _seen) = server().await;
    let mut client = server.connect("ann").await;
    let answer = client.ask_all("context", json!([5, "x"])).await;
    assert_eq!(answer["data"], json!([true, 1, 1, "ann", "context", "5,\"x\"", "ann", 5]));
    let mut nobody = server.connect("nobody").await;
    let answer = nobody.ask("context", 5).await;
    assert_eq!(answer["error"], json!({ "code": "signed_out", "message": "sign in first" }));
}

#[tokio::test]
async fn surplus_arguments_are_ignored_and_missing_ones_must_be_optional() {
    let (server, _seen) = server().await;
    let mut client = server.connect("ann").await;
    assert_eq!(client.ask_all("move", json!([1, 2])).await["args"], json!([1, 2, null]));
    assert_eq!(client.ask_all("move", json!([1, 2, null])).await["args"], json!([1, 2, null]));
    assert_eq!(client.ask_all("move", json!([1, 2, "n"])).await["args"], json!([1, 2, "n"]));
    assert_eq!(client.ask_all("move", json!([1, 2, "n", {}, []])).await["args"], json!([1, 2, "n"]));
    let missing =
        |argument: u8| json!({ "code": "invalid_payload", "message": "missing argument", "argument": argument });
    assert_eq!(client.ask_all("move", json!([1])).await["error"], missing(1));
    assert_eq!(client.ask_all("move", json!([])).await["error"], missing(0));
    assert_eq!(client.ask("move", 1).await["error"], missing(1));
    assert_eq!(client.request(json!({ "event": "move", "id": 1 })).await["error"], missing(0));
    for (args, at) in [(json!(["x", 2]), 0), (json!([1, "x"]), 1), (json!([1, 2, 3]), 2)] {
        let wrong = client.ask_all("move", args).await;
        assert_eq!((&wrong["error"]["code"], &wrong["error"]["argument"]), (&json!("invalid_payload"), &json!(at)));
    }
    assert_eq!(client.request(json!({ "event": "maybe", "id": 1 })).await["data"], false);
    assert_eq!(client.ask("maybe", json!(null)).await["data"], false);
    assert_eq!(client.ask("maybe", json!({ "name": "x", "age": 1 })).await["data"], true);
    assert_eq!(client.ask("maybe", json!({ "name": "x" })).await["error"]["code"], "invalid_payload");
}

#[tokio::test]
async fn a_handler_can_take_the_payload_error_itself() {
    let (server, _seen) = server().await;
    let mut client = server.connect("ann").await;
    assert_eq!(client.ask_all("checked", json!([{ "name": "x", "age": 1 }, 2])).await["data"], "x Some(2)");
    let answer = client.ask_all("checked", json!([{ "name": "x", "age": "old" }, 2])).await;
    assert_eq!(answer["data"], "invalid type: string \"old\", expected u8 at Some(\"age\") of 0, Some(2)");
    let answer = client.request(json!({ "event": "checked", "id": 2 })).await;
    assert_eq!(answer["data"], "missing argument at None of 0, None");
}

#[tokio::test]
async fn binary_data_in_envelopes_is_base64() {
    let (server, _seen) = server().await;
    let mut client = server.connect("ann").await;
    let picture = json!({ "name": "dot", "parts": ["/w==", ""] });
    let answer = client.ask_all("binary", json!(["AQID", picture])).await;
    assert_eq!(answer["args"], json!(["AwIB", picture]));
    let answer = client.ask_all("binary", json!(["AQID", { "name": "dot", "parts": ["", "?"] }])).await;
    assert_eq!(answer["error"]["code"], "invalid_payload");
    assert_eq!(answer["error"]["path"], "parts[1]");
}

#[tokio::test]
async fn a_value_of_any_kind_round_trips() {
    let (server, _seen) = server().await;
    let mut client = server.connect("ann").await;
    for value in [json!(null), json!([1, -2, 1.5, "x", true]), json!({ "b": { "_placeholder": 1 }, "a": [[]] })] {
        let answer = client.ask_all("any", json!([value, { "second": value }])).await;
        assert_eq!(answer["args"], json!([value, { "second": value }, false]));
    }
    assert_eq!(client.ask_all("any", json!([1])).await["args"], json!([1, null, false]));
    let deep = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
    let answer = client
        .request(serde_json::from_str(&format!(r#"{{"event":"any","data":{},"id":1}}"#, deep(100))).expect("JSON"));
    assert_eq!(answer.await["args"][0].to_string(), deep(100));
}

#[tokio::test]
async fn every_kind_of_return_value_becomes_an_ack() {
    let (server, _seen) = server().await;
    let mut client = server.connect("ann").await;
    assert_eq!(client.ask("nothing", 1).await, json!({ "id": "ask" }));
    assert_eq!(client.ask("fails", "not").await, json!({ "id": "ask" }));
    assert_eq!(client.ask("fallible", true).await, json!({ "id": "ask", "data": 7 }));
    assert_eq!(client.ask("fallible args", true).await, json!({ "id": "ask", "args": [1, "a"] }));
    for id in [json!(0), json!(-1), json!(1.5), json!("an id"), json!(9_007_199_254_740_993_u64)] {
        assert_eq!(client.request(json!({ "event": "nothing", "id": id })).await, json!({ "id": id }));
    }
}

#[tokio::test]
async fn errors_carry_code_message_path_and_data() {
    let (server, _seen) = server().await;
    let mut client = server.connect("ann").await;
    let failed = |message| json!({ "code": "handler_error", "message": message });
    assert_eq!(client.ask("fails", "string").await["error"], failed("string failed"));
    assert_eq!(client.ask("fails", "static").await["error"], failed("failed"));
    assert_eq!(client.ask("fallible", false).await["error"], failed("not ok"));
    assert_eq!(client.ask("fallible args", false).await["error"], failed("no"));
    let full = json!({ "code": "muted", "message": "you are muted", "path": "room", "data": { "minutes": 3 } });
    assert_eq!(client.ask("fails", "full").await["error"], full);
}

#[tokio::test]
async fn event_names_may_contain_any_characters() {
    let (server, _seen) = server().await;
    let mut client = server.connect("ann").await;
    assert_eq!(client.ask("\"quoted\" café", 0).await["data"], 1);
    client.send(r#"{"event":"\u0022quoted\" caf\u00e9","id":"ask"}"#).await;
    assert_eq!(client.json().await, json!({ "id": "ask", "data": 1 }));
}

#[tokio::test]
async fn an_unknown_event_is_answered_with_an_error_if_it_has_an_ack() {
    let (server, _seen) = server().await;
    let mut client = server.connect("ann").await;
    let answer = client.ask("no such event", 1).await;
    assert_eq!(answer["error"], json!({ "code": "unknown_event", "message": "there is no event `no such event`" }));
    client.emit("no such event", 1).await;
    client.settle().await;
    assert_eq!(server.hub.stats().unknown_events, 3);
    let long = "x".repeat(257);
    assert_eq!(client.ask(&long, 1).await["error"]["code"], "unknown_event");
    assert_eq!(server.hub.stats().unknown_events, 4);
    let silent = Hub::builder().events(events![nothing]).answer_unknown_events(false).build().expect("a hub");
    let server = serve(silent).await;
    let mut client = server.connect("ann").await;
    client.send(r#"{"event":"no such event","id":1}"#).await;
    client.send(json!({ "event": long, "id": 1 }).to_string()).await;
    assert_eq!(client.request(json!({ "event": "nothing", "id": 2 })).await, json!({ "id": 2 }));
}

#[tokio::test]
async fn the_fallback_handles_events_without_a_handler() {
    let hub = Hub::builder().events(events![greet, fallback]).build().expect("a hub");
    hub.on("heard", |payload| {
        let _ = payload.ack().send("by the listener");
    });
    let server = serve(hub).await;
    let mut client = server.connect("ann").await;
    assert_eq!(client.ask("greet", json!({ "name": "x", "age": 1 })).await["data"], "x is 1");
    assert_eq!(client.ask_all("what", json!([1, "2"])).await["data"], "what of 2: 1,\"2\"");
    assert_eq!(client.request(json!({ "event": "what", "id": 1 })).await["data"], "what of 0: ");
    assert_eq!(client.ask("heard", 1).await["data"], "by the listener");
    assert_eq!(server.hub.stats().unknown_events, 0);
}

#[tokio::test]
async fn reserved_names_are_rejected() {
    let (server, mut seen) = server().await;
    let mut client = server.connect("ann").await;
    for name in ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"] {
        if !flavour().is_plain() {
            // A Socket.IO packet with such a name is invalid and ends the connection.
            let mut client = server.connect("bob").await;
            client.emit(name, 1).await;
            assert_eq!(client.closed().await.map(|_| ()), flavour().told(1002, "").map(|_| ()), "{name}");
            continue;
        }
        let answer = client.ask(name, 1).await;
        assert_eq!(answer["error"]["code"], "reserved_event", "{name}");
        client.emit(name, 1).await;
    }
    client.settle().await;
    seen.expect_nothing();
}

struct Counter(AtomicU32);

#[handlers]
impl Counter {
    #[event("count")]
    fn count(&self, by: u32) -> u32 {
        self.0.fetch_add(by, Ordering::Relaxed) + by
    }

    #[event("count later")]
    async fn count_later(&self, socket: &Socket, by: u32) -> Result<u32, socketio::EmitError> {
        socket.emit(("counting", by))?;
        tokio::task::yield_now().await;
        Ok(self.count(by))
    }
}

#[tokio::test]
async fn methods_share_the_state_of_their_receiver() {
    let hub = Hub::builder().events(Counter(AtomicU32::new(10))).events(events![greet]).build().expect("a hub");
    let server = serve(hub).await;
    let mut client = server.connect("ann").await;
    assert_eq!(client.ask("count", 1).await["data"], 11);
    client.send(json!({ "event": "count later", "data": 2, "id": 1 }).to_string()).await;
    assert_eq!(client.json().await, json!({ "event": "counting", "data": 2 }));
    assert_eq!(client.json().await, json!({ "id": 1, "data": 13 }));
    assert_eq!(client.ask("greet", json!({ "name": "x", "age": 1 })).await["data"], "x is 1");
}
