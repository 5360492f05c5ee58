//! [`ArgumentDecoder`]: decodes the arguments of an event one by one from the received text,
//! without copies.
//!
//! `serde_json` decodes arguments without binary data. [`BinaryJson`] decodes those that may have
//! some, with path tracking. It also decodes again what does not decode, to describe the error. So
//! each type has two decoders.

use serde::de::{Deserialize, Deserializer, Error as _, IgnoredAny, Visitor};
use serde::forward_to_deserialize_any;

use super::error::PayloadError;
use crate::wire::binary::{Attachments, with_attachments};
use crate::wire::binary_json::BinaryJson;
use crate::wire::envelope::ArgumentText;

/// The arguments of an event that are not decoded yet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ArgumentDecoder<'a> {
    args: ArgumentText<'a>,
    /// The attachments that placeholders in the arguments refer to.
    attachments: Option<&'a Attachments>,
    /// The number of arguments decoded so far.
    pub(super) taken: usize,
}

impl<'a> ArgumentDecoder<'a> {
    pub(crate) fn new(args: ArgumentText<'a>) -> Self {
        Self { args, attachments: None, taken: 0 }
    }

    pub(crate) fn with_attachments(self, attachments: Option<&'a Attachments>) -> Self {
        Self { attachments, ..self }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.args == ArgumentText::Many("")
    }

    /// Decodes the next argument. A missing argument is an error unless `T` is an `Option`.
    pub(crate) fn next<T: Deserialize<'a>>(&mut self) -> Result<T, PayloadError> {
        with_attachments(self.attachments, || self.decode_next())
    }

    fn decode_next<T: Deserialize<'a>>(&mut self) -> Result<T, PayloadError> {
        let argument = self.taken;
        self.taken += 1;
        let failed = |path, message| PayloadError { path, ..PayloadError::new(argument, message) };
        let args = std::mem::replace(&mut self.args, ArgumentText::Many(""));
        let (ArgumentText::One(text) | ArgumentText::Many(text)) = args;
        if args == ArgumentText::Many("") {
            return T::deserialize(Missing).map_err(|error| failed(None, describe(&error)));
        }
        if self.attachments.is_none() {
            let mut values = serde_json::Deserializer::from_str(text).into_iter::<T>();
            if let Some(Ok(value)) = values.next() {
                self.leave(args, values.byte_offset());
                return Ok(value);
            }
        }
        let attachments = self.attachments.map(|attachments| &**attachments).unwrap_or_default();
        let mut json = BinaryJson::new(text, attachments);
        let decoded = serde_path_to_error::deserialize::<_, T>(&mut json);
        let end = if decoded.is_ok() { text.len() - json.rest().len() } else { first_value_end(text) };
        self.leave(args, end);
        decoded.map_err(|error| {
            let path = error.path().to_string();
            failed(Some(path).filter(|path| path != "."), describe(error.inner()))
        })
    }

    /// Leaves the arguments after the one that ends at `end`.
    fn leave(&mut self, args: ArgumentText<'a>, end: usize) {
        if let ArgumentText::Many(list) = args {
            self.args = ArgumentText::Many(after(list, end));
        }
    }
}

/// Returns `true` if an argument of this type is optional.
pub(crate) fn may_be_missing<'a, T: Deserialize<'a>>() -> bool {
    T::deserialize(Missing).is_ok()
}

/// Returns the arguments after the one that ends at `end`.
fn after(list: &str, end: usize) -> &str {
    let space = [' ', '\t', '\n', '\r'];
    let rest = list[end..].trim_start_matches(space);
    rest.strip_prefix(',').unwrap_or(rest).trim_start_matches(space)
}

/// Returns the byte offset at which the first value ends.
fn first_value_end(list: &str) -> usize {
    let mut values = serde_json::Deserializer::from_str(list).into_iter::<IgnoredAny>();
    match values.next() {
        Some(Ok(_)) => values.byte_offset(),
        _ => list.len(),
    }
}

/// Returns serde's message without positions and Rust type names, which mean nothing to clients.
pub(super) fn describe(error: &serde_json::Error) -> String {
    let message = error.to_string();
    let message = message.rsplit_once(" at line ").map_or(&*message, |(message, _)| message);
    // JSON has no newtypes: this is how a type that takes anything sees binary data.
    if let Some(expected) = message.strip_prefix("invalid type: newtype struct, ") {
        return format!("invalid type: binary data, {}", without_names(expected));
    }
    if message.starts_with("data did not match any variant of untagged enum ") {
        return "data did not match any variant".to_owned();
    }
    if message.starts_with("no variant of enum ") {
        return "no variant found".to_owned();
    }
    without_names(message)
}

/// Replaces the names of Rust types by the JSON that they expect.
fn without_names(message: &str) -> String {
    let mut out = String::with_capacity(message.len());
    let mut rest = message;
    while let Some(at) = rest.find("expected ") {
        let (before, expected) = rest.split_at(at + "expected ".len());
        out.push_str(before);
        rest = expected;
        for (rust, json) in [
            ("internally tagged enum ", "an object"),
            ("adjacently tagged enum ", "an object"),
            ("struct variant ", "an object"),
            ("tuple variant ", "an array"),
            ("unit variant ", "a variant without data"),
            ("newtype variant ", "a variant"),
            ("tuple struct ", "an array"),
            ("newtype struct ", "a value"),
            ("unit struct ", "null"),
            ("struct ", "an object"),
            ("enum ", "a variant"),
        ] {
            if let Some(name) = expected.strip_prefix(rust) {
                out.push_str(json);
                rest = name.trim_start_matches(|c: char| c.is_alphanumeric() || matches!(c, '_' | ':' | '<' | '>'));
                break;
            }
        }
    }
    out.push_str(rest);
    out
}

/// The deserializer of a missing argument. Only an `Option` accepts it.
struct Missing;

impl<'de> Deserializer<'de> for Missing {
    type Error = serde_json::Error;

    fn deserialize_any<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, Self::Error> {
        Err(serde_json::Error::custom("missing argument"))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        visitor.visit_none()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;
    use std::borrow::Cow;

    #[derive(Debug, Deserialize, PartialEq)]
    struct User<'a> {
        #[serde(borrow)]
        name: Cow<'a, str>,
        age: u8,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    struct Profile<'a> {
        #[serde(borrow)]
        users: Vec<User<'a>>,
    }

    fn many(list: &str) -> ArgumentDecoder<'_> {
        ArgumentDecoder::new(ArgumentText::Many(list))
    }

    #[test]
    fn arguments_of_all_types_are_decoded_in_order() {
        let mut args = many(r#"1 , "two",true,null, {"name":"x","age":3} ,[4],-5.5"#);
        assert_eq!(args.next::<i32>().unwrap(), 1);
        assert_eq!(args.next::<&str>().unwrap(), "two");
        assert!(args.next::<bool>().unwrap());
        assert_eq!(args.next::<Option<i32>>().unwrap(), None);
        assert_eq!(args.next::<User<'_>>().unwrap(), User { name: "x".into(), age: 3 });
        assert_eq!(args.next::<Vec<u8>>().unwrap(), [4]);
        assert_eq!(args.next::<f64>().unwrap(), -5.5);
        assert_eq!(args.next::<Option<i32>>().unwrap(), None);
        assert_eq!(args.next::<i32>().unwrap_err().message, "missing argument");
    }

    #[test]
    fn a_string_without_escapes_is_borrowed() {
        let user: User<'_> = ArgumentDecoder::new(ArgumentText::One(r#"{"name":"x","age":3}"#)).next().unwrap();
        assert!(matches!(user.name, Cow::Borrowed("x")));
    }

    #[test]
    fn an_error_names_the_argument_and_the_next_one_still_decodes() {
        let mut args = many(r#"{"users":[{"name":"x","age":3},{"name":"y","age":300}]}, 7"#);
        let error = args.next::<Profile<'_>>().unwrap_err();
        assert_eq!((error.argument, error.path()), (Some(0), Some("users[1].age")));
        assert_eq!(error.message, "invalid value: integer `300`, expected u8");
        assert_eq!(args.next::<i32>().unwrap(), 7);
        assert_eq!(args.next::<i32>().unwrap_err().argument, Some(2));
    }

    #[test]
    fn messages_contain_no_names_of_rust_types() {
        let message = |text| ArgumentDecoder::new(ArgumentText::One(text)).next::<User<'_>>().unwrap_err().message;
        assert_eq!(message("5"), "invalid type: integer `5`, expected an object");
        assert_eq!(message("[\"x\"]"), "invalid length 1, expected an object with 2 elements");
        assert_eq!(message("{\"name\":\"x\"}"), "missing field `age`");
        let error = ArgumentDecoder::new(ArgumentText::One("{\"name\":\"x\"}")).next::<Result<u8, ()>>().unwrap_err();
        assert!(error.message.contains("unknown variant"), "{}", error.message);
    }

    #[test]
    fn depth_is_bounded() {
        let deep = format!("{}{}", "[".repeat(1000), "]".repeat(1000));
        let error = ArgumentDecoder::new(ArgumentText::One(&deep)).next::<serde_json::Value>().unwrap_err();
        assert_eq!(error.message, "recursion limit exceeded");
    }
}
