#![deny(warnings)]

use socketio::{Ack, EventError, Socket, event, events};

type Reply = Ack;
type Answer<T = ()> = Result<T, EventError>;
type Nothing = ();

#[event("nothing")]
fn nothing(_ack: Ack) {}

#[event("unit")]
async fn unit(_ack: Reply, _text: String) -> () {}

#[event("alias")]
fn alias(_text: String, _ack: Ack) -> Nothing {}

#[event("fallible")]
async fn fallible(ack: Ack) -> Result<(), EventError> {
    ack.send(&1).map_err(|_| EventError::new("ack", "not sent"))
}

#[event("alias_of_fallible")]
fn alias_of_fallible(ack: Reply, _socket: &Socket) -> Answer {
    ack.fail("no");
    Ok(())
}

#[test]
fn compiles() {
    assert_eq!(events![nothing, unit, alias, fallible, alias_of_fallible].names().count(), 5);
}
