//! Tests that run once, independent of `CLIENT` and `STREAM`. They use their own clients and
//! streams, or none.

mod admin;
mod admin_cluster;
mod admin_development;
mod blocking;
mod contract_exports;
mod cuts;
mod drain;
mod engine_hooks;
mod engine_hostile;
mod frames;
mod handshakes;
mod http_emit;
mod in_process;
mod in_process_ends;
mod in_process_reports;
mod incomplete;
mod killed;
mod listing;
mod metrics;
mod polling;
mod reauthentication;
mod recovery;
mod recovery_cluster;
mod recovery_latest;
mod recovery_plain;
mod refusals;
mod reliable;
mod revoking;
mod serving;
mod settings;
mod stats;
mod streams;
mod subprotocols;

#[test]
fn every_file_is_a_module() {
    socketio_tests::assert_modules(include_str!("main.rs"), concat!(env!("CARGO_MANIFEST_DIR"), "/once"));
}
