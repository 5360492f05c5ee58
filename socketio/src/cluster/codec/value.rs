//! [`RawValue`]: a received value that is not yet decoded.

use bytes::Bytes;
use std::borrow::Cow;

use super::Malformed;
use super::document::{Document, Read};
use crate::cluster::message::ReceivedValue;
use crate::wire::msgpack::cursor::Cursor;
use crate::wire::msgpack::read::{BinaryForm, Translator};
use crate::wire::payload::MAX_DEPTH;
use crate::wire::scan::Scanner;

/// The most attachments of a message. Each takes more memory here than an empty one takes in the
/// message.
pub(super) const MAX_ATTACHMENTS: usize = 1 << 16;

/// A received value that is not yet decoded.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum RawValue<'a> {
    /// JSON, and how deeply it is nested. It has no attachments.
    Json { text: &'a str, depth: usize },
    /// MessagePack inside of a message.
    Msgpack { whole: &'a Bytes, bytes: &'a [u8] },
}

impl<'a> RawValue<'a> {
    pub(super) fn json(text: &'a str, depth: usize) -> Self {
        Self::Json { text, depth }
    }

    pub(super) fn msgpack(whole: &'a Bytes, bytes: &'a [u8]) -> Self {
        Self::Msgpack { whole, bytes }
    }

    pub(super) fn document(self) -> Document<'a> {
        match self {
            Self::Json { text, .. } => Document::Json(Scanner::new(text)),
            Self::Msgpack { whole, bytes } => Document::Msgpack { whole, cursor: Cursor::new(bytes) },
        }
    }

    /// Decodes the value.
    pub(crate) fn value(&self) -> Result<ReceivedValue, Malformed> {
        match *self {
            Self::Json { text, depth } => {
                check_depth(depth)?;
                Ok(ReceivedValue { json: text.to_owned(), attachments: Vec::new() })
            }
            Self::Msgpack { whole, bytes } => {
                let (json, attachments) = translated(whole, bytes, BinaryForm::Placeholder)?;
                Ok(ReceivedValue { json, attachments })
            }
        }
    }

    /// The value as JSON, with binary data as servers on Node.js write it.
    pub(super) fn to_json(self) -> Read<Cow<'a, str>> {
        match self {
            Self::Json { text, depth } => check_depth(depth).map(|()| text.into()),
            Self::Msgpack { whole, bytes } => translated(whole, bytes, BinaryForm::Object).map(|(json, _)| json.into()),
        }
    }
}

/// Attachments of fewer bytes are copied, because a message may be a part of what an engine read at
/// once. It would keep all of it in memory for as long as a client has not received the attachment.
const COPIED: usize = 16 << 10;

/// An attachment that may be kept.
pub(super) fn kept(attachment: Bytes) -> Bytes {
    if attachment.len() < COPIED { Bytes::copy_from_slice(&attachment) } else { attachment }
}

fn translated(whole: &Bytes, bytes: &[u8], form: BinaryForm) -> Read<(String, Vec<Bytes>)> {
    let mut translator = Translator::new(whole, form, MAX_ATTACHMENTS).refuse_reserved();
    let mut json = Vec::with_capacity(bytes.len() + bytes.len() / 4);
    translator.value(&mut Cursor::new(bytes), &mut json, 1).ok_or(Malformed)?;
    Ok((String::from_utf8(json).map_err(|_| Malformed)?, translator.into_attachments().into_iter().map(kept).collect()))
}

/// Checks the nesting of a value that is one of a list of arguments.
fn check_depth(depth: usize) -> Read<()> {
    if depth.saturating_add(1) > MAX_DEPTH { Err(Malformed) } else { Ok(()) }
}
