//! The events of clients.

use serde_json::Value;
use socketio::{EmitError, Events, RawArgs, Socket, event, events};

use crate::selection::Chosen;

pub(crate) const EVENTS: Events = events![data, id, tell];

#[event("data")]
fn data(socket: &Socket, value: Value) {
    socket.set_attribute("value", value);
}

#[event("id")]
fn id(socket: &Socket) -> String {
    socket.id().to_string()
}

#[event("tell")]
fn tell(socket: &Socket, chosen: Chosen, name: String, args: RawArgs<'_>) -> Result<(), EmitError> {
    chosen.of_others(socket).emit((name, args.skip(2)))
}
