//! The routes that turn an HTTP request into a [`connection`](crate::connection).

mod client_files;
mod engine_request;
pub(crate) mod engine_routes;
pub(crate) mod secure;
pub(crate) mod serve;
pub(crate) mod session_request;
mod setting;
pub(crate) mod upgrade;
pub(crate) mod websocket;

use axum::response::{IntoResponse, Response};
use http::StatusCode;

/// The response when there are too many connections, or the hub shuts down.
fn too_many() -> Response {
    tracing::warn!("refused a connection: too many, or the hub is shutting down");
    (StatusCode::SERVICE_UNAVAILABLE, "no more connections are accepted").into_response()
}
