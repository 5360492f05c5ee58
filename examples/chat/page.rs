//! Serves the page twice, from files embedded in the program: for a plain WebSocket and for
//! Socket.IO.

use axum::Router;
use socketio_examples::file;

const SCRIPT: &str = "text/javascript; charset=utf-8";

pub(crate) fn router() -> Router {
    page("", include_str!("page/connection.js")).merge(page("/socketio", include_str!("page/socketio.js")))
}

/// Serves the page below a path. Only the script for the connection differs.
fn page(path: &str, connection: &'static str) -> Router {
    let files = [
        ("", "text/html; charset=utf-8", include_str!("page/index.html")),
        ("style.css", "text/css; charset=utf-8", include_str!("page/style.css")),
        ("chat.js", SCRIPT, include_str!("page/chat.js")),
        ("connection.js", SCRIPT, connection),
        ("model.js", SCRIPT, include_str!("page/model.js")),
        ("view.js", SCRIPT, include_str!("page/view.js")),
        ("icon.svg", "image/svg+xml", include_str!("page/icon.svg")),
    ];
    files.into_iter().fold(Router::new(), |router, (name, content_type, content)| {
        router.route(&format!("{path}/{name}"), file(content_type, content))
    })
}
