#![deny(warnings)]

use socketio::{Socket, event, events};

#[allow(clippy::too_many_arguments)]
#[event("many")]
fn many(_a: u8, _b: u8, _c: u8, _d: u8, _e: u8, _f: u8, _socket: &Socket, _g: u8, _h: u8, _i: u8, _j: u8, _k: u8) {}

#[event("later")]
async fn later(_a: u8, _b: u8, _c: u8, _d: u8, _e: u8, _f: u8, _socket: &Socket, _g: u8, _h: u8, _i: u8, _j: u8) {}

#[event("none")]
fn none() {}

#[test]
fn compiles() {
    assert_eq!(events![many, later, none].names().count(), 3);
}
