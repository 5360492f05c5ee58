//! A server with metrics for Prometheus: `cargo run --example metrics`. Clients connect to
//! <http://127.0.0.1:3000>, with Socket.IO or, at `/ws`, with plain WebSockets. Prometheus scrapes
//! <http://127.0.0.1:3001/metrics>, a port of its own, which clients need not reach.
//!
//! Beside this file are a [dashboard](dashboard.json) to import into Grafana, [alert
//! rules](alerts.yml) for Prometheus with their [tests](alerts.test.yml), and a
//! [configuration](prometheus.yml) that uses them: `prometheus --config.file=prometheus.yml`.

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use socketio::{EmitError, EventError, Hub, JoinError, Recovery, Socket, event, events};
use socketio_examples::{listener, listener_after, serve_on};
use std::io::{Write, stdout};
use std::sync::Arc;
use std::time::Duration;

/// The upper bounds of the buckets, in seconds.
const CONNECTION_BUCKETS: [f64; 9] = [0.1, 1.0, 10.0, 60.0, 300.0, 900.0, 3600.0, 14400.0, 86400.0];
const HANDLER_BUCKETS: [f64; 10] = [0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0];

/// How often the exporter sums up its histograms, which would grow while nobody scrapes it.
const UPKEEP: Duration = Duration::from_secs(5);

/// Emits a text to everyone, the sender included.
#[event("say")]
fn say(hub: &Hub, text: &str) -> Result<(), EmitError> {
    hub.broadcast(("said", text))
}

/// Joins a room.
#[event("join")]
fn join(socket: &Socket, room: &str) -> Result<(), JoinError> {
    socket.join(room)
}

/// Answers with the ratio of two numbers.
#[event("divide")]
async fn divide(dividend: i64, divisor: i64) -> Result<i64, EventError> {
    dividend.checked_div(divisor).ok_or_else(|| EventError::new("not_a_number", "the divisor is 0"))
}

/// Asks the sender, who may not answer in time.
#[event("ask me", concurrent)]
async fn ask_me(socket: &Socket) -> Result<String, EventError> {
    let answer = socket.timeout(Duration::from_millis(200)).emit_with_ack(("question",)).await;
    answer.map_err(|error| EventError::new("no_answer", error.to_string()))
}

/// Installs the exporter. Its names get the suffixes that Prometheus recommends, which are also
/// those that OpenTelemetry's exporter gives them.
fn exporter() -> Result<PrometheusHandle, BuildError> {
    PrometheusBuilder::new()
        .with_recommended_naming(true)
        .set_buckets_for_metric(Matcher::Full("socketio.server.connection.duration".into()), &CONNECTION_BUCKETS)?
        .set_buckets_for_metric(Matcher::Full("socketio.server.handler.duration".into()), &HANDLER_BUCKETS)?
        .install_recorder()
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let exporter = exporter()?;
    let upkeep = exporter.clone();
    tokio::spawn(async move {
        let mut ticks = tokio::time::interval(UPKEEP);
        loop {
            ticks.tick().await;
            upkeep.run_upkeep();
        }
    });
    let hub =
        Hub::builder().time_handlers().recovery(Recovery::new()).events(events![say, join, divide, ask_me]).build()?;
    let app = Router::new().route("/ws", get(hub.websocket())).merge(hub.socketio());

    let metrics = Arc::new(hub.metrics());
    let scrape = move || {
        metrics.update();
        let text = exporter.render();
        async move { ([(CONTENT_TYPE, "text/plain; version=0.0.4")], text) }
    };
    let (clients, operators) = (listener().await?, listener_after(1).await?);
    writeln!(stdout(), "Prometheus scrapes http://{}/metrics", operators.local_addr()?)?;
    tokio::spawn(axum::serve(operators, Router::new().route("/metrics", get(scrape))).into_future());
    serve_on("metrics", "http", clients, app, hub).await?;
    Ok(())
}
