//! Packets in the encoding of `socket.io-msgpack-parser`.

use rmpv::Value as Pack;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value, from_str, json};
use std::fmt;
use tokio_tungstenite::tungstenite::Bytes;

use super::packet::Packet;

/// Encodes a packet.
pub(super) fn write(packet: &Packet) -> Bytes {
    let mut fields = vec![(Pack::from("type"), Pack::from(packet.kind)), (Pack::from("nsp"), Pack::from("/"))];
    if !packet.json.is_empty() {
        let Written(data) = from_str(&packet.json).expect("JSON");
        fields.push((Pack::from("data"), pack(&data, &packet.attachments)));
    }
    if let Some(id) = packet.id {
        fields.push((Pack::from("id"), Pack::from(id)));
    }
    let mut bytes = Vec::new();
    rmpv::encode::write_value(&mut bytes, &Pack::Map(fields)).expect("there is memory");
    bytes.into()
}

/// A value as it is written: a `Value` would decode what stands behind serde_json's private keys.
struct Written(Value);

impl<'de> Deserialize<'de> for Written {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(WrittenVisitor)
    }
}

struct WrittenVisitor;

impl<'de> Visitor<'de> for WrittenVisitor {
    type Value = Written;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Written, E> {
        Ok(Written(Value::Null))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Written, E> {
        Ok(Written(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Written, E> {
        Ok(Written(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Written, E> {
        Ok(Written(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Written, E> {
        Ok(Written(value.into()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Written, E> {
        Ok(Written(value.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Written, A::Error> {
        let mut values = Vec::new();
        while let Some(Written(value)) = seq.next_element()? {
            values.push(value);
        }
        Ok(Written(values.into()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Written, A::Error> {
        let mut fields = Map::new();
        while let Some((key, Written(value))) = map.next_entry()? {
            fields.insert(key, value);
        }
        Ok(Written(fields.into()))
    }
}

fn pack(value: &Value, attachments: &[Bytes]) -> Pack {
    match value {
        Value::Null => Pack::Nil,
        Value::Bool(value) => Pack::from(*value),
        Value::Number(number) => match (number.as_u64(), number.as_i64(), number.as_f64()) {
            (Some(number), ..) => Pack::from(number),
            (None, Some(number), _) => Pack::from(number),
            (None, None, number) => Pack::from(number.expect("a number")),
        },
        Value::String(text) => Pack::from(&**text),
        Value::Array(values) => Pack::Array(values.iter().map(|value| pack(value, attachments)).collect()),
        // An object that only looks like a placeholder has a number without an attachment.
        Value::Object(values) => {
            match values.get("num").and_then(|number| attachments.get(number.as_u64()? as usize)) {
                Some(attachment) if values.contains_key("_placeholder") => Pack::from(&attachment[..]),
                _ => Pack::Map(
                    values.iter().map(|(key, value)| (Pack::from(&**key), pack(value, attachments))).collect(),
                ),
            }
        }
    }
}

/// Decodes a packet.
pub(super) fn read(mut message: &[u8]) -> Packet {
    let Ok(Pack::Map(fields)) = rmpv::decode::read_value(&mut message) else { panic!("not a packet") };
    assert!(message.is_empty(), "more than a packet");
    let mut packet = Packet::default();
    for (key, value) in fields {
        match key.as_str().expect("a key") {
            "type" => packet.kind = value.as_u64().and_then(|kind| kind.try_into().ok()).expect("a kind of packet"),
            "nsp" => assert_eq!(value.as_str(), Some("/")),
            "id" => packet.id = value.as_u64(),
            "data" => packet.json = unpack(value, &mut packet.attachments).to_string(),
            other => panic!("an unknown key: {other}"),
        }
    }
    packet
}

fn unpack(value: Pack, attachments: &mut Vec<Bytes>) -> Value {
    match value {
        Pack::Nil => Value::Null,
        Pack::Boolean(value) => value.into(),
        Pack::Integer(number) => number.as_u64().map_or_else(|| number.as_i64().into(), Value::from),
        Pack::F32(number) => number.into(),
        Pack::F64(number) => number.into(),
        Pack::String(text) => text.into_str().expect("UTF-8").into(),
        Pack::Binary(bytes) => {
            attachments.push(bytes.into());
            json!({ "_placeholder": true, "num": attachments.len() - 1 })
        }
        Pack::Array(values) => values.into_iter().map(|value| unpack(value, attachments)).collect(),
        Pack::Map(values) => {
            let key = |key: Pack| key.as_str().expect("a key").to_owned();
            values.into_iter().map(|(name, value)| (key(name), unpack(value, attachments))).collect()
        }
        Pack::Ext(..) => panic!("an extension"),
    }
}
