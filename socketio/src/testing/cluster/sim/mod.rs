//! The simulated network: [`SimNet`] and its engines.

// `net` and `engine` are the public handles. They change the state in `network`, which is a queue
// of events with the times at which they happen. The task in `driver` lets them happen, and calls
// the inboxes of the engines. `member` is the state of one engine, `rng` makes the random numbers.
mod driver;
mod engine;
mod event;
mod member;
mod net;
mod network;
mod rng;
mod stats;

#[cfg(test)]
mod tests;

pub use engine::SimEngine;
pub use net::SimNet;
pub use stats::SimStats;
