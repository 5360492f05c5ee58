//! [`Translator`]: translates MessagePack to JSON.

use bytes::Bytes;

use super::cursor::{Cursor, Head};
use super::date::{date, timestamp};
use crate::wire::json::{ATTACHMENT_MARKER, write_string};
use crate::wire::scan::RESERVED;
use crate::wire::socketio::placeholder;

/// The deepest nesting of values.
const MAX_DEPTH: usize = 128;

/// What stands in the JSON text for binary data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BinaryForm {
    /// A placeholder, and the data is an attachment. An object that looks like a placeholder has
    /// its key spelled differently.
    Placeholder,
    /// An [`ATTACHMENT_MARKER`], and the data is an attachment. The text is not JSON then.
    Marker,
    /// `{"type":"Buffer","data":[1,2]}`, like the `toJSON` of buffers in Node.js.
    Object,
}

/// Translates the values of one message, and collects their attachments.
#[derive(Debug)]
pub(crate) struct Translator<'a> {
    whole: &'a Bytes,
    form: BinaryForm,
    max_attachments: usize,
    /// Whether keys that `serde_json` reserves are errors.
    refuses_reserved: bool,
    pub(super) attachments: Vec<Bytes>,
}

impl<'a> Translator<'a> {
    /// The cursors of later calls must be in `whole`. Each attachment takes more memory here than
    /// an empty one takes in the message, so their number is limited.
    pub(crate) fn new(whole: &'a Bytes, form: BinaryForm, max_attachments: usize) -> Self {
        Self { whole, form, max_attachments, refuses_reserved: false, attachments: Vec::new() }
    }

    /// Makes keys that `serde_json` reserves an error. Text with them has no bounded depth.
    pub(crate) fn refuse_reserved(self) -> Self {
        Self { refuses_reserved: true, ..self }
    }

    /// Returns the attachments.
    pub(crate) fn into_attachments(self) -> Vec<Bytes> {
        let mut attachments = self.attachments;
        // A small attachment must not keep the whole message in memory.
        if attachments.iter().map(Bytes::len).fold(0, usize::saturating_add) < self.whole.len() / 2 {
            attachments.iter_mut().for_each(|attachment| *attachment = Bytes::copy_from_slice(attachment));
        }
        attachments
    }

    /// Reads a value, and appends it as JSON. `depth` is the number of arrays and objects around
    /// it.
    pub(crate) fn value(&mut self, cursor: &mut Cursor<'a>, out: &mut Vec<u8>, depth: usize) -> Option<()> {
        if depth > MAX_DEPTH {
            return None;
        }
        match cursor.head()? {
            Head::Nil => out.extend_from_slice(b"null"),
            Head::Bool(true) => out.extend_from_slice(b"true"),
            Head::Bool(false) => out.extend_from_slice(b"false"),
            Head::Unsigned(number) => write_number(out, &number),
            Head::Signed(number) => write_number(out, &number),
            // NaN and infinities become `null`, as in JavaScript.
            Head::Single(number) => write_number(out, &number),
            Head::Double(number) => write_number(out, &number),
            Head::Text(length) => write_string(out, std::str::from_utf8(cursor.take(length)?).ok()?),
            Head::Binary(length) => self.binary(cursor.take(length)?, out)?,
            Head::Array(length) => {
                out.push(b'[');
                for at in 0..length {
                    if at > 0 {
                        out.push(b',');
                    }
                    self.value(cursor, out, depth + 1)?;
                }
                out.push(b']');
            }
            Head::Map(entries) => {
                out.push(b'{');
                for at in 0..entries {
                    if at > 0 {
                        out.push(b',');
                    }
                    self.key(cursor, out)?;
                    out.push(b':');
                    self.value(cursor, out, depth + 1)?;
                }
                out.push(b'}');
            }
            Head::Extension { kind, length, fixed } => self.extension(kind, cursor.take(length)?, fixed, out)?,
        }
        Some(())
    }

    /// Reads a map key, and appends it as a string. Other types are converted, as in JavaScript.
    pub(super) fn key(&mut self, cursor: &mut Cursor<'a>, out: &mut Vec<u8>) -> Option<()> {
        let start = out.len();
        let attachments = self.attachments.len();
        self.value(cursor, out, MAX_DEPTH)?;
        if out[start] == b'"' {
            if self.refuses_reserved && out[start + 1..].starts_with(RESERVED) {
                return None;
            }
            // An object of this encoding is never a placeholder.
            if self.form == BinaryForm::Placeholder
                && let Some(spelled) = placeholder::data_key(&out[start..])
            {
                out.truncate(start);
                out.extend_from_slice(spelled.as_bytes());
            }
        } else {
            let text = out.split_off(start);
            self.attachments.truncate(attachments);
            // A key may be binary data, for which a marker stands that is not UTF-8.
            write_string(out, std::str::from_utf8(&text).ok()?);
        }
        Some(())
    }

    fn binary(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Option<()> {
        match self.form {
            BinaryForm::Placeholder => placeholder::write(out, self.attachments.len()),
            BinaryForm::Marker => out.push(ATTACHMENT_MARKER),
            BinaryForm::Object => {
                out.extend_from_slice(br#"{"type":"Buffer","data":"#);
                // Numbers always serialize.
                let _ = serde_json::to_writer(&mut *out, bytes);
                out.push(b'}');
                return Some(());
            }
        }
        if self.attachments.len() >= self.max_attachments {
            return None;
        }
        self.attachments.push(self.whole.slice_ref(bytes));
        Some(())
    }

    /// Extension type -1 is a timestamp. Older JavaScript encoders use type 0 for `undefined`,
    /// dates and array buffers. They decode other extensions as an array of type and bytes.
    fn extension(&mut self, kind: i8, bytes: &[u8], fixed: bool, out: &mut Vec<u8>) -> Option<()> {
        match (kind, fixed, bytes.len()) {
            (0, true, 1) => out.extend_from_slice(b"null"),
            (0, true, 8) => write_date(out, i64::from_be_bytes(bytes.try_into().ok()?)),
            (-1, true, 4 | 8) | (-1, false, 12) => write_date(out, timestamp(bytes)?),
            (0, false, _) => self.binary(bytes, out)?,
            _ => {
                out.push(b'[');
                write_number(out, &kind);
                out.push(b',');
                self.binary(bytes, out)?;
                out.push(b']');
            }
        }
        Some(())
    }
}

/// An invalid date becomes `null`, as in JavaScript.
fn write_date(out: &mut Vec<u8>, millis: i64) {
    match date(millis) {
        Some(date) => write_string(out, &date),
        None => out.extend_from_slice(b"null"),
    }
}

fn write_number(out: &mut Vec<u8>, number: &impl serde::Serialize) {
    // Numbers always serialize.
    let _ = serde_json::to_writer(out, number);
}
