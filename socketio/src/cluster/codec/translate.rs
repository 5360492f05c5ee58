//! [`to_msgpack`]: translates an encoded message.

use super::sequence::{JSON_KEY, add_sequence, sequence};
use crate::cluster::Dialect;
use crate::wire::msgpack::write::Writer;

/// Translates a message of a [`PublishBatch`](super::super::PublishBatch) from JSON to MessagePack.
/// Returns `None` if it is MessagePack already.
///
/// Engines of the dialect [`Messages`](Dialect::Messages) use it for messages that are too long for
/// a transport of text. Servers read both formats.
///
/// ```
/// let message = br#"{"type":4,"data":{"rooms":["a"]},"uid":"b"}"#;
/// let translated = socketio::cluster::to_msgpack(message).unwrap();
/// assert_eq!(translated, b"\x83\xa4type\x04\xa4data\x81\xa5rooms\x91\xa1a\xa3uid\xa1b");
/// assert_eq!(socketio::cluster::to_msgpack(&translated), None);
/// ```
pub fn to_msgpack(message: &[u8]) -> Option<Vec<u8>> {
    if message.first() != Some(&b'{') {
        return None;
    }
    let mut translated = Vec::with_capacity(message.len());
    let mut writer = Writer { out: &mut translated };
    match sequence(Dialect::Messages, message) {
        None => writer.json(message, &[]),
        // Its number has a form of its own in MessagePack.
        Some(number) => {
            let digits = message.iter().rev().skip(1).take_while(|byte| byte.is_ascii_digit()).count();
            let mut unnumbered = message[..message.len() - 1 - digits - JSON_KEY.len()].to_vec();
            unnumbered.push(b'}');
            writer.json(&unnumbered, &[]);
            add_sequence(Dialect::Messages, &mut translated, 0, number);
        }
    }
    Some(translated)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::Topic;
    use crate::cluster::codec::{decode, server_of};
    use bytes::Bytes;

    #[test]
    fn a_translated_message_is_read_like_the_original() {
        let text = r#"{"type":3,"data":{"packet":{"type":2,"data":["a",{"_placeholder":true,"num":0},1.5,-7,null]},"opts":{"rooms":["é\n"],"except":[],"flags":{}}},"uid":"0123456789abcdef","nsp":"/"}"#;
        let mut json = text.as_bytes().to_vec();
        add_sequence(Dialect::Messages, &mut json, 0, 300);
        let msgpack = to_msgpack(&json).unwrap();
        assert_eq!(sequence(Dialect::Messages, &msgpack), Some(300));
        assert_eq!(server_of(Dialect::Messages, &msgpack), Some("0123456789abcdef"));
        let topic = Topic::Main { namespace: "/" };
        let (json, msgpack) = (Bytes::from(json), Bytes::from(msgpack));
        let [one, other] = [&json, &msgpack].map(|body| {
            let received = decode(Dialect::Messages, topic, body).unwrap();
            let crate::cluster::message::Message::Broadcast { packet, options, .. } = received.message else {
                panic!("it is no broadcast");
            };
            let packet = packet.packet().unwrap();
            let (name, payload) = packet.name_and_payload().unwrap();
            format!("{name} {} {options:?}", String::from_utf8_lossy(payload.json_with_markers()))
        });
        assert_eq!(one, other);
    }

    #[test]
    fn what_is_no_json_is_no_message() {
        assert_eq!(to_msgpack(b""), None);
        assert_eq!(to_msgpack(b"\x80"), None);
        assert_eq!(to_msgpack(b"{\"a"), Some(vec![0xc0]));
    }
}
