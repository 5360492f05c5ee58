//! The conformance suite of engines: [`run`] and its [`cases`].
//!
//! The suite builds hubs with the engine under test, connects test clients to them, and checks
//! what the guide promises about clusters. An author of an engine gives it a [`Harness`], which
//! makes engines, and if it can, makes them [fail](Faults).

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
mod fetching;
mod health;
mod ids;
mod lifecycle;
mod limits;
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
        order::CASES,
        counts::CASES,
        health::CASES,
        outages::CASES,
        limits::CASES,
        malformed::CASES,
        churn::CASES,
        lifecycle::CASES,
    ];
    groups.into_iter().flatten()
}
