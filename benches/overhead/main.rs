//! The server that `run` measures. It handles the events of the `echo` example. `/metrics` reads
//! the metrics as a tool does that collects them.
//!
//! Arguments: what is configured, as `run` lists it. Each needs the feature that it is about.

#[cfg(feature = "opentelemetry")]
mod observe;
#[cfg(feature = "metrics")]
mod prometheus;
#[cfg(feature = "opentelemetry-traces")]
mod traces;

use axum::Router;
use axum::routing::get;
use serde::{Deserialize, Serialize};
use socketio::{EmitError, Hub, Socket, event, events};
use std::borrow::Cow;
use std::io::{self, Write};
use std::sync::Arc;
use tokio::net::TcpListener;
use tracing_subscriber::filter::LevelFilter;

#[event("echo")]
#[derive(Serialize, Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    t: Cow<'a, str>,
    #[serde(borrow)]
    user: Cow<'a, str>,
    room: u32,
    #[serde(borrow)]
    text: Cow<'a, str>,
}

#[event]
fn echo(socket: &Socket, message: Message<'_>) -> Result<(), EmitError> {
    socket.emit(&message)
}

#[event("broadcast")]
fn broadcast(hub: &Hub, message: Message<'_>) -> Result<(), EmitError> {
    hub.broadcast(("broadcast", message))
}

/// Reads the metrics once.
type Scrape = Arc<dyn Fn() -> String + Send + Sync>;
type BoxError = Box<dyn std::error::Error>;

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let settings: Vec<_> = std::env::args().skip(1).collect();
    let is_set = |name: &str| settings.iter().any(|setting| setting == name);

    let hub = Hub::builder().events(events![echo, broadcast]);
    #[cfg(any(feature = "metrics", feature = "opentelemetry"))]
    let hub = if is_set("timed") { hub.time_handlers() } else { hub };
    let hub = hub.build()?;

    if is_set("info") {
        tracing_subscriber::fmt().with_max_level(LevelFilter::INFO).with_writer(io::sink).init();
    }
    #[cfg(feature = "opentelemetry-traces")]
    if is_set("traces") {
        traces::install();
    }
    #[cfg_attr(not(any(feature = "metrics", feature = "opentelemetry")), expect(unused_mut))]
    let mut scrape: Scrape = Arc::new(String::new);
    #[cfg(feature = "metrics")]
    if is_set("prometheus") {
        scrape = prometheus::scrape(&hub)?;
    }
    #[cfg(feature = "opentelemetry")]
    if is_set("observe") {
        scrape = observe::scrape(&hub);
    }

    let app = Router::new()
        .route("/ws/{id}", get(hub.websocket()))
        .route("/metrics", get(async move || scrape()))
        .merge(hub.socketio());
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    writeln!(io::stdout(), "overhead listens on http://{}", listener.local_addr()?)?;
    Ok(socketio::serve(listener, app).await?)
}
