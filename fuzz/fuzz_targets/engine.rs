//! Whatever a client POSTs: reading it as a body never panics, and what is read comes back when it is written and read again.

#![no_main]

use libfuzzer_sys::fuzz_target;
use socketio::fuzzing::{Message, read_body, write_body};

fuzz_target!(|body: &[u8]| {
    let Some(messages) = read_body(body) else { return };
    assert!(messages.len() <= 1 + body.iter().filter(|byte| **byte == 0x1e).count());
    for message in &messages {
        // What separates packets stands in none of them.
        assert!(!matches!(message, Message::Text(text) if text.contains('\x1e')));
    }
    if !messages.is_empty() {
        assert_eq!(read_body(&write_body(&messages)), Some(messages));
    }
});
