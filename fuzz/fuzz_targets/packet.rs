//! Whatever text comes: reading it as a Socket.IO packet never panics, and finds what a JSON parser finds.

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
    // What nests too deeply for a `Value`, or has lone surrogates, is a packet all the same: it is decoded later.
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
