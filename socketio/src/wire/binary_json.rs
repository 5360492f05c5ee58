//! [`BinaryJson`]: decodes JSON text in which placeholders stand for binary data.
//!
//! A decoder of plain JSON would present a placeholder as an object, which every type that takes
//! any value would keep. This decoder presents it as bytes.

use bytes::Bytes;
use serde::de::value::BorrowedBytesDeserializer;
use serde::de::{self, DeserializeSeed, Deserializer, Error as _, Unexpected, Visitor};
use serde::forward_to_deserialize_any;
use serde_json::Error;
use serde_json::de::StrRead;

use super::scan::Scanner;
use super::socketio::placeholder;

/// The limit of `serde_json`, one more than the levels that are read.
const RECURSION_LIMIT: usize = 128;
/// The name that `serde_json` gives the newtype of its `RawValue`.
const RAW_VALUE: &str = "$serde_json::private::RawValue";

/// Decodes one value after the other. The text was scanned, and all its placeholders have the form
/// that [`placeholder`] writes.
///
/// Types that ask for bytes get the attachment itself. Types that take anything get an
/// [`Attachment`]. All other types refuse it.
#[derive(Debug)]
pub(crate) struct BinaryJson<'de> {
    scanner: Scanner<'de>,
    attachments: &'de [Bytes],
    levels_left: usize,
}

impl<'de> BinaryJson<'de> {
    pub(crate) fn new(text: &'de str, attachments: &'de [Bytes]) -> Self {
        Self { scanner: Scanner::new(text), attachments, levels_left: RECURSION_LIMIT }
    }

    /// The text that is not decoded yet.
    pub(crate) fn rest(&self) -> &'de str {
        self.scanner.rest()
    }

    /// Takes the attachment if its placeholder comes next.
    fn attachment(&mut self) -> Option<&'de Bytes> {
        let attachments = self.attachments;
        if attachments.is_empty() || self.scanner.peek() != Some(b'{') {
            return None;
        }
        let (number, _) = placeholder::read(self.scanner.rest().as_bytes())?;
        let attachment = attachments.get(number)?;
        self.scanner.value()?;
        Some(attachment)
    }

    /// Decodes a value without binary data of its own with `serde_json`.
    fn leaf<V: Visitor<'de>>(
        &mut self,
        visitor: V,
        decode: impl FnOnce(&mut serde_json::Deserializer<StrRead<'de>>, V) -> Result<V::Value, Error>,
    ) -> Result<V::Value, Error> {
        if self.attachment().is_some() {
            return Err(Error::invalid_type(Unexpected::Other("binary data"), &visitor));
        }
        let mut json = serde_json::Deserializer::from_str(self.value()?);
        let value = decode(&mut json, visitor)?;
        json.end()?;
        Ok(value)
    }

    fn value(&mut self) -> Result<&'de str, Error> {
        self.scanner.value().ok_or_else(invalid)
    }

    /// Whether an array or object begins with this bracket. A placeholder does not count.
    fn begins(&mut self, bracket: u8) -> bool {
        self.scanner.peek() == Some(bracket)
            && (bracket != b'{'
                || placeholder::read(self.rest().as_bytes()).is_none_or(|(number, _)| number >= self.attachments.len()))
    }

    /// Decodes what is between two brackets. It is an error if more is left.
    fn between<R>(
        &mut self,
        (open, close): (u8, u8),
        error: &'static str,
        decode: impl FnOnce(&mut Self) -> Result<R, Error>,
    ) -> Result<R, Error> {
        self.levels_left -= 1;
        if self.levels_left == 0 {
            return Err(Error::custom("recursion limit exceeded"));
        }
        self.scanner.take(open);
        let decoded = decode(self);
        self.levels_left += 1;
        let decoded = decoded?;
        if self.scanner.take(close) { Ok(decoded) } else { Err(Error::custom(error)) }
    }

    fn list<V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value, Error> {
        self.between((b'[', b']'), "trailing characters", |json| visitor.visit_seq(Elements { json, is_first: true }))
    }

    fn object<V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value, Error> {
        self.between((b'{', b'}'), "trailing comma", |json| visitor.visit_map(Elements { json, is_first: true }))
    }
}

fn invalid() -> Error {
    Error::custom("invalid JSON")
}

/// Types whose values are no arrays or objects.
macro_rules! plain {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            self.leaf(visitor, |json, visitor| json.$method(visitor))
        }
    )*};
}

/// Types whose values are arrays.
macro_rules! lists {
    ($($method:ident($($argument:ident: $type:ty),*))*) => {$(
        fn $method<V: Visitor<'de>>(self, $($argument: $type,)* visitor: V) -> Result<V::Value, Error> {
            if self.begins(b'[') {
                return self.list(visitor);
            }
            self.leaf(visitor, |json, visitor| json.$method($($argument,)* visitor))
        }
    )*};
}

/// Types whose values are bytes.
macro_rules! bytes {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            match self.attachment() {
                Some(bytes) => visitor.visit_borrowed_bytes(bytes),
                None => self.leaf(visitor, |json, visitor| json.$method(visitor)),
            }
        }
    )*};
}

impl<'de> Deserializer<'de> for &mut BinaryJson<'de> {
    type Error = Error;

    plain! {
        deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128
        deserialize_f32 deserialize_f64 deserialize_char deserialize_str deserialize_string deserialize_unit
        deserialize_identifier
    }

    bytes! { deserialize_bytes deserialize_byte_buf }

    lists! {
        deserialize_seq()
        deserialize_tuple(length: usize)
        deserialize_tuple_struct(name: &'static str, length: usize)
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if let Some(bytes) = self.attachment() {
            return Attachment::new(bytes).deserialize_any(visitor);
        }
        match self.scanner.peek() {
            Some(b'{') => self.object(visitor),
            Some(b'[') => self.list(visitor),
            _ => self.leaf(visitor, |json, visitor| json.deserialize_any(visitor)),
        }
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.begins(b'{') {
            return self.object(visitor);
        }
        self.leaf(visitor, |json, visitor| json.deserialize_map(visitor))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        if self.begins(b'{') {
            return self.object(visitor);
        }
        if self.begins(b'[') {
            return self.list(visitor);
        }
        self.leaf(visitor, |json, visitor| json.deserialize_struct(name, fields, visitor))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        if self.begins(b'{') {
            return self.between((b'{', b'}'), "expected value", |json| visitor.visit_enum(Variant(json)));
        }
        self.leaf(visitor, |json, visitor| json.deserialize_enum(name, variants, visitor))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.scanner.peek() == Some(b'n') {
            self.value()?;
            return visitor.visit_none();
        }
        visitor.visit_some(self)
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, Error> {
        self.leaf(visitor, |json, visitor| json.deserialize_unit_struct(name, visitor))
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, Error> {
        if name != RAW_VALUE {
            return visitor.visit_newtype_struct(self);
        }
        let text = self.value()?;
        if placeholder::all(text).any(|(_, number)| number < self.attachments.len()) {
            return Err(Error::invalid_type(Unexpected::Other("binary data"), &visitor));
        }
        serde_json::Deserializer::from_str(text).deserialize_newtype_struct(name, visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.value()?;
        visitor.visit_unit()
    }
}

/// The elements of an array, or the entries of an object.
struct Elements<'r, 'de> {
    json: &'r mut BinaryJson<'de>,
    is_first: bool,
}

impl Elements<'_, '_> {
    /// Whether there is one more, whose comma is then taken.
    fn more(&mut self, end: u8) -> bool {
        if self.json.scanner.peek() == Some(end) {
            return false;
        }
        std::mem::take(&mut self.is_first) || self.json.scanner.take(b',')
    }
}

impl<'de> de::SeqAccess<'de> for Elements<'_, 'de> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        if self.more(b']') { seed.deserialize(&mut *self.json).map(Some) } else { Ok(None) }
    }
}

impl<'de> de::MapAccess<'de> for Elements<'_, 'de> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        if !self.more(b'}') {
            return Ok(None);
        }
        seed.deserialize(Key(self.json.scanner.string().ok_or_else(invalid)?)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        self.json.scanner.take(b':');
        seed.deserialize(&mut *self.json)
    }
}

/// The entry of an enum: its variant as the key, its content as the value.
struct Variant<'r, 'de>(&'r mut BinaryJson<'de>);

impl<'de> de::EnumAccess<'de> for Variant<'_, 'de> {
    type Error = Error;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Error> {
        let variant = seed.deserialize(&mut *self.0)?;
        self.0.scanner.take(b':');
        Ok((variant, self))
    }
}

impl<'de> de::VariantAccess<'de> for Variant<'_, 'de> {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        de::Deserialize::deserialize(self.0)
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Error> {
        seed.deserialize(self.0)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        self.0.deserialize_seq(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(self, fields: &'static [&'static str], visitor: V) -> Result<V::Value, Error> {
        self.0.deserialize_struct("", fields, visitor)
    }
}

/// The key of an object, a JSON string. As in `serde_json`, it can also hold a number or a boolean.
struct Key<'de>(&'de str);

/// Types that are decoded from what is between the quotes.
macro_rules! in_quotes {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            let mut inside = serde_json::Deserializer::from_str(&self.0[1..self.0.len() - 1]);
            let value = inside.$method(visitor)?;
            inside.end()?;
            Ok(value)
        }
    )*};
}

impl<'de> Deserializer<'de> for Key<'de> {
    type Error = Error;

    in_quotes! {
        deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128 deserialize_f32 deserialize_f64
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        serde_json::Deserializer::from_str(self.0).deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        serde_json::Deserializer::from_str(self.0).deserialize_enum(name, variants, visitor)
    }

    forward_to_deserialize_any! {
        char str string bytes byte_buf unit unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

/// Binary data as types see it that take anything: a newtype of an option of a newtype of bytes.
///
/// Only [`Binary`](crate::Binary) and [`AnyValue`](crate::AnyValue) look for bytes in there. For
/// bytes alone, a `String` inside of an untagged enum or beside a flattened field would take those
/// that are UTF-8.
struct Attachment<'de> {
    bytes: &'de [u8],
    wrapped: u8,
}

impl<'de> Attachment<'de> {
    fn new(bytes: &'de [u8]) -> Self {
        Self { bytes, wrapped: 3 }
    }
}

impl<'de> Deserializer<'de> for Attachment<'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let inner = Self { wrapped: self.wrapped.saturating_sub(1), ..self };
        match self.wrapped {
            0 => BorrowedBytesDeserializer::new(self.bytes).deserialize_any(visitor),
            2 => visitor.visit_some(inner),
            _ => visitor.visit_newtype_struct(inner),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AnyValue, Binary};
    use proptest::prelude::*;
    use serde::Deserialize;
    use serde_json::Value;
    use serde_json::value::RawValue;
    use std::borrow::Cow;
    use std::collections::{BTreeMap, HashMap};
    use std::ffi::CString;
    use std::fmt::Debug;

    static ATTACHMENTS: [Bytes; 2] = [Bytes::from_static(b"text"), Bytes::from_static(&[0xff])];
    const FIRST: &str = r#"{"_placeholder":true,"num":0}"#;

    fn decoded<'de, T: Deserialize<'de>>(text: &'de str, attachments: &'de [Bytes]) -> Result<T, String> {
        let mut json = BinaryJson::new(text, attachments);
        let value = T::deserialize(&mut json).map_err(|error| error.to_string())?;
        assert_eq!(json.rest().trim(), "", "{text}");
        Ok(value)
    }

    #[derive(Debug, Deserialize, PartialEq)]
    struct Fields<'a> {
        #[serde(borrow, default)]
        a: Cow<'a, str>,
        b: Option<u8>,
        #[serde(default)]
        c: Vec<Fields<'a>>,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    enum Choice {
        #[serde(rename = "a")]
        A,
        #[serde(rename = "b")]
        B(u8),
        #[serde(rename = "c")]
        C(u8, f64),
        D {
            a: i64,
        },
    }

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(untagged)]
    enum Untagged {
        Text(String),
        Choice(Choice),
        List(Vec<u8>),
        Any(Value),
    }

    #[derive(Debug, Deserialize, PartialEq)]
    struct Flattened {
        a: Option<Value>,
        #[serde(flatten)]
        rest: BTreeMap<String, Value>,
    }

    /// Compares with `serde_json`, which decodes text without placeholders in the same way.
    fn compare<'de, T: Deserialize<'de> + Debug + PartialEq>(text: &'de str) {
        let message = |error: Error| {
            let message = error.to_string();
            message.rsplit_once(" at line ").map_or(&*message, |(message, _)| message).to_owned()
        };
        let expected = serde_json::from_str::<T>(text).map_err(message);
        let mut json = BinaryJson::new(text, &[]);
        assert_eq!(T::deserialize(&mut json).map_err(message), expected, "{text}");
    }

    fn compare_types(text: &str) {
        compare::<Value>(text);
        compare::<AnyValue>(text);
        compare::<Option<Value>>(text);
        compare::<(u8, Value)>(text);
        compare::<[i64; 2]>(text);
        compare::<Vec<Option<bool>>>(text);
        compare::<HashMap<String, Value>>(text);
        compare::<Fields<'_>>(text);
        compare::<Choice>(text);
        compare::<Vec<Choice>>(text);
        compare::<Untagged>(text);
        compare::<Flattened>(text);
        compare::<(String,)>(text);
        compare::<f64>(text);
        compare::<i128>(text);
        compare::<char>(text);
        compare::<()>(text);
        compare::<CString>(text);
        let raw = |raw: Box<RawValue>| raw.to_string();
        let expected = serde_json::from_str(text).map(raw).map_err(|error| error.to_string());
        assert_eq!(decoded(text, &[]).map(raw), expected);
        // The message for other keys is another one.
        let key = |keys: HashMap<i16, Value>| keys;
        assert_eq!(decoded(text, &[]).map(key).ok(), serde_json::from_str(text).map(key).ok(), "{text}");
        let key = |keys: HashMap<Option<bool>, Value>| keys;
        assert_eq!(decoded(text, &[]).map(key).ok(), serde_json::from_str(text).map(key).ok(), "{text}");
    }

    #[test]
    fn json_without_placeholders_is_decoded_as_by_serde_json() {
        for text in [
            "null",
            r#""\u00e9""#,
            r#""\ud800""#,
            r#"{"12":1,"-3":{}}"#,
            r#"{"true":1}"#,
            r#"{"b":7}"#,
            r#"{"c":[1,2.5]}"#,
            r#"{"c":[1,2,3]}"#,
            r#"{"D":{"a":-1}}"#,
            r#"{"D":{"a":-1},"x":1}"#,
            r#"{"a":null}"#,
            r#"{ "a" : "x" , "b" : 3 , "c" : [ { } , { "a" : "\"" } ] }"#,
            r#"{"_placeholder":true,"num":0}"#,
            "[1,2]",
            "[1,2,3]",
            "[]",
            "1e400",
        ] {
            compare_types(text);
        }
    }

    proptest! {
        #[test]
        fn any_json_is_decoded_as_by_serde_json(text in r#"[\[{]?("[abcD1]":)?[\[{]?("[abcD1]":)?([0-9]{1,3}|-1\.5|null|true|"[a-c1]?")(,("[abcD1]":)?([0-9]|null|"a"))?[\]}]?[\]}]?"#) {
            if serde_json::from_str::<Value>(&text).is_ok() {
                compare_types(&text);
            }
        }
    }

    #[test]
    fn the_depth_is_limited_as_in_serde_json() {
        for levels in [126, 127, 128, 129] {
            compare::<Value>(&(("[".repeat(levels)) + &"]".repeat(levels)));
            compare::<Value>(&(r#"{"a":"#.repeat(levels) + "1" + &"}".repeat(levels)));
        }
    }

    #[test]
    fn attachments_are_bytes() {
        assert_eq!(decoded::<Binary>(FIRST, &ATTACHMENTS), Ok(Binary::from("text")));
        assert_eq!(decoded::<&[u8]>(FIRST, &ATTACHMENTS), Ok(&b"text"[..]));
        assert_eq!(decoded::<CString>(FIRST, &ATTACHMENTS), Ok(c"text".into()));
        let text = format!("[{FIRST} , null]");
        assert_eq!(decoded::<Vec<Option<Binary>>>(&text, &ATTACHMENTS), Ok(vec![Some("text".into()), None]));
        let text = r#"{"a":[{"_placeholder":true,"num":1}],"b":{"_placeholder":true,"num":9}}"#;
        let value = decoded::<AnyValue>(text, &ATTACHMENTS).expect("a value");
        assert_eq!(value["a"][0].as_binary(), Some(&Binary::from(vec![255])));
        assert_eq!(value["b"]["num"].as_u64(), Some(9), "there is no such attachment");
    }

    #[test]
    fn other_types_refuse_attachments() {
        fn refused<'de, T: Deserialize<'de> + Debug>(expected: &str) {
            let error = decoded::<T>(FIRST, &ATTACHMENTS).expect_err("binary data");
            assert!(error.ends_with(expected), "{error}");
        }
        refused::<String>("binary data, expected a string");
        refused::<Cow<'_, str>>("binary data, expected a string");
        refused::<u8>("binary data, expected u8");
        refused::<Option<char>>("binary data, expected a character");
        refused::<Vec<u8>>("binary data, expected a sequence");
        refused::<HashMap<String, Value>>("binary data, expected a map");
        refused::<Fields<'_>>("binary data, expected struct Fields");
        refused::<Choice>("binary data, expected enum Choice");
        refused::<()>("binary data, expected unit");
        refused::<Box<RawValue>>("binary data, expected any valid JSON value");
        refused::<Value>("newtype struct, expected any valid JSON value");
        refused::<Untagged>("data did not match any variant of untagged enum Untagged");
        assert_eq!(decoded::<de::IgnoredAny>(FIRST, &ATTACHMENTS), Ok(de::IgnoredAny));
    }
}
