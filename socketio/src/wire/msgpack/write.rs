//! Translates JSON to MessagePack.

use bytes::Bytes;
use rmp::encode as write;
use smallvec::SmallVec;
use std::borrow::Cow;

use crate::wire::scan::Scanner;
use crate::wire::socketio::placeholder;

/// Writes MessagePack. Writing into memory never fails.
pub(super) struct Writer<'a> {
    pub(super) out: Vec<u8>,
    pub(super) attachments: &'a [Bytes],
}

impl Writer<'_> {
    pub(super) fn map(&mut self, length: usize) {
        let _ = write::write_map_len(&mut self.out, length as u32);
    }

    pub(super) fn string(&mut self, text: &str) {
        let _ = write::write_str(&mut self.out, text);
    }

    pub(super) fn unsigned(&mut self, number: u64) {
        let _ = write::write_uint(&mut self.out, number);
    }

    /// Writes the next value. It does not recurse, because values that the server emits may be
    /// nested to any depth.
    pub(super) fn json(&mut self, scanner: &mut Scanner<'_>) {
        // The brackets that end the arrays and objects that are open.
        let mut open = SmallVec::<[u8; 16]>::new();
        loop {
            // A value is due here.
            if let Some(attachment) = self.attachment(scanner) {
                let _ = write::write_bin(&mut self.out, &attachment);
            } else if scanner.take(b'[') {
                let _ = write::write_array_len(&mut self.out, elements(scanner.clone(), b']') as u32);
                open.push(b']');
            } else if scanner.take(b'{') {
                self.map(elements(scanner.clone(), b'}'));
                open.push(b'}');
            } else {
                self.leaf(scanner.value().unwrap_or("null"));
            }
            // One has ended, or an array or object has begun.
            let end = loop {
                let Some(end) = open.last() else { return };
                scanner.take(b',');
                if !scanner.take(*end) {
                    break *end;
                }
                open.pop();
            };
            if end == b'}' {
                self.leaf(scanner.string().unwrap_or_default());
                scanner.take(b':');
            }
        }
    }

    /// Reads the next value if it is a placeholder, and returns its attachment.
    fn attachment(&self, scanner: &mut Scanner<'_>) -> Option<Bytes> {
        if self.attachments.is_empty() {
            return None;
        }
        let (number, _) = placeholder::read(scanner.rest())?;
        let attachment = self.attachments.get(number)?.clone();
        scanner.value();
        Some(attachment)
    }

    /// Writes a string, a number, a boolean or `null`.
    fn leaf(&mut self, json: &str) {
        if json.starts_with('"') {
            match serde_json::from_str::<Cow<'_, str>>(json) {
                Ok(text) => self.string(&text),
                Err(_) => self.string(""),
            }
            return;
        }
        let _ = match json {
            "true" => write::write_bool(&mut self.out, true),
            "false" => write::write_bool(&mut self.out, false),
            "null" => write::write_nil(&mut self.out),
            number => {
                if let Ok(number) = number.parse() {
                    self.unsigned(number);
                } else if let Ok(number) = number.parse() {
                    let _ = write::write_sint(&mut self.out, number);
                } else {
                    let _ = write::write_f64(&mut self.out, number.parse().unwrap_or_default());
                }
                Ok(())
            }
        };
    }
}

/// Counts the elements up to the closing bracket.
fn elements(mut scanner: Scanner<'_>, end: u8) -> usize {
    let mut count = 0;
    while !scanner.take(end) {
        if end == b'}' && (scanner.string().is_none() || !scanner.take(b':')) {
            break;
        }
        if scanner.value().is_none() {
            break;
        }
        scanner.take(b',');
        count += 1;
    }
    count
}
