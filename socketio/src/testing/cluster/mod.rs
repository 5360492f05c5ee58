//! Tests of clusters: [`SimNet`], a network in memory with faults on demand.
//!
//! This module needs the cargo features `testing` and `cluster`.

mod sim;

pub use sim::{SimEngine, SimNet, SimStats};
