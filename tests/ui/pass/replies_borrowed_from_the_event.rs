#![deny(warnings)]

use serde::{Deserialize, Serialize};
use socketio::{EventError, EventName, Socket, event, events};
use std::borrow::Cow;

#[derive(Deserialize, Serialize)]
struct Message<'a> {
    #[serde(borrow)]
    text: Cow<'a, str>,
}

#[event("echo")]
fn echo(message: Message<'_>) -> Message<'_> {
    message
}

#[event("later")]
async fn later(message: Message<'_>) -> Result<Message<'_>, EventError> {
    std::future::ready(()).await;
    Ok(message)
}

#[event("text")]
fn text(text: &str) -> &str {
    text
}

#[event("declared")]
async fn declared<'a>(_socket: &Socket, name: EventName<'a>, text: &'a str) -> (String, Option<&'a str>) {
    (name.to_string(), Some(text))
}

#[test]
fn compiles() {
    assert_eq!(events![echo, later, text, declared].names().count(), 4);
}
