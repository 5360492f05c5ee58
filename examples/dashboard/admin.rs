//! The namespace `/admin`: its authorization and its events.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use socketio::{EmitError, Events, Hub, Refusal, Socket, SocketId, event, events};
use std::sync::Arc;
use ts_rs::TS;

pub(crate) const EVENTS: Events = events![clients, announce, dismiss];

/// The `auth` of a client: `io("/admin", { auth: { token } })`.
#[derive(Deserialize)]
struct Auth {
    token: String,
}

/// Middleware that accepts clients with the token. Without a configured token it refuses everyone.
pub(crate) async fn authorize(socket: Socket, token: Option<Arc<str>>) -> Result<(), Refusal> {
    match socket.handshake().auth::<Auth>() {
        Ok(auth) if token.as_deref() == Some(&*auth.token) => Ok(()),
        Ok(_) => Err(Refusal::new("not authorized").with_data("wrong_token")),
        Err(_) => Err(Refusal::new("not authorized").with_data("no_token")),
    }
}

/// An announcement to everyone in `/`.
#[event("notice")]
#[derive(Serialize, JsonSchema, TS)]
pub(crate) struct Notice(String);

/// Answers with the ids of all sockets in `/`.
#[event("clients")]
pub(crate) async fn clients(hub: &Hub) -> Result<Vec<SocketId>, String> {
    let fetched = hub.fetch_sockets().await.map_err(|error| error.to_string())?;
    Ok(fetched.sockets.into_iter().map(|socket| socket.id).collect())
}

/// Sends an announcement to everyone in `/`.
#[event("announce")]
pub(crate) fn announce(hub: &Hub, text: String) -> Result<(), EmitError> {
    hub.emit(&Notice(text))
}

/// Closes a client's connection, with all its namespaces. Each socket is in the room with its own
/// id.
#[event("dismiss")]
pub(crate) fn dismiss(hub: &Hub, client: String) {
    hub.to(client).close_sockets();
}
