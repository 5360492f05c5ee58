//! [`Any`]: whatever a client sends, binary data included.

use serde::de::value::MapDeserializer;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;
use socketio::Binary;
use std::fmt;

/// Whatever a client sends.
#[derive(Clone, Debug)]
pub(crate) enum Any {
    Plain(Value),
    Binary(Binary),
    List(Vec<Any>),
    Object(Vec<(String, Any)>),
}

impl Serialize for Any {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Plain(value) => value.serialize(serializer),
            Self::Binary(binary) => binary.serialize(serializer),
            Self::List(list) => list.serialize(serializer),
            Self::Object(fields) => {
                let mut map = serializer.serialize_map(Some(fields.len()))?;
                fields.iter().try_for_each(|(name, value)| map.serialize_entry(name, value))?;
                map.end()
            }
        }
    }
}

impl<'de> Deserialize<'de> for Any {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyVisitor)
    }
}

struct AnyVisitor;

impl<'de> Visitor<'de> for AnyVisitor {
    type Value = Any;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("anything")
    }

    fn visit_unit<E>(self) -> Result<Any, E> {
        Ok(Any::Plain(Value::Null))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Any, E> {
        Ok(Any::Plain(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Any, E> {
        Ok(Any::Plain(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Any, E> {
        Ok(Any::Plain(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Any, E> {
        Ok(Any::Plain(value.into()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Any, E> {
        Ok(Any::Plain(value.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Any, A::Error> {
        let mut list = Vec::new();
        while let Some(value) = seq.next_element()? {
            list.push(value);
        }
        Ok(Any::List(list))
    }

    /// An object, unless binary data knows itself in it.
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Any, A::Error> {
        let mut fields: Vec<(String, Any)> = Vec::new();
        while let Some(field) = map.next_entry()? {
            fields.push(field);
        }
        let plain: Option<Vec<(&str, &Value)>> = fields
            .iter()
            .map(|(name, value)| match value {
                Any::Plain(value) => Some((name.as_str(), value)),
                _ => None,
            })
            .collect();
        let binary = plain.filter(|fields| fields.len() == 2).and_then(|fields| {
            let fields = fields.into_iter().map(|(name, value)| (name.to_owned(), value.clone()));
            Binary::deserialize(MapDeserializer::<_, serde_json::Error>::new(fields)).ok()
        });
        Ok(binary.map_or(Any::Object(fields), Any::Binary))
    }
}
