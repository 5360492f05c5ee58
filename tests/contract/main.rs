//! The server that clients written in TypeScript are tried on: `contract`; and the values of the type zoo: `contract zoo` writes
//! them, `contract zoo-types` the TypeScript in which they are literals, `contract zoo-check` sees that what it reads is still them.
//! `contract asyncapi` and `contract zoo-asyncapi` write the documents of both, `contract nasty` the TypeScript of what is hard to write
//! in it.

mod nasty;
mod server;
mod zoo;

use axum::Router;
use axum::routing::get;
use socketio::AsyncApiInfo;
use std::io::{self, Write};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    match std::env::args().nth(1).as_deref() {
        Some("zoo") => zoo::write(&mut io::stdout().lock())?,
        Some("asyncapi") => writeln!(io::stdout(), "{:#}", server::Chat::asyncapi(info()))?,
        Some("zoo-asyncapi") => zoo::write_asyncapi(&mut io::stdout().lock())?,
        Some("zoo-types") => zoo::write_typescript(&mut io::stdout().lock())?,
        Some("nasty") => io::stdout().lock().write_all(nasty::Nasty::typescript().as_bytes())?,
        Some("zoo-check") => zoo::check(io::stdin().lines())?,
        Some(other) => return Err(format!("there is no `{other}`").into()),
        None => serve().await?,
    }
    Ok(())
}

fn info() -> AsyncApiInfo {
    AsyncApiInfo::new("Chat <b>&amp;</b>", "1.2.3")
        .server("production", "wss://chat.example.org/socket.io/")
        .server("here", "ws://127.0.0.1:3000")
}

async fn serve() -> Result<(), Box<dyn std::error::Error>> {
    let hub = server::hub()?;
    let app = Router::new()
        .route("/ws", get(hub.websocket()))
        .route("/admin", get(hub.of("/admin").websocket()))
        .route("/refused", get(hub.of("/refused").websocket()))
        .merge(hub.socketio())
        .merge(hub.docs::<server::Chat>(info()).websocket("/", "/ws"));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    writeln!(io::stdout(), "listening on http://{}", listener.local_addr()?)?;
    tokio::select! {
        served = socketio::serve(listener, app) => served?,
        interrupted = tokio::signal::ctrl_c() => interrupted?,
    }
    for violation in hub.contract_violations() {
        writeln!(io::stdout(), "{violation}")?;
    }
    Ok(())
}
