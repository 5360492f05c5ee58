//! Invalid input from clients: it is answered with an error and never ends the connection.

#![allow(dead_code, reason = "many fields are only there to be decoded")]

use serde::Deserialize;
use serde_json::{Value, json};
use socketio::{Binary, EventError, Hub, Socket, State, event, events};
use socketio_tests::{Flavour, Log, Seen, Server, flavour, json_only, log, plain_only, serve};
use std::collections::HashMap;

#[derive(Debug, Deserialize)]
struct Address {
    street: String,
    number: u16,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Contact {
    Phone(String),
    Mail { address: String, verified: bool },
    Nothing,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "kind")]
enum Tagged {
    Circle { radius: f64 },
    Square { side: f64 },
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Untagged {
    Number(u8),
    Text(String),
}

#[derive(Debug, Deserialize)]
#[serde(tag = "t", content = "c")]
enum Adjacent {
    One(u8),
    Two(String),
}

#[derive(Debug, Deserialize)]
struct Pair(u8, u8);

#[derive(Debug, Deserialize)]
struct Marker;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Profile {
    name: String,
    age: u8,
    #[serde(default)]
    addresses: Vec<Address>,
    #[serde(default)]
    contacts: HashMap<String, Contact>,
    #[serde(default)]
    tagged: Option<Tagged>,
    #[serde(default)]
    untagged: Option<Untagged>,
    #[serde(default)]
    adjacent: Option<Adjacent>,
    #[serde(default)]
    pair: Option<Pair>,
    #[serde(default)]
    marker: Option<Marker>,
    #[serde(default)]
    picture: Binary,
    #[serde(default)]
    letter: Option<char>,
}

#[event("profile")]
fn profile(profile: Profile) -> String {
    format!("{profile:?}").len().to_string()
}

#[event("text")]
fn text(text: String) -> usize {
    text.len()
}

#[event("number")]
fn number(number: i64) -> i64 {
    number
}

#[event("float")]
fn float(number: f64) -> f64 {
    number
}

#[event("any")]
fn any(_value: Value) -> bool {
    true
}

#[event("borrowed")]
fn borrowed(text: &str) -> usize {
    text.len()
}

#[event("socket")]
async fn with_socket(_socket: &Socket, number: u8) -> u8 {
    number
}

#[event(error)]
fn failed(error: EventError, log: State<Log>) {
    log.note(format_args!("{} in {}", error.code(), error.event().unwrap_or_default()));
}

async fn server() -> (Server, Seen) {
    let (log, seen) = log();
    let table = events![profile, text, number, float, any, borrowed, with_socket, failed];
    let hub = Hub::builder().state(log).events(table).build().expect("a hub");
    (serve(hub).await, seen)
}

fn merged(mut base: Value, changes: Value) -> Value {
    let (Value::Object(base_map), Value::Object(changes)) = (&mut base, changes) else { return base };
    base_map.extend(changes);
    base
}

#[tokio::test]
async fn a_wrong_type_at_any_depth_is_answered_with_its_path_and_without_rust_type_names() {
    let (server, mut seen) = server().await;
    let mut client = server.connect("ann").await;
    let base = json!({ "name": "x", "age": 1 });
    for (changes, path) in [
        (json!({ "age": "old" }), "age"),
        (json!({ "age": 256 }), "age"),
        (json!({ "age": -1 }), "age"),
        (json!({ "age": 1.5 }), "age"),
        (json!({ "age": null }), "age"),
        (json!({ "name": 5 }), "name"),
        (json!({ "unexpected": 5 }), "unexpected"),
        (json!({ "addresses": {} }), "addresses"),
        (
            json!({ "addresses": [{ "street": "s", "number": 1 }, { "street": "s", "number": [] }] }),
            "addresses[1].number",
        ),
        (json!({ "addresses": [5] }), "addresses[0]"),
        (json!({ "addresses": [{ "street": "s" }] }), "addresses[0]"),
        (json!({ "contacts": { "home": { "fax": 1 } } }), "contacts.home"),
        (json!({ "contacts": { "home": { "phone": 1 } } }), "contacts.home.phone"),
        (json!({ "contacts": { "home": { "mail": { "address": 1 } } } }), "contacts.home.mail.address"),
        (json!({ "contacts": { "home": { "mail": 1 } } }), "contacts.home.mail"),
        (json!({ "contacts": { "home": { "nothing": 1 } } }), "contacts.home.nothing"),
        (json!({ "contacts": { "home": 5 } }), "contacts.home"),
        (json!({ "tagged": { "kind": "Circle", "radius": "r" } }), "tagged"),
        (json!({ "tagged": 5 }), "tagged"),
        (json!({ "tagged": {} }), "tagged"),
        (json!({ "untagged": [] }), "untagged"),
        (json!({ "adjacent": 5 }), "adjacent"),
        // With the tag last, the content is buffered before it is decoded.
        (json!({ "adjacent": { "c": "x", "t": "One" } }), "adjacent"),
        (json!({ "pair": [1] }), "pair"),
        (json!({ "pair": 5 }), "pair"),
        (json!({ "marker": 5 }), "marker"),
        (json!({ "picture": "no base64!" }), "picture"),
        (json!({ "picture": 5 }), "picture"),
        (json!({ "letter": "two" }), "letter"),
    ] {
        let answer = client.ask("profile", merged(base.clone(), changes.clone())).await;
        let error = &answer["error"];
        assert_eq!(error["code"], "invalid_payload", "{changes}: {answer}");
        assert_eq!(error["path"], path, "{changes}: {answer}");
        let message = error["message"].as_str().expect("a message");
        let names =
            ["Profile", "Address", "Contact", "Tagged", "Untagged", "Adjacent", "Pair", "Marker", "::", "serde"];
        assert!(!names.iter().any(|name| message.contains(name)), "{changes}: {message}");
        assert!(!message.contains(" line ") && !message.contains(" column "), "{changes}: {message}");
        seen.expect(&["invalid_payload in profile"]).await;
    }
    for whole in [json!(5), json!([]), json!("x"), json!(null), json!(true)] {
        let answer = client.ask("profile", whole.clone()).await;
        assert_eq!(answer["error"]["code"], "invalid_payload");
        assert_eq!(answer["error"].get("path"), None, "{answer}");
        assert!(!answer.to_string().contains("Profile"), "{answer}");
    }
    assert!(client.ask("profile", base).await["data"].is_string());
}

#[tokio::test]
async fn strings_of_every_size_up_to_max_payload_are_accepted() {
    let (server, _seen) = server().await;
    let mut client = server.connect("ann").await;
    let around = json!({ "event": "text", "data": "", "id": "ask" }).to_string().len();
    for length in [0, 1, 125, 126, 127, 4_095, 4_096, 65_535, 65_536, 500_000, 1_000_000 - around] {
        assert_eq!(client.ask("text", "x".repeat(length)).await["data"], length);
    }
    assert_eq!(client.ask("text", "é\"\\\n".repeat(10_000)).await["data"], 50_000);
}

#[tokio::test]
async fn errors_of_events_without_an_ack_fire_the_error_event() {
    let (server, mut seen) = server().await;
    let (log, mut data) = log();
    server.hub.on("error", move |payload| log.note(String::from_utf8_lossy(&payload.data)));
    let mut client = server.connect("ann").await;
    client.emit("number", "x").await;
    client.emit("socket", "x").await;
    seen.expect(&["invalid_payload in number", "invalid_payload in socket"]).await;
    let mut events = vec!["number", "socket"];
    if flavour().is_plain() {
        client.emit("disconnect", "x").await;
        seen.expect(&["reserved_event in disconnect"]).await;
        events.push("disconnect");
    }
    for event in events {
        match flavour() {
            Flavour::Plain => data.expect(&[&json!({ "event": event, "data": "x" }).to_string()]).await,
            // The data is the message in the default Socket.IO encoding.
            _ => assert!(data.next().await.ends_with(&json!([event, "x"]).to_string())),
        }
    }
}

/// A pseudorandom number generator with a fixed sequence.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit
    }
}

mod plain_only {
    use super::*;

    #[tokio::test]
    async fn texts_that_are_not_envelopes_are_raw_messages() {
        // Only plain WebSocket clients send envelopes.
        plain_only();
        let (server, mut seen) = server().await;
        let (log, mut messages) = log();
        server.hub.on("message", move |payload| log.note(String::from_utf8_lossy(&payload.data)));
        let mut client = server.connect("ann").await;
        let deep = "[".repeat(100_000);
        let nested = format!(r#"{{"x":{}}}"#, "[".repeat(100_000) + &"]".repeat(100_000));
        for text in [
            "",
            " ",
            "no json",
            "{",
            "}",
            "{}",
            "[]",
            "null",
            "1",
            "\"event\"",
            "\u{feff}{\"event\":\"text\",\"data\":\"x\"}",
            r#"["text","x"]"#,
            r#"{"event":""}"#,
            r#"{"event":null,"id":1}"#,
            r#"{"event":5,"id":1}"#,
            r#"{"event":["text"],"id":1}"#,
            r#"{"Event":"text","id":1}"#,
            r#"{"event":"text","args":"x","id":1}"#,
            r#"{"event":"text","data":"x","id":1"#,
            r#"{"event":"text","data":"x","id":1}}"#,
            r#"{"event":"text","data":"\x","id":1}"#,
            r#"{"event":"\ud800","id":1}"#,
            r#"{"event":"text","data":0x1,"id":1}"#,
            r#"{"event":"text","data":NaN,"id":1}"#,
            r#"{"id":1,"data":2}"#,
            r#"{"id":99999999999999999999999999,"data":2}"#,
            r#"{"data":2}"#,
            &deep,
            &nested,
        ] {
            client.send(text).await;
            assert_eq!(messages.next().await, text);
        }
        client.send_binary(br#"{"event":"text","data":"x","id":1}"#.to_vec()).await;
        assert_eq!(messages.next().await, r#"{"event":"text","data":"x","id":1}"#);
        assert_eq!(client.ask("text", "x").await["data"], 1);
        seen.expect_nothing();
    }

    #[tokio::test]
    async fn duplicate_keys_are_overridden_in_envelopes_and_rejected_in_payloads() {
        // Only plain WebSocket clients send envelopes.
        plain_only();
        let (server, _seen) = server().await;
        let mut client = server.connect("ann").await;
        client.send(r#"{"event":"none","id":1,"data":"x","event":"text","id":2,"data":"xyz"}"#).await;
        assert_eq!(client.json().await, json!({ "id": 2, "data": 3 }));
        client.send(r#"{"event":"profile","id":1,"data":{"name":"x","name":"y","age":1}}"#).await;
        let error = client.json().await["error"].take();
        assert_eq!((&error["code"], &error["message"]), (&json!("invalid_payload"), &json!("duplicate field `name`")));
    }

    #[tokio::test]
    async fn envelopes_with_an_invalid_id_get_no_answer() {
        // Only plain WebSocket clients send envelopes. Socket.IO ids are numbers.
        plain_only();
        let (server, _seen) = server().await;
        let mut client = server.connect("ann").await;
        for id in ["null", "true", "{}", "[]"] {
            client.send(format!(r#"{{"event":"text","data":"x","id":{id}}}"#)).await;
        }
        for id in ["1e400", "-0", "\"\\ud800\"", "\"\"", "123456789012345678901234567890"] {
            client.send(format!(r#"{{"event":"text","data":"x","id":{id}}}"#)).await;
            assert_eq!(client.text().await, format!(r#"{{"id":{id},"data":1}}"#));
        }
    }

    #[tokio::test]
    async fn corrupted_envelopes_do_not_end_the_connection() {
        // Only plain WebSocket clients send envelopes.
        plain_only();
        let (server, _seen) = server().await;
        let mut client = server.connect("ann").await;
        let seeds = [
            json!({ "event": "profile", "data": { "name": "x", "age": 1, "picture": "AQID" }, "id": 1 }).to_string(),
            json!({ "event": "text", "args": ["\u{1F600} \"x\"", [1.5e10, null]], "id": "a" }).to_string(),
            json!({ "id": 0, "error": { "code": "x" }, "data": [true] }).to_string(),
        ];
        let alphabet: Vec<char> = "{}[]\",:\\0e-.ud8\u{0}é \u{1F600}".chars().collect();
        let mut random = Random(1);
        for round in 0..3_000 {
            let mut text: Vec<char> = seeds[round % seeds.len()].chars().collect();
            for _ in 0..=random.below(4) {
                if text.len() < 2 {
                    break;
                }
                let (at, with) = (random.below(text.len()), alphabet[random.below(alphabet.len())]);
                match random.below(4) {
                    0 => text[at] = with,
                    1 => text.insert(at, with),
                    2 => drop(text.remove(at)),
                    _ => text.truncate(at.max(1)),
                }
            }
            client.send(text.into_iter().collect::<String>()).await;
            if round % 100 == 0 {
                assert_eq!(client.ask("text", "x").await["data"], 1);
            }
        }
        assert_eq!(client.ask("text", "x").await["data"], 1);
    }
}

mod json_only {
    use super::*;

    #[tokio::test]
    async fn numbers_and_nesting_beyond_the_range_of_a_type_are_answered_with_an_error() {
        // These values are written as JSON text.
        json_only();
        let (server, _seen) = server().await;
        let mut client = server.connect("ann").await;
        let deep = "[".repeat(100_000) + &"]".repeat(100_000);
        let objects = r#"{"a":"#.repeat(50_000) + "1" + &"}".repeat(50_000);
        for (event, data, message) in [
            ("number", "1e400", Some("number out of range")),
            ("number", "99999999999999999999999999", Some("invalid type: floating point `1e+26`, expected i64")),
            ("number", "9223372036854775808", Some("invalid value: integer `9223372036854775808`, expected i64")),
            ("number", "1.0", Some("invalid type: floating point `1.0`, expected i64")),
            ("number", "-9223372036854775808", None),
            ("float", "1e400", Some("number out of range")),
            ("float", "-1e-400", None),
            ("float", "123456789012345678901234567890", None),
            ("any", &deep, Some("nested too deeply")),
            ("any", &objects, Some("nested too deeply")),
            ("number", &deep, Some("nested too deeply")),
            ("text", r#""\ud800""#, Some("unexpected end of hex escape")),
            ("text", r#""\ud800\u0041""#, Some("lone leading surrogate in hex escape")),
            ("text", r#""\udc00""#, Some("lone leading surrogate in hex escape")),
            ("text", r#""\u0000""#, None),
            ("text", r#""\ud83d\ude00""#, None),
            ("borrowed", r#""plain""#, None),
        ] {
            client.send(format!(r#"{{"event":"{event}","data":{data},"id":7}}"#)).await;
            let answer = client.json().await;
            let short = &data[..data.len().min(40)];
            assert_eq!(answer["id"], 7);
            assert_eq!(answer["error"]["message"].as_str(), message, "{event} {short}: {answer}");
            let code = message.map(|_| "invalid_payload");
            assert_eq!(answer["error"]["code"].as_str(), code, "{event} {short}: {answer}");
        }
        let escaped = client.ask("borrowed", "with \"escape").await;
        assert_eq!(escaped["error"]["code"], "invalid_payload");
    }
}
