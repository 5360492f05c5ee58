//! Reads arbitrary text as a Socket.IO packet. Reading must not panic and must agree with a JSON
//! parser.

#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use socketio::fuzzing::read_packet;

fuzz_target!(|text: &str| {
    let Some(packet) = read_packet(text) else { return };
    assert!(packet.namespace.starts_with('/'));
    assert!(packet.id.iter().all(|id| id.bytes().all(|byte| byte.is_ascii_digit())));
    if packet.json.is_empty() {
        return;
    }
    // Text with lone surrogates, or nested too deeply for a `Value`, can still be a packet. It is
    // decoded later.
    let Ok(json) = serde_json::from_str::<Value>(&packet.json) else { return };
    if let Value::Array(list) = &json {
        let args: Vec<Value> = serde_json::from_str(&format!("[{}]", packet.args)).expect("arguments are JSON");
        let is_event = text.starts_with(['2', '5']);
        assert_eq!(args, list[usize::from(is_event)..]);
        if let (true, Some(Value::String(name))) = (is_event, list.first()) {
            assert_eq!(*name, packet.name);
        }
    }
    if let Some(rewritten) = packet.rewritten {
        let again = read_packet(&rewritten).expect("a packet still");
        assert_eq!((&again.name, again.attachments, again.depth), (&packet.name, packet.attachments, packet.depth));
        assert_eq!(again.rewritten, Some(rewritten));
    }
});
