//! A program for the tests of TypeScript and AsyncAPI exports:
//!
//! - `contract` runs the server that clients written in TypeScript connect to.
//! - `contract daily` runs a server whose events other processes emit over HTTP.
//! - `contract zoo` writes the values of the type zoo. `contract zoo-types` and `contract
//!   zoo-inputs` write them as TypeScript literals, of the types that servers and clients send.
//!   `contract zoo-check` compares its input with them.
//! - `contract asyncapi` and `contract zoo-asyncapi` write the AsyncAPI documents.
//! - `contract nasty`, `contract empty` and `contract late` write the TypeScript of the contracts
//!   in `nasty.rs`.

mod daily;
mod nasty;
mod server;
mod zoo;

use axum::Router;
use axum::routing::get;
use socketio::{AsyncApiInfo, Hub};
use std::io::{self, Write};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    match std::env::args().nth(1).as_deref() {
        Some("zoo") => zoo::write(&mut io::stdout().lock())?,
        Some("asyncapi") => writeln!(io::stdout(), "{:#}", server::Chat::asyncapi(info()))?,
        Some("zoo-asyncapi") => zoo::write_asyncapi(&mut io::stdout().lock())?,
        Some("zoo-inputs") => zoo::write_inputs(&mut io::stdout().lock())?,
        Some("zoo-types") => zoo::write_typescript(&mut io::stdout().lock())?,
        Some("nasty") => io::stdout().lock().write_all(nasty::Nasty::typescript().as_bytes())?,
        Some("empty") => io::stdout().lock().write_all(nasty::Empty::typescript().as_bytes())?,
        Some("late") => io::stdout().lock().write_all(nasty::Late::typescript().as_bytes())?,
        Some("daily") => serve_daily().await?,
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
    let nested = Router::new()
        .route("/ws", get(hub.websocket()))
        .merge(hub.socketio())
        .merge(hub.docs::<server::Chat>(info()).path("/about/events").websocket("/", "/ws"));
    let app = Router::new()
        .nest("/rt", nested)
        .route("/ws", get(hub.websocket()))
        .route("/admin", get(hub.of("/admin").websocket()))
        .route("/refused", get(hub.of("/refused").websocket()))
        .merge(hub.socketio())
        .merge(hub.docs::<server::Chat>(info()).websocket("/", "/ws"));
    listen(&hub, app).await
}

async fn serve_daily() -> Result<(), Box<dyn std::error::Error>> {
    let hub = daily::hub()?;
    let app = Router::new().merge(hub.socketio()).merge(daily::emit_routes(&hub));
    listen(&hub, app).await
}

/// Serves an application until it is interrupted, and tells what violated the contract of the hub.
async fn listen(hub: &Hub, app: Router) -> Result<(), Box<dyn std::error::Error>> {
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
