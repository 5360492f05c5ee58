//! A minimal typed server, used by the benchmarks: `cargo run --release --example echo`. Plain
//! WebSocket clients connect to `/ws/{id}`, Socket.IO clients to `/socket.io/`.

use axum::Router;
use axum::routing::get;
use serde::{Deserialize, Serialize};
use socketio::{EmitError, Hub, Socket, event, events};
use std::borrow::Cow;

#[event("echo")]
#[derive(Serialize, Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    t: Cow<'a, str>,
    #[serde(borrow)]
    user: Cow<'a, str>,
    room: u32,
    #[serde(borrow)]
    text: Cow<'a, str>,
}

/// Emits the payload back.
#[event]
fn echo(socket: &Socket, message: Message<'_>) -> Result<(), EmitError> {
    socket.emit(&message)
}

/// Answers with the payload.
#[event("ack")]
fn ack(message: Message<'_>) -> Message<'_> {
    message
}

/// Emits the payload to everyone, the sender included.
#[event("broadcast")]
fn broadcast(hub: &Hub, message: Message<'_>) -> Result<(), EmitError> {
    hub.broadcast(("broadcast", message))
}

/// Adds the sender to a room.
#[event("join")]
fn join(socket: &Socket, room: u32) -> Result<(), String> {
    socket.join(room.to_string()).map_err(|error| error.to_string())
}

/// Emits the payload to everyone in its room, the sender included.
#[event("room")]
fn room(socket: &Socket, message: Message<'_>) -> Result<(), EmitError> {
    socket.within(message.room.to_string()).emit(("room", message))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let hub = Hub::builder().events(events![echo, ack, broadcast, join, room]).build()?;
    let app = Router::new().route("/ws/{id}", get(hub.websocket())).merge(hub.socketio());
    socketio_examples::serve("echo", app, hub).await?;
    Ok(())
}
