//! Input of a client after parsing: events, raw messages, control frames and answers.

use bytes::Bytes;
use std::ops::Range;
use std::sync::Arc;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use crate::wire::binary::Attachments;
use crate::wire::envelope::ArgumentText;

/// A message without an event name.
#[derive(Clone, Debug)]
pub(crate) enum RawMessage {
    Text(Utf8Bytes),
    Binary(Bytes),
}

/// A control frame, with its payload.
#[derive(Clone, Debug)]
pub(crate) enum Control {
    Ping(Bytes),
    Pong(Bytes),
}

/// An acknowledgement of the client, copied out of its message.
#[derive(Debug)]
pub(crate) enum ReceivedAnswer {
    One(String),
    Many(String, Option<Attachments>),
    /// An error in JSON text.
    Failed(String),
    /// An answer that is not decoded, because its nesting exceeds the limit. Contains its depth.
    TooDeep(usize),
}

/// A named event: its text, and the ranges of its parts in that text.
#[derive(Clone, Debug)]
pub(crate) struct ReceivedEvent {
    text: Utf8Bytes,
    name: Name,
    args: ArgsRange,
    /// The JSON text of the id for the answer.
    id: Option<Range<usize>>,
    /// Whether a client sent the event. Otherwise the server fired it.
    pub(crate) from_client: bool,
    /// Whether the text is also passed to listeners of raw messages.
    pub(crate) is_message: bool,
    /// The binary attachments of the event.
    pub(crate) attachments: Option<Attachments>,
}

#[derive(Clone, Debug)]
enum Name {
    Slice(Range<usize>),
    Owned(Arc<str>),
}

#[derive(Clone, Debug)]
enum ArgsRange {
    One(Range<usize>),
    Many(Range<usize>),
}

/// The ranges of an event's parts in its text.
#[derive(Debug)]
pub(crate) struct Parts {
    name: Name,
    args: ArgsRange,
    id: Option<Range<usize>>,
}

impl Parts {
    /// Computes the ranges. All parts must be slices of `text`, except a name that contained
    /// escapes.
    pub(crate) fn of(text: &str, name: &str, args: ArgumentText<'_>, id: Option<&str>) -> Self {
        let args_range = match args {
            ArgumentText::One(part) => slice_range(text, part).map(ArgsRange::One),
            ArgumentText::Many(part) => slice_range(text, part).map(ArgsRange::Many),
        };
        Self {
            name: slice_range(text, name).map_or_else(|| Name::Owned(name.into()), Name::Slice),
            args: args_range.unwrap_or(ArgsRange::Many(0..0)),
            id: id.and_then(|id| slice_range(text, id)),
        }
    }
}

impl ReceivedEvent {
    /// Creates an event that a plain WebSocket client sent.
    pub(crate) fn envelope(text: Utf8Bytes, parts: Parts) -> Self {
        Self { is_message: true, ..Self::packet(text, parts, None) }
    }

    /// Creates an event that a Socket.IO client sent.
    pub(crate) fn packet(text: Utf8Bytes, parts: Parts, attachments: Option<Attachments>) -> Self {
        let Parts { name, args, id } = parts;
        Self { text, name, args, id, from_client: true, is_message: false, attachments }
    }

    /// Creates an event that the server fired, with `text` as its one argument.
    pub(crate) fn fired(name: Arc<str>, text: Utf8Bytes) -> Self {
        let args = ArgsRange::One(0..text.len());
        let name = Name::Owned(name);
        Self { args, text, name, id: None, from_client: false, is_message: false, attachments: None }
    }

    /// Replaces the arguments with this JSON text and the attachments of its placeholders.
    pub(crate) fn set_args(&mut self, json: &str, attachments: &[Bytes]) {
        // The new text holds the id and the arguments.
        let name = self.name().to_owned();
        let id = self.id().unwrap_or_default().to_owned();
        let text = Utf8Bytes::from(id.clone() + json);
        self.name = Name::Owned(name.into());
        self.id = self.id.as_ref().map(|_| 0..id.len());
        self.args = ArgsRange::Many(id.len()..text.len());
        self.attachments = (!attachments.is_empty()).then(|| attachments.into());
        self.text = text;
    }

    /// Returns the text as a raw message, if listeners of raw messages get it too.
    pub(crate) fn message(&self) -> Option<RawMessage> {
        self.is_message.then(|| RawMessage::Text(self.text.clone()))
    }

    pub(crate) fn name(&self) -> &str {
        match &self.name {
            Name::Slice(range) => &self.text[range.clone()],
            Name::Owned(name) => name,
        }
    }

    pub(crate) fn args(&self) -> ArgumentText<'_> {
        match &self.args {
            ArgsRange::One(range) => ArgumentText::One(&self.text[range.clone()]),
            ArgsRange::Many(range) => ArgumentText::Many(&self.text[range.clone()]),
        }
    }

    pub(crate) fn text(&self) -> &Utf8Bytes {
        &self.text
    }

    pub(crate) fn id(&self) -> Option<&str> {
        self.id.as_ref().map(|range| &self.text[range.clone()])
    }
}

/// Returns the range of `part` in `whole`, or `None` if it is not a slice of it.
fn slice_range(whole: &str, part: &str) -> Option<Range<usize>> {
    let start = (part.as_ptr() as usize).checked_sub(whole.as_ptr() as usize)?;
    let end = start.checked_add(part.len())?;
    (end <= whole.len()).then_some(start..end)
}
