//! [`MsgpackParser`]: Socket.IO packets as MessagePack, compatible with `socket.io-msgpack-parser`.
//!
//! A packet is one binary message: a map with the keys `type`, `nsp`, `data` and `id`. Binary data
//! is inline.

// The codec of clusters uses more of some modules.
#[cfg_attr(not(feature = "cluster"), allow(dead_code))]
pub(crate) mod cursor;
mod date;
mod packet;
#[cfg_attr(not(feature = "cluster"), allow(dead_code))]
pub(crate) mod read;
mod unescape;
#[cfg_attr(not(feature = "cluster"), allow(dead_code))]
pub(crate) mod write;

use super::parser::{InvalidPacket, Parser, ParserMessage, ParserPacket};
use super::socketio::{self, Kind};
#[cfg(any(feature = "admin", feature = "cluster"))]
pub(crate) use date::date as iso_date;
use write::Writer;

/// The encoding of `socket.io-msgpack-parser`. Set that package as the client's `parser`, and this
/// one on the routes.
///
/// ```
/// use socketio::{Hub, MsgpackParser};
///
/// let hub = Hub::builder().build()?;
/// let app: axum::Router = axum::Router::new().merge(hub.socketio().parser(MsgpackParser));
/// # Ok::<(), socketio::BuildError>(())
/// ```
///
/// MessagePack has dates and `undefined`, JSON has neither. Handlers receive a date as a string in
/// the format of JavaScript's `toJSON`, and `undefined` as `null`.
/// [`max_attachments`](crate::HubBuilder::max_attachments) limits the attachments of a packet. It
/// can't have more than 1,000.
#[derive(Clone, Copy, Debug, Default)]
pub struct MsgpackParser;

impl Parser for MsgpackParser {
    fn encode(&self, packet: &ParserPacket) -> Vec<ParserMessage> {
        // The packet was encoded by this server, so it is valid.
        let Ok(read) = socketio::read(&packet.text, usize::MAX) else { return Vec::new() };
        let kind = match read.kind {
            Kind::Connect => 0,
            Kind::Disconnect => 1,
            Kind::Event => 2,
            Kind::Ack => 3,
            Kind::ConnectError => 4,
        };
        let id = read.id.and_then(|id| id.parse::<u64>().ok());
        let fields = 2 + usize::from(!read.json.is_empty()) + usize::from(id.is_some());
        let mut out = Vec::with_capacity(packet.text.len());
        let mut writer = Writer { out: &mut out };
        writer.map(fields);
        writer.string("type");
        writer.unsigned(kind);
        writer.string("nsp");
        writer.string(read.namespace);
        if !read.json.is_empty() {
            writer.string("data");
            writer.json(read.json.as_bytes(), &packet.attachments);
        }
        if let Some(id) = id {
            writer.string("id");
            writer.unsigned(id);
        }
        vec![ParserMessage::Binary(out.into())]
    }

    fn decode(&self, received: &[ParserMessage]) -> Result<Option<ParserPacket>, InvalidPacket> {
        let [ParserMessage::Binary(message)] = received else { return Err(InvalidPacket) };
        packet::read(message).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::small_stack::{nested, on_small_stack};
    use bytes::Bytes;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn encoded(text: &str, attachments: Vec<Bytes>) -> Vec<ParserMessage> {
        MsgpackParser.encode(&ParserPacket { text: text.to_owned(), attachments })
    }

    fn decoded(bytes: &[u8]) -> Result<Option<ParserPacket>, InvalidPacket> {
        MsgpackParser.decode(&[ParserMessage::Binary(Bytes::copy_from_slice(bytes))])
    }

    #[test]
    fn packets_are_read_back() {
        for text in
            ["0/,", "1/a,", "2/,[\"a\",1,-1,1.5,null,true,{\"b\":[]},\"é\\n\"]", "3/x,12[]", "4/,{\"message\":\"no\"}"]
        {
            let packet = MsgpackParser.decode(&encoded(text, Vec::new())).expect("a packet").expect("all of it");
            assert_eq!(packet, ParserPacket { text: text.to_owned(), attachments: Vec::new() });
        }
    }

    #[test]
    fn binary_data_is_inline() {
        let text = r#"52-/,3["a",{"_placeholder":true,"num":1},{"b":{"_placeholder":true,"num":0}}]"#;
        let attachments = vec![Bytes::from_static(&[1]), Bytes::from_static(&[2, 3])];
        let packet = MsgpackParser.decode(&encoded(text, attachments)).expect("a packet").expect("all of it");
        let expected = r#"52-/,3["a",{"_placeholder":true,"num":0},{"b":{"_placeholder":true,"num":1}}]"#;
        assert_eq!(packet.text, expected);
        assert_eq!(packet.attachments, [Bytes::from_static(&[2, 3]), Bytes::from_static(&[1])]);
    }

    #[test]
    fn dates_undefined_and_array_buffers_are_read() {
        // {type: 2, nsp: "/", data: ["a", undefined, new Date(0), new ArrayBuffer(1)], id:
        // undefined}
        let message =
            b"\x84\xa4type\x02\xa3nsp\xa1/\xa4data\x94\xa1a\xd4\0\0\xd7\0\0\0\0\0\0\0\0\0\xc7\x01\0\x07\xa2id\xd4\0\0";
        let packet = decoded(message).expect("a packet").expect("all of it");
        let expected = r#"51-/,["a",null,"1970-01-01T00:00:00.000Z",{"_placeholder":true,"num":0}]"#;
        assert_eq!(packet.text, expected);
        assert_eq!(packet.attachments, [Bytes::from_static(&[7])]);
    }

    #[test]
    fn there_is_room_for_as_many_levels_as_a_payload_may_have() {
        on_small_stack(|| {
            for levels in [1, 2, 3, 127] {
                let text = format!("2/,[\"a\",{}]", nested(levels, "1"));
                let packet = MsgpackParser.decode(&encoded(&text, Vec::new())).expect("a packet").expect("all of it");
                assert_eq!(packet.text, text);
            }
            // What the server emits is not bounded.
            let text = format!("2/,[\"a\",{}]", nested(3_000, "1"));
            let message = encoded(&text, Vec::new());
            assert!(matches!(&message[..], [ParserMessage::Binary(bytes)] if bytes.len() > 3_000));
            assert_eq!(MsgpackParser.decode(&message), Err(InvalidPacket));
        });
    }

    #[test]
    fn invalid_packets_are_rejected() {
        for bytes in [
            &b""[..],
            b"\x80",
            b"\x93\x01\x02\x03",
            b"\x82\xa4type\x09\xa3nsp\xa1/",
            b"\x82\xa4type\x02\xa3nsp\xa1x",
            b"\x82\xa4type\x02\xa3nsp\xa1/",
            b"\x83\xa4type\x02\xa3nsp\xa1/\xa4data\x07",
            b"\x82\xa4type\x02\xa3nsp\xa3/,x",
            b"\x82\xa4type\x01\xa3nsp\xa1/\0",
            b"\x83\xa4type\x02\xa3nsp\xa1/\xa2id\xa1x",
            b"\x83\xa4type\x02\xa3nsp\xa1/\xa4data\xdd\xff\xff\xff\xff",
        ] {
            assert_eq!(decoded(bytes), Err(InvalidPacket), "{bytes:?}");
        }
        let deep = [&b"\x83\xa4type\x02\xa3nsp\xa1/\xa4data"[..], &[0x91; 100_000]].concat();
        assert_eq!(decoded(&deep), Err(InvalidPacket));
        assert!(MsgpackParser.decode(&[ParserMessage::Text("2".into())]).is_err());
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<i32>().prop_map(|n| Value::from(f64::from(n) / 8.0)),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 64, 40, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..40).prop_map(Value::from),
                prop::collection::hash_map(any::<String>(), inner, 0..20)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn values_are_read_back(value in value()) {
            let text = format!("2/,{}", json!(["a", value]));
            let packet = MsgpackParser.decode(&encoded(&text, Vec::new())).expect("a packet").expect("all of it");
            let read: Value = serde_json::from_str(&packet.text[3..]).expect("JSON");
            prop_assert_eq!(read, json!(["a", value]));
        }

        #[test]
        fn reading_never_panics(bytes in any::<Vec<u8>>()) {
            let _ = decoded(&bytes);
            let _ = decoded(&[b"\x83\xa4type\x02\xa3nsp\xa1/\xa4data\x92\xa1a", &bytes[..]].concat());
        }
    }
}
