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
use std::net::Ipv4Addr;
use std::time::Duration;
use tokio::net::TcpSocket;
use tokio::signal::unix::{SignalKind, signal};

#[event("price", latest(key = "symbol"))]
#[derive(serde::Serialize)]
struct Price<'a> {
    symbol: &'a str,
    value: u32,
    chart: Binary,
}

/// The length of the large message. It exceeds the buffers of the kernel, and almost fills the
/// outbox. A client that polls needs a time for it that grows with the square of the length.
const LARGE: usize = 2_000_000;
/// The size of the outbox in bytes.
const OUTBOX: usize = 2_400_000;
/// The size of the kernel's buffer for what is sent, in bytes.
const SEND_BUFFER: u32 = 64 * 1024;

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
    // A slow client may also be slow to upgrade.
    let patience = Duration::from_secs(600);
    let hub = Hub::builder().outbox(16_384, OUTBOX).upgrade_timeout(patience).events(events![slow]).build()?;
    let socketio = match env::var("PARSER").as_deref() {
        Ok("msgpack") => hub.socketio().parser(MsgpackParser),
        _ => hub.socketio(),
    };
    let socket = TcpSocket::new_v4()?;
    socket.set_send_buffer_size(SEND_BUFFER)?;
    socket.bind((Ipv4Addr::LOCALHOST, 0).into())?;
    let listener = socket.listen(1_024)?;
    writeln!(io::stdout(), "listening on http://{}", listener.local_addr()?)?;
    let mut terminate = signal(SignalKind::interrupt())?;
    tokio::select! {
        served = socketio::serve(listener, Router::from(socketio)) => served?,
        _ = terminate.recv() => {}
    }
    Ok(())
}
