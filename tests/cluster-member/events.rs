//! The events of clients.

use serde_json::{Value, json};
use socketio::{EmitError, Events, JoinError, RawArgs, RecoveryState, Socket, event, events};

use crate::selection::Chosen;

pub(crate) const EVENTS: Events = events![data, enter, id, recovered, tell];

#[event("data")]
fn data(socket: &Socket, value: Value) {
    socket.set_attribute("value", value);
}

#[event("join")]
fn enter(socket: &Socket, rooms: Vec<String>) -> Result<(), JoinError> {
    rooms.iter().try_for_each(|room| socket.join(room))
}

#[event("recovered")]
fn recovered(socket: &Socket) -> Value {
    let reason = match socket.recovery() {
        RecoveryState::Failed(reason) => Some(format!("{reason:?}")),
        _ => None,
    };
    json!({ "recovered": socket.recovered(), "reason": reason })
}

#[event("id")]
fn id(socket: &Socket) -> String {
    socket.id().to_string()
}

#[event("tell")]
fn tell(socket: &Socket, chosen: Chosen, name: String, args: RawArgs<'_>) -> Result<(), EmitError> {
    chosen.of_others(socket).emit((name, args.skip(2)))
}
