//! The conformance suite of engines: [`run`] and its [`cases`].
//!
//! The suite builds hubs with the engine under test, connects test clients to them, and checks
//! what the guide promises about clusters. An author of an engine gives it a [`Harness`], which
//! makes engines, and if it can, makes them [fail](Faults):
//!
//! ```
//! use socketio::cluster::{BoxFuture, Engine};
//! use socketio::testing::cluster::conformance::{self, Faults, Harness, Need};
//! # use socketio::testing::cluster::{SimEngine as MyEngine, SimNet};
//!
//! /// A cluster of its own: with a prefix, a database, or a server for one case.
//! struct MyHarness {
//!     prefix: String,
//! #     net: SimNet,
//! }
//!
//! impl Harness for MyHarness {
//!     fn engine(&self, name: &str) -> Box<dyn Engine> {
//!         # #[cfg(any())]
//!         let engine = MyEngine::new("127.0.0.1:6379").prefix(&self.prefix).name(name);
//!         # let engine: MyEngine = self.net.engine(name);
//!         Box::new(engine)
//!     }
//!
//!     fn faults(&self) -> Option<&dyn Faults> {
//!         Some(self)
//!     }
//! }
//!
//! impl Faults for MyHarness {
//!     fn provides(&self, need: Need) -> bool {
//!         matches!(need, Need::Cut)
//!     }
//!
//!     fn cut<'a>(&'a self, server: &'a str) -> BoxFuture<'a, ()> {
//!         // Close the connections of the engine with this name.
//! #         self.net.cut(server);
//!         Box::pin(async {})
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() {
//! // In a test of the engine's crate:
//! let report = conformance::run(async |case| MyHarness {
//!     prefix: format!("test of {}", case.name()),
//! #     net: SimNet::seeded(1),
//! });
//! let report = report.await;
//! report.assert_passed();
//! println!("{report}"); // also lists the cases that were skipped, and what they need
//! # }
//! ```
//!
//! A case does not wait for lengths of time, except for outages that have to last. With a real
//! engine the suite takes a few minutes. Each [`Case`] can be [run](Case::run) alone.

// `case` runs the cases, `harness` is what they need from outside, `scene` builds hubs and clients
// for them. `requirements` has the sentences that cases check. The other modules are the cases.
mod case;
mod harness;
mod requirements;
mod scene;
mod sim;

mod asking;
mod changes;
mod churn;
mod counts;
mod emits;
mod emitters;
mod fetching;
mod health;
mod ids;
mod lifecycle;
mod limits;
mod log;
mod log_entries;
mod malformed;
mod namespaces;
mod order;
mod outages;
mod payloads;
mod servers;

pub use case::{Case, Failure, Report, run};
pub use harness::{Faults, Harness, Need};
pub use sim::SimHarness;

/// All cases.
pub fn cases() -> impl Iterator<Item = &'static Case> {
    let groups = [
        emits::CASES,
        payloads::CASES,
        ids::CASES,
        namespaces::CASES,
        changes::CASES,
        fetching::CASES,
        asking::CASES,
        servers::CASES,
        emitters::CASES,
        order::CASES,
        counts::CASES,
        health::CASES,
        outages::CASES,
        limits::CASES,
        malformed::CASES,
        churn::CASES,
        log::CASES,
        log_entries::CASES,
        lifecycle::CASES,
    ];
    groups.into_iter().flatten()
}
