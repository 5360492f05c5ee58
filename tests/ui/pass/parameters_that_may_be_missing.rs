#![deny(warnings)]

use socketio::{Ack, Hub, PayloadError, Socket, State, event, events};

type Maybe<T> = Option<T>;

struct Users;

#[event("last")]
fn last(_x: u32, _y: Option<u32>) {}

#[event("all")]
async fn all(_x: Option<u32>, _y: Option<String>, _z: std::option::Option<Vec<u8>>) {}

#[event("around")]
fn around(_x: Option<u32>, _socket: &Socket, _hub: &Hub, _users: State<Users>, _ack: Ack) {}

#[event("alias")]
fn alias(_x: Maybe<u32>, _y: Option<u32>, _z: Maybe<u32>) {}

#[event("checked")]
fn checked(_x: Option<u32>, _y: Result<u32, PayloadError>) {}

#[event("borrowed")]
async fn borrowed(_x: Option<&str>, _y: Option<Option<u32>>) {}

#[test]
fn compiles() {
    assert_eq!(events![last, all, around, alias, checked, borrowed].names().count(), 6);
}
