#![deny(warnings)]

use socketio::{event, events};

#[event("message")]
fn message(_text: String) {}

#[event("ping")]
fn ping() -> &'static str {
    "pong"
}

#[event("pong")]
fn pong() {}

#[event("close")]
async fn close(_door: u32) {}

#[event("error")]
fn error(_text: String) {}

#[event("fallback")]
fn fallback() {}

#[event(message)]
fn raw() {}

#[event(fallback)]
fn unknown() {}

#[test]
fn compiles() {
    let names: Vec<_> = events![message, ping, pong, close, error, fallback, raw, unknown].names().collect();
    assert_eq!(names, ["message", "ping", "pong", "close", "error", "fallback"]);
}
