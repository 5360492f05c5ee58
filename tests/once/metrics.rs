//! What recorders of the crate `metrics`, and readers of OpenTelemetry, get to know about a hub.

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use opentelemetry::KeyValue;
use opentelemetry::metrics::MeterProvider;
use opentelemetry_sdk::metrics::data::{AggregatedMetrics, Metric, MetricData, ResourceMetrics, ScopeMetrics};
use opentelemetry_sdk::metrics::{InMemoryMetricExporter, SdkMeterProvider};
use serde_json::Value;
use socketio::testing::cluster::SimNet;
use socketio::testing::settle;
use socketio::{EventError, Events, Hub, HubBuilder, HubMetrics, Socket, event, events};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::time::Duration;
use tokio::time::sleep;

#[event("double")]
fn double(number: u32) -> u32 {
    2 * number
}

#[event("fail")]
async fn fail() -> Result<(), EventError> {
    tokio::task::yield_now().await;
    Err(EventError::new("refused", "as it should"))
}

#[event("panic")]
async fn panic() {
    tokio::task::yield_now().await;
    panic!("as it should");
}

#[event("late", timeout = "10ms")]
async fn late() {
    sleep(Duration::from_secs(10)).await;
}

#[event("forever")]
async fn forever() {
    std::future::pending::<()>().await;
}

#[event(fallback)]
fn fallback(_socket: &Socket) {}

#[event(disconnect)]
fn disconnect() {}

const EVENTS: Events = events![double, fail, panic, late, forever, fallback, disconnect];

/// A hub, what it has registered, and the text of its exporter.
fn exported(builder: HubBuilder) -> (Hub, HubMetrics, PrometheusHandle) {
    let builder_of_exporter = PrometheusBuilder::new().with_recommended_naming(true);
    let buckets = builder_of_exporter.set_buckets_for_metric(Matcher::Suffix("duration".into()), &[1.0, 100.0]);
    let recorder = buckets.expect("there are buckets").build_recorder();
    let hub = builder.build().expect("a hub");
    let metrics = metrics::with_local_recorder(&recorder, || hub.metrics());
    (hub, metrics, recorder.handle())
}

/// The series of the exporter that are not 0.
fn series(metrics: &HubMetrics, exporter: &PrometheusHandle) -> BTreeMap<String, String> {
    metrics.update();
    let text = exporter.render();
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    let series = lines.map(|line| line.rsplit_once(' ').expect("a value"));
    series.filter(|(_, value)| *value != "0").map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

#[tokio::test(start_paused = true)]
async fn a_recorder_gets_the_figures_and_the_histograms() {
    let (hub, metrics, exporter) = exported(Hub::builder().time_handlers().events(EVENTS));
    let client = hub.test_client().connect().await.expect("a connection");
    for number in 0..3 {
        let _: u32 = client.emit_with_ack(("double", number)).await.expect("an answer");
    }
    for event in ["double", "fail", "panic", "late"] {
        client.emit_with_ack::<Value>((event,)).await.expect_err("it fails");
    }
    client.emit_with_ack::<()>(("made up \"} 1\n", 1)).await.expect("an answer");
    client.emit(("forever",)).expect("sent");
    settle().await;
    sleep(Duration::from_secs(50)).await;
    client.disconnect().await;
    // The last handler never ends by itself.
    hub.shutdown(Duration::from_secs(1)).await;
    let series = series(&metrics, &exporter);
    let get = |name: &str| series.get(name).map(String::as_str);
    let expected = [
        ("socketio_server_connections_opened_total", "1"),
        (r#"socketio_server_connections_closed_total{socketio_reason="transport_close"}"#, "1"),
        // CONNECT and DISCONNECT, and 9 events.
        (r#"socketio_server_messages_total{network_io_direction="receive"}"#, "11"),
        (r#"socketio_server_messages_total{network_io_direction="transmit"}"#, "9"),
        (r#"socketio_server_events_rejected_total{socketio_reason="invalid_payload"}"#, "1"),
        ("socketio_server_namespaces", "1"),
    ];
    for (name, value) in expected {
        assert_eq!(get(name), Some(value), "{name} of {series:#?}");
    }
    let connection = r#"socketio_connection_status="normal_closure",socketio_transport="web_sockets""#;
    let duration = "socketio_server_connection_duration_seconds";
    assert_eq!(get(&format!("{duration}_count{{{connection}}}")), Some("1"), "{series:#?}");
    assert_eq!(get(&format!(r#"{duration}_bucket{{{connection},le="1"}}"#)), None);
    assert_eq!(get(&format!(r#"{duration}_bucket{{{connection},le="100"}}"#)), Some("1"));
    let handlers = series.iter().filter_map(|(name, value)| {
        let labels = name.strip_prefix("socketio_server_handler_duration_seconds_count{socketio_event=\"")?;
        Some((labels.replace("\",socketio_outcome=\"", " ").replace("\"}", ""), &**value))
    });
    let expected = [
        ("_other ok", "1"),
        ("disconnect ok", "1"),
        ("double invalid_payload", "1"),
        ("double ok", "3"),
        ("fail error", "1"),
        ("forever dropped", "1"),
        ("late timeout", "1"),
        ("panic panic", "1"),
    ];
    assert_eq!(handlers.collect::<Vec<_>>(), expected.map(|(labels, value)| (labels.to_owned(), value)));
    assert!(!exporter.render().contains("made up"));
}

#[tokio::test(start_paused = true)]
async fn names_that_clients_make_up_add_no_series() {
    let (hub, metrics, exporter) = exported(Hub::builder().time_handlers().events(EVENTS));
    let client = hub.test_client().connect().await.expect("a connection");
    hub.on("listened", |_| {});
    let send = async |numbers: Range<u32>| {
        for number in numbers {
            client.emit((format!("event-{number}"), number)).expect("sent");
        }
        client.emit(("listened",)).expect("sent");
        settle().await;
        metrics.update();
        exporter.render().lines().count()
    };
    let before = send(0..1).await;
    assert_eq!(send(1..1_000).await, before);
    assert_eq!(hub.stats().received.messages, 1_003);
    assert!(!exporter.render().contains("listened"));
}

#[tokio::test]
async fn handlers_are_not_timed_unless_the_builder_says_so() {
    let (hub, metrics, exporter) = exported(Hub::builder().events(EVENTS));
    let client = hub.test_client().connect().await.expect("a connection");
    let _: u32 = client.emit_with_ack(("double", 1)).await.expect("an answer");
    metrics.update();
    assert!(!exporter.render().contains("socketio_server_handler"));
    drop(client);
}

/// What a reader of OpenTelemetry collects: each series with its figure, histograms with theirs.
fn collected(provider: &SdkMeterProvider, exporter: &InMemoryMetricExporter) -> BTreeMap<String, f64> {
    exporter.reset();
    provider.force_flush().expect("it collects");
    let finished = exporter.get_finished_metrics().expect("it has metrics");
    let scopes = finished.iter().flat_map(ResourceMetrics::scope_metrics);
    scopes.flat_map(ScopeMetrics::metrics).flat_map(figures).collect()
}

fn figures(metric: &Metric) -> Vec<(String, f64)> {
    fn key<'a>(name: &str, attributes: impl Iterator<Item = &'a KeyValue>) -> String {
        let labels: BTreeSet<_> = attributes.map(|label| label.value.to_string()).collect();
        labels.into_iter().fold(name.to_owned(), |key, label| key + " " + &label)
    }
    let name = metric.name();
    match metric.data() {
        AggregatedMetrics::U64(MetricData::Sum(sum)) => {
            assert!(sum.is_monotonic());
            sum.data_points().map(|point| (key(name, point.attributes()), point.value() as f64)).collect()
        }
        AggregatedMetrics::I64(MetricData::Sum(sum)) => {
            assert!(!sum.is_monotonic());
            sum.data_points().map(|point| (key(name, point.attributes()), point.value() as f64)).collect()
        }
        AggregatedMetrics::F64(MetricData::Histogram(histogram)) => {
            assert_eq!(metric.unit(), "s");
            histogram.data_points().map(|point| (key(name, point.attributes()), point.count() as f64)).collect()
        }
        other => panic!("{name} is {other:?}"),
    }
}

#[tokio::test]
async fn a_reader_of_opentelemetry_reads_the_same_figures() {
    let exporter = InMemoryMetricExporter::default();
    let provider = SdkMeterProvider::builder().with_periodic_exporter(exporter.clone()).build();
    let hub = Hub::builder().time_handlers().events(EVENTS).build().expect("a hub");
    hub.observe(&provider.meter("socketio"));
    let client = hub.test_client().connect().await.expect("a connection");
    let _: u32 = client.emit_with_ack(("double", 1)).await.expect("an answer");
    hub.sockets()[0].join("room").expect("there is room");
    let figures = collected(&provider, &exporter);
    let expected = [
        ("socketio.server.active_connections web_sockets", 1.0),
        ("socketio.server.active_connections long_polling", 0.0),
        ("socketio.server.rooms", 1.0),
        ("socketio.server.messages receive", 2.0),
        ("socketio.server.messages transmit", 2.0),
        ("socketio.server.connections.closed overflow", 0.0),
        ("socketio.server.handler.duration double ok", 1.0),
    ];
    for (name, figure) in expected {
        assert_eq!(figures.get(name), Some(&figure), "{name} of {figures:#?}");
    }
    assert!(!figures.keys().any(|name| name.starts_with("socketio.cluster")));
    client.disconnect().await;
    let figures = collected(&provider, &exporter);
    assert_eq!(figures.get("socketio.server.connection.duration normal_closure web_sockets"), Some(&1.0));
    // The meter does not keep the hub.
    hub.shutdown(Duration::from_secs(1)).await;
    drop(hub);
    let left = collected(&provider, &exporter);
    assert!(left.keys().all(|name| name.contains("duration")), "{left:#?}");
}

#[tokio::test(start_paused = true)]
async fn a_hub_in_a_cluster_has_the_figures_of_its_cluster() {
    let net = SimNet::seeded(1);
    let (hub, metrics, exporter) = exported(Hub::builder().cluster(net.engine("a")));
    let (other, ..) = exported(Hub::builder().cluster(net.engine("b")));
    for hub in [&hub, &other] {
        hub.ready(Duration::from_secs(10)).await.expect("the cluster is reached");
    }
    hub.emit(("news", 1)).expect("queued");
    hub.cluster().expect("it has one").flushed().await;
    let series = series(&metrics, &exporter);
    let stats = hub.cluster().expect("it has one").stats();
    assert_eq!(series.get("socketio_cluster_up").map(String::as_str), Some("1"));
    assert_eq!(series.get("socketio_cluster_published_total"), Some(&stats.published.to_string()));
    assert!(stats.published > 0);
}
