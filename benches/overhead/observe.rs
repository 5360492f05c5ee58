//! Metrics as instruments of OpenTelemetry, which an exporter to nowhere reads.

use crate::Scrape;
use opentelemetry::metrics::MeterProvider;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::metrics::exporter::PushMetricExporter;
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider, Temporality};
use socketio::Hub;
use std::sync::Arc;
use std::time::Duration;

/// The exporter only runs when it is asked to.
const NEVER: Duration = Duration::from_secs(24 * 3600);

struct Nowhere;

impl PushMetricExporter for Nowhere {
    async fn export(&self, _: &ResourceMetrics) -> OTelSdkResult {
        Ok(())
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }

    fn temporality(&self) -> Temporality {
        Temporality::Cumulative
    }
}

pub fn scrape(hub: &Hub) -> Scrape {
    let reader = PeriodicReader::builder(Nowhere).with_interval(NEVER).build();
    let provider = SdkMeterProvider::builder().with_reader(reader).build();
    hub.observe(&provider.meter("socketio"));
    Arc::new(move || match provider.force_flush() {
        Ok(()) => String::new(),
        Err(error) => error.to_string(),
    })
}
