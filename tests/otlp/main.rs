//! A server for the tests of traces. It exports its spans to the OTLP collector at the URL in
//! `COLLECTOR`. It also is the receiver to which the collector passes them on: see [`receiver`].
//!
//! A POST to `/flush` exports what waits.

mod client;
mod receiver;

use axum::Router;
use axum::routing::{get, post};
use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::{SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use socketio::{AckError, EventError, Hub, Refusal, Socket, event, events};
use std::env;
use std::io::{self, Write};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use client::Client;
use receiver::Receiver;

#[event("say")]
fn say(text: String) -> String {
    // A span of the application is a child of the event's.
    tracing::info_span!("database").in_scope(|| text)
}

#[event("later")]
async fn later() {
    tokio::task::yield_now().await;
    tracing::info_span!("database").in_scope(|| ());
}

#[event("fail")]
fn fail() -> Result<(), EventError> {
    Err(EventError::new("not_today", "not today"))
}

#[event("panic")]
fn panics() {
    panic!("the handler panics, as the test wants");
}

#[event("panic later")]
async fn panics_later() {
    tokio::task::yield_now().await;
    panic!("the handler panics, as the test wants");
}

#[event("slow", timeout = "20ms")]
async fn slow() {
    std::future::pending::<()>().await;
}

#[event("number")]
fn number(_number: u32) {}

/// Asks the client, and answers with its answer.
#[event("ask")]
async fn ask(socket: &Socket) -> Result<String, AckError> {
    socket.emit_with_ack(("question", 1)).await
}

/// Asks all clients.
#[event("ask all")]
async fn ask_all(hub: &Hub) -> Result<Vec<String>, AckError> {
    Ok(hub.emit_with_ack(("question", 1)).await?.into_values().collect())
}

/// The trace that the client is part of.
#[event("trace")]
fn trace(socket: &Socket) -> Option<String> {
    socket.trace_context().map(|context| context.to_string())
}

#[event(connect)]
fn nobody() -> Result<(), Refusal> {
    Err("nobody may connect".into())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(Client)
        .with_endpoint(format!("{}/v1/traces", env::var("COLLECTOR")?))
        .build()?;
    let provider = SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        .with_resource(Resource::builder().with_service_name("socketio-tests").build())
        .build();
    let wanted = Targets::new().with_target("socketio::traces", LevelFilter::DEBUG).with_default(LevelFilter::INFO);
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("socketio"));
    tracing_subscriber::registry().with(layer.with_filter(wanted)).init();

    let handlers = events![say, later, fail, panics, panics_later, slow, number, ask, ask_all, trace];
    let hub = Hub::builder()
        .events(handlers)
        .namespace("/room-{id}", |room| room.events(events![say]))
        .namespace("/refused", |refused| refused.events(events![nobody]))
        .trace_requests(true)
        .build()?;
    let flushed = provider.clone();
    let flush = post(async move || match tokio::task::spawn_blocking(move || flushed.force_flush()).await {
        Ok(Ok(())) => Ok("exported"),
        failed => Err(format!("{failed:?}")),
    });
    let app = Router::new().route("/ws", get(hub.websocket())).route("/flush", flush);
    let app = app.merge(hub.socketio()).merge(Receiver::default().routes());
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    writeln!(io::stdout(), "listening on http://{address}")?;
    let mut terminate = signal(SignalKind::interrupt())?;
    tokio::select! {
        served = socketio::serve(listener, app) => served?,
        _ = terminate.recv() => {}
    }
    Ok(())
}
