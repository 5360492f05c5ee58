#![deny(warnings)]

//! Handlers may have the names of prelude functions, crates, built-in types, macros and tools.

use socketio::{Events, event, events};

#[event("drop")]
fn drop() {}

#[event("size_of")]
fn size_of(_text: String) {}

#[event("serde")]
async fn serde(_text: String) {}

#[event("std")]
fn std() {}

#[event("bool")]
fn bool(_on: u8) {}

#[event("file")]
fn file() -> u32 {
    1
}

#[event("bench")]
fn bench() {}

#[event("cfg")]
fn cfg() {}

#[event("derive")]
fn derive() {}

#[event("clippy")]
fn clippy() {}

mod below {
    use socketio::{Events, event, events};

    #[event("drop")]
    pub fn drop() {}

    #[event("core")]
    pub fn core() {}

    #[event("line")]
    pub fn line() {}

    pub const EVENTS: Events = events![drop, self::core, line];
}

const EVENTS: Events = events![self::drop, below::line, below::core];

#[test]
fn compiles() {
    assert_eq!(events![drop, size_of, serde, std, bool, file, bench, cfg, derive, clippy].names().count(), 10);
    assert_eq!(EVENTS.names().count() + below::EVENTS.names().count(), 6);
}
