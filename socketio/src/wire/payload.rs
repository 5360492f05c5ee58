//! [`Payload`]: event arguments as comma-separated JSON text, plus attachments for binary data.
//!
//! Every wire format is written from it, so a payload is serialized only once for all clients.

use bytes::Bytes;
use serde::Serialize;
use std::borrow::Cow;

use super::binary::{self, Attachments};
use super::json::{self, ATTACHMENT_MARKER};
use super::scan::Scanner;
use super::scratch::Scratch;
use super::socketio::placeholder;
use crate::hooks::nesting::Entered;

/// Why a text is not valid as the arguments of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InvalidArgs {
    Json,
    TooDeep,
    Placeholder,
}

/// Why a value can't be an argument.
#[doc(hidden)]
#[derive(Debug)]
pub enum EncodeError {
    /// It does not serialize.
    Json(serde_json::Error),
    /// The payload has binary data, and an object that clients would take for a placeholder.
    Ambiguous,
}

impl From<serde_json::Error> for EncodeError {
    fn from(error: serde_json::Error) -> Self {
        Self::Json(error)
    }
}

/// The maximum nesting of arguments, the same as the limit of `serde_json`. Their list counts as
/// one level.
pub(crate) const MAX_DEPTH: usize = 128;

/// Checks that the text is empty or consists of comma-separated JSON values.
pub(crate) fn check_args(json: &str) -> Result<(), InvalidArgs> {
    let mut scanner = Scanner::new(json);
    if scanner.is_at_end() {
        return Ok(());
    }
    loop {
        scanner.value().ok_or(InvalidArgs::Json)?;
        if scanner.depth().saturating_add(1) > MAX_DEPTH {
            return Err(InvalidArgs::TooDeep);
        }
        if scanner.is_at_end() {
            return Ok(());
        }
        if !scanner.take(b',') {
            return Err(InvalidArgs::Json);
        }
    }
}

/// Serialized arguments.
#[doc(hidden)]
#[derive(Debug)]
pub struct Payload {
    /// JSON text, with an [`ATTACHMENT_MARKER`] for each attachment.
    json: Scratch,
    count: usize,
    attachments: Vec<Bytes>,
    /// The length of the text that was checked for objects like placeholders.
    checked: usize,
}

impl Payload {
    /// No arguments.
    pub(crate) fn new() -> Self {
        Self { json: Scratch::take(), count: 0, attachments: Vec::new(), checked: 0 }
    }

    /// One argument.
    pub(crate) fn of(value: &(impl Serialize + ?Sized)) -> Result<Self, EncodeError> {
        let mut payload = Self::new();
        payload.push(value)?;
        Ok(payload)
    }

    /// The arguments of an answer: one argument, or none for `()`.
    pub(crate) fn reply<T: Serialize>(value: &T) -> Result<Self, EncodeError> {
        let payload = Self::of(value)?;
        let is_unit = size_of_val(value) == 0 && payload.json[..] == *b"null";
        Ok(if is_unit { Self::new() } else { payload })
    }

    /// One binary argument.
    pub(crate) fn of_binary(bytes: Bytes) -> Self {
        let mut json = Scratch::take();
        json.push(ATTACHMENT_MARKER);
        Self { json, count: 1, attachments: vec![bytes], checked: 1 }
    }

    /// Appends an argument. The payload must not be used after an error.
    pub(crate) fn push(&mut self, value: &(impl Serialize + ?Sized)) -> Result<(), EncodeError> {
        if self.count > 0 {
            self.json.push(b',');
        }
        // The value may emit while it is serialized.
        let _entered = Entered::nested().map_err(<serde_json::Error as serde::ser::Error>::custom)?;
        json::write(&mut self.json, &mut self.attachments, value)?;
        self.count += 1;
        self.check()
    }

    /// Refuses objects that clients would take for placeholders. They only look for them in packets
    /// that have attachments.
    fn check(&mut self) -> Result<(), EncodeError> {
        if self.attachments.is_empty() {
            return Ok(());
        }
        if placeholder::is_ambiguous(&self.json[self.checked..]) {
            return Err(EncodeError::Ambiguous);
        }
        self.checked = self.json.len();
        Ok(())
    }

    /// Appends arguments that are already comma-separated JSON, with placeholders for the
    /// attachments. The payload must not be used after an error.
    pub(crate) fn push_raw(&mut self, json: &str, attachments: &[Bytes]) -> Result<(), EncodeError> {
        let mut scanner = Scanner::new(json);
        let mut added = 0;
        while scanner.value().is_some() {
            added += 1;
            if !scanner.take(b',') {
                break;
            }
        }
        if added == 0 {
            return Ok(());
        }
        if self.count > 0 {
            self.json.push(b',');
        }
        self.count += added;
        let mut copied = 0;
        if !attachments.is_empty() {
            for (range, number) in placeholder::all(json) {
                let Some(attachment) = attachments.get(number) else { continue };
                self.attachments.push(attachment.clone());
                self.json.extend_from_slice(&json.as_bytes()[copied..range.start]);
                self.json.push(ATTACHMENT_MARKER);
                copied = range.end;
            }
        }
        self.json.extend_from_slice(&json.as_bytes()[copied..]);
        self.check()
    }

    /// Makes arguments of the parts of another payload.
    pub(crate) fn of_parts(json: Scratch, count: usize, attachments: Vec<Bytes>) -> Self {
        let checked = json.len();
        Self { json, count, attachments, checked }
    }

    /// Makes arguments of JSON text with an [`ATTACHMENT_MARKER`] for each attachment. The text
    /// must be valid, and not nested too deeply.
    #[cfg(feature = "cluster")]
    pub(crate) fn from_parts(json: Scratch, count: usize, attachments: Vec<Bytes>) -> Result<Self, EncodeError> {
        let mut payload = Self { json, count, attachments, checked: 0 };
        payload.check()?;
        Ok(payload)
    }

    /// Makes arguments of comma-separated JSON without attachments. It must be valid, and not
    /// nested too deeply.
    #[cfg(feature = "cluster")]
    pub(crate) fn from_scanned(json: &str) -> Self {
        let mut payload = Self::new();
        let mut scanner = Scanner::new(json);
        while scanner.value().is_some() {
            payload.count += 1;
            if !scanner.take(b',') {
                break;
            }
        }
        payload.json.extend_from_slice(json.as_bytes());
        payload
    }

    /// Makes arguments from another server's text: comma-separated JSON with a placeholder for each
    /// attachment.
    pub(crate) fn from_json(json: &str, attachments: &[Bytes]) -> Result<Self, InvalidArgs> {
        let json = json.trim_ascii();
        check_args(json)?;
        let mut payload = Self::new();
        if attachments.is_empty() {
            payload.push_raw(json, attachments).map_err(|_| InvalidArgs::Placeholder)?;
            return Ok(payload);
        }
        let allowed = attachments.iter().map(Bytes::len).fold(0, usize::saturating_add);
        let mut rewritten = Scratch::take();
        placeholder::rewrite_args(json, &mut rewritten, attachments, allowed).ok_or(InvalidArgs::Placeholder)?;
        // The placeholders are ASCII, so the rewritten text is still UTF-8.
        let rewritten = std::str::from_utf8(&rewritten).map_err(|_| InvalidArgs::Json)?;
        payload.push_raw(rewritten, attachments).map_err(|_| InvalidArgs::Placeholder)?;
        let is_complete = payload.attachments.len() == attachments.len();
        is_complete.then_some(payload).ok_or(InvalidArgs::Placeholder)
    }

    /// The arguments as JSON with placeholders, and the attachments.
    pub(crate) fn placeholders(&self) -> (Cow<'_, str>, Option<Attachments>) {
        if self.attachments.is_empty() {
            // JSON text is always UTF-8.
            return (Cow::Borrowed(std::str::from_utf8(&self.json).unwrap_or_default()), None);
        }
        let mut json = Vec::new();
        self.write_placeholders(&mut json);
        (Cow::Owned(String::from_utf8(json).unwrap_or_default()), Some(self.attachments.as_slice().into()))
    }

    /// The arguments as comma-separated JSON, with an [`ATTACHMENT_MARKER`] for each attachment.
    pub(crate) fn json_with_markers(&self) -> &[u8] {
        &self.json
    }

    /// The number of arguments.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// The attachments, in the order of their markers.
    pub(crate) fn attachments(&self) -> &[Bytes] {
        &self.attachments
    }

    /// Appends the arguments as comma-separated JSON, with binary data as base64 strings.
    pub(crate) fn write_json(&self, out: &mut Vec<u8>) {
        self.write_with(out, |out, at| binary::write_base64(out, &self.attachments[at]));
    }

    /// Appends the arguments as comma-separated JSON, with Socket.IO placeholders for binary data.
    pub(crate) fn write_placeholders(&self, out: &mut Vec<u8>) {
        self.write_with(out, placeholder::write);
    }

    /// Appends the arguments. `write_attachment` writes the attachment with the given index.
    fn write_with(&self, out: &mut Vec<u8>, mut write_attachment: impl FnMut(&mut Vec<u8>, usize)) {
        if self.attachments.is_empty() {
            out.extend_from_slice(&self.json);
            return;
        }
        for (at, text) in self.json.split(|byte| *byte == ATTACHMENT_MARKER).enumerate() {
            if let Some(attachment) = at.checked_sub(1) {
                write_attachment(out, attachment);
            }
            out.extend_from_slice(text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Binary;
    use proptest::prelude::*;
    use serde_json::json;

    fn json(payload: &Payload) -> String {
        let mut out = Vec::new();
        payload.write_json(&mut out);
        String::from_utf8(out).expect("JSON is UTF-8")
    }

    #[test]
    fn arguments_are_separated_by_commas() {
        let mut payload = Payload::new();
        assert_eq!((json(&payload).as_str(), payload.count()), ("", 0));
        payload.push(&1).unwrap();
        payload.push("two").unwrap();
        payload.push(&json!({"three": [4]})).unwrap();
        assert_eq!((json(&payload).as_str(), payload.count()), (r#"1,"two",{"three":[4]}"#, 3));
    }

    #[test]
    fn binary_data_becomes_base64_at_any_depth() {
        #[derive(Serialize)]
        struct Upload {
            name: &'static str,
            parts: Vec<Binary>,
        }
        let parts = vec![Binary::from(vec![1, 2, 3]), Binary::default()];
        let payload = Payload::of(&Upload { name: "a", parts }).unwrap();
        assert_eq!(json(&payload), r#"{"name":"a","parts":["AQID",""]}"#);
        assert_eq!(&payload.json[..], b"{\"name\":\"a\",\"parts\":[\xff,\xff]}");
    }

    #[test]
    fn raw_arguments_keep_their_attachments() {
        let mut payload = Payload::of(&0).unwrap();
        let json = r#"1,{"a":{"_placeholder":true,"num":1}},{"_placeholder":true,"num":0},"end""#;
        payload.push_raw(json, &[Bytes::from_static(&[1]), Bytes::from_static(&[2])]).unwrap();
        payload.push_raw("", &[]).unwrap();
        assert_eq!((payload.count(), payload.attachments().len()), (5, 2));
        assert_eq!(self::json(&payload), r#"0,1,{"a":"Ag=="},"AQ==","end""#);
    }

    proptest! {
        /// Arguments that one server writes are equal after another server has read them.
        #[test]
        fn arguments_round_trip_through_json(
            args in prop::collection::vec((any::<String>(), any::<i64>(), prop::option::of(any::<Vec<u8>>())), 0..6),
        ) {
            let mut payload = Payload::new();
            for (text, number, bytes) in args {
                payload.push(&json!({ text.as_str(): [number, null, text] })).unwrap();
                if let Some(bytes) = bytes {
                    payload.push(&[Some(Binary::from(bytes)), None]).unwrap();
                }
            }
            let (sent, attachments) = payload.placeholders();
            let again = Payload::from_json(&sent, attachments.as_deref().unwrap_or_default()).unwrap();
            prop_assert_eq!((&again.json[..], again.count()), (&payload.json[..], payload.count()));
            prop_assert_eq!(again.attachments(), payload.attachments());
        }

        #[test]
        fn reading_arguments_never_panics(json in ".*", attachments in prop::collection::vec(any::<Vec<u8>>(), 0..3)) {
            let attachments: Vec<Bytes> = attachments.into_iter().map(Bytes::from).collect();
            let _ = Payload::from_json(&json, &attachments);
        }
    }

    #[test]
    fn an_object_like_a_placeholder_is_refused_beside_binary_data() {
        let lookalike = json!({"_placeholder": true, "num": 0});
        let binary = Binary::from(vec![255]);
        assert!(matches!(Payload::of(&(&lookalike, &binary)), Err(EncodeError::Ambiguous)));
        let mut payload = Payload::of(&lookalike).unwrap();
        payload.push(&lookalike).unwrap();
        assert!(matches!(payload.push(&binary), Err(EncodeError::Ambiguous)));
        let mut payload = Payload::of(&binary).unwrap();
        payload.push(&1).unwrap();
        assert!(matches!(payload.push(&lookalike), Err(EncodeError::Ambiguous)));
        let escaped = r#"{"_placeholde\u0072":true,"num":0},{"_placeholder":true,"num":0}"#;
        let attachments = [Bytes::from_static(&[1])];
        assert!(matches!(Payload::new().push_raw(escaped, &attachments), Err(EncodeError::Ambiguous)));
        assert_eq!(Payload::from_json(escaped, &attachments).unwrap_err(), InvalidArgs::Placeholder);
    }

    #[test]
    fn everything_that_serializes_as_bytes_is_binary_data() {
        struct Raw;
        impl Serialize for Raw {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_bytes(&[1, 2])
            }
        }
        #[derive(Serialize)]
        #[serde(tag = "kind")]
        enum Buffered {
            A { raw: Raw, binary: Binary },
        }
        assert_eq!(json(&Payload::of(&Raw).unwrap()), r#""AQI=""#);
        let buffered = Buffered::A { raw: Raw, binary: Binary::from(vec![7]) };
        let payload = Payload::of(&buffered).unwrap();
        assert_eq!(json(&payload), r#"{"kind":"A","raw":"AQI=","binary":"Bw=="}"#);
        assert_eq!(payload.attachments(), [&[1, 2][..], &[7]]);
        assert_eq!(json(&Payload::of(&[1u8, 2]).unwrap()), "[1,2]");
        // Other serializers get text.
        assert_eq!(serde_json::to_string(&Binary::from(vec![7])).unwrap(), r#""Bw==""#);
        assert_eq!(json(&Payload::of(&json!([Binary::from(vec![7])])).unwrap()), r#"["Bw=="]"#);
    }

    #[test]
    fn binary_data_is_shared_and_not_copied() {
        let binary = Binary::from(vec![1; 100]);
        let payload = Payload::of(&[&binary]).unwrap();
        assert_eq!(payload.attachments()[0].as_ptr(), binary.as_ptr());
    }

    #[test]
    fn binary_is_decoded_from_base64_and_arrays() {
        assert_eq!(serde_json::from_str::<Binary>(r#""AQID""#).unwrap(), Binary::from(vec![1, 2, 3]));
        assert_eq!(serde_json::from_str::<Binary>("[1,2,3]").unwrap(), Binary::from(vec![1, 2, 3]));
        assert!(serde_json::from_str::<Binary>(r#""?""#).is_err());
        assert!(serde_json::from_str::<Binary>("1").is_err());
    }
}
