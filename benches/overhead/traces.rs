//! Traces, as in the guide, with an exporter to nowhere.

use opentelemetry::trace::TracerProvider;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanData, SpanExporter};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::prelude::*;

#[derive(Debug)]
struct Nowhere;

impl SpanExporter for Nowhere {
    async fn export(&self, _: Vec<SpanData>) -> OTelSdkResult {
        Ok(())
    }
}

pub fn install() {
    let provider = SdkTracerProvider::builder().with_simple_exporter(Nowhere).build();
    let wanted = Targets::new().with_default(LevelFilter::INFO).with_target("socketio::traces", LevelFilter::DEBUG);
    let traces = tracing_opentelemetry::layer().with_tracer(provider.tracer("overhead")).with_filter(wanted);
    tracing_subscriber::registry().with(traces).init();
}
