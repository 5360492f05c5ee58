//! Clusters on simulated networks: the conformance suite of engines, and random plans of emits,
//! joins and faults.

mod broken;
mod plan;
mod random;
mod stage;
mod suite;
