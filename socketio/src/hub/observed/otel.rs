//! A hub's metrics, as instruments of the crate `opentelemetry`.

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Histogram, Meter};
use std::sync::Arc;
use std::time::Duration;

use super::figures::{self, Kind, Snapshot};
use super::{
    CONNECTION_BOUNDS, CONNECTION_DURATION, Described, HANDLER_BOUNDS, HANDLER_DURATION, HandlerLabel, HandlerOutcome,
    Status, Transport,
};
use crate::hub::Hub;

/// Metrics.
impl Hub {
    /// Registers the hub's [metrics](crate::guide::metrics) with this meter of the crate
    /// [`opentelemetry`](https://docs.rs/opentelemetry). Its reader then reads the figures of
    /// [`stats`](Self::stats) whenever it collects. They end when the hub is dropped.
    ///
    /// The histograms are those of the first meter that the hub is given.
    ///
    /// ```
    /// use opentelemetry::global;
    /// use socketio::Hub;
    ///
    /// let hub = Hub::builder().build()?;
    /// hub.observe(&global::meter("socketio"));
    /// # Ok::<(), socketio::BuildError>(())
    /// ```
    pub fn observe(&self, meter: &Meter) {
        let observers = self.observers();
        observers.otel.get_or_init(|| Histograms::new(meter, observers.handlers.is_some()));
        let snapshot = Snapshot::of(self);
        for metric in figures::metrics() {
            let mut has_values = false;
            (metric.read)(&snapshot, &mut |_, _| has_values = true);
            if !has_values {
                continue;
            }
            let core = Arc::downgrade(self.core());
            // The meter keeps the callback, also when the hub is gone.
            let observe = move |observe: &mut dyn FnMut(u64, &[KeyValue])| {
                let Some(core) = core.upgrade() else { return };
                (metric.read)(&Snapshot::of(&Self::from_core(&core)), &mut |value, number| match metric.label {
                    Some(label) => observe(number, &[KeyValue::new(label, value)]),
                    None => observe(number, &[]),
                });
            };
            match metric.kind {
                Kind::Counter => {
                    let counter = meter.u64_observable_counter(metric.name);
                    let counter = counter.with_unit(metric.unit).with_description(metric.description);
                    counter
                        .with_callback(move |observer| observe(&mut |number, labels| observer.observe(number, labels)))
                        .build();
                }
                Kind::UpDownCounter => {
                    let counter = meter.i64_observable_up_down_counter(metric.name);
                    let counter = counter.with_unit(metric.unit).with_description(metric.description);
                    let signed = |number| i64::try_from(number).unwrap_or(i64::MAX);
                    counter
                        .with_callback(move |observer| {
                            observe(&mut |number, labels| observer.observe(signed(number), labels));
                        })
                        .build();
                }
            }
        }
    }
}

/// The histograms of a hub.
pub(super) struct Histograms {
    connections: Histogram<f64>,
    /// `None`: handlers are not timed.
    handlers: Option<Histogram<f64>>,
}

impl Histograms {
    fn new(meter: &Meter, times_handlers: bool) -> Self {
        let histogram = |described: &Described, bounds: &[f64]| {
            let histogram = meter.f64_histogram(described.name).with_unit("s");
            histogram.with_description(described.description).with_boundaries(bounds.to_vec()).build()
        };
        Self {
            connections: histogram(&CONNECTION_DURATION, &CONNECTION_BOUNDS),
            handlers: times_handlers.then(|| histogram(&HANDLER_DURATION, &HANDLER_BOUNDS)),
        }
    }

    pub(super) fn connection(&self, status: Status, transport: Transport, duration: Duration) {
        let labels = [
            KeyValue::new("socketio.connection.status", status.as_str()),
            KeyValue::new("socketio.transport", transport.as_str()),
        ];
        self.connections.record(duration.as_secs_f64(), &labels);
    }

    pub(super) fn handler(&self, HandlerLabel(event): HandlerLabel, outcome: HandlerOutcome, duration: Duration) {
        if let Some(handlers) = &self.handlers {
            let labels = [KeyValue::new("socketio.event", event), KeyValue::new("socketio.outcome", outcome.as_str())];
            handlers.record(duration.as_secs_f64(), &labels);
        }
    }
}
