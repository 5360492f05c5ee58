#![deny(warnings)]

use serde::Serialize;
use socketio::{Binary, event, events};
use std::collections::BTreeMap;

type Nothing = ();

#[derive(Serialize)]
struct Receipt {
    at: u64,
}

#[derive(Serialize)]
enum Choice {
    One,
}

#[event("nothing")]
fn nothing() {}

#[event("unit")]
fn unit() -> () {}

#[event("alias")]
async fn alias() -> Nothing {}

#[event("number")]
fn number() -> u32 {
    1
}

#[event("text")]
async fn text() -> String {
    String::new()
}

#[event("literal")]
fn literal() -> &'static str {
    "text"
}

#[event("struct")]
fn receipt() -> Receipt {
    Receipt { at: 1 }
}

#[event("enum")]
fn choice() -> Choice {
    Choice::One
}

#[event("option")]
async fn option() -> Option<Receipt> {
    None
}

#[event("json")]
fn json() -> serde_json::Value {
    serde_json::json!({})
}

#[event("tuple")]
fn tuple() -> (u32, Vec<Receipt>) {
    (1, Vec::new())
}

#[event("map")]
fn map() -> BTreeMap<&'static str, [u8; 2]> {
    BTreeMap::new()
}

#[event("binary")]
fn binary() -> Binary {
    Binary::default()
}

#[event("boxed")]
fn boxed() -> Box<Receipt> {
    Box::new(receipt())
}

#[test]
fn compiles() {
    let events =
        events![nothing, unit, alias, number, text, literal, receipt, choice, option, json, tuple, map, binary, boxed];
    assert_eq!(events.names().count(), 14);
}
