//! The page, as files that are part of the program.

use axum::Router;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::routing::{MethodRouter, get};

/// The page loads nothing but what is served here.
const POLICY: &str = "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const SCRIPT: &str = "text/javascript; charset=utf-8";

pub(crate) fn router() -> Router {
    Router::new()
        .route("/", file("text/html; charset=utf-8", include_str!("page/index.html")))
        .route("/style.css", file("text/css; charset=utf-8", include_str!("page/style.css")))
        .route("/chat.js", file(SCRIPT, include_str!("page/chat.js")))
        .route("/connection.js", file(SCRIPT, include_str!("page/connection.js")))
        .route("/model.js", file(SCRIPT, include_str!("page/model.js")))
        .route("/view.js", file(SCRIPT, include_str!("page/view.js")))
        .route("/icon.svg", file("image/svg+xml", include_str!("page/icon.svg")))
}

fn file(content_type: &'static str, content: &'static str) -> MethodRouter {
    let headers = [(CONTENT_TYPE, content_type), (CONTENT_SECURITY_POLICY, POLICY), (CACHE_CONTROL, "no-cache")];
    get(move || async move { (headers, content) })
}
