#![deny(warnings)]

use serde::{Deserialize, Serialize};
use socketio::{Handshake, Socket, event, events};
use std::borrow::Cow;

#[derive(Deserialize, Serialize)]
struct Pair<'a, 'b> {
    left: &'a str,
    right: &'b str,
}

#[event("declared")]
fn declared<'a>(_socket: &'a Socket, text: &'a str) -> &'a str {
    text
}

#[event("two")]
async fn two<'a, 'b>(_socket: &'a Socket, pair: Pair<'b, 'b>, _handshake: Handshake<'a>) -> &'b str {
    pair.left
}

#[event("bounded")]
fn bounded<'a, 'b: 'a>(pair: Pair<'a, 'b>) -> (&'a str, &'b str)
where
    'a: 'a,
{
    (pair.left, pair.right)
}

#[event("static")]
fn forever(_text: Cow<'static, str>) -> &'static str {
    "forever"
}

#[event("nested")]
async fn nested<'a>(texts: Vec<(&'a str, Option<Cow<'a, str>>)>) -> usize {
    texts.len()
}

#[test]
fn compiles() {
    assert_eq!(events![declared, two, bounded, forever, nested].names().count(), 5);
}
