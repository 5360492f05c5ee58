//! A server for the tests of reliable events with clients from npm.
//!
//! The environment has the settings: `INTERVAL` and `TIMEOUT` in milliseconds, `QUEUE` in events,
//! and `PARSER=msgpack`.
//!
//! `id` answers with the id of the client's socket. A client sends `order` with the id of a socket,
//! which may be cut off, and a number. The server emits `order` to it, with the number. The ack
//! tells whether it was queued. How the delivery ends is printed: `7: acked`.

use axum::Router;
use axum::routing::get;
use socketio::{Binary, EmitError, Hub, MsgpackParser, Recovery, Socket, SocketId, event, events};
use std::env;
use std::io::{self, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

/// The deliveries that have not ended.
static PENDING: AtomicUsize = AtomicUsize::new(0);

#[event("order")]
fn order(hub: &Hub, socket: String, number: u32) -> Result<(), EmitError> {
    let delivery = hub.reliable_to(socket).emit(("order", number, Binary::from(vec![1, 2, 3])))?;
    PENDING.fetch_add(1, Ordering::SeqCst);
    tokio::spawn(async move {
        let outcome = match delivery.await {
            Ok(()) => "acked".to_owned(),
            Err(error) => error.to_string(),
        };
        let _ = writeln!(io::stdout(), "{number}: {outcome}");
        PENDING.fetch_sub(1, Ordering::SeqCst);
    });
    Ok(())
}

#[event("id")]
fn id(socket: &Socket) -> SocketId {
    socket.id()
}

fn number(name: &str, default: u64) -> Result<u64, std::num::ParseIntError> {
    env::var(name).map_or(Ok(default), |value| value.parse())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let hub = Hub::builder()
        .events(events![order, id])
        .recovery(Recovery::new())
        .reliable_interval(Duration::from_millis(number("INTERVAL", 3_600_000)?))
        .reliable_timeout(Duration::from_millis(number("TIMEOUT", 3_600_000)?))
        .reliable_queue(usize::try_from(number("QUEUE", 1_000)?)?, 1 << 20)
        .build()?;
    let socketio = match env::var("PARSER").as_deref() {
        Ok("msgpack") => hub.socketio().parser(MsgpackParser),
        _ => hub.socketio(),
    };
    let app = Router::new().route("/ws", get(hub.websocket())).merge(socketio);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    writeln!(io::stdout(), "listening on http://{}", listener.local_addr()?)?;
    let mut terminate = signal(SignalKind::interrupt())?;
    tokio::select! {
        served = socketio::serve(listener, app) => served?,
        _ = terminate.recv() => {}
    }
    hub.shutdown(Duration::from_millis(500)).await;
    while PENDING.load(Ordering::SeqCst) > 0 {
        tokio::task::yield_now().await;
    }
    Ok(())
}
