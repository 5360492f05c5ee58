//! [`unescape`]: decodes the contents of a JSON string.

use std::char::REPLACEMENT_CHARACTER;

/// Decodes the contents of a JSON string, which must be well-formed. A lone surrogate becomes the
/// replacement character, as in the UTF-8 encoders of JavaScript.
pub(super) fn unescape(contents: &[u8]) -> String {
    let mut text = Vec::with_capacity(contents.len());
    let mut rest = contents;
    while let Some(at) = rest.iter().position(|byte| *byte == b'\\') {
        text.extend_from_slice(&rest[..at]);
        let (character, after) = escape(&rest[at + 1..]);
        text.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        rest = after;
    }
    text.extend_from_slice(rest);
    String::from_utf8(text).unwrap_or_default()
}

/// Decodes what follows a backslash.
fn escape(rest: &[u8]) -> (char, &[u8]) {
    let Some((kind, after)) = rest.split_first() else { return (REPLACEMENT_CHARACTER, rest) };
    let character = match kind {
        b'b' => '\x08',
        b'f' => '\x0c',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'u' => return unicode(after),
        other => char::from(*other),
    };
    (character, after)
}

/// Decodes what follows `\u`.
fn unicode(rest: &[u8]) -> (char, &[u8]) {
    let Some((first, after)) = unit(rest) else { return (REPLACEMENT_CHARACTER, rest) };
    if let 0xd800..=0xdbff = first
        && let Some((second @ 0xdc00..=0xdfff, after)) = after.strip_prefix(b"\\u").and_then(unit)
    {
        let code = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
        return (char::from_u32(code).unwrap_or(REPLACEMENT_CHARACTER), after);
    }
    (char::from_u32(first).unwrap_or(REPLACEMENT_CHARACTER), after)
}

fn unit(rest: &[u8]) -> Option<(u32, &[u8])> {
    let (digits, after) = rest.split_first_chunk::<4>()?;
    let digits = std::str::from_utf8(digits).ok()?;
    Some((u32::from_str_radix(digits, 16).ok()?, after))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_escape_is_decoded() {
        for (escaped, text) in [
            (r#"\"\\\/\b\f\n\r\t"#, "\"\\/\x08\x0c\n\r\t"),
            (r"a\u00e9b\ud83d\ude00c", "aéb😀c"),
            (r"\ud83dx\ude00\ud83d\u0041", "\u{fffd}x\u{fffd}\u{fffd}A"),
            ("é", "é"),
        ] {
            assert_eq!(unescape(escaped.as_bytes()), text);
        }
    }

    proptest! {
        #[test]
        fn escaped_text_is_decoded(text in any::<String>()) {
            let escaped: String = text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
            prop_assert_eq!(unescape(escaped.as_bytes()), &*text);
            let json = serde_json::to_string(&text).expect("JSON");
            prop_assert_eq!(unescape(&json.as_bytes()[1..json.len() - 1]), text);
        }

        #[test]
        fn malformed_text_is_harmless(contents in any::<Vec<u8>>()) {
            let _ = unescape(&contents);
            let _ = unescape(&[b"\\u", &contents[..]].concat());
        }
    }
}
