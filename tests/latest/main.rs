//! A server for the tests of slow clients from npm: of some events, only the latest value waits for
//! them. `PARSER=msgpack` chooses the encoding.
//!
//! `slow` has the id of a socket whose client does not read. The server sends it a large message,
//! and waits until the transport has begun to take it and takes no more. Then it emits prices and
//! trades. The answer is the number of messages that newer ones have replaced.

use axum::Router;
use socketio::{Binary, EmitError, Hub, MsgpackParser, event, events};
use std::env;
use std::io::{self, Write};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

#[event("price", latest(key = "symbol"))]
#[derive(serde::Serialize)]
struct Price<'a> {
    symbol: &'a str,
    value: u32,
    chart: Binary,
}

/// The length of the large message. It exceeds the kernel's buffers, and almost fills the outbox.
const LARGE: usize = 7_000_000;

#[event("slow", concurrent)]
async fn slow(hub: &Hub, id: String) -> Result<u64, EmitError> {
    let before = hub.stats();
    let socket = hub.socket(&id).ok_or(EmitError::NotFound(id))?;
    socket.emit(("large", "x".repeat(LARGE)))?;
    // Over long-polling it waits for the client's poll, and what follows must not be in the same
    // response. Packets such as CONNECT are shorter.
    while hub.stats().sent.bytes < before.sent.bytes + 1_000 {
        tokio::task::yield_now().await;
    }
    while hub.stats().conflated == before.conflated {
        socket.latest().emit(("probe",))?;
        tokio::task::yield_now().await;
    }
    let full = hub.stats().conflated;
    for value in 0..1_000 {
        for (symbol, length) in [("AAPL", 10), ("MSFT", 10_000)] {
            hub.to(socket.id()).emit(&Price { symbol, value, chart: vec![value as u8; length].into() })?;
        }
        if value % 250 == 0 {
            socket.emit(("trade", value))?;
        }
    }
    socket.emit(("end",))?;
    Ok(hub.stats().conflated - full)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let hub = Hub::builder().events(events![slow]).build()?;
    let socketio = match env::var("PARSER").as_deref() {
        Ok("msgpack") => hub.socketio().parser(MsgpackParser),
        _ => hub.socketio(),
    };
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    writeln!(io::stdout(), "listening on http://{}", listener.local_addr()?)?;
    let mut terminate = signal(SignalKind::interrupt())?;
    tokio::select! {
        served = socketio::serve(listener, Router::from(socketio)) => served?,
        _ = terminate.recv() => {}
    }
    Ok(())
}
