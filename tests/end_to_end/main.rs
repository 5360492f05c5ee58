//! End-to-end tests with real clients. The environment variables `CLIENT` and `STREAM` choose their
//! kind and their stream. `tests/flavour` sets both, and skips the modules named `*_only` and
//! `no_clients` where they do not apply.

mod acks;
mod adapters;
mod bad_input;
mod binary;
mod bounds;
mod connecting;
mod contracts;
mod delivery;
mod dispatch;
mod drain;
mod emitting;
mod ending;
mod farewell;
mod firing;
mod foreign_code;
mod hooks;
mod in_process_agreement;
mod latest;
mod lifetimes;
mod limits;
mod listeners;
mod middleware;
mod ordering;
mod panicking_drops;
mod panics;
mod private_keys;
mod rates;
mod reauthentication;
mod reliable;
mod requests;
mod rooms;
mod secrets;
mod selections;
mod shutdown;
mod sockets;
mod validation;

mod plain_only {
    mod origin;
    mod undecided;
}

mod websocket_only {
    mod many_clients;
    mod mixed_ends;
    mod pressure;
}

#[test]
fn every_file_is_a_module() {
    socketio_tests::assert_modules(include_str!("main.rs"), concat!(env!("CARGO_MANIFEST_DIR"), "/end_to_end"));
}
