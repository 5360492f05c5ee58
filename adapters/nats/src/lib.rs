//! An engine of the crate [`socketio`] that runs several servers as one over NATS.

#![forbid(unsafe_code)]

mod address;
mod backoff;
mod connection;
mod consumer;
mod echo;
mod error;
mod nats;
mod publisher;
mod subjects;
mod supervisor;
mod tls;

pub use error::ConfigError;
pub use nats::Nats;
