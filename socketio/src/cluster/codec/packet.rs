//! [`RawPacket`]: a received event that is not yet decoded.

use super::Malformed;
use super::document::{Document, Read};
use super::value::{MAX_ATTACHMENTS, RawValue, kept};
use crate::wire::msgpack::cursor::{Cursor, Head};
use crate::wire::msgpack::read::{BinaryForm, Translator};
use crate::wire::packet::Packet;
use crate::wire::payload::{MAX_DEPTH, Payload};
use crate::wire::scan::Scanner;
use crate::wire::scratch::Scratch;
use crate::wire::socketio::is_reserved;

/// A received event that is not yet decoded.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct RawPacket<'a> {
    /// The array of the name and the arguments.
    data: RawValue<'a>,
    /// Whether the event is a raw message.
    is_raw: bool,
    expects_answer: bool,
}

impl<'a> RawPacket<'a> {
    pub(super) fn new(data: RawValue<'a>, is_raw: bool) -> Self {
        Self { data, is_raw, expects_answer: false }
    }

    pub(super) fn with_answer(self, expects_answer: bool) -> Self {
        Self { expects_answer, ..self }
    }

    /// Whether the server on Node.js that emitted it to one socket waits for an answer.
    pub(crate) fn expects_answer(&self) -> bool {
        self.expects_answer
    }

    /// Decodes the packet.
    pub(crate) fn packet(&self) -> Result<Packet, Malformed> {
        if self.is_raw
            && let Some(message) = self.raw_message()
        {
            return Ok(message);
        }
        match self.data {
            RawValue::Json { text, depth } => from_json(text, depth),
            RawValue::Msgpack { whole, bytes } => {
                let mut cursor = Cursor::new(bytes);
                let Some(Head::Array(length @ 1..)) = cursor.head() else { return Err(Malformed) };
                let name = checked_name(cursor.text().ok_or(Malformed)?)?;
                let mut translator = Translator::new(whole, BinaryForm::Marker, MAX_ATTACHMENTS).refuse_reserved();
                let mut json = Scratch::take();
                for at in 1..length {
                    if at > 1 {
                        json.push(b',');
                    }
                    translator.value(&mut cursor, &mut json, 1).ok_or(Malformed)?;
                }
                let attachments = translator.into_attachments().into_iter().map(kept).collect();
                let payload = Payload::from_parts(json, length - 1, attachments);
                Ok(Packet::event(name, payload.map_err(|_| Malformed)?))
            }
        }
    }

    /// The raw message, if there is one string or binary argument.
    fn raw_message(&self) -> Option<Packet> {
        let mut document = self.data.document();
        let mut left = document.array().ok()?;
        let is_name = document.element(&mut left).ok()? && document.text().ok()? == "message";
        if !is_name || !document.element(&mut left).ok()? {
            return None;
        }
        let message = match &mut document {
            Document::Msgpack { whole, cursor } if matches!(cursor.clone().head(), Some(Head::Binary(_))) => {
                let Some(Head::Binary(length)) = cursor.head() else { return None };
                Packet::binary(kept(whole.slice_ref(cursor.take(length)?)))
            }
            document => Packet::text(&document.text().ok()?),
        };
        (!document.element(&mut left).ok()?).then_some(message)
    }
}

/// Makes a packet of an array, whose JSON was scanned before.
fn from_json(data: &str, depth: usize) -> Read<Packet> {
    if depth > MAX_DEPTH {
        return Err(Malformed);
    }
    let mut scanner = Scanner::new(data);
    if !scanner.take(b'[') {
        return Err(Malformed);
    }
    let mut name = Document::Json(scanner);
    let text = name.text()?;
    let Document::Json(mut scanner) = name else { return Err(Malformed) };
    checked_name(&text)?;
    let mut args = "";
    if scanner.take(b',') {
        args = scanner.rest().strip_suffix(']').ok_or(Malformed)?.trim_ascii();
    }
    Ok(Packet::event(&text, Payload::from_scanned(args)))
}

/// Applications can't emit reserved names, and clients give them a meaning.
fn checked_name(name: &str) -> Read<&str> {
    if name.is_empty() || is_reserved(name) { Err(Malformed) } else { Ok(name) }
}
