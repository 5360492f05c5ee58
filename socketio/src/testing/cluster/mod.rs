//! Tests of clusters: [`SimNet`], a network in memory with faults on demand, and a [`Recorder`]
//! that takes the place of a hub in tests of an [`Engine`](crate::cluster::Engine).
//!
//! This module needs the cargo features `testing` and `cluster`.

pub mod conformance;
mod recorder;
mod sim;

pub use recorder::{OwnedTopic, Recorded, Recorder, batch};
pub use sim::{SimEngine, SimNet, SimStats};
