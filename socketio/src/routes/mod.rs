//! The HTTP routes, which start a [`connection`](crate::connection) for each accepted handshake.
//!
//! [`websocket`] serves plain WebSocket clients. [`engine_routes`] and [`engine_request`] serve
//! Engine.IO and Socket.IO clients. [`upgrade`] performs the WebSocket handshake for both. [`head`]
//! checks the head of each request. [`health`] tells load balancers whether to send clients.

mod client_files;
#[cfg(feature = "http-emit")]
pub(crate) mod emit;
mod engine_request;
pub(crate) mod engine_routes;
mod head;
pub(crate) mod health;
pub(crate) mod refusal;
pub(crate) mod secure;
pub(crate) mod serve;
pub(crate) mod session_request;
mod setting;
mod subprotocols;
mod tcp;
pub(crate) mod upgrade;
pub(crate) mod websocket;

use axum::response::{IntoResponse, Response};
use http::header::RETRY_AFTER;
use http::{HeaderValue, StatusCode};

use crate::hub::connections::Unavailable;

/// The message of a refusal with the status 503.
const UNAVAILABLE: &str = "no more connections are accepted";

/// Returns the response for a hub that has too many connections, drains or shuts down.
fn unavailable(why: Unavailable) -> Response {
    let mut response = (StatusCode::SERVICE_UNAVAILABLE, UNAVAILABLE).into_response();
    if let Some(time) = why.retry_after {
        // Whole seconds, rounded up: a client must not come back too soon.
        let seconds = time.as_secs() + u64::from(time.subsec_nanos() > 0);
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}
