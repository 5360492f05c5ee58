//! Any value, with binary data at any place and with objects like placeholders, is received as it
//! was sent, or is refused before it is sent. This holds for every wire format.

use bytes::Bytes;
use proptest::prelude::*;
use serde::Deserialize;
use serde_json::Value;

use super::any_value::AnyValue;
use super::binary_json::BinaryJson;
use super::encoding::Encoding;
use super::envelope::{self, ArgumentText, Envelope};
use super::frame::{EncodedFrame, frames};
use super::msgpack::MsgpackParser;
use super::parser::{Parser, ParserPacket};
use super::payload::{EncodeError, Payload};
use super::socketio::{self, placeholder};

/// Any JSON value with binary data. Objects like placeholders are frequent.
pub(crate) fn value() -> impl Strategy<Value = AnyValue> {
    let number = prop_oneof![0..3u64, any::<u64>()].prop_map(AnyValue::from);
    let leaf = prop_oneof![
        Just(AnyValue::Null),
        any::<bool>().prop_map(AnyValue::from),
        number.clone(),
        any::<String>().prop_map(AnyValue::from),
        Just(r#"{"_placeholder":true,"num":0}"#.into()),
        prop::collection::vec(any::<u8>(), 0..4).prop_map(|bytes| Bytes::from(bytes).into()),
    ];
    leaf.prop_recursive(4, 24, 4, move |inner| {
        let key = prop_oneof![Just("_placeholder".to_owned()), Just("num".to_owned()), any::<String>()];
        let entry = (key, prop_oneof![Just(true.into()), number.clone(), inner.clone()]);
        let num = number.clone();
        prop_oneof![
            prop::collection::vec(inner, 0..4).prop_map(AnyValue::from),
            prop::collection::vec(entry, 0..4).prop_map(AnyValue::from_iter),
            num.prop_map(|num| AnyValue::from_iter([("_placeholder", true.into()), ("num", num)])),
        ]
    })
}

/// Whether a JavaScript client would take an object in the value for a placeholder.
fn is_ambiguous(value: &AnyValue) -> bool {
    match value {
        AnyValue::Object(fields) => value["_placeholder"].as_bool() == Some(true) || fields.values().any(is_ambiguous),
        AnyValue::Array(elements) => elements.iter().any(is_ambiguous),
        _ => false,
    }
}

/// What the npm package `socket.io-parser` makes of a packet: it replaces every object whose
/// `_placeholder` is `true`.
fn reconstructed(value: AnyValue, attachments: &[Bytes]) -> AnyValue {
    match value {
        AnyValue::Object(_) if value["_placeholder"].as_bool() == Some(true) => {
            let number = value["num"].as_u64().and_then(|number| usize::try_from(number).ok());
            number.and_then(|number| attachments.get(number)).expect("legal attachments").clone().into()
        }
        AnyValue::Object(fields) => {
            fields.into_iter().map(|(name, value)| (name, reconstructed(value, attachments))).collect()
        }
        AnyValue::Array(elements) => elements.into_iter().map(|value| reconstructed(value, attachments)).collect(),
        other => other,
    }
}

/// Decodes the arguments of a packet like those of an event that is received.
fn received(text: &str, attachments: &[Bytes]) -> Vec<AnyValue> {
    let packet = socketio::read(text, usize::MAX).expect("a packet");
    let text = match attachments.is_empty() {
        true => text.to_owned(),
        false => packet.with_placeholders(text, attachments, usize::MAX).expect("its placeholders"),
    };
    let packet = socketio::read(&text, usize::MAX).expect("a packet");
    let list = format!("[{}]", packet.args);
    Vec::deserialize(&mut BinaryJson::new(&list, attachments)).expect("arguments")
}

fn bytes(frame: &EncodedFrame) -> Vec<u8> {
    let mut bytes = Vec::new();
    frame.append_to(&mut bytes);
    bytes
}

proptest! {
    #[test]
    fn what_is_emitted_is_received_or_refused(first in value(), second in value()) {
        let mut payload = Payload::new();
        let pushed = payload.push(&first).and_then(|()| payload.push(&second));
        let has_binary = first.has_binary() || second.has_binary();
        if has_binary && (is_ambiguous(&first) || is_ambiguous(&second)) {
            prop_assert!(matches!(pushed, Err(EncodeError::Ambiguous)));
            return Ok(());
        }
        prop_assert!(pushed.is_ok());
        let sent = vec![first, second];

        // A Socket.IO client, and this server.
        let encoded = bytes(&Encoding::SocketIo.event("/", "a", &payload, None, None));
        let mut messages = frames(&encoded);
        let (_, text) = messages.next().expect("a packet");
        let text = std::str::from_utf8(&text[1..]).expect("text");
        let attachments: Vec<Bytes> = messages.map(|(_, bytes)| Bytes::copy_from_slice(bytes)).collect();
        prop_assert_eq!(&received(text, &attachments), &sent);
        let args = serde_json::from_str(&format!("[{}]", socketio::read(text, usize::MAX).expect("a packet").args)).expect("JSON");
        let args = if attachments.is_empty() { args } else { reconstructed(args, &attachments) };
        prop_assert_eq!(args, AnyValue::from(sent.clone()));

        // MessagePack.
        let packet = ParserPacket { text: text.to_owned(), attachments };
        let again = MsgpackParser.decode(&MsgpackParser.encode(&packet)).expect("a packet").expect("all of it");
        prop_assert_eq!(&received(&again.text, &again.attachments), &sent);

        // A plain client has base64.
        let text = bytes(&Encoding::Envelopes.event("/", "a", &payload, None, None));
        let (_, text) = frames(&text).next().expect("a message");
        let text = std::str::from_utf8(text).expect("text");
        let Some(Envelope::Event { args: ArgumentText::Many(args), .. }) = envelope::read(text) else { panic!("{text}") };
        let args: Value = serde_json::from_str(&format!("[{args}]")).expect("JSON");
        prop_assert_eq!(args, AnyValue::from(sent).into_json());

        // Another server.
        let (json, attachments) = payload.placeholders();
        let again = Payload::from_json(&json, attachments.as_deref().unwrap_or_default()).expect("arguments");
        prop_assert_eq!(again.placeholders(), payload.placeholders());
    }

    /// In MessagePack an object like a placeholder is data, also beside binary data.
    #[test]
    fn what_a_client_sends_as_messagepack_is_received(sent in value()) {
        let (mut json, mut attachments) = (Vec::new(), Vec::new());
        write(&sent, &mut json, &mut attachments);
        let kind = if attachments.is_empty() { "2".to_owned() } else { format!("5{}-", attachments.len()) };
        let text = format!("{kind}/,[\"a\",{}]", String::from_utf8(json).expect("JSON"));
        let message = MsgpackParser.encode(&ParserPacket { text, attachments });
        let packet = MsgpackParser.decode(&message).expect("a packet").expect("all of it");
        prop_assert_eq!(received(&packet.text, &packet.attachments), [sent]);
    }
}

/// Writes a value. Only its binary data becomes placeholders.
fn write(value: &AnyValue, out: &mut Vec<u8>, attachments: &mut Vec<Bytes>) {
    match value {
        AnyValue::Binary(binary) => {
            placeholder::write(out, attachments.len());
            attachments.push(binary.0.clone());
        }
        AnyValue::Array(elements) => {
            out.push(b'[');
            for (at, element) in elements.iter().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                write(element, out, attachments);
            }
            out.push(b']');
        }
        AnyValue::Object(fields) => {
            out.push(b'{');
            for (at, (name, value)) in fields.iter().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                let name = serde_json::to_string(name).expect("JSON");
                out.extend_from_slice(placeholder::data_key(name.as_bytes()).unwrap_or(&name).as_bytes());
                out.push(b':');
                write(value, out, attachments);
            }
            out.push(b'}');
        }
        leaf => serde_json::to_writer(out, leaf).expect("JSON"),
    }
}
