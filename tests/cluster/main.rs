//! Clusters on simulated networks: the conformance suite of engines, and random plans of emits,
//! joins, cuts and faults.

mod broken;
mod plan;
mod random;
mod recovery;
mod stage;
mod suite;
