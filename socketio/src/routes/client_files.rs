//! Serves the bundles of the JavaScript client `socket.io-client`.

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

/// The bundles in the client's npm package, and their source maps. No other file is served.
const FILES: [&str; 8] = [
    "socket.io.js",
    "socket.io.js.map",
    "socket.io.min.js",
    "socket.io.min.js.map",
    "socket.io.esm.min.js",
    "socket.io.esm.min.js.map",
    "socket.io.msgpack.min.js",
    "socket.io.msgpack.min.js.map",
];

/// Returns a response with a bundle, or with the status 404.
pub(super) async fn file(path: PathBuf, name: &str) -> Response {
    if !FILES.contains(&name) {
        return StatusCode::NOT_FOUND.into_response();
    }
    let content_type = if name.ends_with(".map") { "application/json" } else { "text/javascript; charset=utf-8" };
    match tokio::task::spawn_blocking(move || std::fs::read(path)).await {
        Ok(Ok(contents)) => ([(CONTENT_TYPE, content_type), (CACHE_CONTROL, "no-cache")], contents).into_response(),
        _ => {
            // Each request finds this, so that only the first is worth a warning.
            static IS_REPORTED: AtomicBool = AtomicBool::new(false);
            if !IS_REPORTED.swap(true, Ordering::Relaxed) {
                tracing::warn!(
                    file = name,
                    "a client bundle can't be read: is the npm package `socket.io-client` installed?"
                );
            }
            StatusCode::NOT_FOUND.into_response()
        }
    }
}
