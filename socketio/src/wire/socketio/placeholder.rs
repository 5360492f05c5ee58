//! What stands for binary data in the JSON of a packet.

use super::Invalid;
use crate::wire::scan::Scanner;

/// The beginning of what stands for an attachment.
pub(crate) const PLACEHOLDER: &str = r#"{"_placeholder":true,"num":"#;

/// Appends what stands for an attachment.
pub(crate) fn write(out: &mut Vec<u8>, number: usize) {
    out.extend_from_slice(PLACEHOLDER.as_bytes());
    out.extend_from_slice(number.to_string().as_bytes());
    out.push(b'}');
}

/// Copies the value that comes next. How deep it is, is known by now.
pub(super) fn rewrite(scanner: &mut Scanner<'_>, out: &mut Vec<u8>, attachments: usize) -> Result<(), Invalid> {
    if scanner.take(b'[') {
        out.push(b'[');
        while !scanner.take(b']') {
            rewrite(scanner, out, attachments)?;
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
        rewrite(scanner, out, attachments)?;
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
        write(out, number.filter(|number| *number < attachments).ok_or(Invalid)?);
    }
    Ok(())
}
