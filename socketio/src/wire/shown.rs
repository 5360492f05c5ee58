//! [`shown`] and [`Shown`]: what clients send as log records and spans show it, escaped and cut. A
//! client can then neither end a line of the log nor fill it.

use std::borrow::Cow;
use std::fmt::{self, Display, Write};

/// The length of a name in the log, in characters.
const NAME: usize = 64;
/// The length of any other text in the log, in characters.
const TEXT: usize = 500;

/// Cuts an event name to 64 characters.
pub(crate) fn shortened(name: &str) -> &str {
    match name.char_indices().nth(NAME) {
        Some((end, _)) => &name[..end],
        None => name,
    }
}

/// Cuts a name to 64 characters, and escapes it.
pub(crate) fn shown(name: &str) -> Cow<'_, str> {
    let name = shortened(name);
    if name.chars().all(is_plain) { Cow::Borrowed(name) } else { Cow::Owned(Shown(name).to_string()) }
}

/// Writes a value that may contain text of a client. It is escaped, and cut to 500 characters.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shown<T>(pub(crate) T);

impl<T: Display> Display for Shown<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut escaping = Escaping { to: formatter, left: TEXT, is_cut: false };
        match write!(escaping, "{}", self.0) {
            Err(_) if escaping.is_cut => escaping.to.write_char('…'),
            written => written,
        }
    }
}

struct Escaping<'a, 'f> {
    to: &'a mut fmt::Formatter<'f>,
    /// The number of characters that may still be written.
    left: usize,
    is_cut: bool,
}

impl Escaping<'_, '_> {
    /// Counts characters that are written next. An error: they are too many.
    fn take(&mut self, count: usize) -> fmt::Result {
        match self.left.checked_sub(count) {
            Some(left) => self.left = left,
            None => {
                self.is_cut = true;
                return Err(fmt::Error);
            }
        }
        Ok(())
    }
}

impl Write for Escaping<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for character in text.chars() {
            if is_plain(character) {
                self.take(1)?;
                self.to.write_char(character)?;
            } else {
                let mut buffer = [0; 5];
                let escaped = after_letter(character, &mut buffer).escape_debug().skip(1);
                self.take(escaped.clone().count())?;
                escaped.into_iter().try_for_each(|character| self.to.write_char(character))?;
            }
        }
        Ok(())
    }
}

/// Whether a character stays as it is: it can be printed, and is no backslash.
fn is_plain(character: char) -> bool {
    match character {
        '\\' => false,
        ' '..='~' => true,
        _ => after_letter(character, &mut [0; 5]).escape_debug().nth(1) == Some(character),
    }
}

/// The character behind a letter: combining characters are only printed behind another one.
fn after_letter(character: char, buffer: &mut [u8; 5]) -> &str {
    buffer[0] = b'a';
    let length = character.encode_utf8(&mut buffer[1..]).len();
    std::str::from_utf8(&buffer[..=length]).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_can_be_printed_stays() {
        for text in ["say", "grüße 👋", "e\u{301}", "invalid type: string \"a\", it's", ""] {
            assert_eq!(shown(text), text);
            assert_eq!(Shown(text).to_string(), text);
        }
        assert!(matches!(shown("say"), Cow::Borrowed(_)));
    }

    #[test]
    fn what_can_not_be_printed_is_escaped() {
        let text = "a\nb\r\u{1b}[31m\u{85}\u{2028}\u{202e}\\\0";
        let escaped = r"a\nb\r\u{1b}[31m\u{85}\u{2028}\u{202e}\\\0";
        assert_eq!(shown(text), escaped);
        assert_eq!(Shown(text).to_string(), escaped);
    }

    #[test]
    fn long_text_is_cut() {
        assert_eq!(shown(&"ä".repeat(1_000)), "ä".repeat(64));
        assert_eq!(Shown("x".repeat(500)).to_string(), "x".repeat(500));
        assert_eq!(Shown("x".repeat(501)).to_string(), "x".repeat(500) + "…");
        assert_eq!(Shown("\n".repeat(1_000)).to_string(), r"\n".repeat(250) + "…");
    }

    proptest! {
        #[test]
        fn nothing_ends_a_line_or_is_long(text in any::<String>(), times in 1..200_usize) {
            let text = text.repeat(times);
            for shown in [shown(&text).into_owned(), Shown(&text).to_string()] {
                prop_assert!(shown.chars().count() <= 64 * 10 + 1);
                prop_assert!(!shown.chars().any(char::is_control), "{:?}", shown);
            }
        }
    }
}
