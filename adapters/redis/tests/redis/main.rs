//! Tests with real servers: `redis-server` and `redis-cli` must be installed.

mod classic;
mod faults;
mod rooms;
mod sharded;
mod support;
