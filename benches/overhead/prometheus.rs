//! Metrics for Prometheus, as in the example `metrics`.

use crate::{BoxError, Scrape};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder};
use socketio::Hub;
use std::sync::Arc;

pub fn scrape(hub: &Hub) -> Result<Scrape, BoxError> {
    let buckets = [0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0];
    let exporter = PrometheusBuilder::new()
        .with_recommended_naming(true)
        .set_buckets_for_metric(Matcher::Suffix("duration".into()), &buckets)?
        .install_recorder()?;
    let metrics = hub.metrics();
    Ok(Arc::new(move || {
        metrics.update();
        exporter.render()
    }))
}
