//! [`Cluster`]: what a hub tells about its cluster.

use futures_util::future::select;
use futures_util::{Stream, stream};
use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::timeout;

use super::core::ClusterCore;
use crate::cluster::{ClusterEvent, ClusterStats, Health};
use crate::hooks::catch::catch_future;
use crate::hub::adapter::ServerId;

/// A hub's view of its cluster, from [`Hub::cluster`](crate::Hub::cluster). Cloning is cheap.
///
/// ```
/// # fn example(hub: &socketio::Hub) {
/// if let Some(cluster) = hub.cluster() {
///     println!("{}: {:?}, {} received", cluster.id(), cluster.health(), cluster.stats().received);
/// }
/// # }
/// ```
#[derive(Clone)]
pub struct Cluster(Arc<ClusterCore>);

impl Cluster {
    pub(super) fn new(core: &Arc<ClusterCore>) -> Self {
        Self(Arc::clone(core))
    }

    /// The id of this server in the cluster. It is random, and changes with each start.
    pub fn id(&self) -> ServerId {
        self.0.server().clone()
    }

    /// Whether the other servers are reached. It is known after at most 4 seconds.
    pub fn health(&self) -> Health {
        self.0.state().health().borrow().clone()
    }

    /// The counters.
    pub fn stats(&self) -> ClusterStats {
        self.0.counters().stats(self.0.requests().len())
    }

    /// How far the log of the engine reaches back, if its size limits that. `None` if the engine
    /// has no log, or all entries are there that clients may need to
    /// [resume](crate::guide::recovery#redis-streams).
    pub fn log_reach(&self) -> Option<Duration> {
        self.0.engine().log()?.reach()
    }

    /// The events from now on. At most 256 events wait for the receiver.
    /// [`ClusterEvent::Missed`] says how many it missed.
    ///
    /// ```no_run
    /// # async fn example(hub: &socketio::Hub) {
    /// use futures_util::StreamExt;
    ///
    /// let cluster = hub.cluster().expect("the hub has a cluster");
    /// let mut events = std::pin::pin!(cluster.events());
    /// while let Some(event) = events.next().await {
    ///     println!("{event:?}");
    /// }
    /// # }
    /// ```
    pub fn events(&self) -> impl Stream<Item = ClusterEvent> + Send + use<> {
        stream::unfold(self.0.state().events(), |mut events| async move {
            let event = match events.recv().await {
                Ok(event) => event,
                Err(RecvError::Lagged(events)) => ClusterEvent::Missed { events },
                Err(RecvError::Closed) => return None,
            };
            Some((event, events))
        })
    }

    /// Waits until all earlier emits are published, or failed to be, and until other servers'
    /// messages reach the rooms that were joined before. While the engine is disconnected it waits
    /// for the next connection, or until the hub has shut down.
    pub async fn flushed(&self) {
        let mut health = self.0.state().health();
        let stopped = health.wait_for(|health| *health == Health::Stopped);
        let _ = select(pin!(self.flush()), pin!(stopped)).await;
    }

    async fn flush(&self) {
        self.0.flushed().await;
        let _ = catch_future(async { self.0.engine().subscribed().await }).await;
    }

    pub(super) async fn ready(&self, time: Duration) -> Result<(), NotReady> {
        self.0.start();
        let mut health = self.0.state().health();
        // Whatever ends the wait, the health tells the result.
        let _ = timeout(time, async {
            let _ = health.wait_for(|health| health.is_up() || *health == Health::Stopped).await;
            self.0.heartbeats_settled().await;
        })
        .await;
        let error = match self.health() {
            Health::Up { .. } => return Ok(()),
            Health::Starting { error: Some(error) } | Health::Degraded { error, .. } => error,
            Health::Starting { error: None } => "it does not connect".into(),
            Health::Stopped => "the hub has shut down".into(),
        };
        Err(NotReady { engine: format!("{:?}", self.0.engine()), error })
    }
}

impl fmt::Debug for Cluster {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Cluster")
            .field("id", &self.id())
            .field("health", &self.health())
            .finish_non_exhaustive()
    }
}

/// The error of [`Hub::ready`](crate::Hub::ready): the other servers are not reached.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the cluster is not reached through {engine}: {error}")]
pub struct NotReady {
    engine: String,
    error: String,
}
