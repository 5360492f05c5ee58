//! A JSON serializer into memory. Its output equals that of `serde_json`, byte for byte. Binary
//! data, which is all that serializes as bytes, becomes attachments instead of arrays of numbers.
//!
//! A `serde_json::ser::Formatter` would need 20 lines in the place of these, but it can't replace
//! the scan of strings, which looks at one byte at a time. This one looks at 8 to 32: an event of
//! 120 bytes takes 1,230 instructions instead of 1,380, and a text of 11 KB 26,000 instead of
//! 102,000.
//!
//! `RawValue` and `Number` can only be told by the names that `serde_json` gives their structs. The
//! tests compare the output with that of `serde_json`, and fail if a version of it has other names.

use bytes::Bytes;
use serde::ser::{self, Error as _};
use serde::{Serialize, Serializer};
use serde_json::Error;
use std::fmt::{self, Write as _};

use super::binary;
use super::scan::plain_length;

/// Stands for an attachment. UTF-8 text can't contain this byte.
pub(crate) const ATTACHMENT_MARKER: u8 = 0xff;

/// Appends a value. Each [`Binary`](crate::Binary) becomes an attachment and an
/// [`ATTACHMENT_MARKER`]. After an error, `out` and `attachments` must not be used.
pub(super) fn write(
    out: &mut Vec<u8>,
    attachments: &mut Vec<Bytes>,
    value: &(impl Serialize + ?Sized),
) -> Result<(), Error> {
    value.serialize(Writer { out, attachments })
}

/// Appends a string with its quotes.
pub(crate) fn write_string(out: &mut Vec<u8>, text: &str) {
    out.reserve(text.len() + 2);
    out.push(b'"');
    write_contents(out, text);
    out.push(b'"');
}

/// Appends the contents of a string, escaped.
#[inline]
fn write_contents(out: &mut Vec<u8>, text: &str) {
    let (plain, rest) = text.as_bytes().split_at(plain_length(text.as_bytes()));
    out.extend_from_slice(plain);
    if !rest.is_empty() {
        write_escaped(out, rest);
    }
}

#[inline(never)]
fn write_escaped(out: &mut Vec<u8>, mut rest: &[u8]) {
    loop {
        let (plain, special) = rest.split_at(plain_length(rest));
        out.extend_from_slice(plain);
        let Some((byte, after)) = special.split_first() else { return };
        rest = after;
        let short = match byte {
            b'"' | b'\\' => *byte,
            b'\x08' => b'b',
            b'\t' => b't',
            b'\n' => b'n',
            b'\x0c' => b'f',
            b'\r' => b'r',
            _ => {
                let digit = |value| b"0123456789abcdef"[usize::from(value)];
                out.extend_from_slice(&[b'\\', b'u', b'0', b'0', digit(byte >> 4), digit(byte & 15)]);
                continue;
            }
        };
        out.extend_from_slice(&[b'\\', short]);
    }
}

struct Writer<'w> {
    out: &'w mut Vec<u8>,
    attachments: &'w mut Vec<Bytes>,
}

impl<'w> Writer<'w> {
    fn reborrow(&mut self) -> Writer<'_> {
        Writer { out: self.out, attachments: self.attachments }
    }

    fn attach(self, bytes: Bytes) {
        self.attachments.push(bytes);
        self.out.push(ATTACHMENT_MARKER);
    }

    /// Writes `open`, and returns the writer for the elements. Its end writes `close`.
    fn open(self, open: &str, close: &'static str) -> Compound<'w> {
        self.out.extend_from_slice(open.as_bytes());
        Compound { writer: self, is_empty: true, close }
    }

    /// Writes the object with the variant's name as its key, then `open`.
    fn open_variant(self, variant: &str, open: &str, close: &'static str) -> Compound<'w> {
        self.out.push(b'{');
        write_string(self.out, variant);
        self.out.push(b':');
        self.open(open, close)
    }
}

/// Delegates numbers, booleans and characters to `serde_json`.
macro_rules! delegate_to_serde_json {
    ($($method:ident($type:ty))*) => {$(
        fn $method(self, value: $type) -> Result<(), Error> {
            serde_json::to_writer(self.out, &value)
        }
    )*};
}

impl<'w> Serializer for Writer<'w> {
    type Ok = ();
    type Error = Error;
    type SerializeSeq = Compound<'w>;
    type SerializeTuple = Compound<'w>;
    type SerializeTupleStruct = Compound<'w>;
    type SerializeTupleVariant = Compound<'w>;
    type SerializeMap = Map<'w>;
    type SerializeStruct = Struct<'w>;
    type SerializeStructVariant = Compound<'w>;

    delegate_to_serde_json! {
        serialize_bool(bool)
        serialize_i8(i8) serialize_i16(i16) serialize_i32(i32) serialize_i64(i64) serialize_i128(i128)
        serialize_u8(u8) serialize_u16(u16) serialize_u32(u32) serialize_u64(u64) serialize_u128(u128)
        serialize_f32(f32) serialize_f64(f64) serialize_char(char)
    }

    fn serialize_str(self, text: &str) -> Result<(), Error> {
        write_string(self.out, text);
        Ok(())
    }

    fn serialize_bytes(self, bytes: &[u8]) -> Result<(), Error> {
        self.attach(Bytes::copy_from_slice(bytes));
        Ok(())
    }

    fn serialize_none(self) -> Result<(), Error> {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Error> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), Error> {
        self.out.extend_from_slice(b"null");
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Error> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<(), Error> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, name: &'static str, value: &T) -> Result<(), Error> {
        if name != binary::NAME {
            return value.serialize(self);
        }
        let bytes = match binary::take_serializing() {
            Some(bytes) => bytes,
            // serde has buffered it.
            None => {
                let contents = serde_json::to_value(value)?;
                let bytes = contents.as_str().and_then(binary::from_contents);
                bytes.ok_or_else(|| Error::custom("expected binary data"))?
            }
        };
        self.attach(bytes);
        Ok(())
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        let mut compound = self.open_variant(variant, "", "}");
        compound.value(value)?;
        compound.end()
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Compound<'w>, Error> {
        Ok(self.open("[", "]"))
    }

    fn serialize_tuple(self, _: usize) -> Result<Compound<'w>, Error> {
        Ok(self.open("[", "]"))
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Compound<'w>, Error> {
        Ok(self.open("[", "]"))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Compound<'w>, Error> {
        Ok(self.open_variant(variant, "[", "]}"))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Map<'w>, Error> {
        Ok(Map(self.open("", "}")))
    }

    fn serialize_struct(self, name: &'static str, _: usize) -> Result<Struct<'w>, Error> {
        // serde_json's own types use these names. Their one field is already JSON text.
        if let "$serde_json::private::RawValue" | "$serde_json::private::Number" = name {
            return Ok(Struct::Raw(self.out));
        }
        Ok(Struct::Fields(self.open("{", "}")))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Compound<'w>, Error> {
        Ok(self.open_variant(variant, "{", "}}"))
    }

    fn collect_str<T: fmt::Display + ?Sized>(self, value: &T) -> Result<(), Error> {
        struct Text<'o>(&'o mut Vec<u8>);
        impl fmt::Write for Text<'_> {
            fn write_str(&mut self, text: &str) -> fmt::Result {
                write_contents(self.0, text);
                Ok(())
            }
        }
        self.out.push(b'"');
        write!(Text(self.out), "{value}").map_err(Error::custom)?;
        self.out.push(b'"');
        Ok(())
    }
}

/// An array or an object under construction.
struct Compound<'w> {
    writer: Writer<'w>,
    is_empty: bool,
    close: &'static str,
}

impl Compound<'_> {
    fn comma(&mut self) {
        if !std::mem::take(&mut self.is_empty) {
            self.writer.out.push(b',');
        }
    }

    fn value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        value.serialize(self.writer.reborrow())
    }

    fn element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.comma();
        self.value(value)
    }

    fn field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Result<(), Error> {
        self.comma();
        write_string(self.writer.out, key);
        self.writer.out.push(b':');
        self.value(value)
    }

    #[allow(clippy::unnecessary_wraps, reason = "the end of every `Serialize…`")]
    fn end(self) -> Result<(), Error> {
        self.writer.out.extend_from_slice(self.close.as_bytes());
        Ok(())
    }
}

macro_rules! lists {
    ($($list:ident::$element:ident)*) => {$(
        impl ser::$list for Compound<'_> {
            type Ok = ();
            type Error = Error;

            fn $element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
                self.element(value)
            }

            fn end(self) -> Result<(), Error> {
                self.end()
            }
        }
    )*};
}

lists! {
    SerializeSeq::serialize_element
    SerializeTuple::serialize_element
    SerializeTupleStruct::serialize_field
    SerializeTupleVariant::serialize_field
}

impl ser::SerializeStructVariant for Compound<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Result<(), Error> {
        self.field(key, value)
    }

    fn end(self) -> Result<(), Error> {
        self.end()
    }
}

/// A struct under construction.
enum Struct<'w> {
    Fields(Compound<'w>),
    Raw(&'w mut Vec<u8>),
}

impl ser::SerializeStruct for Struct<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Result<(), Error> {
        match self {
            Self::Fields(fields) => fields.field(key, value),
            Self::Raw(out) => {
                let text = serde_json::to_value(value)?;
                out.extend_from_slice(text.as_str().ok_or_else(|| Error::custom("expected JSON text"))?.as_bytes());
                Ok(())
            }
        }
    }

    fn end(self) -> Result<(), Error> {
        match self {
            Self::Fields(fields) => fields.end(),
            Self::Raw(_) => Ok(()),
        }
    }
}

/// A map under construction. The opening brace is written with the first key.
struct Map<'w>(Compound<'w>);

impl ser::SerializeMap for Map<'_> {
    type Ok = ();
    type Error = Error;

    /// `serde_json` decides which keys are valid and how they are written. It writes
    /// `{"key":null}`.
    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Error> {
        struct Entry<'k, T: ?Sized>(&'k T);
        impl<T: Serialize + ?Sized> Serialize for Entry<'_, T> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_map([(self.0, ())])
            }
        }
        let out = &mut *self.0.writer.out;
        let start = out.len();
        serde_json::to_writer(&mut *out, &Entry(key))?;
        out.truncate(out.len() - "null}".len());
        if !std::mem::take(&mut self.0.is_empty) {
            out[start] = b',';
        }
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.0.value(value)
    }

    fn end(self) -> Result<(), Error> {
        if self.0.is_empty {
            self.0.writer.out.push(b'{');
        }
        self.0.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::value::RawValue;
    use serde_json::{Value, json};
    use std::collections::BTreeMap;

    fn written(value: &(impl Serialize + ?Sized)) -> Result<String, String> {
        let mut out = Vec::new();
        write(&mut out, &mut Vec::new(), value).map_err(|error| error.to_string())?;
        Ok(String::from_utf8(out).expect("JSON is UTF-8"))
    }

    /// Checks that the output equals that of `serde_json`.
    fn check(value: &(impl Serialize + ?Sized)) {
        assert_eq!(written(value), serde_json::to_string(value).map_err(|error| error.to_string()));
    }

    #[derive(Serialize)]
    struct Unit;

    #[derive(Serialize)]
    struct Newtype(u8);

    #[derive(Serialize)]
    struct Pair(u8, &'static str);

    #[derive(Serialize, PartialEq, Eq, PartialOrd, Ord)]
    enum Choice {
        Unit,
        Newtype(u8),
        Tuple(u8, ()),
        Struct { a: u8, b: Option<char> },
    }

    #[derive(Serialize)]
    struct Flat {
        id: u8,
        #[serde(flatten)]
        rest: BTreeMap<String, Value>,
        #[serde(skip_serializing_if = "Option::is_none")]
        missing: Option<u8>,
    }

    #[test]
    fn every_kind_of_value_is_written_as_in_serde_json() {
        check(&(true, -1i8, i64::MIN, u64::MAX, i128::MIN, u128::MAX));
        check(&(1.0f32, 0.1f32, 1e300, -0.0, f64::NAN, f32::INFINITY));
        check(&('x', '"', "", "plain", Unit, Newtype(1), Pair(1, "two")));
        check(&[Choice::Unit, Choice::Newtype(1), Choice::Tuple(1, ()), Choice::Struct { a: 1, b: Some('\n') }]);
        check(&(Some(1), None::<u8>, Vec::<u8>::new(), [[0; 0]; 2], json!({}), json!({"a": [{}, {"b": null}]})));
        check(&Flat { id: 1, rest: BTreeMap::from([("x\"y".into(), json!([1]))]), missing: None });
        check(&std::net::Ipv4Addr::LOCALHOST);
        check(&format_args!("formatted \"{}\"", 1));
        check(&RawValue::from_string(r#"{"a" : [ 1 ]}"#.into()).unwrap());
        check(&serde_json::Number::from(7));
    }

    #[test]
    fn keys_are_those_of_serde_json() {
        check(&BTreeMap::from([(1, "a"), (-2, "b")]));
        check(&BTreeMap::from([(true, "a")]));
        check(&BTreeMap::from([('\n', "a"), ('b', "b")]));
        check(&BTreeMap::from([(Choice::Unit, 1)]));
        check(&BTreeMap::from([(Choice::Newtype(1), 1)]));
        check(&BTreeMap::from([((1, 2), 1)]));
        check(&BTreeMap::from([(Some("a"), 1)]));
    }

    #[test]
    fn errors_of_values_are_returned() {
        struct Failing;
        impl Serialize for Failing {
            fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
                Err(S::Error::custom("not today"))
            }
        }
        check(&(1, Failing));
        check(&BTreeMap::from([("a", Failing)]));
    }

    proptest! {
        #[test]
        fn strings_are_written_as_in_serde_json(text in any::<String>(), plain in "[ -~]{0,100}", control in "[\\x00-\\x2f\\\\\\x7f]{0,70}") {
            for text in [&text, &plain, &control, &format!("{plain}{control}{text}")] {
                check(text);
                check(&format_args!("{text}{plain}"));
            }
        }

        #[test]
        fn numbers_are_written_as_in_serde_json(numbers in any::<(i64, u64, f64, f32, u128)>()) {
            check(&numbers);
        }
    }
}
