//! What a server tells its clients about the cluster.

use schemars::JsonSchema;
use serde::Serialize;
use socketio::cluster::Health;
use socketio::{Cluster, Hub, event};
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval, timeout};
use ts_rs::TS;

/// How often the figures are sent.
const INTERVAL: Duration = Duration::from_secs(1);
/// How long Redis may take to count the servers.
const COUNT_TIMEOUT: Duration = Duration::from_millis(500);

/// The health and the counters of one server. Clients of other servers do not receive it.
#[event("cluster")]
#[derive(Serialize, JsonSchema, TS)]
pub(crate) struct Figures {
    /// The id of the server.
    id: String,
    state: State,
    /// Why the other servers are not reached.
    error: Option<String>,
    /// How long a message takes to come back from Redis, in milliseconds.
    lag: Option<f64>,
    /// The number of servers, this one included. `null` if Redis does not tell.
    servers: Option<usize>,
    queued: u64,
    published: u64,
    received: u64,
    delivered: u64,
    skipped: u64,
    dropped: u64,
    missed: u64,
}

/// Whether the other servers are reached.
#[derive(Serialize, JsonSchema, TS)]
#[serde(rename_all = "lowercase")]
enum State {
    Starting,
    Up,
    Degraded,
    Stopped,
}

impl Figures {
    async fn of(hub: &Hub, cluster: &Cluster) -> Self {
        let servers = timeout(COUNT_TIMEOUT, hub.servers()).await.ok().and_then(Result::ok);
        let (state, error, lag) = match cluster.health() {
            Health::Up { lag } => (State::Up, None, Some(lag.as_secs_f64() * 1e3)),
            Health::Starting { error } => (State::Starting, error, None),
            Health::Degraded { error, .. } => (State::Degraded, Some(error), None),
            _ => (State::Stopped, None, None),
        };
        let stats = cluster.stats();
        Self {
            id: cluster.id().to_string(),
            state,
            error,
            lag,
            servers,
            queued: stats.queued,
            published: stats.published,
            received: stats.received,
            delivered: stats.delivered,
            skipped: stats.skipped,
            // Both are lost.
            dropped: stats.dropped + stats.unpublished,
            missed: stats.missed,
        }
    }
}

/// Sends the figures to the clients of this server, as long as the program runs.
pub(crate) async fn send(hub: Hub) {
    let Some(cluster) = hub.cluster() else { return };
    let mut seconds = interval(INTERVAL);
    seconds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        seconds.tick().await;
        // A client that is too slow misses old figures.
        if let Err(error) = hub.local().volatile().emit(&Figures::of(&hub, &cluster).await) {
            eprintln!("the figures were not sent: {error}");
        }
    }
}
