//! File uploads from a browser, in acknowledged chunks: `cargo run --example upload`, then open
//! <http://127.0.0.1:3000>. The page needs `socket.io-client`, which `npm ci --prefix tests/node`
//! installs.
//!
//! | clients send | with | the answer is |
//! | --- | --- | --- |
//! | `begin` | the file's name and size | the largest chunk size |
//! | `chunk` | bytes | the number of bytes received so far |
//! | `finish` | – | the file's SHA-256 |
//!
//! An error is sent instead of the answer, and ends the upload.

mod upload;

use axum::Router;
use socketio::Hub;
use socketio_examples::{client_directory, file, say_what_needs_the_client, serve};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let hub = Hub::builder().events(upload::EVENTS).build()?;
    let app = Router::new()
        .route("/", file("text/html; charset=utf-8", include_str!("page/index.html")))
        .route("/style.css", file("text/css; charset=utf-8", include_str!("page/style.css")))
        .route("/upload.js", file("text/javascript; charset=utf-8", include_str!("page/upload.js")))
        .route("/icon.svg", file("image/svg+xml", include_str!("../chat/page/icon.svg")))
        .merge(hub.socketio().serve_client(client_directory()));
    say_what_needs_the_client("The page")?;
    serve("upload", app, hub).await?;
    Ok(())
}
