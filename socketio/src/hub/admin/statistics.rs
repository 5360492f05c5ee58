//! Statistics of this server, which admins receive every two seconds.

use serde_json::{Value, json};
use std::sync::{Arc, Weak};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::time::{MissedTickBehavior, interval};

use super::AdminCore;
use crate::hub::stats::HubStats;
use crate::hub::{Core, Hub};

/// The page takes a server for dead after 10 s.
const INTERVAL: Duration = Duration::from_secs(2);

pub(super) fn host_name() -> String {
    gethostname::gethostname().to_string_lossy().into_owned()
}

/// Sends statistics until the hub is dropped or shuts down.
pub(super) async fn send(core: Arc<AdminCore>, hub: Weak<Core>) {
    let mut interval = interval(INTERVAL);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut last = Counts::default();
    loop {
        interval.tick().await;
        let Some(hub) = hub.upgrade().map(|core| Hub::from_core(&core)) else { return };
        if hub.connections().is_shutting_down() {
            return;
        }
        let stats = hub.stats();
        let counts = Counts::of(&stats);
        if let Some(reports) = core.reports(&hub) {
            reports.send(("server_stats", statistics(&core, &hub, &stats, &counts.since(&last))));
        }
        last = counts;
    }
}

fn statistics(core: &AdminCore, hub: &Hub, stats: &HubStats, counted: &[(&'static str, u64)]) -> Value {
    let paths = hub.namespaces();
    let namespaces = paths.iter().filter_map(|path| {
        let namespace = hub.existing(path)?;
        Some(json!({ "name": path, "socketsCount": namespace.len() }))
    });
    let second = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let events = counted.iter().filter(|(_, count)| *count > 0);
    json!({
        "serverId": core.server_id(),
        "hostname": host_name(),
        "pid": std::process::id(),
        "uptime": core.uptime().as_secs_f64(),
        "clientsCount": stats.connections,
        "pollingClientsCount": stats.polling,
        "aggregatedEvents": events
            .map(|(kind, count)| json!({ "timestamp": second * 1_000, "type": kind, "count": count }))
            .collect::<Vec<_>>(),
        "namespaces": namespaces.collect::<Vec<_>>(),
    })
}

/// What has happened since the hub was built.
#[derive(Default)]
struct Counts([(&'static str, u64); 6]);

impl Counts {
    fn of(stats: &HubStats) -> Self {
        Self([
            ("rawConnection", stats.opened),
            ("rawDisconnection", stats.closed.total()),
            ("packetsIn", stats.received.messages),
            ("packetsOut", stats.sent.messages),
            ("bytesIn", stats.received.bytes),
            ("bytesOut", stats.sent.bytes),
        ])
    }

    /// How much has happened since then.
    fn since(&self, last: &Self) -> [(&'static str, u64); 6] {
        let mut counts = self.0;
        for ((_, count), (_, last)) in counts.iter_mut().zip(last.0) {
            *count = count.saturating_sub(last);
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_new_is_counted() {
        let last = Counts([("a", 1), ("b", 2), ("c", 3), ("d", 4), ("e", 5), ("f", 6)]);
        let now = Counts([("a", 1), ("b", 3), ("c", 5), ("d", 4), ("e", 5), ("f", 10)]);
        assert_eq!(now.since(&last), [("a", 0), ("b", 1), ("c", 2), ("d", 0), ("e", 0), ("f", 4)]);
    }
}
