//! Details of failures inside the server stay private. No text on the wire names a type, a path or
//! an internal message. All types here are named `Secret…`, and all inner errors mention a
//! `Secret`.

#![allow(dead_code, reason = "many fields are only there to be decoded")]
#![allow(clippy::boxed_local, reason = "so that boxed payloads are decoded, too")]

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Value, json};
use socketio::{
    Ack, Argument, Arguments, Binary, EmitError, EventError, Handshake, Hub, Refusal, Socket, State, event, events,
};
use socketio_tests::{Server, serve};
use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::num::NonZeroU8;
use std::time::Duration;

/// A value that can't be serialized.
struct SecretValue;

impl Serialize for SecretValue {
    fn serialize<S: Serializer>(&self, _serializer: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("Secret::value"))
    }
}

/// A custom parameter that reads a state that the hub does not have.
struct SecretParameter(State<SecretState>);
struct SecretState;

impl<'a> Argument<'a> for SecretParameter {
    fn from_event(arguments: &mut Arguments<'a>) -> Result<Self, EventError> {
        State::from_event(arguments).map(Self)
    }
}

#[event("panic")]
fn panics() {
    panic!("Secret::panic");
}

#[event("panic later")]
async fn panics_later() {
    tokio::task::yield_now().await;
    panic!("Secret::panic");
}

#[event("panic with ack")]
async fn panics_with_ack(_ack: Ack) {
    panic!("Secret::panic");
}

#[event("reply")]
fn reply() -> SecretValue {
    SecretValue
}

#[event("reply later")]
async fn reply_later() -> Result<SecretValue, EventError> {
    tokio::task::yield_now().await;
    Ok(SecretValue)
}

#[event("reply with keys")]
fn reply_with_keys() -> HashMap<(u8, u8), u8> {
    [((1, 2), 3)].into()
}

#[event("ack")]
fn acknowledges(ack: Ack) -> Result<(), EmitError> {
    ack.send(SecretValue)
}

#[event("emit")]
fn emits(socket: &Socket) -> Result<(), EmitError> {
    socket.emit(("emitted", SecretValue))
}

#[event("state")]
fn state(parameter: SecretParameter) {
    drop(parameter);
}

#[event(connect)]
fn connect(handshake: Handshake<'_>) -> Result<(), Refusal> {
    assert_ne!(handshake.param("id"), Some("panic"), "Secret::connect");
    Ok(())
}

async fn server() -> Server {
    let inner = events![
        connect,
        panics,
        panics_later,
        panics_with_ack,
        reply,
        reply_later,
        reply_with_keys,
        acknowledges,
        emits,
        state
    ];
    serve(Hub::builder().events(inner).events(payloads()).build().expect("a hub")).await
}

/// Expects that no message to the client contains details of the server.
fn expect_no_secret(text: &str, about: &str) {
    for secret in ["Secret", "secret", "::", "serde", ".rs", "/src", "panicked", " line ", " column "] {
        assert!(!text.contains(secret), "{about}: {text}");
    }
}

#[tokio::test]
async fn failures_inside_the_server_are_answered_with_internal_only() {
    let server = server().await;
    let mut client = server.connect("ann").await;
    for event in
        ["panic", "panic later", "panic with ack", "reply", "reply later", "reply with keys", "ack", "emit", "state"]
    {
        client.send(json!({ "event": event, "id": 1 }).to_string()).await;
        let answer = client.text().await;
        assert_eq!(answer, r#"{"id":1,"error":{"code":"internal","message":"internal error"}}"#, "{event}");
    }
    client.settle().await;
    let closed = server.connect("panic").await.closed().await;
    assert_eq!(closed, Some((1008, "internal error".to_owned())));
}

#[derive(Deserialize)]
struct SecretUnit;

#[derive(Deserialize)]
struct SecretNewtype(u8);

#[derive(Deserialize)]
struct SecretTuple(u8, String);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SecretStruct {
    id: u8,
    inner: Option<Box<SecretStruct>>,
}

#[derive(Deserialize)]
struct SecretFlat {
    id: u8,
    #[serde(flatten)]
    rest: SecretTagged,
}

#[derive(Deserialize)]
enum SecretExternal {
    Unit,
    Newtype(SecretStruct),
    Tuple(u8, u8),
    Struct { id: u8 },
}

#[derive(Deserialize)]
#[serde(tag = "t")]
enum SecretTagged {
    Unit,
    Newtype(SecretStruct),
    Struct { id: u8 },
}

#[derive(Deserialize)]
#[serde(tag = "t", content = "c")]
enum SecretAdjacent {
    Unit,
    Newtype(SecretStruct),
    Tuple(u8, u8),
    Struct { id: u8 },
}

#[derive(Deserialize)]
#[serde(tag = "t", content = "c", deny_unknown_fields)]
enum SecretStrictAdjacent {
    Unit,
    Struct { id: u8 },
}

#[derive(Deserialize)]
#[serde(untagged)]
enum SecretUntagged {
    Newtype(SecretStruct),
    Tuple(u8, u8),
    Struct { id: u8 },
}

#[derive(Deserialize)]
#[serde(variant_identifier)]
enum SecretIdentifier {
    One,
    Two,
}

#[derive(Deserialize, PartialEq, Eq, PartialOrd, Ord)]
enum SecretKey {
    One,
    Two,
}

/// A custom `Deserialize` that delegates to a derived one.
struct SecretOwn(SecretExternal);

impl<'de> Deserialize<'de> for SecretOwn {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        SecretExternal::deserialize(deserializer).map(Self)
    }
}

/// Defines a handler for each payload type, and lists their names.
macro_rules! payloads {
    ($($name:literal $handler:ident $type:ty;)*) => {
        $(
            #[event($name)]
            fn $handler(_payload: $type) {}
        )*

        const PAYLOADS: &[&str] = &[$($name),*];

        fn payloads() -> socketio::Events {
            events![$($handler),*]
        }
    };
}

payloads! {
    "unit" unit SecretUnit;
    "newtype" newtype SecretNewtype;
    "tuple" tuple SecretTuple;
    "struct" structure SecretStruct;
    "flat" flat SecretFlat;
    "external" external SecretExternal;
    "tagged" tagged SecretTagged;
    "adjacent" adjacent SecretAdjacent;
    "strict adjacent" strict_adjacent SecretStrictAdjacent;
    "untagged" untagged SecretUntagged;
    "identifier" identifier SecretIdentifier;
    "own" own SecretOwn;
    "list" list Vec<SecretExternal>;
    "map" map HashMap<String, SecretTagged>;
    "keys" keys BTreeMap<SecretKey, SecretUnit>;
    "pair" pair (SecretNewtype, SecretTuple);
    "array" array [SecretExternal; 2];
    "option" option Option<SecretStruct>;
    "result" result Result<SecretExternal, SecretTagged>;
    "bound" bound std::ops::Bound<SecretStruct>;
    "range" range std::ops::Range<u8>;
    "duration" duration Duration;
    "time" time std::time::SystemTime;
    "address" address IpAddr;
    "nonzero" nonzero NonZeroU8;
    "char" character char;
    "wide" wide i128;
    "binary" binary Binary;
    "unit type" unit_type ();
    "path" path std::path::PathBuf;
    "boxed" boxed Box<SecretExternal>;
}

#[tokio::test]
async fn payload_errors_name_no_rust_type() {
    let server = server().await;
    let mut client = server.connect("ann").await;
    let inner = [json!(null), json!(true), json!(-1), json!(256), json!(1.5), json!("x"), json!([]), json!({})];
    let mut values = inner.to_vec();
    for value in &inner {
        values.extend([json!([value]), json!([value, value]), json!([1, value, 3])]);
        for key in ["id", "t", "c", "inner", "start", "secs", "Ok", "Err", "Included"] {
            values.push(json!({ key: value }));
        }
        for variant in ["Unit", "Newtype", "Tuple", "Struct", "One", "Other"] {
            values.extend([
                json!({ variant: value }),
                json!([{ variant: value }, variant]),
                json!({ "t": variant, "c": value, "id": value, "inner": value }),
                json!({ "t": variant, "id": 1, "x": value }),
                json!({ "home": { "t": variant, "id": value } }),
                json!({ "Ok": { variant: value } }),
                json!({ "id": 1, "inner": { "id": 2, "inner": { "id": value, variant: value } } }),
            ]);
        }
    }
    let mut refused = 0;
    for event in PAYLOADS {
        for value in &values {
            client.send(json!({ "event": event, "data": value, "id": 1 }).to_string()).await;
            let answer = client.text().await;
            let parsed: Value = serde_json::from_str(&answer).expect("JSON");
            if let Some(error) = parsed.get("error") {
                assert_eq!(error["code"], "invalid_payload", "{event} {value}: {answer}");
                expect_no_secret(&answer, &format!("{event} {value}"));
                refused += 1;
            }
        }
        client.send(json!({ "event": event, "id": 1 }).to_string()).await;
        expect_no_secret(&client.text().await, event);
    }
    assert!(refused > PAYLOADS.len() * 100, "{refused}");
}
