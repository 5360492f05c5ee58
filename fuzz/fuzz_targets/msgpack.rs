//! Whatever bytes come: reading them as MessagePack never panics, and what is read comes back when it is written and read again.

#![no_main]

use libfuzzer_sys::fuzz_target;
use socketio::fuzzing::read_packet;
use socketio::{MsgpackParser, Parser, ParserMessage};

fuzz_target!(|bytes: &[u8]| {
    let message = ParserMessage::Binary(bytes.to_vec().into());
    let Ok(Some(packet)) = MsgpackParser.decode(&[message]) else { return };
    // It knows no limit on attachments, not every event that it can write may be sent, and data may look like a placeholder.
    let has_lookalikes = packet.text.matches("_placeholder").count() != packet.attachments.len();
    if packet.attachments.len() <= 10 && !has_lookalikes && read_packet(&packet.text).is_some() {
        let again = MsgpackParser.decode(&MsgpackParser.encode(&packet)).expect("a packet").expect("all of it");
        assert_eq!(again.attachments, packet.attachments);
    }
});
