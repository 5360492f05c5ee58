//! Reads arbitrary bytes as MessagePack. Reading must not panic, and the packet must survive
//! writing and reading.

#![no_main]

use libfuzzer_sys::fuzz_target;
use socketio::fuzzing::read_packet;
use socketio::{MsgpackParser, Parser, ParserMessage};

fuzz_target!(|bytes: &[u8]| {
    let message = ParserMessage::Binary(bytes.to_vec().into());
    let Ok(Some(packet)) = MsgpackParser.decode(&[message]) else { return };
    // The parser has no limit on attachments and can write events that are forbidden.
    if packet.attachments.len() <= 10 && read_packet(&packet.text).is_some() {
        let again = MsgpackParser.decode(&MsgpackParser.encode(&packet)).expect("a packet").expect("all of it");
        assert_eq!(again.attachments, packet.attachments);
    }
});
