//! The HTTP routes, which start a [`connection`](crate::connection) for each accepted handshake.
//!
//! [`websocket`] serves plain WebSocket clients. [`engine_routes`] and [`engine_request`] serve
//! Engine.IO and Socket.IO clients. [`upgrade`] performs the WebSocket handshake for both.

mod client_files;
mod engine_request;
pub(crate) mod engine_routes;
pub(crate) mod secure;
pub(crate) mod serve;
pub(crate) mod session_request;
mod setting;
mod subprotocols;
pub(crate) mod upgrade;
pub(crate) mod websocket;

use axum::response::{IntoResponse, Response};
use http::StatusCode;

/// Returns the response for a hub that has too many connections or shuts down.
fn unavailable() -> Response {
    tracing::warn!("refused a connection: the hub has too many, or is shutting down");
    (StatusCode::SERVICE_UNAVAILABLE, "no more connections are accepted").into_response()
}
