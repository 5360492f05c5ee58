//! [`HubMetrics`]: a hub's metrics, for the recorder of the crate `metrics`.

use metrics::{Counter, Gauge, Histogram, Key, KeyName, Label, Level, Metadata, Recorder, Unit};
use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use super::figures::{self, Kind, Metric, Snapshot};
use super::{CONNECTION_DURATION, Described, HANDLER_DURATION, HandlerLabel, HandlerOutcome, Status, Transport};
use crate::hub::Hub;

static METADATA: Metadata<'static> = Metadata::new("socketio", Level::INFO, Some(module_path!()));

/// Metrics.
impl Hub {
    /// Registers the hub's [metrics](crate::guide::metrics) with the recorder of the crate
    /// [`metrics`](https://docs.rs/metrics). Install the recorder before.
    ///
    /// A recorder only knows what it is told. Call [`HubMetrics::update`] before each time that it
    /// is read, or at an interval. Histograms are recorded as things happen, from the first call of
    /// this method on.
    ///
    /// Two hubs of one process have the same metrics, so that only one of them may be registered.
    ///
    /// ```
    /// use socketio::Hub;
    ///
    /// let hub = Hub::builder().build()?;
    /// let metrics = hub.metrics();
    /// // In the handler of `/metrics`, before the exporter renders them:
    /// metrics.update();
    /// # Ok::<(), socketio::BuildError>(())
    /// ```
    pub fn metrics(&self) -> HubMetrics {
        let observers = self.observers();
        metrics::with_recorder(|recorder| {
            observers.facade.get_or_init(|| Histograms::register(recorder, observers.handlers.as_deref()));
            HubMetrics::register(recorder, self.clone())
        })
    }
}

/// A hub's metrics, registered with the recorder of the crate `metrics`: the result of
/// [`Hub::metrics`].
#[must_use = "the recorder has no figures before `update`"]
pub struct HubMetrics {
    hub: Hub,
    /// In the order in which [`figures::metrics`] are read.
    handles: Vec<Handle>,
}

enum Handle {
    Counter(Counter),
    Gauge(Gauge),
}

impl HubMetrics {
    fn register(recorder: &dyn Recorder, hub: Hub) -> Self {
        let snapshot = Snapshot::of(&hub);
        let mut handles = Vec::new();
        for metric in figures::metrics() {
            let mut is_described = false;
            (metric.read)(&snapshot, &mut |value, _| {
                if !is_described {
                    metric.describe(recorder);
                    is_described = true;
                }
                handles.push(metric.register(recorder, value));
            });
        }
        Self { hub, handles }
    }

    /// Tells the recorder the current figures. It may be called at any rate, from any thread.
    pub fn update(&self) {
        let snapshot = Snapshot::of(&self.hub);
        let mut handles = self.handles.iter();
        for metric in figures::metrics() {
            (metric.read)(&snapshot, &mut |_, number| match handles.next() {
                Some(Handle::Counter(counter)) => counter.absolute(number),
                Some(Handle::Gauge(gauge)) => gauge.set(number as f64),
                None => {}
            });
        }
    }
}

impl fmt::Debug for HubMetrics {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("HubMetrics").field("hub", &self.hub).finish_non_exhaustive()
    }
}

impl Metric {
    fn describe(&self, recorder: &dyn Recorder) {
        let name = KeyName::from_const_str(self.name);
        let unit = Some(if self.unit == "By" { Unit::Bytes } else { Unit::Count });
        match self.kind {
            Kind::Counter => recorder.describe_counter(name, unit, self.description.into()),
            Kind::UpDownCounter => recorder.describe_gauge(name, unit, self.description.into()),
        }
    }

    /// Registers the series with this value of the metric's label.
    fn register(&self, recorder: &dyn Recorder, value: &'static str) -> Handle {
        let labels: Vec<_> = self.label.iter().map(|label| Label::from_static_parts(label, value)).collect();
        let key = Key::from_parts(self.name, labels);
        match self.kind {
            Kind::Counter => Handle::Counter(recorder.register_counter(&key, &METADATA)),
            Kind::UpDownCounter => Handle::Gauge(recorder.register_gauge(&key, &METADATA)),
        }
    }
}

/// The histograms of a hub.
pub(super) struct Histograms {
    /// By status and transport.
    connections: Vec<Vec<Histogram>>,
    /// By the handler's label and outcome. Empty if handlers are not timed.
    handlers: HashMap<&'static str, Vec<Histogram>>,
}

impl Histograms {
    fn register(recorder: &dyn Recorder, handlers: Option<&[&'static str]>) -> Self {
        let register = |described: &Described, labels: [(&'static str, &'static str); 2]| {
            let labels = labels.map(|(key, value)| Label::from_static_parts(key, value)).to_vec();
            recorder.register_histogram(&Key::from_parts(described.name, labels), &METADATA)
        };
        let describe = |described: &Described| {
            let name = KeyName::from_const_str(described.name);
            recorder.describe_histogram(name, Some(Unit::Seconds), described.description.into());
        };
        describe(&CONNECTION_DURATION);
        let by_transport = |status: &Status| {
            let labels = |transport: &Transport| {
                [("socketio.connection.status", status.as_str()), ("socketio.transport", transport.as_str())]
            };
            Transport::ALL.iter().map(|transport| register(&CONNECTION_DURATION, labels(transport))).collect()
        };
        if handlers.is_some() {
            describe(&HANDLER_DURATION);
        }
        let by_outcome = |event: &'static str| {
            let labels = |outcome: &HandlerOutcome| [("socketio.event", event), ("socketio.outcome", outcome.as_str())];
            HandlerOutcome::ALL.iter().map(|outcome| register(&HANDLER_DURATION, labels(outcome))).collect()
        };
        Self {
            connections: Status::ALL.iter().map(by_transport).collect(),
            handlers: handlers.unwrap_or_default().iter().map(|event| (*event, by_outcome(event))).collect(),
        }
    }

    pub(super) fn connection(&self, status: Status, transport: Transport, duration: Duration) {
        self.connections[status as usize][transport as usize].record(duration);
    }

    pub(super) fn handler(&self, HandlerLabel(event): HandlerLabel, outcome: HandlerOutcome, duration: Duration) {
        if let Some(outcomes) = self.handlers.get(event) {
            outcomes[outcome as usize].record(duration);
        }
    }
}
