//! An engine of the crate [`socketio`] that runs several servers as one over PostgreSQL.

#![forbid(unsafe_code)]

mod attachments;
mod backoff;
mod channels;
mod error;
mod header;
mod listener;
mod node;
mod outgoing;
mod pending;
mod postgres;
mod session;
mod stream;
mod target;
mod tls;
mod wanted;

pub use error::ConfigError;
pub use postgres::Postgres;
