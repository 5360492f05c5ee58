//! Reads arbitrary bytes as a message of a cluster, in the dialect `Messages`. Reading must not
//! panic, and the message must survive writing and reading.

#![no_main]

use libfuzzer_sys::fuzz_target;
use socketio::cluster::Dialect;
use socketio::fuzzing::check_cluster_message;

fuzz_target!(|bytes: &[u8]| check_cluster_message(Dialect::Messages, bytes));
