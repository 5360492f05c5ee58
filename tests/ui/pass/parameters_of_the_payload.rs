#![deny(warnings)]

use serde::Deserialize;
use socketio::{Binary, Socket, event, events};
use std::borrow::Cow;
use std::collections::HashMap;

#[derive(Deserialize)]
struct Owned {
    name: String,
    #[serde(default)]
    age: Option<u8>,
}

#[derive(Deserialize)]
struct Borrowed<'a> {
    #[serde(borrow)]
    text: Cow<'a, str>,
    picture: Binary,
}

#[derive(Deserialize)]
enum Choice {
    One,
    Two(u32),
}

#[event("numbers")]
fn numbers(_x: i32, _y: f64, _z: u64, _on: bool, _letter: char) {}

#[event("structs")]
async fn structs(owned: Owned, _socket: &Socket, borrowed: Borrowed<'_>, choice: Choice) {
    let _ = (owned.name, owned.age, borrowed.text, borrowed.picture);
    if let Choice::Two(number) = choice {
        let _ = number;
    }
    let _ = Choice::One;
}

#[event("shapes")]
fn shapes(_tuple: (u8, String), _list: Vec<u8>, _array: [u8; 3], _map: HashMap<String, f32>, _unit: ()) {}

#[event("borrowed")]
fn borrowed(_text: &str, _cow: Cow<'_, str>, _raw: &serde_json::value::RawValue) {}

#[event("anything")]
fn anything(_value: serde_json::Value, _binary: Binary, _boxed: Box<str>) {}

#[test]
fn compiles() {
    assert_eq!(events![numbers, structs, shapes, borrowed, anything].names().count(), 5);
}
