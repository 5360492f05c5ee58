//! Placeholders: the JSON objects that refer to a packet's attachments.
//!
//! In the texts of this server, only an object in the form that [`write`] writes is a placeholder.
//! Clients take every object for one whose key `_placeholder` is `true`. So [`is_ambiguous`] finds
//! those in what the application emits, and [`ESCAPED_KEY`] keeps them apart in what a client sends
//! whose encoding has no placeholders.

use bytes::Bytes;
use std::ops::Range;

use super::Invalid;
use crate::wire::scan::{Scanner, after_space, string_end};

/// The text before the number in a placeholder.
const PLACEHOLDER: &str = r#"{"_placeholder":true,"num":"#;
/// The key of a placeholder.
const KEY: &str = r#""_placeholder""#;
/// The same key, spelled so that [`read`] and [`rewrite`] see no placeholder.
const ESCAPED_KEY: &str = r#""_placeholde\u0072""#;

/// Appends a placeholder.
pub(crate) fn write(out: &mut Vec<u8>, number: usize) {
    out.extend_from_slice(PLACEHOLDER.as_bytes());
    out.extend_from_slice(number.to_string().as_bytes());
    out.push(b'}');
}

/// Reads the placeholder that the text starts with. Returns its number and its length.
pub(crate) fn read(text: &[u8]) -> Option<(usize, usize)> {
    let digits = text.strip_prefix(PLACEHOLDER.as_bytes())?;
    let end = digits.iter().position(|byte| *byte == b'}')?;
    Some((std::str::from_utf8(&digits[..end]).ok()?.parse().ok()?, PLACEHOLDER.len() + end + 1))
}

/// The placeholders in JSON text: the range of each, and its number.
pub(crate) fn all(text: &str) -> impl Iterator<Item = (Range<usize>, usize)> {
    // A quote in a string is escaped, so strings can't contain a placeholder.
    text.match_indices(PLACEHOLDER).filter_map(|(at, _)| {
        let (number, length) = read(&text.as_bytes()[at..])?;
        Some((at..at + length, number))
    })
}

/// How to spell the key of an object that is data, if not like this.
pub(crate) fn data_key(key: &[u8]) -> Option<&'static str> {
    (key == KEY.as_bytes()).then_some(ESCAPED_KEY)
}

/// Whether a client would take an object in this JSON text for a placeholder. The text has markers
/// in the place of the real ones.
pub(crate) fn is_ambiguous(json: &[u8]) -> bool {
    let mut at = 0;
    while let Some(start) = json[at..].iter().position(|byte| *byte == b'"').map(|length| at + length) {
        let Some(end) = string_end(json, start) else { return true };
        at = after_space(json, end);
        if json.get(at) == Some(&b':') && is_key(&json[start..end]) {
            at = after_space(json, at + 1);
            if json[at..].starts_with(b"true") {
                return true;
            }
        }
    }
    false
}

/// Whether a JSON string is the key of a placeholder, in any spelling.
fn is_key(string: &[u8]) -> bool {
    string == KEY.as_bytes()
        || (string.contains(&b'\\') && serde_json::from_slice::<String>(string).is_ok_and(|key| key == "_placeholder"))
}

/// The attachments of a packet, and how many more bytes placeholders may refer to.
pub(super) struct Allowance<'a> {
    attachments: &'a [Bytes],
    left: usize,
}

impl<'a> Allowance<'a> {
    pub(super) fn new(attachments: &'a [Bytes], max: usize) -> Self {
        Self { attachments, left: max }
    }

    fn spend(&mut self, number: usize) -> Option<()> {
        self.left = self.left.checked_sub(self.attachments.get(number)?.len())?;
        Some(())
    }
}

/// Copies the next value. The recursion is safe because the nesting was checked before.
pub(super) fn rewrite(
    scanner: &mut Scanner<'_>,
    out: &mut Vec<u8>,
    allowance: &mut Allowance<'_>,
) -> Result<(), Invalid> {
    if scanner.take(b'[') {
        out.push(b'[');
        while !scanner.take(b']') {
            rewrite(scanner, out, allowance)?;
            if scanner.take(b',') {
                out.push(b',');
            }
        }
        out.push(b']');
        return Ok(());
    }
    if !scanner.take(b'{') {
        out.extend_from_slice(scanner.value().ok_or(Invalid)?.as_bytes());
        return Ok(());
    }
    let start = out.len();
    let (mut is_placeholder, mut number) = (false, None);
    out.push(b'{');
    while !scanner.take(b'}') {
        let key = scanner.string().ok_or(Invalid)?;
        out.extend_from_slice(key.as_bytes());
        scanner.take(b':');
        out.push(b':');
        let value = out.len();
        rewrite(scanner, out, allowance)?;
        match key {
            KEY => is_placeholder = &out[value..] == b"true",
            r#""num""# => number = std::str::from_utf8(&out[value..]).ok().and_then(|number| number.parse().ok()),
            _ => {}
        }
        if scanner.take(b',') {
            out.push(b',');
        }
    }
    out.push(b'}');
    if is_placeholder {
        out.truncate(start);
        let number = number.ok_or(Invalid)?;
        allowance.spend(number).ok_or(Invalid)?;
        write(out, number);
    }
    Ok(())
}

/// Copies comma-separated arguments and writes their placeholders in the form of [`PLACEHOLDER`].
/// `None` if a placeholder refers to a missing attachment, or if the placeholders together stand
/// for more than `max` bytes. The nesting must be checked before.
pub(crate) fn rewrite_args(json: &str, out: &mut Vec<u8>, attachments: &[Bytes], max: usize) -> Option<()> {
    let mut scanner = Scanner::new(json);
    let mut allowance = Allowance::new(attachments, max);
    while !scanner.is_at_end() {
        rewrite(&mut scanner, out, &mut allowance).ok()?;
        if scanner.take(b',') {
            out.push(b',');
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_that_clients_take_for_placeholders_are_found() {
        for text in [
            r#"{"_placeholder":true,"num":0}"#,
            r#"[1,{"a":{"num":1,"_placeholder" : true}}]"#,
            r#"{"_placeholder":true}"#,
            r#"{"\u005fplaceholder":true}"#,
            r#"{"a\"":"_placeholder","_placeholde\u0072":
              true}"#,
        ] {
            assert!(is_ambiguous(text.as_bytes()), "{text}");
        }
        for text in [
            "",
            "1,[true]",
            r#"{"_placeholder":false,"num":0}"#,
            r#"{"_placeholder":"true"}"#,
            r#"["_placeholder",true]"#,
            r#"{"a":"{\"_placeholder\":true}"}"#,
            r#"{"_placeholders":true,"\\u005fplaceholder":true}"#,
        ] {
            assert!(!is_ambiguous(text.as_bytes()), "{text}");
        }
        assert!(!is_ambiguous(b"{\"a\":\xff,\"_placeholder\":\xff}"));
    }

    #[test]
    fn only_the_form_that_is_written_is_a_placeholder() {
        assert_eq!(read(br#"{"_placeholder":true,"num":12},3"#), Some((12, 30)));
        for text in [
            r#"{"_placeholder":true,"num":0,"a":1}"#,
            r#"{"_placeholder":true,"num":}"#,
            r#"{"_placeholder":true,"num":0"#,
            r#"{"_placeholder":true,"num":1.0}"#,
            r#"{"num":0,"_placeholder":true}"#,
            r#"{"_placeholde\u0072":true,"num":0}"#,
        ] {
            assert_eq!(read(text.as_bytes()), None, "{text}");
        }
        let text = r#"[{"_placeholder":true,"num":3},"{\"_placeholder\":true,\"num\":4}"]"#;
        assert_eq!(all(text).collect::<Vec<_>>(), [(1..30, 3)]);
    }
}
