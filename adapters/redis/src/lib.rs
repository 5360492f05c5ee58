//! Engines of the crate [`socketio`] that run several servers as one over Redis or Valkey.

#![forbid(unsafe_code)]

mod address;
mod backoff;
mod channels;
mod classic;
mod cluster;
mod commands;
mod error;
mod incoming;
mod node;
mod resp;
mod server;
mod sharded;
mod stream;
mod subscriber;
mod tls;
mod wanted;

pub use classic::Redis;
pub use error::ConfigError;
pub use sharded::{ShardedRedis, SubscriptionMode};
