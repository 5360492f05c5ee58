//! Byte-for-byte comparisons with the output of the reference implementation's encoders for the
//! same packets.
//!
//! `tests/node/codec.mjs` prints the packets and documents the format of its lines. `tests/run`
//! runs it, then these tests.

use super::encoding::Encoding;
use super::engineio::{self, Body, EnginePacket};
use super::frame::{EncodedFrame, frames};
use super::msgpack::MsgpackParser;
use super::parser::{Parser, ParserMessage};
use super::payload::Payload;
use super::socketio::{self, Kind};
use crate::Binary;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::{Serialize, Serializer};
use serde_json::Value;

/// The lines of one kind.
fn lines(kind: &str) -> Vec<Value> {
    let path = std::env::var("REFERENCE_PACKETS").expect("REFERENCE_PACKETS is the file that codec.mjs has printed");
    let text = std::fs::read_to_string(path).expect("a file of lines");
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .filter(|line: &Value| line["kind"] == kind)
        .collect();
    assert!(!lines.is_empty());
    lines
}

fn binary(value: &Value) -> Option<Bytes> {
    let text = value.as_object()?.get("$binary")?.as_str()?;
    Some(STANDARD.decode(text).expect("base64").into())
}

/// A value with binary data, which handlers would pass as [`Binary`].
struct Data<'a>(&'a Value);

impl Serialize for Data<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match (binary(self.0), self.0) {
            (Some(bytes), _) => Binary(bytes).serialize(serializer),
            (None, Value::Array(list)) => serializer.collect_seq(list.iter().map(Data)),
            (None, Value::Object(map)) => serializer.collect_map(map.iter().map(|(key, value)| (key, Data(value)))),
            (None, leaf) => leaf.serialize(serializer),
        }
    }
}

/// The JSON form of a value, with placeholders numbered from `number` on.
fn with_placeholders(value: &Value, number: &mut usize) -> Value {
    match value {
        value if binary(value).is_some() => {
            *number += 1;
            serde_json::json!({ "_placeholder": true, "num": *number - 1 })
        }
        Value::Array(list) => list.iter().map(|value| with_placeholders(value, number)).collect(),
        Value::Object(map) => map.iter().map(|(key, value)| (key.clone(), with_placeholders(value, number))).collect(),
        leaf => leaf.clone(),
    }
}

fn bytes(frame: &EncodedFrame) -> Vec<u8> {
    let mut bytes = Vec::new();
    frame.append_to(&mut bytes);
    bytes
}

/// The messages in a frame: texts without the Engine.IO packet type, and binary messages.
fn messages(frame: &EncodedFrame) -> Vec<Value> {
    frames(&bytes(frame))
        .map(|(is_text, payload)| match is_text {
            true => std::str::from_utf8(&payload[1..]).expect("text").into(),
            false => serde_json::json!({ "$binary": STANDARD.encode(payload) }),
        })
        .collect()
}

#[test]
#[ignore = "needs the reference's packets: tests/run has them"]
fn engine_packets() {
    for line in lines("engine") {
        let mut waiting = Vec::new();
        for frame in line["frames"].as_array().expect("a list") {
            let frame = match binary(frame) {
                Some(bytes) => EncodedFrame::binary(&bytes),
                None => EncodedFrame::text(frame.as_str().expect("a text")),
            };
            frame.append_to(&mut waiting);
        }
        let mut body = Vec::new();
        engineio::write_body(&mut body, &waiting);
        assert_eq!(std::str::from_utf8(&body).expect("text"), line["payload"].as_str().expect("a text"));

        // The reference, too, splits a text that contains the separator when it reads a body.
        let packets = line["packets"].as_array().expect("a list");
        let is_cut = packets.iter().any(|packet| packet["data"].as_str().is_some_and(|data| data.contains('\x1e')));
        if is_cut {
            continue;
        }
        let read: Vec<_> = Body::new(body.into()).expect("text").map(|packet| engineio::read(&packet)).collect();
        assert_eq!(read.len(), packets.len());
        for (read, packet) in read.into_iter().zip(packets) {
            let data = packet["data"].as_str().unwrap_or_default();
            let expected = match (packet["type"].as_str().expect("a type"), binary(&packet["data"])) {
                ("message", Some(bytes)) => EnginePacket::Binary(bytes),
                ("message", None) => EnginePacket::Text(data.into()),
                ("close", _) => EnginePacket::Close,
                ("ping", _) if data == "probe" => EnginePacket::Probe,
                ("ping", _) => EnginePacket::Ping,
                ("pong", _) => EnginePacket::Pong,
                ("upgrade", _) => EnginePacket::Upgrade,
                _ => EnginePacket::Ignored,
            };
            assert_eq!(read, Ok(expected), "{packet}");
        }
    }
}

#[test]
#[ignore = "needs the reference's packets: tests/run has them"]
fn socketio_packets() {
    let mut encoded = 0;
    for line in lines("socket") {
        let packet = &line["packet"];
        let (namespace, data) = (packet["nsp"].as_str().expect("a namespace"), &packet["data"]);
        let id = packet["id"].as_u64();
        let list = data.as_array().map(Vec::as_slice).unwrap_or_default();
        let payload = |values: &[Value]| {
            let mut payload = Payload::new();
            values.iter().for_each(|value| payload.push(&Data(value)).expect("JSON"));
            payload
        };
        let frame = match (packet["type"].as_u64(), list) {
            (Some(1), _) => Encoding::SocketIo.disconnect(namespace),
            (Some(2), [Value::String(name), args @ ..]) => {
                Some(Encoding::SocketIo.event(namespace, name, &payload(args), id, None))
            }
            (Some(3), args) => {
                let id = id.map(|id| id.to_string()).unwrap_or_default();
                Some(Encoding::SocketIo.answer::<()>(namespace, &id, Ok(&payload(args))))
            }
            _ => None,
        };
        if let Some(frame) = frame {
            assert_eq!(Value::from(messages(&frame)), line["encoded"], "{packet}");
            encoded += 1;
        }
        let text = line["encoded"][0].as_str().expect("a text");
        let Ok(read) = socketio::read(text, usize::MAX) else { panic!("{text} is not read") };
        assert_eq!((read.namespace, read.id.map(str::to_owned)), (namespace, id.map(|id| id.to_string())), "{text}");
        assert_eq!(read.attachments, line["encoded"].as_array().expect("a list").len() - 1, "{text}");
        let json: Value = if read.json.is_empty() { Value::Null } else { read.json.parse().expect("JSON") };
        assert_eq!(json, with_placeholders(data, &mut 0), "{text}");
    }
    assert!(encoded > 100);
}

#[test]
#[ignore = "needs the reference's packets: tests/run has them"]
fn msgpack_packets() {
    for line in lines("msgpack") {
        let packet = &line["packet"];
        let message = ParserMessage::Binary(binary(&line["encoded"]).expect("binary data"));
        let Ok(Some(parsed)) = MsgpackParser.decode(&[message]) else { panic!("{packet} is not read") };
        let read = socketio::read(&parsed.text, usize::MAX).expect("a packet");
        let kind = match packet["type"].as_u64() {
            Some(0) => Kind::Connect,
            Some(1) => Kind::Disconnect,
            Some(2) => Kind::Event,
            Some(3) => Kind::Ack,
            _ => Kind::ConnectError,
        };
        assert_eq!((read.kind, read.namespace), (kind, packet["nsp"].as_str().expect("a namespace")));
        assert_eq!(read.id.map(str::to_owned), packet["id"].as_u64().map(|id| id.to_string()));
        let json: Value = if read.json.is_empty() { Value::Null } else { read.json.parse().expect("JSON") };
        assert_eq!(json, with_placeholders(&packet["data"], &mut 0), "{packet}");
        // The packet also survives encoding and decoding.
        let again = MsgpackParser.decode(&MsgpackParser.encode(&parsed)).expect("a packet").expect("all of it");
        assert_eq!(again.attachments, parsed.attachments);
        assert_eq!(again.text, parsed.text);
    }
}
