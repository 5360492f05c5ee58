//! What the examples have in common: where they listen, and until when.

use axum::Router;
use std::io::{self, Write};
use tokio::net::TcpListener;

/// Serves an application on `127.0.0.1`, port 3000 or what the environment variable `PORT` says, and prints the address.
/// Returns on Ctrl-C; connections that are open then are the hub's to [shut down](socketio::Hub::shutdown).
///
/// # Errors
///
/// The port is taken, or `PORT` is no number of one.
pub async fn serve(name: &str, app: Router) -> io::Result<()> {
    let port = match std::env::var("PORT") {
        Ok(port) => port.parse().map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "PORT is no port number"))?,
        Err(_) => 3000,
    };
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    writeln!(io::stdout(), "{name} listens on http://{}", listener.local_addr()?)?;
    tokio::select! {
        served = axum::serve(listener, app) => served,
        interrupted = tokio::signal::ctrl_c() => interrupted,
    }
}
