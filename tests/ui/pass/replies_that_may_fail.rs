#![deny(warnings)]

use serde::Serialize;
use socketio::{EmitError, EventError, PayloadError, Socket, event, events};
use std::fmt;

/// An error that could be a reply of its own.
#[derive(Debug, Serialize)]
enum ChatError {
    Gone,
}

impl From<ChatError> for EventError {
    fn from(error: ChatError) -> Self {
        EventError::new("gone", format!("{error:?}"))
    }
}

impl fmt::Display for ChatError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("gone")
    }
}

type Answer<T = (), E = ChatError> = Result<T, E>;

#[event("nothing")]
fn nothing() -> Result<(), ChatError> {
    Err(ChatError::Gone)
}

#[event("value")]
async fn value() -> Result<u32, ChatError> {
    Ok(1)
}

#[event("alias")]
fn alias() -> Answer {
    Ok(())
}

#[event("alias_of_value")]
async fn alias_of_value(socket: &Socket) -> Answer<String> {
    socket.send("text").map_err(|_| ChatError::Gone)?;
    Ok(String::new())
}

#[event("alias_of_error")]
fn alias_of_error() -> Answer<Option<u32>, String> {
    Ok(None)
}

#[event("texts")]
fn texts() -> Result<(), &'static str> {
    Err("gone")
}

#[event("emit")]
fn emit(socket: &Socket) -> Result<(), EmitError> {
    socket.send("text")
}

#[event("payload")]
fn payload() -> Result<Vec<u8>, PayloadError> {
    Ok(Vec::new())
}

#[event("own")]
async fn own() -> std::result::Result<(), EventError> {
    Err(EventError::new("own", "own"))
}

#[test]
fn compiles() {
    let events = events![nothing, value, alias, alias_of_value, alias_of_error, texts, emit, payload, own];
    assert_eq!(events.names().count(), 9);
}
