#![deny(warnings)]

use serde::Serialize;
use socketio::{Ack, Args, EventError, event, events};

#[event("value")]
fn value() -> impl Serialize {
    (1, "two")
}

#[event("later")]
async fn later(text: &str) -> impl Serialize {
    text.len()
}

#[event("fallible")]
fn fallible() -> Result<impl Serialize, EventError> {
    Ok([1, 2])
}

#[event("error")]
async fn error() -> Result<(), impl Into<EventError>> {
    Err("gone")
}

#[event("both")]
fn both() -> Result<impl Serialize + use<>, impl Into<EventError> + use<>> {
    if false { Err(String::new()) } else { Ok(1) }
}

#[event("several")]
fn several() -> Args<(impl Serialize, u32)> {
    Args(("one", 2))
}

#[event("ack")]
fn ack(ack: Ack) -> Result<(), impl Into<EventError>> {
    ack.forget();
    Err("gone")
}

#[test]
fn compiles() {
    assert_eq!(events![value, later, fallible, error, both, several, ack].names().count(), 7);
}
