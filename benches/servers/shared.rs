//! The listener of the Rust servers.

use std::io::{self, Write};
use tokio::net::TcpListener;

/// Listens on a free port, and prints the address as the examples do.
pub async fn listen(name: &str) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    writeln!(io::stdout(), "{name} listens on http://{}", listener.local_addr()?)?;
    Ok(listener)
}
