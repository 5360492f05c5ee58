//! Clusters on simulated networks: the conformance suite of engines, servers that count each other,
//! and random plans of emits, joins, cuts and faults.

mod broken;
mod heartbeats;
mod plan;
mod random;
mod recovery;
mod stage;
mod suite;
