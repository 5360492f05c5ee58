//! Reads arbitrary text as an envelope. Reading must not panic and must agree with a JSON parser.

#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use socketio::fuzzing::{Read, read_envelope};

fuzz_target!(|text: &str| {
    let parsed: Option<Value> = serde_json::from_str(text).ok();
    match read_envelope(text) {
        Read::Event { name, args } => {
            assert!(!name.is_empty());
            // Text with lone surrogates, or nested too deeply for a `Value`, can still be an
            // envelope. Its arguments are decoded separately.
            let Some(parsed) = parsed else { return };
            assert_eq!(parsed["event"], Value::from(name));
            let expected = match (parsed.get("data"), parsed.get("args")) {
                (Some(data), _) => vec![data.clone()],
                (None, Some(list)) => list.as_array().cloned().expect("`args` is a list"),
                (None, None) => Vec::new(),
            };
            let read: Vec<Value> = serde_json::from_str(&format!("[{args}]")).expect("arguments are JSON");
            assert_eq!(read, expected);
        }
        Read::Answer => assert!(parsed.is_none_or(|parsed| parsed.get("id").is_some_and(Value::is_u64))),
        Read::Message => {
            let Some(parsed) = parsed else { return };
            let is_event = parsed["event"].as_str().is_some_and(|name| !name.is_empty());
            let has_args = parsed.get("data").is_some() || parsed.get("args").is_none_or(Value::is_array);
            assert!(!(is_event && has_args), "an event was not seen");
        }
    }
});
