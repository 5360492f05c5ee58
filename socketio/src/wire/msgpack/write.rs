//! [`Writer`]: writes MessagePack, and translates JSON to it.

use bytes::Bytes;
use rmp::encode as write;
use smallvec::SmallVec;

use super::unescape::unescape;
use crate::wire::json::ATTACHMENT_MARKER;
use crate::wire::scan::{after_space, number_end, string_end};
use crate::wire::socketio::placeholder;

/// Appends MessagePack to a buffer. Writing into memory never fails.
#[derive(Debug)]
pub(crate) struct Writer<'w> {
    pub(crate) out: &'w mut Vec<u8>,
}

/// An array or object whose end is not yet read.
struct Open {
    /// Where its first byte was written.
    at: usize,
    count: usize,
    is_object: bool,
}

impl Writer<'_> {
    pub(crate) fn map(&mut self, entries: usize) {
        self.container(0x80, 0xde, entries);
    }

    pub(crate) fn array(&mut self, length: usize) {
        self.container(0x90, 0xdc, length);
    }

    fn container(&mut self, short: u8, long: u8, length: usize) {
        let at = self.out.len();
        self.out.push(short);
        self.close(at, long, length);
    }

    pub(crate) fn string(&mut self, text: &str) {
        self.string_header(text.len());
        self.out.extend_from_slice(text.as_bytes());
    }

    fn string_header(&mut self, length: usize) {
        // Most strings are short.
        match u8::try_from(length) {
            Ok(length @ ..0x20) => self.out.push(0xa0 | length),
            _ => drop(write::write_str_len(self.out, as_u32(length))),
        }
    }

    pub(crate) fn unsigned(&mut self, number: u64) {
        let _ = write::write_uint(self.out, number);
    }

    pub(crate) fn boolean(&mut self, value: bool) {
        self.out.push(if value { 0xc3 } else { 0xc2 });
    }

    pub(crate) fn nil(&mut self) {
        self.out.push(0xc0);
    }

    pub(crate) fn binary(&mut self, bytes: &[u8]) {
        let _ = write::write_bin(self.out, bytes);
    }

    /// Writes a value from its JSON text. Binary data has a placeholder or an
    /// [`ATTACHMENT_MARKER`].
    pub(crate) fn json(&mut self, json: &[u8], attachments: &[Bytes]) {
        let start = self.out.len();
        if self.translate(json, attachments) != Some(1) {
            // It can't happen with text that was checked.
            self.out.truncate(start);
            self.nil();
        }
    }

    /// Writes an array of a string and values, which are comma-separated JSON.
    pub(crate) fn list(&mut self, first: &str, json: &[u8], attachments: &[Bytes]) {
        let at = self.out.len();
        self.out.push(0x90);
        self.string(first);
        let start = self.out.len();
        let values = self.translate(json, attachments).unwrap_or_else(|| {
            self.out.truncate(start);
            0
        });
        self.close(at, 0xdc, values + 1);
    }

    /// Writes the length of the array or map that begins at `at`, where its short first byte is.
    /// `long` is the first byte in front of a length of two bytes.
    #[inline]
    fn close(&mut self, at: usize, long: u8, length: usize) {
        if let Ok(length @ ..0x10) = u8::try_from(length) {
            self.out[at] |= length;
            return;
        }
        match u16::try_from(length) {
            Ok(length) => {
                let [high, low] = length.to_be_bytes();
                self.out.splice(at..=at, [long, high, low]);
            }
            Err(_) => {
                let [a, b, c, d] = as_u32(length).to_be_bytes();
                self.out.splice(at..=at, [long + 1, a, b, c, d]);
            }
        }
    }

    /// Writes comma-separated values, and returns their number. `None` if the text is not JSON;
    /// some bytes may be written then. It does not recurse, because values that the server emits
    /// may be nested to any depth.
    fn translate(&mut self, json: &[u8], attachments: &[Bytes]) -> Option<usize> {
        let mut open = SmallVec::<[Open; 8]>::new();
        let (mut values, mut markers) = (0, 0);
        let mut at = after_space(json, 0);
        if at == json.len() {
            return Some(0);
        }
        loop {
            // A value must start here.
            at = after_space(json, at);
            let byte = *json.get(at)?;
            let mut is_ended = true;
            match byte {
                b'"' => at = self.text(json, at)?,
                b'{' | b'[' => {
                    if let Some((attachment, length)) = attachment(&json[at..], attachments) {
                        self.binary(attachment);
                        at += length;
                    } else {
                        let is_object = byte == b'{';
                        open.push(Open { at: self.out.len(), count: 0, is_object });
                        self.out.push(if is_object { 0x80 } else { 0x90 });
                        at = after_space(json, at + 1);
                        is_ended = false;
                        if !matches!(json.get(at)?, b']' | b'}') {
                            if is_object {
                                at = self.key(json, at)?;
                            }
                            continue;
                        }
                    }
                }
                b't' => at = self.word(json, at, b"true", 0xc3)?,
                b'f' => at = self.word(json, at, b"false", 0xc2)?,
                b'n' => at = self.word(json, at, b"null", 0xc0)?,
                ATTACHMENT_MARKER => {
                    self.binary(attachments.get(markers)?);
                    markers += 1;
                    at += 1;
                }
                _ => at = self.number(json, at)?,
            }
            // One has ended. Or an array or object has begun, and ends without a value.
            loop {
                at = after_space(json, at);
                let next = json.get(at);
                let Some(last) = open.last_mut() else {
                    values += 1;
                    match next {
                        None => return Some(values),
                        Some(b',') => {
                            at += 1;
                            break;
                        }
                        Some(_) => return None,
                    }
                };
                last.count += usize::from(is_ended);
                is_ended = true;
                match (next?, last.is_object) {
                    (b',', true) => {
                        at = self.key(json, after_space(json, at + 1))?;
                        break;
                    }
                    (b',', false) => {
                        at += 1;
                        break;
                    }
                    (b'}', true) | (b']', false) => {
                        at += 1;
                        let last = open.pop()?;
                        self.close(last.at, if last.is_object { 0xde } else { 0xdc }, last.count);
                    }
                    _ => return None,
                }
            }
        }
    }

    /// Writes the key that starts at `at`. Returns where its value starts.
    fn key(&mut self, json: &[u8], at: usize) -> Option<usize> {
        let at = after_space(json, self.text(json, at)?);
        (json.get(at)? == &b':').then_some(at + 1)
    }

    /// Writes the string that starts at `at`. Returns where it ends.
    #[inline]
    fn text(&mut self, json: &[u8], at: usize) -> Option<usize> {
        let end = string_end(json, at)?;
        let contents = &json[at + 1..end - 1];
        if contents.contains(&b'\\') {
            self.string(&unescape(contents));
        } else {
            self.string_header(contents.len());
            self.out.extend_from_slice(contents);
        }
        Some(end)
    }

    fn word(&mut self, json: &[u8], at: usize, word: &[u8], written: u8) -> Option<usize> {
        self.out.push(written);
        json[at..].starts_with(word).then_some(at + word.len())
    }

    /// Writes the number that starts at `at`, as an integer if it is one and fits. Returns where it
    /// ends.
    fn number(&mut self, json: &[u8], at: usize) -> Option<usize> {
        let end = number_end(json, at)?;
        let number = &json[at..end];
        let digits = number.strip_prefix(b"-").unwrap_or(number);
        // So many digits always fit.
        if digits.len() <= 18 && digits.iter().all(u8::is_ascii_digit) {
            let magnitude = digits.iter().fold(0, |number, digit| number * 10 + i64::from(digit - b'0'));
            if digits.len() == number.len() || magnitude == 0 {
                self.unsigned(magnitude.unsigned_abs());
            } else {
                let _ = write::write_sint(self.out, -magnitude);
            }
            return Some(end);
        }
        let number = std::str::from_utf8(number).ok()?;
        if let Ok(number) = number.parse() {
            self.unsigned(number);
        } else if let Ok(number) = number.parse() {
            let _ = write::write_sint(self.out, number);
        } else {
            let _ = write::write_f64(self.out, number.parse().ok()?);
        }
        Some(end)
    }
}

/// The attachment of the placeholder that the text starts with, and the length of the placeholder.
fn attachment<'a>(json: &[u8], attachments: &'a [Bytes]) -> Option<(&'a Bytes, usize)> {
    if attachments.is_empty() {
        return None;
    }
    let (number, length) = placeholder::read(json)?;
    Some((attachments.get(number)?, length))
}

/// No message has so many bytes or elements that they don't fit.
fn as_u32(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}
