//! A scanner that finds where JSON values end and checks that they are well-formed.
//!
//! It decodes nothing, does not recurse, and allocates only for more than 64 levels of nesting.
//!
//! It accepts what [RFC 8259] accepts. It does not unescape strings, so a lone surrogate passes
//! here and fails when the string is decoded.
//!
//! It also measures how deeply a value is nested, which bounds the recursion of decoders. A
//! decoder finds more levels than the text has in an object with one of serde_json's [reserved
//! keys](RESERVED), because it decodes the string behind the key as JSON. Such an object therefore
//! has the depth [`UNBOUNDED`].
//!
//! [RFC 8259]: https://www.rfc-editor.org/rfc/rfc8259

use serde::de::IgnoredAny;

/// The depth of a value that holds an object with a [reserved key](RESERVED): its text does not
/// bound the depth of the decoded value.
///
/// It is larger than every limit. Add to it with [`usize::saturating_add`].
pub(crate) const UNBOUNDED: usize = usize::MAX;

/// The prefix of object keys that have a special meaning to serde_json.
///
/// With the feature `raw_value`, which axum enables, `serde_json::Value` decodes the string in
/// `{"$serde_json::private::RawValue": "…"}` as JSON. The recursion limit starts anew there, so
/// nested strings can nest as deeply as the message is long. With `arbitrary_precision`,
/// `$serde_json::private::Number` marks a number in a string.
///
/// Other crates have similar names, which do not make values deeper:
///
/// - `$__serde_spanned_private_value` (`serde_spanned`, of `toml`) and `_ExtStruct` (`rmp-serde`)
///   hold a value that is written out, so its levels count.
/// - `$__toml_private_datetime` and bson's `$oid`, `$numberLong` and the like hold a string that is
///   not a document.
/// - `$ron::private::RawValue` checks that a string is RON, under the recursion limit of `ron`, and
///   keeps it as text.
/// - `$__private__bson_RawDocument` expects borrowed bytes. BSON contains NULs, which JSON text
///   must escape, so it cannot be borrowed.
///
/// `ts-rs` and `schemars` decode no keys of their own.
pub(crate) const RESERVED: &[u8] = b"$serde_json::private::";

/// Reads JSON text from its start, one token or value at a time.
#[derive(Clone, Debug)]
pub(crate) struct Scanner<'a> {
    text: &'a str,
    at: usize,
    /// The maximum nesting of the value that was read last.
    depth: usize,
}

impl<'a> Scanner<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { text, at: 0, depth: 0 }
    }

    /// Skips white space, then consumes `byte` if it comes next.
    #[inline]
    pub(crate) fn take(&mut self, byte: u8) -> bool {
        self.skip_space();
        let found = self.text.as_bytes().get(self.at) == Some(&byte);
        self.at += usize::from(found);
        found
    }

    /// Skips white space, and returns the next byte without consuming it.
    pub(crate) fn peek(&mut self) -> Option<u8> {
        self.skip_space();
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip_space(&mut self) {
        self.at = after_space(self.text.as_bytes(), self.at);
    }

    /// The text that is not yet consumed.
    pub(crate) fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    /// Whether only white space is left.
    pub(crate) fn is_at_end(&mut self) -> bool {
        self.skip_space();
        self.at == self.text.len()
    }

    /// Skips white space, then consumes a string and returns its JSON text. `None` if no string
    /// comes next.
    pub(crate) fn string(&mut self) -> Option<&'a str> {
        self.skip_space();
        let start = self.at;
        self.at = string_end(self.text.as_bytes(), start)?;
        Some(&self.text[start..self.at])
    }

    /// Skips white space, then consumes any value and returns its JSON text. `None` if no value
    /// comes next.
    pub(crate) fn value(&mut self) -> Option<&'a str> {
        self.skip_space();
        let start = self.at;
        let Some((at, depth)) = value_end(self.text.as_bytes(), start) else { return self.reserved_value() };
        (self.at, self.depth) = (at, depth);
        Some(&self.text[start..self.at])
    }

    /// Consumes a value with a reserved key, on which [`value_end`] stops. This second pass keeps
    /// the check out of the first.
    #[cold]
    fn reserved_value(&mut self) -> Option<&'a str> {
        let rest = self.rest();
        let mut values = serde_json::Deserializer::from_str(rest).into_iter::<IgnoredAny>();
        values.next()?.ok()?;
        let end = values.byte_offset();
        (self.at, self.depth) = (self.at + end, UNBOUNDED);
        Some(&rest[..end])
    }

    /// The nesting of the value that was read last: 0 for a number, 1 for an array of numbers,
    /// [`UNBOUNDED`] where an object has a reserved key.
    pub(crate) fn depth(&self) -> usize {
        self.depth
    }
}

// Each `*_end` function returns where the element that starts at `at` ends, or `None` if there is
// no such element. The position is passed by value, so that it stays in a register.

/// Returns the end of a value and its nesting. `None` also for a value with a reserved key.
fn value_end(bytes: &[u8], mut at: usize) -> Option<(usize, usize)> {
    let mut open = Open::default();
    let mut deepest = 0;
    loop {
        // A value must start here.
        at = after_space(bytes, at);
        match bytes.get(at)? {
            b'"' => at = string_end(bytes, at)?,
            b'{' => {
                deepest = deepest.max(open.depth + 1);
                at = after_space(bytes, at + 1);
                if bytes.get(at)? != &b'}' {
                    open.push(true);
                    at = key_end(bytes, at)?;
                    continue;
                }
                at += 1;
            }
            b'[' => {
                deepest = deepest.max(open.depth + 1);
                at = after_space(bytes, at + 1);
                if bytes.get(at)? != &b']' {
                    open.push(false);
                    continue;
                }
                at += 1;
            }
            b't' => at = word_end(bytes, at, "true")?,
            b'f' => at = word_end(bytes, at, "false")?,
            b'n' => at = word_end(bytes, at, "null")?,
            _ => at = number_end(bytes, at)?,
        }
        // After a value, the enclosing array or object continues or ends too.
        loop {
            let Some(is_object) = open.last() else { return Some((at, deepest)) };
            at = after_space(bytes, at);
            match (bytes.get(at)?, is_object) {
                (b',', true) => {
                    at = key_end(bytes, after_space(bytes, at + 1))?;
                    break;
                }
                (b',', false) => {
                    at += 1;
                    break;
                }
                (b'}', true) | (b']', false) => {
                    at += 1;
                    open.pop();
                }
                _ => return None,
            }
        }
    }
}

#[inline]
pub(crate) fn after_space(bytes: &[u8], mut at: usize) -> usize {
    while let Some(byte) = bytes.get(at)
        // This comparison alone decides for most bytes.
        && *byte <= b' '
        && matches!(byte, b' ' | b'\n' | b'\r' | b'\t')
    {
        at += 1;
    }
    at
}

/// Whether a key has the reserved prefix, in any escaped form. `inside` starts after the opening
/// quote.
fn has_reserved_prefix(mut inside: &[u8]) -> bool {
    RESERVED.iter().all(|expected| {
        let (byte, rest) = match inside {
            // `\u` is the only escape that can produce one of these bytes.
            [b'\\', b'u', b'0', b'0', high, low, rest @ ..] => match (hex(*high), hex(*low)) {
                (Some(high), Some(low)) => (high << 4 | low, rest),
                _ => return false,
            },
            [byte, rest @ ..] => (*byte, rest),
            [] => return false,
        };
        inside = rest;
        byte == *expected
    })
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

/// The end of a key and its colon. `None` for a reserved key.
#[inline]
fn key_end(bytes: &[u8], at: usize) -> Option<usize> {
    let at = after_space(bytes, string_end_with(bytes, at, |start, at| long_key_end(bytes, start, at))?);
    (bytes.get(at)? == &b':').then_some(at + 1)
}

/// The end of a key that starts at `start`. Every reserved key is longer than a word, so it is
/// checked here.
#[inline(never)]
fn long_key_end(bytes: &[u8], start: usize, at: usize) -> Option<usize> {
    match bytes.get(start) {
        Some(b'$' | b'\\') => unusual_key_end(bytes, start, at),
        _ => inside_end(bytes, at),
    }
}

#[cold]
#[inline(never)]
fn unusual_key_end(bytes: &[u8], start: usize, at: usize) -> Option<usize> {
    if has_reserved_prefix(&bytes[start..]) { None } else { inside_end(bytes, at) }
}

/// The end of the string that starts at `at`.
#[inline]
pub(crate) fn string_end(bytes: &[u8], at: usize) -> Option<usize> {
    string_end_with(bytes, at, |_, at| inside_end(bytes, at))
}

/// Calls `long_end` if the string does not end within a word or has an escape there. Its arguments
/// are where the contents start and where to continue.
#[inline]
fn string_end_with(bytes: &[u8], at: usize, long_end: impl FnOnce(usize, usize) -> Option<usize>) -> Option<usize> {
    if bytes.get(at)? != &b'"' {
        return None;
    }
    let start = at + 1;
    let mut at = start;
    // Most strings are shorter than a word.
    if let Some(word) = bytes[at..].first_chunk() {
        match special_in(word) {
            Some(within) if word[within] == b'"' => return Some(at + within + 1),
            Some(within) => at += within,
            None => at += word.len(),
        }
    }
    long_end(start, at)
}

/// The end of a string's remaining contents, with the closing quote.
#[inline(never)]
fn inside_end(bytes: &[u8], mut at: usize) -> Option<usize> {
    loop {
        at += long_plain_length(&bytes[at..]);
        match bytes.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' => at = escape_end(bytes, at)?,
            // A control character must be escaped in a string.
            _ => return None,
        }
    }
}

fn escape_end(bytes: &[u8], at: usize) -> Option<usize> {
    let rest = &bytes[at + 1..];
    match rest.first()? {
        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Some(at + 2),
        b'u' if rest.get(1..5)?.iter().all(u8::is_ascii_hexdigit) => Some(at + 6),
        _ => None,
    }
}

fn word_end(bytes: &[u8], at: usize, word: &str) -> Option<usize> {
    bytes[at..].starts_with(word.as_bytes()).then_some(at + word.len())
}

pub(super) fn number_end(bytes: &[u8], mut at: usize) -> Option<usize> {
    at += usize::from(bytes[at] == b'-');
    at = match bytes.get(at)? {
        b'0' => at + 1,
        _ => digits_end(bytes, at)?,
    };
    if let Some(b'.') = bytes.get(at) {
        at = digits_end(bytes, at + 1)?;
    }
    if let Some(b'e' | b'E') = bytes.get(at) {
        at += 1;
        at += usize::from(matches!(bytes.get(at), Some(b'+' | b'-')));
        at = digits_end(bytes, at)?;
    }
    Some(at)
}

fn digits_end(bytes: &[u8], start: usize) -> Option<usize> {
    let mut at = start;
    while bytes.get(at).is_some_and(u8::is_ascii_digit) {
        at += 1;
    }
    (at > start).then_some(at)
}

/// The number of leading bytes that need no unescaping: no quote, no backslash, no control
/// character.
#[inline]
pub(super) fn plain_length(bytes: &[u8]) -> usize {
    match bytes.split_first_chunk() {
        Some((word, rest)) => special_in(word).unwrap_or_else(|| word.len() + long_plain_length(rest)),
        None => short_plain_length(bytes),
    }
}

#[inline]
fn short_plain_length(bytes: &[u8]) -> usize {
    bytes.iter().position(|byte| is_special(*byte)).unwrap_or(bytes.len())
}

/// [`plain_length`] for long strings. Most strings are short, so this code stays out of line.
#[inline(never)]
fn long_plain_length(bytes: &[u8]) -> usize {
    let mut at = 0;
    // The compiler vectorizes this loop.
    while let Some(block) = bytes[at..].first_chunk::<16>()
        && !block.iter().fold(false, |found, byte| found | is_special(*byte))
    {
        at += block.len();
    }
    while let Some(word) = bytes[at..].first_chunk() {
        match special_in(word) {
            Some(within) => return at + within,
            None => at += word.len(),
        }
    }
    at + short_plain_length(&bytes[at..])
}

fn is_special(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

/// The position of the first of eight bytes that is not plain.
#[inline]
fn special_in(bytes: &[u8; 8]) -> Option<usize> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = 0x8080_8080_8080_8080;
    let word = u64::from_le_bytes(*bytes);
    let quote = word ^ (ONES * b'"' as u64);
    let backslash = word ^ (ONES * b'\\' as u64);
    // The lowest set bit belongs to the first byte that is a quote, a backslash or below 0x20.
    let special = ((quote.wrapping_sub(ONES) & !quote)
        | (backslash.wrapping_sub(ONES) & !backslash)
        | (word.wrapping_sub(ONES * 0x20) & !word))
        & HIGHS;
    (special != 0).then(|| special.trailing_zeros() as usize / 8)
}

/// The open arrays and objects, one bit each; 1 is an object.
#[derive(Default)]
struct Open {
    bits: u64,
    depth: usize,
    /// The bits of outer levels, 64 in each word.
    outer: Vec<u64>,
}

impl Open {
    fn push(&mut self, is_object: bool) {
        if self.depth > 0 && self.depth.is_multiple_of(64) {
            self.outer.push(self.bits);
        }
        self.bits = self.bits << 1 | u64::from(is_object);
        self.depth += 1;
    }

    fn pop(&mut self) {
        self.depth -= 1;
        self.bits >>= 1;
        if self.depth > 0 && self.depth.is_multiple_of(64) {
            self.bits = self.outer.pop().unwrap_or_default();
        }
    }

    fn last(&self) -> Option<bool> {
        (self.depth > 0).then_some(self.bits & 1 == 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

    fn is_json(text: &str) -> bool {
        let mut scanner = Scanner::new(text);
        scanner.value().is_some() && scanner.is_at_end()
    }

    #[test]
    fn valid_json_is_accepted_and_invalid_json_rejected() {
        for text in [
            "null",
            " true ",
            "false",
            "0",
            "-0",
            "12.50",
            "1e9",
            "-1.5E-3",
            r#""""#,
            r#""a\"b\\cé\u00e9\ud800""#,
            "[]",
            "[ ]",
            "{ }",
            r#"[1,"a",[{}]]"#,
            r#"{"a":{"b":[1,2]},"c":null}"#,
            r#""exactly eight bytes, and then some""#,
        ] {
            assert!(is_json(text), "{text}");
        }
        for text in [
            "",
            " ",
            "nul",
            "True",
            "01",
            "-",
            "1.",
            ".5",
            "1e",
            "+1",
            "\"",
            r#""\x""#,
            r#""\u12g4""#,
            r#""\u12"#,
            "\"\n\"",
            "[1,]",
            "[,1]",
            "[1",
            "]",
            "[1}",
            r#"{"a"}"#,
            r#"{"a":}"#,
            r#"{"a":1,}"#,
            "{a:1}",
            "{1:2}",
            "[1 2]",
            "1 2",
        ] {
            assert!(!is_json(text), "{text}");
        }
    }

    #[test]
    fn values_are_returned_with_their_exact_text() {
        let mut scanner = Scanner::new(r#" {"a" : [1, {"b": "]"}] , "c":2}"#);
        assert!(scanner.take(b'{'));
        assert_eq!(scanner.string(), Some(r#""a""#));
        assert!(scanner.take(b':'));
        assert_eq!(scanner.value(), Some(r#"[1, {"b": "]"}]"#));
        assert!(scanner.take(b','));
        assert_eq!(scanner.string(), Some(r#""c""#));
        assert!(scanner.take(b':'));
        assert_eq!(scanner.value(), Some("2"));
        assert!(scanner.take(b'}'));
        assert!(scanner.is_at_end());
    }

    #[test]
    fn nesting_of_any_depth_is_scanned() {
        for depth in [1, 63, 64, 65, 127, 128, 129, 1000, 100_000] {
            let nested = format!("{}1{}", r#"[{"a":"#.repeat(depth), "}]".repeat(depth));
            assert!(is_json(&nested), "{depth}");
            assert!(!is_json(&nested[..nested.len() - 1]), "{depth}");
            let crossed = format!("{}1{}", r#"[{"a":"#.repeat(depth), "]}".repeat(depth));
            assert!(!is_json(&crossed), "{depth}");
        }
    }

    fn depth(text: &str) -> usize {
        let mut scanner = Scanner::new(text);
        scanner.value().expect("valid JSON");
        scanner.depth()
    }

    #[test]
    fn depth_is_the_maximum_nesting() {
        for (text, expected) in
            [("1", 0), (r#""[[""#, 0), ("[]", 1), ("{}", 1), ("[1,[2]]", 2), (r#"[[[]],{"a":{"b":[{}]}},[1]]"#, 5)]
        {
            assert_eq!(depth(text), expected, "{text}");
        }
        for levels in [63, 64, 65, 1000] {
            assert_eq!(depth(&format!("{}{}", "[".repeat(levels), "]".repeat(levels))), levels);
        }
        let mut scanner = Scanner::new("[[1]] 2");
        assert_eq!((scanner.value(), scanner.depth()), (Some("[[1]]"), 2));
        assert_eq!((scanner.value(), scanner.depth()), (Some("2"), 0));
    }

    #[test]
    fn reserved_keys_are_found_at_any_depth_and_in_any_escaped_form() {
        for key in [
            "$serde_json::private::RawValue",
            "$serde_json::private::Number",
            "$serde_json::private::",
            r"\u0024serde_json::private::RawValue",
            r"$\u0073erde_json::private::RawValue",
            r"$serde_json\u003a\u003Aprivate::RawValue",
            r"$serde_json::private:\u003aRaw\u0056alue",
        ] {
            for text in [
                format!(r#"{{"{key}":1}}"#),
                format!(r#"{{ "{key}" : [[1]], "a" : [] }}"#),
                format!(r#"{{"a":[[]] , "{key}":1}}"#),
                format!(r#"[1,{{"a":[{{"b":{{}},"{key}":"x"}}]}},[[[[[[]]]]]]]"#),
            ] {
                assert_eq!(depth(&text), UNBOUNDED, "{text}");
            }
            let others = [format!(r#"["{key}"]"#), format!(r#"{{"a":"{key}"}}"#), format!(r#"{{"a{key}":1}}"#)];
            for text in others {
                assert_eq!(depth(&text), 1, "{text}");
            }
        }
        for key in
            ["$", r"\u0024", "$serde_json::private:", "$Serde_json::private::RawValue", r"\\u0024serde_json::private::"]
        {
            assert_eq!(depth(&format!(r#"{{"{key}":1}}"#)), 1, "{key}");
        }
        let mut scanner = Scanner::new(r#"{"$serde_json::private::Number":1} [2]"#);
        assert_eq!((scanner.value().is_some(), scanner.depth()), (true, UNBOUNDED));
        assert_eq!((scanner.value(), scanner.depth()), (Some("[2]"), 1));
    }

    /// Whether an object anywhere in a value has a reserved key, as serde_json reads keys.
    struct HasReserved(bool);

    impl<'de> Deserialize<'de> for HasReserved {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            deserializer.deserialize_any(HasReserved(false))
        }
    }

    impl<'de> Visitor<'de> for HasReserved {
        type Value = Self;

        fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            formatter.write_str("any value")
        }

        fn visit_unit<E>(self) -> Result<Self, E> {
            Ok(self)
        }

        fn visit_u64<E>(self, _: u64) -> Result<Self, E> {
            Ok(self)
        }

        fn visit_str<E>(self, _: &str) -> Result<Self, E> {
            Ok(self)
        }

        fn visit_seq<A: SeqAccess<'de>>(mut self, mut seq: A) -> Result<Self, A::Error> {
            while let Some(element) = seq.next_element::<Self>()? {
                self.0 |= element.0;
            }
            Ok(self)
        }

        fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Self, A::Error> {
            while let Some((key, value)) = map.next_entry::<String, Self>()? {
                self.0 |= key.as_bytes().starts_with(RESERVED) || value.0;
            }
            Ok(self)
        }
    }

    /// Strings as JSON text: a reserved key, a part of one, or a similar key, with some characters
    /// escaped.
    fn string() -> impl Strategy<Value = String> {
        let text = prop_oneof![
            3 => Just("$serde_json::private::RawValue".to_owned()),
            1 => (0..30usize).prop_map(|end| "$serde_json::private::RawValue"[..end].to_owned()),
            1 => "[$s\\\\\"]{1,2}serde_json::private::",
            1 => "[a$é]{0,9}",
        ];
        (text, prop::collection::vec(0..4u8, 40)).prop_map(|(text, escapes)| {
            let mut json = String::from("\"");
            for (character, escape) in text.chars().zip(escapes) {
                match (character, escape) {
                    (_, 0) => json += &format!("\\u{:04x}", u32::from(character)),
                    (_, 1) => json += &format!("\\u{:04X}", u32::from(character)),
                    ('"' | '\\', _) => json.extend(['\\', character]),
                    _ => json.push(character),
                }
            }
            json + "\""
        })
    }

    fn value() -> impl Strategy<Value = String> {
        let leaf = prop_oneof![Just("null".to_owned()), Just("7".to_owned()), string()];
        leaf.prop_recursive(4, 12, 3, |inner| {
            let fields = prop::collection::vec((string(), inner.clone()), 0..3);
            prop_oneof![
                prop::collection::vec(inner, 0..3).prop_map(|values| format!("[{}]", values.join(" , "))),
                fields.prop_map(|fields| {
                    let fields: Vec<_> = fields.iter().map(|(key, value)| format!(" {key} :{value}")).collect();
                    format!("{{{}}}", fields.join(","))
                }),
            ]
        })
    }

    proptest! {
        #[test]
        fn the_same_reserved_keys_are_found_as_by_serde_json(text in value()) {
            let HasReserved(expected) = serde_json::from_str(&text).expect("valid JSON");
            prop_assert_eq!(depth(&text) == UNBOUNDED, expected, "{}", text);
        }

        /// The scanner accepts exactly the texts that serde_json accepts.
        #[test]
        fn random_json_is_accepted_or_rejected_as_by_serde_json(text in r#"[\[\]{}",:0-9a-z\\ \n.eE+\-é]{0,24}"#) {
            prop_assert_eq!(is_json(&text), serde_json::from_str::<IgnoredAny>(&text).is_ok());
        }

        #[test]
        fn strings_are_accepted_or_rejected_as_by_serde_json(inside in any::<String>(), cut in 0..8usize) {
            let text = serde_json::to_string(&inside).expect("a string serializes");
            prop_assert!(is_json(&text));
            let mut end = text.len().saturating_sub(cut);
            while !text.is_char_boundary(end) {
                end -= 1;
            }
            prop_assert_eq!(is_json(&text[..end]), serde_json::from_str::<IgnoredAny>(&text[..end]).is_ok());
        }
    }
}
