//! Tests with real servers: `nats-server` must be installed.

#![allow(clippy::unwrap_used)]

mod conformance;
mod faults;
mod login;
mod messages;
mod slow;
mod support;
