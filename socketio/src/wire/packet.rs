//! One message on its way out, before it is known what its recipients speak.

use bytes::Bytes;
use std::cell::OnceCell;

use super::envelope;
use super::frame::{Frame, FrameWriter, Opcode};
use super::payload::Payload;
use super::scratch::Scratch;

/// One message on its way out: an event with its encoded arguments, or a raw text or binary message.
///
/// [`Adapter`](crate::adapter::Adapter)s see it in this neutral form; each wire form is made from it once, at first
/// need.
#[derive(Debug)]
pub struct Packet {
    content: Content,
    volatile: bool,
    /// Under which id the client is asked to answer.
    ack: Option<u64>,
    websocket: OnceCell<Frame>,
}

#[derive(Debug)]
enum Content {
    Event { name: Scratch, payload: Payload },
    Text(Scratch),
    Binary(Bytes),
}

impl Packet {
    pub(crate) fn event(name: &str, payload: Payload) -> Self {
        let mut stored = Scratch::take();
        stored.extend_from_slice(name.as_bytes());
        Self::new(Content::Event { name: stored, payload })
    }

    pub(crate) fn text(text: &str) -> Self {
        let mut stored = Scratch::take();
        stored.extend_from_slice(text.as_bytes());
        Self::new(Content::Text(stored))
    }

    pub(crate) fn binary(bytes: Bytes) -> Self {
        Self::new(Content::Binary(bytes))
    }

    fn new(content: Content) -> Self {
        Self { content, volatile: false, ack: None, websocket: OnceCell::new() }
    }

    pub(crate) fn with_volatile(self, volatile: bool) -> Self {
        Self { volatile, ..self }
    }

    /// Asks the client to answer under this id.
    pub(crate) fn asking(self, ack: u64) -> Self {
        Self { ack: Some(ack), ..self }
    }

    /// The event's name; `None` for raw messages.
    pub fn name(&self) -> Option<&str> {
        match &self.content {
            Content::Event { name, .. } => std::str::from_utf8(name).ok(),
            Content::Text(_) | Content::Binary(_) => None,
        }
    }

    /// Whether the message may be dropped for a client that can't take it now.
    pub fn is_volatile(&self) -> bool {
        self.volatile
    }

    /// The frame that plain WebSocket clients receive.
    pub(crate) fn websocket_frame(&self) -> &Frame {
        self.websocket.get_or_init(|| self.frame())
    }

    fn frame(&self) -> Frame {
        let mut writer = FrameWriter::new();
        let opcode = match &self.content {
            Content::Event { name, payload } => {
                envelope::write_event(writer.payload(), name, payload, self.ack);
                Opcode::Text
            }
            Content::Text(text) => {
                writer.payload().extend_from_slice(text);
                Opcode::Text
            }
            Content::Binary(bytes) => {
                writer.payload().extend_from_slice(bytes);
                Opcode::Binary
            }
        };
        writer.finish(opcode)
    }
}
