//! Connects a hub to the other servers of a cluster, through an [`Engine`].
//!
//! [`ClusterCore`] exists once per hub: it owns the engine, the queue and the pending requests. A
//! [`Member`](member::Member) is a namespace's part in the cluster. [`ClusterAdapter`] is the
//! adapter that the hub calls.

mod adapter;
mod answering;
mod asking;
mod collecting;
mod core;
mod details;
pub(crate) mod emitter;
mod handle;
mod heartbeats;
mod known;
mod log;
mod member;
mod receiving;
mod requests;
mod sequences;
mod state;
mod topics;

use std::sync::Arc;
use std::time::Duration;

use crate::cluster::{Engine, RoomTopics, WhileDown};
use crate::hub::Hub;
use crate::hub::hub_builder::HubBuilder;
use crate::hub::namespace::inner::Adapters;
use adapter::ClusterAdapter;
use core::ClusterCore;
pub use handle::{Cluster, NotReady};

/// Clusters.
impl HubBuilder {
    /// Joins a cluster: the hub shares rooms, emits, requests and server events with the other
    /// servers that the engine reaches.
    ///
    /// The hub connects when it is built inside of a tokio runtime, and otherwise when its first
    /// client connects or its first message is emitted. Until then, and whenever the engine is
    /// disconnected, it serves its own clients alone. [`Hub::ready`] waits for the connection. See
    /// the guide's [page about clusters](crate::guide::clusters).
    ///
    /// It replaces an [`adapter`](Self::adapter).
    pub fn cluster(mut self, engine: impl Engine) -> Self {
        self.config.has_cluster = true;
        let rooms = engine.traits().rooms;
        self.config.has_log = engine.log().is_some();
        self.config.has_room_subscriptions = matches!(rooms, RoomTopics::Dynamic | RoomTopics::DynamicPrivate);
        self.adapters = Some(Box::new(move |config| {
            let core = ClusterCore::new(Arc::new(engine), config);
            let (made_for, stopped, flushed) = (Arc::clone(&core), Arc::clone(&core), Arc::clone(&core));
            let refuses = config.while_down == WhileDown::RefuseNew;
            Adapters {
                make: Box::new(move |path, local, lifetime| {
                    Arc::new(ClusterAdapter::new(&made_for, path, local, lifetime))
                }),
                on_shutdown: Some(Box::new(move || {
                    let core = Arc::clone(&stopped);
                    // It goes on if the deadline of the shutdown has passed.
                    Box::pin(async move { drop(tokio::spawn(async move { core.shut_down().await }).await) })
                })),
                flushed: Some(Box::new(move || {
                    let cluster = Cluster::new(&flushed);
                    Box::pin(async move { cluster.flushed().await })
                })),
                accepts: refuses.then(|| -> Box<dyn Fn() -> bool + Send + Sync> {
                    Box::new(move || {
                        core.start();
                        core.state().health().borrow().is_up()
                    })
                }),
            }
        }));
        self
    }

    /// Sets what happens to new clients while the cluster can't be reached. Default:
    /// [`WhileDown::Serve`].
    ///
    /// ```
    /// use socketio::Hub;
    /// use socketio::cluster::WhileDown;
    ///
    /// let builder = Hub::builder().while_down(WhileDown::RefuseNew);
    /// ```
    pub fn while_down(mut self, while_down: WhileDown) -> Self {
        self.config.while_down = while_down;
        self
    }

    /// Limits the messages that wait to be published to the cluster, in bytes and in number. What
    /// exceeds it is dropped and counted in [`ClusterStats::dropped`]. Volatile messages are
    /// dropped when half of it is taken, and a message that is larger than all of it always.
    /// Default: 16 MiB and 65,536 messages.
    ///
    /// [`ClusterStats::dropped`]: crate::cluster::ClusterStats::dropped
    pub fn publish_queue(mut self, bytes: usize, messages: usize) -> Self {
        self.config.publish_queue = (bytes, messages);
        self
    }
}

/// Clusters.
impl Hub {
    /// The hub's cluster. `None` if it was built without [`HubBuilder::cluster`].
    pub fn cluster(&self) -> Option<Cluster> {
        let adapter: &dyn std::any::Any = self.core().root.adapter();
        Some(Cluster::new(adapter.downcast_ref::<ClusterAdapter>()?.core()))
    }

    /// Waits until the hub reaches the other servers of its cluster. If the servers count each
    /// other by [heartbeats](crate::cluster::Counts::Heartbeats), it also gives the others time to
    /// answer. A hub without a cluster is always ready.
    ///
    /// ```
    /// # use socketio::Hub;
    /// # async fn example(hub: Hub) -> Result<(), Box<dyn std::error::Error>> {
    /// hub.ready(std::time::Duration::from_secs(10)).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// The time is up. The error tells why. The hub goes on trying.
    pub async fn ready(&self, timeout: Duration) -> Result<(), NotReady> {
        match self.cluster() {
            Some(cluster) => cluster.ready(timeout).await,
            None => Ok(()),
        }
    }
}
