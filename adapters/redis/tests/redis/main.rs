//! Tests with real servers: `redis-server` and `redis-cli` must be installed.

#![allow(clippy::unwrap_used)]

mod classic;
mod cluster;
mod faults;
mod rooms;
mod sentinel;
mod sharded;
mod support;
mod tls;
