//! Binary data in payloads of every type, in both directions: it survives, or its event fails.
//!
//! Plain clients have base64 strings in its place.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use socketio::{
    Ack, AckError, AnyValue, Args, Binary, EmitError, EventError, EventPayload, Hub, PayloadError, RawArgs, Socket,
    event, events,
};
use socketio_tests::{Client, Flavour, Server, flavour, log, serve};
use std::collections::HashMap;
use std::ffi::CString;

#[derive(Deserialize, Serialize)]
struct Flattened<T> {
    name: String,
    #[serde(flatten)]
    rest: HashMap<String, T>,
}

#[derive(Deserialize, Serialize)]
#[serde(untagged)]
enum Untagged<T> {
    Text { text: String },
    Any(T),
}

#[derive(Deserialize, Serialize)]
#[serde(tag = "kind")]
enum Tagged<T> {
    Named { name: String, content: T },
    Other(Flattened<T>),
}

#[derive(Deserialize, Serialize)]
#[serde(tag = "kind", content = "content")]
enum Adjacent<T> {
    One(T),
    Two(T, T),
}

/// The name of a file.
#[derive(Deserialize, Serialize)]
struct Name(String);

/// Text and binary data, in the order in which serde tries them.
#[derive(Deserialize, Serialize)]
#[serde(untagged)]
enum TextFirst {
    Name(Name),
    Text(String),
    Texts(Vec<String>),
    Number(u64),
    Optional(Option<String>),
    Bytes(Binary),
}

/// Every field may be missing.
#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
struct Options {
    fast: bool,
}

#[derive(Deserialize)]
struct Titled {
    title: String,
}

macro_rules! echoes {
    ($($function:ident: $event:literal $type:ty;)*) => {$(
        #[event($event)]
        fn $function(value: $type) -> $type {
            value
        }
    )*};
}

echoes! {
    value: "value" Value;
    optional: "optional" Option<Value>;
    list: "list" Vec<Value>;
    pair: "pair" (Value, u8);
    map: "map" HashMap<String, Value>;
    raw: "raw" Box<RawValue>;
    flattened: "flattened" Flattened<Value>;
    untagged: "untagged" Untagged<Value>;
    tagged: "tagged" Tagged<Value>;
    adjacent: "adjacent" Adjacent<Value>;
    any_value: "AnyValue" AnyValue;
    any_map: "any map" HashMap<String, AnyValue>;
    any_flattened: "any flattened" Flattened<AnyValue>;
    binary_flattened: "binary flattened" Flattened<Binary>;
    any_untagged: "any untagged" Untagged<AnyValue>;
    binary_untagged: "binary untagged" Untagged<Binary>;
    any_tagged: "any tagged" Tagged<AnyValue>;
    binary_tagged: "binary tagged" Tagged<Binary>;
    binary_adjacent: "binary adjacent" Adjacent<Binary>;
    text_first: "text first" TextFirst;
    foreign: "foreign" CString;
    numbered: "numbered" HashMap<u8, Option<Binary>>;
}

#[event("text")]
fn text(text: String) -> String {
    text
}

#[event("options")]
fn options(options: Options) -> bool {
    options.fast
}

#[event("titled")]
fn titled(titled: Titled) -> String {
    titled.title
}

#[event("one")]
fn one(first: u8) -> u8 {
    first
}

#[event("checked")]
fn checked(value: Result<Value, PayloadError>) -> String {
    value.map_or_else(|error| format!("{:?}: {error}", error.path()), |value| value.to_string())
}

#[event("values")]
fn values(args: RawArgs<'_>) -> Result<Vec<Value>, PayloadError> {
    args.all()
}

async fn server() -> Server {
    let table = events![
        value,
        optional,
        list,
        pair,
        map,
        raw,
        flattened,
        untagged,
        tagged,
        adjacent,
        any_value,
        any_map,
        any_flattened,
        binary_flattened,
        any_untagged,
        binary_untagged,
        any_tagged,
        binary_tagged,
        binary_adjacent,
        text_first,
        numbered,
        foreign,
        text,
        options,
        titled,
        one,
        checked,
        values,
        ask,
        buffered,
        fail,
        say,
        say_only,
        reply,
        answer,
        echo
    ];
    serve(Hub::builder().events(table).build().expect("a hub")).await
}

/// Data that is UTF-8, and data that is not.
const DATA: [&[u8]; 2] = [b"text", &[0xff, 0x00]];
const BASE64: [&str; 2] = ["dGV4dA==", "/wA="];

fn placeholder(number: u8) -> Value {
    json!({ "_placeholder": true, "num": number })
}

#[tokio::test]
async fn types_that_cannot_hold_binary_data_refuse_it() {
    let server = server().await;
    let mut client = server.connect("ann").await;
    for data in DATA {
        for (event, argument, path) in [
            ("value", placeholder(0), None),
            ("value", json!({ "a": [1, placeholder(0)] }), Some("a[1]")),
            ("optional", placeholder(0), None),
            ("list", json!([1, placeholder(0)]), Some("[1]")),
            ("pair", json!([placeholder(0), 1]), Some("[0]")),
            ("map", placeholder(0), None),
            ("map", json!({ "a": placeholder(0) }), Some("a")),
            ("raw", json!([placeholder(0)]), None),
            ("flattened", json!({ "name": "x", "a": { "b": placeholder(0) } }), None),
            ("untagged", json!([placeholder(0)]), None),
            ("tagged", json!({ "kind": "Named", "name": "x", "content": placeholder(0) }), None),
            ("tagged", json!({ "kind": "Other", "name": "x", "b": placeholder(0) }), None),
            ("adjacent", json!({ "kind": "One", "content": placeholder(0) }), Some("content")),
            ("adjacent", json!({ "content": [1, placeholder(0)], "kind": "Two" }), None),
            ("text", placeholder(0), None),
            ("options", placeholder(0), None),
        ] {
            let answer = client.ask_with(event, argument.clone(), &[data]).await;
            if flavour() == Flavour::Plain {
                assert!(!answer.to_string().contains("placeholder"), "{event}: {answer}");
                continue;
            }
            assert_eq!(answer["error"]["code"], "invalid_payload", "{event} with {argument}: {answer}");
            if let Some(path) = path {
                assert_eq!(answer["error"]["path"], path, "{event}: {answer}");
            }
        }
    }
    if flavour() != Flavour::Plain {
        let answer = client.ask_with("checked", json!({ "a": placeholder(0) }), &[DATA[0]]).await;
        assert_eq!(answer["data"], r#"Some("a"): invalid type: binary data, expected any valid JSON value"#);
        let answer = client.ask_with("values", placeholder(0), &[DATA[0]]).await;
        assert_eq!(answer["error"]["code"], "invalid_payload", "{answer}");
    }
}

#[tokio::test]
async fn types_that_can_hold_binary_data_keep_it() {
    let server = server().await;
    let mut client = server.connect("ann").await;
    for (data, base64) in std::iter::zip(DATA, BASE64) {
        for (event, argument) in [
            ("AnyValue", placeholder(0)),
            ("AnyValue", json!({ "a": [1, placeholder(0)] })),
            ("any map", json!({ "a": placeholder(0) })),
            ("any flattened", json!({ "name": "x", "a": { "b": placeholder(0) } })),
            ("binary flattened", json!({ "name": "x", "a": placeholder(0) })),
            ("any untagged", placeholder(0)),
            ("any untagged", json!([placeholder(0)])),
            ("binary untagged", placeholder(0)),
            ("any tagged", json!({ "kind": "Named", "name": "x", "content": [placeholder(0)] })),
            ("any tagged", json!({ "kind": "Other", "name": "x", "b": placeholder(0) })),
            ("binary tagged", json!({ "kind": "Named", "name": "x", "content": placeholder(0) })),
            ("binary tagged", json!({ "kind": "Other", "name": "x", "b": placeholder(0) })),
            ("binary adjacent", json!({ "content": placeholder(0), "kind": "One" })),
            ("binary adjacent", json!({ "kind": "Two", "content": [placeholder(0), placeholder(0)] })),
            ("text first", placeholder(0)),
            ("numbered", json!({ "7": placeholder(0), "8": null })),
        ] {
            let answer = client.ask_with(event, argument.clone(), &[data]).await;
            let expected: Value = argument
                .to_string()
                .replace(&placeholder(0).to_string(), &json!(base64).to_string())
                .parse()
                .expect("JSON");
            assert_eq!(answer["data"], expected, "{event} with {argument}: {answer}");
        }
    }
}

#[tokio::test]
async fn ignored_binary_data_is_no_error() {
    let server = server().await;
    let mut client = server.connect("ann").await;
    let answer = client.ask_with("titled", json!({ "title": "x", "image": placeholder(0) }), &[DATA[0]]).await;
    assert_eq!(answer["data"], "x", "{answer}");
    client.send_with(&json!({ "event": "one", "args": [1, placeholder(0)], "id": 1 }), &[DATA[0]]).await;
    assert_eq!(client.json().await["data"], 1);
}

#[tokio::test]
async fn listeners_read_binary_data_or_an_error() {
    let (server, (log, mut seen)) = (server().await, log());
    server.hub.on("listened", move |payload: EventPayload| {
        let value = payload.json::<Value>().map_or_else(|error| error.to_string(), |value| value.to_string());
        let list = payload.args().all::<AnyValue>().map(|all| all.iter().filter(|value| value.has_binary()).count());
        log.note(format!("{value}, {list:?}, {:?}", &payload.data[..]));
    });
    let mut client = server.connect("ann").await;
    client.send_with(&json!({ "event": "listened", "data": placeholder(0) }), &[&[1, 2]]).await;
    let expected = match flavour() {
        Flavour::Plain => r#""AQI=", Ok(0), [65, 81, 73, 61]"#,
        _ => "invalid type: binary data, expected any valid JSON value, Ok(1), [1, 2]",
    };
    assert_eq!(seen.next().await, expected);
}

#[event("ask", concurrent)]
async fn ask(socket: &Socket, as_type: String) -> Result<String, AckError> {
    let question = ("question",);
    Ok(match &*as_type {
        "value" => socket.emit_with_ack::<Value>(question).await?.to_string(),
        "several" => format!("{:?}", socket.emit_with_ack::<Args<(Flattened<Value>, u8)>>(question).await?.0.0.name),
        _ => format!("{:?}", socket.emit_with_ack::<Flattened<Binary>>(question).await?.rest["b"]),
    })
}

/// Asks for an answer, answers with binary data, and returns what came of it.
async fn asked(client: &mut Client, as_type: &str, mut answer: Value) -> Value {
    client.send(json!({ "event": "ask", "data": as_type, "id": "ask" }).to_string()).await;
    let question = client.json().await;
    assert_eq!(question["event"], "question");
    answer["id"] = question["id"].clone();
    client.send_with(&answer, &[&[1, 2]]).await;
    client.json().await
}

#[tokio::test]
async fn answers_of_clients_hold_binary_data_or_are_an_error() {
    let server = server().await;
    let mut client = server.connect("ann").await;
    let content = json!({ "name": "x", "b": placeholder(0) });
    let answer = asked(&mut client, "binary", json!({ "data": content })).await;
    assert_eq!(answer["data"], r#"Binary(b"\x01\x02")"#, "{answer}");
    let error = asked(
        &mut client,
        "value",
        json!({ "error": { "code": "no", "message": "not now", "data": [placeholder(0)] } }),
    )
    .await;
    assert_eq!(error["error"]["message"], "the client answered with the error `no`: not now", "{error}");
    if flavour() == Flavour::Plain {
        return;
    }
    for (as_type, answer) in [("value", json!({ "data": content })), ("several", json!({ "args": [content, 1] }))] {
        let answer = asked(&mut client, as_type, answer).await;
        let message = answer["error"]["message"].as_str().expect("an error");
        assert!(message.contains("invalid type: binary data"), "{as_type}: {answer}");
    }
}

#[derive(Clone, Serialize)]
struct Parts {
    name: &'static str,
    #[serde(flatten)]
    part: Part,
}

#[derive(Clone, Serialize)]
enum Part {
    One(Binary),
    Pair(Binary, u8),
    Fields { content: Binary },
}

#[derive(Clone, Serialize)]
#[serde(tag = "kind")]
enum Kinds {
    Fields { content: Binary },
    Nested(Parts),
    Map(HashMap<&'static str, Binary>),
}

#[derive(Clone, Serialize)]
#[serde(untagged)]
enum Either {
    Kinds(Kinds),
}

/// Another type than `Binary` that serializes as bytes.
#[derive(Clone, Serialize)]
#[serde(tag = "kind")]
enum Foreign {
    Bytes { content: CString },
}

#[event("buffered")]
fn buffered() -> Vec<AnyOf> {
    let content = Binary::from(vec![1, 2]);
    let part = |part| Parts { name: "x", part };
    let bytes = CString::new([1, 2]).expect("no NUL");
    vec![
        AnyOf::Parts(part(Part::One(content.clone()))),
        AnyOf::Parts(part(Part::Pair(content.clone(), 3))),
        AnyOf::Parts(part(Part::Fields { content: content.clone() })),
        AnyOf::Either(Either::Kinds(Kinds::Fields { content: content.clone() })),
        AnyOf::Either(Either::Kinds(Kinds::Nested(part(Part::Pair(content.clone(), 3))))),
        AnyOf::Either(Either::Kinds(Kinds::Map(HashMap::from([("content", content.clone())])))),
        AnyOf::Bytes(bytes.clone()),
        AnyOf::Foreign(Foreign::Bytes { content: bytes }),
        // A `Value` can't hold binary data.
        AnyOf::Value(json!({ "content": content })),
    ]
}

#[derive(Clone, Serialize)]
#[serde(untagged)]
enum AnyOf {
    Parts(Parts),
    Either(Either),
    Bytes(CString),
    Foreign(Foreign),
    Value(Value),
}

#[tokio::test]
async fn binary_data_survives_where_serde_buffers_it_on_the_way_out() {
    let server = server().await;
    let mut client = server.connect("ann").await;
    let expected = json!([
        { "name": "x", "One": "AQI=" },
        { "name": "x", "Pair": ["AQI=", 3] },
        { "name": "x", "Fields": { "content": "AQI=" } },
        { "kind": "Fields", "content": "AQI=" },
        { "kind": "Nested", "name": "x", "Pair": ["AQI=", 3] },
        { "kind": "Map", "content": "AQI=" },
        "AQI=",
        { "kind": "Bytes", "content": "AQI=" },
        { "content": "AQI=" },
    ]);
    assert_eq!(client.ask("buffered", json!(null)).await["data"], expected);
    let error = client.ask("fail", json!(null)).await["error"].take();
    assert_eq!(error["data"], json!({ "content": "AQI=" }));
}

#[event("fail")]
fn fail() -> Result<(), EventError> {
    #[derive(Serialize)]
    struct Data {
        content: Binary,
    }
    Err(EventError::new("no", "not now").with_data(Data { content: vec![1, 2].into() }))
}

#[event("say")]
fn say(socket: &Socket, said: AnyValue) -> Result<(), EmitError> {
    socket.hub().emit(("said", said, Binary::from(vec![1, 2])))
}

#[event("say only")]
fn say_only(socket: &Socket, said: AnyValue) -> Result<(), EmitError> {
    socket.hub().emit(("said", said))
}

#[event("reply")]
fn reply(said: AnyValue) -> Args<(AnyValue, Binary)> {
    Args((said, Binary::from(vec![1, 2])))
}

#[event("answer")]
fn answer(said: AnyValue, ack: Ack) -> Result<(), EmitError> {
    ack.send_args(Args((said, Binary::from(vec![1, 2]))))
}

#[event("echo")]
fn echo(socket: &Socket, args: RawArgs<'_>) -> Result<(), EmitError> {
    socket.emit(("echoed", args))
}

/// Objects that a Socket.IO client would take for placeholders, written as JSON.
const LOOKALIKES: [&str; 4] = [
    r#"{"_placeholder":true,"num":5}"#,
    r#"{"_placeholder":true,"num":0}"#,
    r#"[{"a":{"num":0,"x":1,"_placeholder":true}}]"#,
    r#"{"_placeholder":true}"#,
];

#[tokio::test]
async fn an_object_like_a_placeholder_never_reaches_a_client_beside_binary_data() {
    let server = server().await;
    let mut sender = server.connect("ann").await;
    let mut other = server.connect("bob").await;
    for lookalike in LOOKALIKES {
        let lookalike: Value = lookalike.parse().expect("JSON");
        for event in ["say", "reply", "answer"] {
            let answer = sender.ask(event, lookalike.clone()).await;
            assert_eq!(answer["error"]["code"], "invalid_payload", "{event}: {answer}");
        }
        // Alone it is ordinary data.
        sender.emit("say only", lookalike.clone()).await;
        assert_eq!(other.json().await, json!({ "event": "said", "data": lookalike }));
        assert_eq!(sender.json().await, json!({ "event": "said", "data": lookalike }));
        sender.emit("echo", lookalike.clone()).await;
        assert_eq!(sender.json().await, json!({ "event": "echoed", "data": lookalike }));
    }
    // These aren't placeholders for any client.
    for harmless in [json!({ "_placeholder": "true", "num": 0 }), json!({ "num": 0 }), json!(["_placeholder", true])] {
        assert!(sender.ask("say", harmless.clone()).await.get("error").is_none());
        assert_eq!(other.json().await, json!({ "event": "said", "args": [harmless, "AQI="] }));
    }
}
