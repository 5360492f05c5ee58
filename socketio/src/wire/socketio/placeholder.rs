//! Placeholders: the JSON objects that refer to a packet's attachments.

use bytes::Bytes;

use super::Invalid;
use crate::wire::scan::Scanner;

/// The text before the number in a placeholder.
pub(crate) const PLACEHOLDER: &str = r#"{"_placeholder":true,"num":"#;

/// Appends a placeholder.
pub(crate) fn write(out: &mut Vec<u8>, number: usize) {
    out.extend_from_slice(PLACEHOLDER.as_bytes());
    out.extend_from_slice(number.to_string().as_bytes());
    out.push(b'}');
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
            r#""_placeholder""# => is_placeholder = &out[value..] == b"true",
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
