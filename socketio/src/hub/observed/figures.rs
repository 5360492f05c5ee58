//! [`metrics`]: those that are read from the statistics of a hub and of its cluster.

#[cfg(feature = "cluster")]
#[path = "cluster_figures.rs"]
mod cluster;
#[cfg(not(feature = "cluster"))]
mod cluster {
    pub(super) const METRICS: &[super::Metric] = &[];
}

#[cfg(feature = "cluster")]
use crate::cluster::ClusterStats;
use crate::hub::Hub;
use crate::hub::recovery::RecoveryFailure;
use crate::hub::stats::{HubStats, Traffic};
use crate::session::disconnect::DisconnectReason;

/// The figures of a hub at one time.
pub(super) struct Snapshot {
    hub: HubStats,
    /// Whether the other servers are reached, and the figures. `None` if the hub is not in a
    /// cluster.
    #[cfg(feature = "cluster")]
    pub(super) cluster: Option<(bool, ClusterStats)>,
}

impl Snapshot {
    pub(super) fn of(hub: &Hub) -> Self {
        Self {
            hub: hub.stats(),
            #[cfg(feature = "cluster")]
            cluster: hub.cluster().map(|cluster| (cluster.health().is_up(), cluster.stats())),
        }
    }
}

/// Whether a figure only grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Counter,
    UpDownCounter,
}

/// Is called with each value of the metric's label, and the figure. Without a label the value is
/// empty.
pub(super) type Visit<'a> = &'a mut dyn FnMut(&'static str, u64);

pub(super) struct Metric {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    /// In the notation of UCUM.
    pub(super) unit: &'static str,
    pub(super) description: &'static str,
    pub(super) label: Option<&'static str>,
    /// Visits the same values in the same order at each call.
    pub(super) read: fn(&Snapshot, Visit<'_>),
}

pub(super) const fn counter(
    name: &'static str,
    unit: &'static str,
    description: &'static str,
    read: fn(&Snapshot, Visit<'_>),
) -> Metric {
    Metric { name, kind: Kind::Counter, unit, description, label: None, read }
}

impl Metric {
    pub(super) const fn by(mut self, label: &'static str) -> Self {
        self.label = Some(label);
        self
    }

    pub(super) const fn up_and_down(mut self) -> Self {
        self.kind = Kind::UpDownCounter;
        self
    }
}

const DIRECTION: &str = "network.io.direction";
const REASON: &str = "socketio.reason";
const OUTCOME: &str = "socketio.outcome";

fn by_direction(visit: Visit<'_>, stats: &HubStats, figure: fn(&Traffic) -> u64) {
    visit("receive", figure(&stats.received));
    visit("transmit", figure(&stats.sent));
}

/// The label for a reason: its name, with `_` in place of spaces.
fn reason(reason: DisconnectReason) -> &'static str {
    match reason {
        DisconnectReason::TransportClose => "transport_close",
        DisconnectReason::TransportError => "transport_error",
        DisconnectReason::PingTimeout => "ping_timeout",
        DisconnectReason::ParseError => "parse_error",
        DisconnectReason::TooLarge => "payload_too_large",
        DisconnectReason::ClientDisconnect => "client_namespace_disconnect",
        DisconnectReason::ServerDisconnect => "server_namespace_disconnect",
        DisconnectReason::ServerClose => "forced_close",
        DisconnectReason::Expired => "identity_expired",
        DisconnectReason::Overflow => "overflow",
        DisconnectReason::Shutdown => "server_shutting_down",
        DisconnectReason::Aborted => "aborted",
    }
}

fn failure(reason: RecoveryFailure) -> &'static str {
    match reason {
        RecoveryFailure::Expired => "expired",
        RecoveryFailure::Trimmed => "trimmed",
        RecoveryFailure::Unknown => "unknown",
        RecoveryFailure::Epoch => "epoch",
        RecoveryFailure::Taken => "taken",
        RecoveryFailure::Unauthorized => "unauthorized",
        RecoveryFailure::Unavailable => "unavailable",
    }
}

/// All metrics of the hub. Those of a hub without a cluster visit no value of the cluster's.
pub(super) fn metrics() -> impl Iterator<Item = &'static Metric> {
    HUB.iter().chain(cluster::METRICS)
}

const HUB: &[Metric] = &[
    counter(
        "socketio.server.active_connections",
        "{connection}",
        "Connections, those in their handshake included",
        |Snapshot { hub, .. }, visit| {
            visit("web_sockets", hub.connections.saturating_sub(hub.polling) as u64);
            visit("long_polling", hub.polling as u64);
        },
    )
    .by("socketio.transport")
    .up_and_down(),
    counter(
        "socketio.server.connections.opened",
        "{connection}",
        "Connections whose handshake was finished",
        |Snapshot { hub, .. }, visit| visit("", hub.opened),
    ),
    counter(
        "socketio.server.connections.closed",
        "{connection}",
        "Connections that began to close",
        |Snapshot { hub, .. }, visit| hub.closed.iter().for_each(|(by, number)| visit(reason(by), number)),
    )
    .by(REASON),
    counter(
        "socketio.server.requests.refused",
        "{request}",
        "HTTP requests that did not become a connection",
        |Snapshot { hub, .. }, visit| visit("", hub.refused),
    ),
    counter("socketio.server.sockets", "{socket}", "Sockets that are connected to a namespace", |it, visit| {
        visit("", it.hub.sockets as u64);
    })
    .up_and_down(),
    counter("socketio.server.rooms", "{room}", "Rooms of all namespaces", |it, visit| {
        visit("", it.hub.rooms as u64);
    })
    .up_and_down(),
    counter("socketio.server.namespaces", "{namespace}", "Namespaces", |it, visit| {
        visit("", it.hub.namespaces as u64);
    })
    .up_and_down(),
    counter("socketio.server.messages", "{message}", "Messages, without heartbeats", |it, visit| {
        by_direction(visit, &it.hub, |traffic| traffic.messages);
    })
    .by(DIRECTION),
    counter("socketio.server.bytes", "By", "Bytes of WebSockets and of long-polling bodies", |it, visit| {
        by_direction(visit, &it.hub, |traffic| traffic.bytes);
    })
    .by(DIRECTION),
    counter(
        "socketio.server.outbox.dropped",
        "{message}",
        "Messages that were not queued for a client, or replaced while they waited",
        |Snapshot { hub, .. }, visit| {
            visit("overflow", hub.dropped);
            visit("volatile", hub.dropped_volatile);
            visit("conflated", hub.conflated);
        },
    )
    .by(REASON),
    counter("socketio.server.queue.overflows", "{overflow}", "How often a client's queue was full", |it, visit| {
        visit("", it.hub.overflows);
    }),
    counter("socketio.server.ack.requests", "{request}", "Requests for an acknowledgement", |it, visit| {
        visit("", it.hub.ack_requests);
    }),
    counter(
        "socketio.server.acks.pending",
        "{request}",
        "Requests for an acknowledgement that wait for it",
        |Snapshot { hub, .. }, visit| visit("", hub.pending_acks as u64),
    )
    .up_and_down(),
    counter(
        "socketio.server.ack.timeouts",
        "{request}",
        "Requests for an acknowledgement that were not answered in time",
        |Snapshot { hub, .. }, visit| visit("", hub.ack_timeouts),
    ),
    counter(
        "socketio.server.reliable.repeated",
        "{message}",
        "Reliable events that were sent again to a connected client",
        |Snapshot { hub, .. }, visit| visit("", hub.repeated),
    ),
    counter(
        "socketio.server.reliable.undelivered",
        "{message}",
        "Reliable events that were not acknowledged",
        |Snapshot { hub, .. }, visit| visit("", hub.undelivered),
    ),
    counter(
        "socketio.server.recovery",
        "{session}",
        "Clients that tried to resume their session",
        |Snapshot { hub, .. }, visit| {
            visit("restored", hub.recoveries.restored());
            hub.recoveries.failures().for_each(|(why, number)| visit(failure(why), number));
        },
    )
    .by(OUTCOME),
    counter(
        "socketio.server.events.rejected",
        "{event}",
        "Received events that no handler took",
        |Snapshot { hub, .. }, visit| {
            visit("unknown", hub.unknown_events);
            visit("rate_limited", hub.rate_limited);
            visit("invalid_payload", hub.invalid_payloads);
        },
    )
    .by(REASON),
    counter("socketio.server.errors", "{error}", "Errors that `error` handlers were told", |it, visit| {
        visit("", it.hub.errors);
    }),
    counter(
        "socketio.server.client.faults",
        "{fault}",
        "Violations of the protocol, and deadlines that passed",
        |Snapshot { hub, .. }, visit| {
            visit("protocol", hub.protocol_errors);
            visit("timeout", hub.timeouts);
        },
    )
    .by(REASON),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::observed::{CONNECTION_DURATION, HANDLER_DURATION};

    const PAGE: &str = include_str!("../../docs/metrics.md");

    #[test]
    fn the_guide_lists_every_metric() {
        let rows: Vec<_> = PAGE.lines().filter(|line| line.starts_with("| `socketio.")).collect();
        let listed = metrics().map(|metric| {
            let kind = if metric.kind == Kind::Counter { "counter" } else { "up-down counter" };
            let label = metric.label.map(|label| format!("`{label}` ")).unwrap_or_default();
            format!("| `{}` | {kind} | `{}` | {label}|", metric.name, metric.unit)
        });
        let listed: Vec<_> = listed.collect();
        for start in &listed {
            assert!(rows.iter().any(|row| row.starts_with(start)), "{start}");
        }
        for name in [CONNECTION_DURATION.name, HANDLER_DURATION.name] {
            assert!(rows.iter().any(|row| row.starts_with(&format!("| `{name}` | histogram | `s` |"))), "{name}");
        }
        #[cfg(feature = "cluster")]
        {
            let in_tables = rows.iter().filter(|row| row.contains(" counter | ") || row.contains("| counter |"));
            assert_eq!(in_tables.count(), listed.len());
        }
    }

    #[test]
    fn labels_of_reasons_are_their_names() {
        for known in DisconnectReason::ALL {
            assert_eq!(reason(known), known.as_str().replace(' ', "_"));
        }
        for known in RecoveryFailure::ALL {
            assert_eq!(failure(known), format!("{known:?}").to_lowercase());
        }
    }

    #[test]
    fn metrics_visit_their_values_in_the_same_order() {
        let hub = Hub::builder().build().expect("a hub");
        for metric in metrics() {
            let values = || {
                let mut values = Vec::new();
                (metric.read)(&Snapshot::of(&hub), &mut |value, _| values.push(value));
                values
            };
            assert_eq!(values(), values(), "{}", metric.name);
            assert_eq!(metric.label.is_none(), values().iter().all(|value| value.is_empty()), "{}", metric.name);
        }
    }
}
