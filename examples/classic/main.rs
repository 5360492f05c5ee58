//! The chat example of Go's `gofiber/contrib/socketio`, using only the string-keyed hub: `cargo run
//! --example classic`.
//!
//! Clients connect to `/ws/{id}` and send `{"from", "to", "event", "data"}`. The README has the
//! same server with typed handlers.

use axum::Router;
use axum::routing::get;
use serde::Deserialize;
use socketio::{EventPayload, Hub, Socket, Text};
use std::collections::HashMap;
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

/// A message from a client. As in Go, missing fields are empty. `from` is ignored.
#[derive(Default, Deserialize)]
#[serde(default)]
struct MessageObject {
    to: String,
    event: String,
    data: serde_json::Value,
}

/// Socket ids by user id.
type Clients = Arc<Mutex<HashMap<String, String>>>;

fn say(line: std::fmt::Arguments<'_>) {
    // Errors are ignored: the server runs on with a closed standard output.
    let _ = writeln!(std::io::stdout(), "{line}");
}

fn user(payload: &EventPayload) -> String {
    payload.socket.get_string_attribute("user_id").unwrap_or_default()
}

fn listen(hub: &Hub, clients: &Clients) {
    hub.on("connect", |payload| say(format_args!("Connection event 1 - User: {}", user(&payload))));

    hub.on("CUSTOM_EVENT", |payload| say(format_args!("Custom event - User: {}", user(&payload))));

    let known = Arc::clone(clients);
    hub.on("message", move |payload| {
        let text = String::from_utf8_lossy(&payload.data);
        say(format_args!("Message event - User: {} - Message: {text}", user(&payload)));
        let Ok(message) = socketio::from_json::<MessageObject>(&text) else {
            return;
        };
        if !message.event.is_empty() {
            let _ = payload.socket.fire(&message.event, &message.data);
        }
        let receiver = known.lock().unwrap_or_else(PoisonError::into_inner).get(&message.to).cloned();
        // If the receiver is not connected, this fails and fires `error`.
        let _ = payload.socket.emit_to(receiver.unwrap_or_default(), Text(text.as_ref()));
    });

    let known = Arc::clone(clients);
    hub.on("disconnect", move |payload| {
        let user = user(&payload);
        known.lock().unwrap_or_else(PoisonError::into_inner).remove(&user);
        say(format_args!("Disconnection event - User: {user}"));
    });

    // Fired before `disconnect`, if this server closes the connection.
    let known = Arc::clone(clients);
    hub.on("close", move |payload| {
        let user = user(&payload);
        known.lock().unwrap_or_else(PoisonError::into_inner).remove(&user);
        say(format_args!("Close event - User: {user}"));
    });

    // Fired for failed messages, and after the `disconnect` of a connection that ended abnormally.
    hub.on("error", |payload| say(format_args!("Error event - User: {}", user(&payload))));
}

fn welcome(socket: &Socket, clients: &Clients) {
    let id = socket.params("id").unwrap_or_default().to_owned();
    let uuid = socket.id();
    clients.lock().unwrap_or_else(PoisonError::into_inner).insert(id.clone(), uuid.to_string());
    socket.set_attribute("user_id", id.clone());
    let _ = socket.broadcast(Text(format!("New user connected: {id} and UUID: {uuid}")), true);
    let _ = socket.send(format!("Hello user: {id} with UUID: {uuid}"));
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let clients = Clients::default();
    let hub = Hub::builder().build()?;
    listen(&hub, &clients);
    let route = hub.websocket().messages_only().on_open(move |socket| welcome(&socket, &clients));
    socketio_examples::serve("classic", Router::new().route("/ws/{id}", get(route)), hub).await?;
    Ok(())
}
