//! A pass over JSON text that finds where values end, and checks that they are well-formed: nothing is decoded, nothing
//! allocated (up to 64 levels of nesting), and no level recurses.
//!
//! It accepts what [RFC 8259] does. Strings are not unescaped, so a lone surrogate passes here; who decodes it refuses it.
//!
//! [RFC 8259]: https://www.rfc-editor.org/rfc/rfc8259

/// A place in JSON text.
#[derive(Clone, Debug)]
pub(crate) struct Scanner<'a> {
    text: &'a str,
    at: usize,
    /// How many arrays and objects were open at once in the last value.
    depth: usize,
}

impl<'a> Scanner<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { text, at: 0, depth: 0 }
    }

    /// Takes this byte, after any white space.
    #[inline]
    pub(crate) fn take(&mut self, byte: u8) -> bool {
        self.skip_space();
        let found = self.text.as_bytes().get(self.at) == Some(&byte);
        self.at += usize::from(found);
        found
    }

    fn skip_space(&mut self) {
        self.at = after_space(self.text.as_bytes(), self.at);
    }

    /// What has not been looked at.
    pub(crate) fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    /// Whether only white space is left.
    pub(crate) fn is_at_end(&mut self) -> bool {
        self.skip_space();
        self.at == self.text.len()
    }

    /// Takes a string, after any white space, and gives its JSON text. `None`: there is none.
    pub(crate) fn string(&mut self) -> Option<&'a str> {
        self.skip_space();
        let start = self.at;
        self.at = string_end(self.text.as_bytes(), start)?;
        Some(&self.text[start..self.at])
    }

    /// Takes any value, after any white space, and gives its JSON text. `None`: there is none.
    pub(crate) fn value(&mut self) -> Option<&'a str> {
        self.skip_space();
        let start = self.at;
        (self.at, self.depth) = value_end(self.text.as_bytes(), start)?;
        Some(&self.text[start..self.at])
    }

    /// How deeply the value that was taken last is nested: 0 for a number, 1 for an array of numbers.
    pub(crate) fn depth(&self) -> usize {
        self.depth
    }
}

// Each of the following tells where something ends that begins at `at`, or `None` if it isn't there. The place is passed on
// by value, so that it stays in a register.

/// Also tells how deeply the value is nested.
fn value_end(bytes: &[u8], mut at: usize) -> Option<(usize, usize)> {
    let mut open = Open::default();
    let mut deepest = 0;
    loop {
        // A value is due here.
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
        // A value has ended: what it was in goes on, or ends too.
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
fn after_space(bytes: &[u8], mut at: usize) -> usize {
    while let Some(byte) = bytes.get(at)
        // Most bytes are decided by this alone.
        && *byte <= b' '
        && matches!(byte, b' ' | b'\n' | b'\r' | b'\t')
    {
        at += 1;
    }
    at
}

/// A key with its colon.
#[inline]
fn key_end(bytes: &[u8], at: usize) -> Option<usize> {
    let at = after_space(bytes, string_end(bytes, at)?);
    (bytes.get(at)? == &b':').then_some(at + 1)
}

#[inline]
fn string_end(bytes: &[u8], at: usize) -> Option<usize> {
    if bytes.get(at)? != &b'"' {
        return None;
    }
    let mut at = at + 1;
    // Most strings are shorter than a word.
    if let Some(word) = bytes[at..].first_chunk() {
        match special_in(word) {
            Some(within) if word[within] == b'"' => return Some(at + within + 1),
            Some(within) => at += within,
            None => at += word.len(),
        }
    }
    inside_end(bytes, at)
}

/// What is left of a string's inside, with the last quote.
#[inline(never)]
fn inside_end(bytes: &[u8], mut at: usize) -> Option<usize> {
    loop {
        at += long_plain_length(&bytes[at..]);
        match bytes.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' => at = escape_end(bytes, at)?,
            // A control character, which a string can only have escaped.
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

fn number_end(bytes: &[u8], mut at: usize) -> Option<usize> {
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

/// How many bytes at the front of a string's inside mean themselves: neither a quote, nor a backslash, nor a control character.
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

/// The same for what is long, as most strings are not.
#[inline(never)]
fn long_plain_length(bytes: &[u8]) -> usize {
    let mut at = 0;
    // The compiler makes a few instructions of this, which look at all bytes at once.
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

/// Where the first of eight bytes that is not plain stands.
#[inline]
fn special_in(bytes: &[u8; 8]) -> Option<usize> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = 0x8080_8080_8080_8080;
    let word = u64::from_le_bytes(*bytes);
    let quote = word ^ (ONES * b'"' as u64);
    let backslash = word ^ (ONES * b'\\' as u64);
    // The lowest of these bits that is set belongs to the first byte that is a quote, a backslash or below 0x20.
    let special = ((quote.wrapping_sub(ONES) & !quote)
        | (backslash.wrapping_sub(ONES) & !backslash)
        | (word.wrapping_sub(ONES * 0x20) & !word))
        & HIGHS;
    (special != 0).then(|| special.trailing_zeros() as usize / 8)
}

/// The arrays and objects that are open, a bit each: one for an object.
#[derive(Default)]
struct Open {
    bits: u64,
    depth: usize,
    /// The bits of outer levels, 64 at a time.
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
    use serde::de::IgnoredAny;

    fn is_json(text: &str) -> bool {
        let mut scanner = Scanner::new(text);
        scanner.value().is_some() && scanner.is_at_end()
    }

    #[test]
    fn what_json_is_and_is_not() {
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
    fn values_are_found_where_they_stand() {
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
    fn any_depth_is_followed() {
        for depth in [1, 63, 64, 65, 127, 128, 129, 1000, 100_000] {
            let nested = format!("{}1{}", r#"[{"a":"#.repeat(depth), "}]".repeat(depth));
            assert!(is_json(&nested), "{depth}");
            assert!(!is_json(&nested[..nested.len() - 1]), "{depth}");
            let crossed = format!("{}1{}", r#"[{"a":"#.repeat(depth), "]}".repeat(depth));
            assert!(!is_json(&crossed), "{depth}");
        }
    }

    #[test]
    fn depth_is_that_of_the_deepest_place() {
        let depth = |text: &str| {
            let mut scanner = Scanner::new(text);
            scanner.value().expect("valid JSON");
            scanner.depth()
        };
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

    proptest! {
        /// It takes for JSON exactly what serde_json does.
        #[test]
        fn it_agrees_with_serde_json(text in r#"[\[\]{}",:0-9a-z\\ \n.eE+\-é]{0,24}"#) {
            prop_assert_eq!(is_json(&text), serde_json::from_str::<IgnoredAny>(&text).is_ok());
        }

        #[test]
        fn it_agrees_with_serde_json_on_strings(inside in any::<String>(), cut in 0..8usize) {
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
