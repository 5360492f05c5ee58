//! How connections come in: the routes that turn an HTTP request into a [`connection`](crate::connection).

mod client;
pub(crate) mod engine_routes;
pub(crate) mod origin;
mod polling;
pub(crate) mod secure;
pub(crate) mod serve;
pub(crate) mod session_request;
pub(crate) mod upgrade;
pub(crate) mod websocket;

use axum::response::{IntoResponse, Response};
use http::StatusCode;

/// The answer to a client that is one too many, or comes while the hub shuts down.
fn too_many() -> Response {
    tracing::warn!("refused a connection: too many, or the hub is shutting down");
    (StatusCode::SERVICE_UNAVAILABLE, "no more connections are accepted").into_response()
}
