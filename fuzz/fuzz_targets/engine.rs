//! Reads arbitrary bytes as a long-polling body. Reading must not panic, and the messages must
//! survive writing and reading.

#![no_main]

use libfuzzer_sys::fuzz_target;
use socketio::fuzzing::{Message, read_body, write_body};

fuzz_target!(|body: &[u8]| {
    let Some(messages) = read_body(body) else { return };
    assert!(messages.len() <= 1 + body.iter().filter(|byte| **byte == 0x1e).count());
    for message in &messages {
        // No packet contains the separator.
        assert!(!matches!(message, Message::Text(text) if text.contains('\x1e')));
    }
    if !messages.is_empty() {
        assert_eq!(read_body(&write_body(&messages)), Some(messages));
    }
});
