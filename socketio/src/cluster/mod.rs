//! What several servers need to act as one: the [`Engine`] that carries their messages, and the
//! protocol of these messages.
//!
//! A hub joins a cluster with [`HubBuilder::cluster`](crate::HubBuilder::cluster). Engines are
//! crates of their own, such as `socketio-redis`. This module is for authors of engines, and has
//! the values by which a hub reports the state of its cluster.

pub(crate) mod addressing;
mod batch;
pub(crate) mod codec;
mod details;
mod engine;
mod health;
mod log;
pub(crate) mod message;
mod owned_topic;
pub(crate) mod queue;
pub(crate) mod stats;

pub use batch::PublishBatch;
pub use codec::to_msgpack;
pub(crate) use engine::Receive;
pub use engine::{Counts, Dialect, Engine, EngineTraits, Inbox, PublishError, RoomTopics, Topic};
pub use health::{ClusterEvent, GapReason, Health, WhileDown};
pub use log::{EventLog, LogEntry, LogPage, LogRange, Offset, ReadError};
pub use owned_topic::OwnedTopic;
pub use stats::ClusterStats;

/// A boxed future that an engine returns.
pub type BoxFuture<'a, T> = std::pin::Pin<Box<dyn Future<Output = T> + Send + 'a>>;
