//! What the Rust servers have in common: the payload, and how they say where they listen.

use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::io::{self, Write};
use tokio::net::TcpListener;

#[derive(Serialize, Deserialize, Clone)]
pub struct Message<'a> {
    #[serde(borrow)]
    pub t: Cow<'a, str>,
    #[serde(borrow)]
    pub user: Cow<'a, str>,
    pub room: u32,
    #[serde(borrow)]
    pub text: Cow<'a, str>,
}

/// Listens on a port that is free, and prints the address as the examples do.
pub async fn listen(name: &str) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    writeln!(io::stdout(), "{name} listens on http://{}", listener.local_addr()?)?;
    Ok(listener)
}
