//! Tests with real servers: `redis-server` and `redis-cli` must be installed. The variables
//! `REDIS_SERVER` and `REDIS_CLI` may name others, such as `valkey-server` and `valkey-cli`.

#![allow(clippy::unwrap_used)]

mod classic;
mod cluster;
mod conformance;
mod emitter;
mod faults;
mod log;
mod log_faults;
mod records;
mod rooms;
mod sentinel;
mod sharded;
mod streams;
mod support;
mod tls;
