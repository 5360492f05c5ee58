//! Tests that run once, independent of `CLIENT` and `STREAM`. They use their own clients and
//! streams, or none.

mod blocking;
mod contract_exports;
mod cuts;
mod drain;
mod engine_hooks;
mod engine_hostile;
mod frames;
mod handshakes;
mod in_process;
mod in_process_ends;
mod in_process_reports;
mod incomplete;
mod killed;
mod listing;
mod recovery;
mod recovery_cluster;
mod recovery_plain;
mod refusals;
mod reliable;
mod serving;
mod settings;
mod streams;
mod subprotocols;

#[test]
fn every_file_is_a_module() {
    socketio_tests::assert_modules(include_str!("main.rs"), concat!(env!("CARGO_MANIFEST_DIR"), "/once"));
}
