//! A server with default settings for `tests/node/depth.test.mjs`, whose payloads decode to deeper
//! values than their JSON shows.
//!
//! Plain WebSocket clients connect to `/ws`; to `/listened`, where a listener decodes raw messages;
//! or to `/handled`, where a handler decodes them. Socket.IO clients connect to `/socket.io/`, or
//! to `/msgpack/` with MessagePack.

use axum::Router;
use axum::routing::get;
use serde::Deserialize;
use serde_json::{Map, Value};
use socketio::{
    AckError, EventError, EventPayload, Frame, Handshake, Hub, MsgpackParser, PayloadError, Refusal, Socket, event,
    events,
};
use std::io::{self, Write};
use tokio::net::TcpListener;

/// A type that collects all fields in a flattened map.
#[derive(Deserialize)]
struct Flattened {
    #[serde(flatten)]
    rest: Map<String, Value>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Untagged {
    Number(u8),
    Any(Value),
}

#[event(connect)]
fn entered(handshake: Handshake<'_>) -> Result<(), Refusal> {
    handshake.auth::<Value>().map(drop).map_err(|error| Refusal::new(error.message().to_owned()))
}

#[event("value")]
fn value(value: Value) -> bool {
    value.is_object()
}

#[event("flattened")]
fn flattened(value: Flattened) -> usize {
    value.rest.len()
}

#[event("untagged")]
fn untagged(value: Untagged) -> bool {
    match value {
        Untagged::Number(number) => number == 0,
        Untagged::Any(value) => value.is_object(),
    }
}

/// Emits an event with an ack, and answers with the outcome.
#[event("ask me")]
async fn ask_me(socket: Socket) -> Result<bool, EventError> {
    match socket.emit_with_ack::<Value>(("question",)).await {
        Ok(value) => Ok(value.is_object()),
        Err(AckError::Payload(error)) => Err(error.into()),
        Err(error) => Err(error.into()),
    }
}

#[event(message)]
fn handled(socket: &Socket, frame: Frame<'_>) {
    let _ = socket.send(told(frame.json()));
}

fn told(decoded: Result<Value, PayloadError>) -> String {
    decoded.map_or_else(|error| error.message().to_owned(), |value| format!("decoded {}", value.is_array()))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let handlers = events![entered, value, flattened, untagged, ask_me];
    let hub = Hub::builder()
        .events(handlers)
        .namespace("/handled", |namespace| namespace.events(events![handled]))
        .build()?;
    let listened = hub.of("/listened");
    listened.on("message", |payload: EventPayload| {
        let _ = payload.socket.send(told(payload.json()));
    });
    let app = Router::new()
        .route("/ws", get(hub.websocket()))
        .route("/listened", get(listened.websocket()))
        .route("/handled", get(hub.of("/handled").websocket()))
        .merge(hub.socketio())
        .merge(hub.socketio().path("/msgpack/").parser(MsgpackParser));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    writeln!(io::stdout(), "listening on http://{}", listener.local_addr()?)?;
    socketio::serve(listener, app).await?;
    Ok(())
}
