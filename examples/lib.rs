//! What the examples have in common: where they listen.

use axum::Router;
use std::io::{self, Write};
use tokio::net::TcpListener;

/// Serves an application on `127.0.0.1`, port 3000 or what the environment variable `PORT` says, and prints the address.
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
    axum::serve(listener, app).await
}
