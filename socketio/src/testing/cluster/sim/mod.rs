//! The simulated network: [`SimNet`] and its engines.

// `net` and `engine` are the public handles. They change the state in `network`, which is a queue
// of events with the times at which they happen. The task in `driver` lets them happen, and calls
// the inboxes of the engines. `member` is the state of one engine, `rng` makes the random numbers.
// `log` has the entries and sessions of engines that have a log, `reading` lets engines read it,
// and `event_log` is their handle to it.
mod driver;
mod engine;
mod event;
mod event_log;
mod log;
mod member;
mod net;
mod network;
mod reading;
mod rng;
mod stats;

#[cfg(test)]
mod tests;

pub use engine::SimEngine;
pub use net::SimNet;
pub use stats::SimStats;
