//! [`AnyValue`]: a JSON value that may hold binary data.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use indexmap::IndexMap;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Number, Value};
use std::fmt;
use std::ops::Index;

use super::binary::{Binary, shared};

/// The maximum nesting of arrays and objects, the same as the limit of `serde_json`.
const MAX_DEPTH: usize = 128;

/// Any event argument: a JSON value with binary data at any depth.
///
/// Use it in handlers that receive, forward or answer values of unknown form. It can be a handler's
/// parameter, a field of a payload type, an argument of an emitted event, a reply, and the type of
/// a client's answer.
///
/// Binary data from Socket.IO clients is [`Binary`](Self::Binary). Plain WebSocket clients send it
/// as a string of standard base64, which looks like any other string. It arrives as
/// [`Text`](Self::Text), and [`to_binary`](Self::to_binary) decodes it. Outgoing binary data is
/// encoded as each client's protocol requires.
///
/// Decoding fails for values with more than 128 levels. A number that is not finite is
/// [`Null`](Self::Null).
///
/// ```
/// use socketio::{AnyValue, Binary, event};
///
/// /// Sends anything back.
/// #[event("echo")]
/// fn echo(value: AnyValue) -> AnyValue {
///     value
/// }
///
/// let mut value = AnyValue::from(serde_json::json!({ "name": "dot.png" }));
/// if let Some(fields) = value.as_object_mut() {
///     fields.insert("bytes".to_owned(), Binary::from(vec![0x89, 0x50]).into());
/// }
/// assert_eq!(value["name"].as_str(), Some("dot.png"));
/// assert_eq!(value["bytes"].as_binary().map(|bytes| bytes.len()), Some(2));
/// assert!(value.has_binary());
/// assert_eq!(value.into_json(), serde_json::json!({ "name": "dot.png", "bytes": "iVA=" }));
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub enum AnyValue {
    /// `null`.
    #[default]
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number.
    Number(Number),
    /// A string.
    Text(String),
    /// Binary data.
    Binary(Binary),
    /// An array.
    Array(Vec<AnyValue>),
    /// An object, its fields in the order of arrival. If a field occurs twice, the last one counts.
    Object(IndexMap<String, AnyValue>),
}

static NULL: AnyValue = AnyValue::Null;

impl AnyValue {
    /// Whether the value is `null`.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// The boolean, if the value is one.
    pub fn as_bool(&self) -> Option<bool> {
        if let Self::Bool(value) = self { Some(*value) } else { None }
    }

    /// The number, if the value is one.
    pub fn as_number(&self) -> Option<&Number> {
        if let Self::Number(number) = self { Some(number) } else { None }
    }

    /// The number as an integer, if the value is one and fits.
    pub fn as_i64(&self) -> Option<i64> {
        self.as_number()?.as_i64()
    }

    /// The number as an integer that is not negative, if the value is one and fits.
    pub fn as_u64(&self) -> Option<u64> {
        self.as_number()?.as_u64()
    }

    /// The number as a float, if the value is one.
    pub fn as_f64(&self) -> Option<f64> {
        self.as_number()?.as_f64()
    }

    /// The string, if the value is one.
    pub fn as_str(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    /// The bytes, if the value is binary data. For plain WebSocket clients, see
    /// [`to_binary`](Self::to_binary).
    pub fn as_binary(&self) -> Option<&Binary> {
        if let Self::Binary(binary) = self { Some(binary) } else { None }
    }

    /// The bytes, if the value is binary data or a string of standard base64.
    pub fn to_binary(&self) -> Option<Binary> {
        match self {
            Self::Binary(binary) => Some(binary.clone()),
            Self::Text(text) => STANDARD.decode(text).ok().map(Binary::from),
            _ => None,
        }
    }

    /// The elements, if the value is an array.
    pub fn as_array(&self) -> Option<&[Self]> {
        if let Self::Array(elements) = self { Some(elements) } else { None }
    }

    /// The elements, mutable, if the value is an array.
    pub fn as_array_mut(&mut self) -> Option<&mut Vec<Self>> {
        if let Self::Array(elements) = self { Some(elements) } else { None }
    }

    /// The fields, if the value is an object.
    pub fn as_object(&self) -> Option<&IndexMap<String, Self>> {
        if let Self::Object(fields) = self { Some(fields) } else { None }
    }

    /// The fields, mutable, if the value is an object.
    pub fn as_object_mut(&mut self) -> Option<&mut IndexMap<String, Self>> {
        if let Self::Object(fields) = self { Some(fields) } else { None }
    }

    /// The field of this name, if the value is an object that has it.
    pub fn get(&self, field: &str) -> Option<&Self> {
        self.as_object()?.get(field)
    }

    /// Whether the value contains binary data at any depth.
    pub fn has_binary(&self) -> bool {
        match self {
            Self::Binary(_) => true,
            Self::Array(elements) => elements.iter().any(Self::has_binary),
            Self::Object(fields) => fields.values().any(Self::has_binary),
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::Text(_) => false,
        }
    }

    /// The value as plain WebSocket clients receive it, with binary data as strings of standard
    /// base64.
    pub fn into_json(self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Bool(value) => Value::Bool(value),
            Self::Number(number) => Value::Number(number),
            Self::Text(text) => Value::String(text),
            Self::Binary(binary) => Value::String(STANDARD.encode(&*binary)),
            Self::Array(elements) => elements.into_iter().map(Self::into_json).collect(),
            Self::Object(fields) => fields.into_iter().map(|(name, value)| (name, value.into_json())).collect(),
        }
    }
}

/// A field of an object; `null` if there is none.
impl Index<&str> for AnyValue {
    type Output = Self;

    fn index(&self, field: &str) -> &Self {
        self.get(field).unwrap_or(&NULL)
    }
}

/// An element of an array; `null` if there is none.
impl Index<usize> for AnyValue {
    type Output = Self;

    fn index(&self, at: usize) -> &Self {
        self.as_array().and_then(|elements| elements.get(at)).unwrap_or(&NULL)
    }
}

impl From<Value> for AnyValue {
    fn from(value: Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(value),
            Value::Number(number) => Self::Number(number),
            Value::String(text) => Self::Text(text),
            Value::Array(elements) => elements.into_iter().map(Self::from).collect(),
            Value::Object(fields) => fields.into_iter().map(|(name, value)| (name, Self::from(value))).collect(),
        }
    }
}

/// Equivalent to [`AnyValue::into_json`].
impl From<AnyValue> for Value {
    fn from(value: AnyValue) -> Self {
        value.into_json()
    }
}

macro_rules! from {
    ($($type:ty: $variant:ident),* $(,)?) => {$(
        impl From<$type> for AnyValue {
            fn from(value: $type) -> Self {
                Self::$variant(value.into())
            }
        }
    )*};
}

from! {
    bool: Bool, i32: Number, i64: Number, u32: Number, u64: Number, &str: Text, String: Text, Binary: Binary, Bytes: Binary,
    Vec<AnyValue>: Array, IndexMap<String, AnyValue>: Object,
}

/// A number that is not finite becomes `null`.
impl From<f64> for AnyValue {
    fn from(number: f64) -> Self {
        Number::from_f64(number).map_or(Self::Null, Self::Number)
    }
}

impl<T: Into<AnyValue>> From<Option<T>> for AnyValue {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl<T: Into<AnyValue>> FromIterator<T> for AnyValue {
    fn from_iter<I: IntoIterator<Item = T>>(elements: I) -> Self {
        Self::Array(elements.into_iter().map(Into::into).collect())
    }
}

impl<K: Into<String>, V: Into<AnyValue>> FromIterator<(K, V)> for AnyValue {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(fields: I) -> Self {
        Self::Object(fields.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}

impl Serialize for AnyValue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Number(number) => number.serialize(serializer),
            Self::Text(text) => serializer.serialize_str(text),
            Self::Binary(binary) => binary.serialize(serializer),
            Self::Array(elements) => serializer.collect_seq(elements),
            Self::Object(fields) => serializer.collect_map(fields),
        }
    }
}

impl<'de> Deserialize<'de> for AnyValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Level(MAX_DEPTH).deserialize(deserializer)
    }
}

/// Decodes a value with at most this many levels of nesting.
#[derive(Clone, Copy)]
struct Level(usize);

impl Level {
    fn deeper<E: Error>(self) -> Result<Self, E> {
        self.0.checked_sub(1).map(Self).ok_or_else(|| E::custom("nested too deeply"))
    }
}

impl<'de> DeserializeSeed<'de> for Level {
    type Value = AnyValue;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<AnyValue, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Level {
    type Value = AnyValue;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("any value")
    }

    fn visit_unit<E>(self) -> Result<AnyValue, E> {
        Ok(AnyValue::Null)
    }

    fn visit_none<E>(self) -> Result<AnyValue, E> {
        Ok(AnyValue::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<AnyValue, D::Error> {
        self.deserialize(deserializer)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<AnyValue, D::Error> {
        self.deserialize(deserializer)
    }

    fn visit_bool<E>(self, value: bool) -> Result<AnyValue, E> {
        Ok(AnyValue::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<AnyValue, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<AnyValue, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<AnyValue, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, text: &str) -> Result<AnyValue, E> {
        Ok(text.into())
    }

    fn visit_string<E>(self, text: String) -> Result<AnyValue, E> {
        Ok(text.into())
    }

    fn visit_borrowed_bytes<E>(self, bytes: &'de [u8]) -> Result<AnyValue, E> {
        Ok(shared(bytes).into())
    }

    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<AnyValue, E> {
        Ok(Bytes::copy_from_slice(bytes).into())
    }

    fn visit_byte_buf<E>(self, bytes: Vec<u8>) -> Result<AnyValue, E> {
        Ok(Bytes::from(bytes).into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<AnyValue, A::Error> {
        let level = self.deeper()?;
        let mut elements = Vec::new();
        while let Some(element) = seq.next_element_seed(level)? {
            elements.push(element);
        }
        Ok(AnyValue::Array(elements))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<AnyValue, A::Error> {
        let level = self.deeper()?;
        let mut fields = IndexMap::new();
        while let Some(name) = map.next_key::<String>()? {
            fields.insert(name, map.next_value_seed(level)?);
        }
        Ok(AnyValue::Object(fields))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(text: &str) -> AnyValue {
        serde_json::from_str(text).expect("JSON")
    }

    #[test]
    fn json_values_round_trip() {
        for text in [
            "null",
            "true",
            "-3",
            "18446744073709551615",
            "1.5",
            r#""a\"b""#,
            r#"[1,[2,{}],"x"]"#,
            r#"{"b":1,"a":{"_placeholder":true,"num":0}}"#,
        ] {
            let value = decoded(text);
            assert_eq!(serde_json::to_string(&value).expect("JSON"), text);
            let json: Value = serde_json::from_str(text).expect("JSON");
            assert_eq!((AnyValue::from(json.clone()), value.into_json()), (value_of(&json), json));
        }
    }

    fn value_of(json: &Value) -> AnyValue {
        decoded(&json.to_string())
    }

    #[test]
    fn base64_strings_convert_to_binary() {
        assert_eq!(AnyValue::from("AQID").to_binary(), Some(Binary::from(vec![1, 2, 3])));
        assert_eq!(AnyValue::from(Binary::from(vec![1])).to_binary(), Some(Binary::from(vec![1])));
        assert_eq!(AnyValue::from("?").to_binary(), None);
        assert_eq!(AnyValue::from(1).to_binary(), None);
    }

    #[test]
    fn missing_fields_and_elements_are_null() {
        let value = decoded(r#"{"a":[1]}"#);
        assert!(value["b"]["c"][0].is_null() && value["a"][1].is_null() && value["a"]["x"].is_null());
        assert_eq!(value["a"].as_array().map(<[_]>::len), Some(1));
        assert_eq!(AnyValue::from(f64::NAN), AnyValue::Null);
        assert_eq!(AnyValue::from(None::<bool>), AnyValue::default());
    }

    #[test]
    fn depth_is_limited_even_if_the_deserializer_has_no_limit() {
        let nested = |levels: usize| {
            let mut value = Value::Null;
            for _ in 0..levels {
                value = Value::Array(vec![value]);
            }
            AnyValue::deserialize(value)
        };
        assert!(nested(MAX_DEPTH).is_ok());
        assert_eq!(nested(MAX_DEPTH + 1).expect_err("too deep").to_string(), "nested too deeply");
    }
}
