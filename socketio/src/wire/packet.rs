//! One message on its way out, before it is known what its recipients speak.

use bytes::Bytes;
use std::borrow::Cow;
use std::cell::OnceCell;
use std::sync::Arc;

use super::binary::Attachments;
use super::encoding::Encoding;
use super::frame::EncodedFrame;
use super::parser::Parser;
use super::payload::Payload;
use super::scratch::Scratch;

/// One message on its way out: an event with its encoded arguments, or a raw text or binary message.
///
/// [`Adapter`](crate::hub::adapter::Adapter)s see it in this neutral form. Each wire form is made
/// from it once, at first need.
#[derive(Debug)]
pub struct Packet {
    content: Content,
    volatile: bool,
    /// Under which id the client is asked to answer.
    ack: Option<u64>,
    envelope: OnceCell<EncodedFrame>,
    engine: OnceCell<EncodedFrame>,
    socketio: OnceCell<EncodedFrame>,
    /// The form of the first parser that was asked for.
    parsed: OnceCell<(Arc<dyn Parser>, EncodedFrame)>,
    /// The payload type that an event was made from, for debug builds to compare with a contract.
    #[cfg(debug_assertions)]
    payload_type: Option<&'static str>,
}

#[derive(Debug)]
enum Content {
    Event { name: Name, payload: Payload },
    Text(Scratch),
    Binary(Bytes),
}

#[derive(Debug)]
enum Name {
    /// A payload type's.
    Known(&'static str),
    Stored(Scratch),
}

impl Name {
    fn as_str(&self) -> &str {
        match self {
            Self::Known(name) => name,
            Self::Stored(name) => text(name),
        }
    }
}

impl Packet {
    pub(crate) fn event(name: &str, payload: Payload) -> Self {
        Self::new(Content::Event { name: Name::Stored(stored(name)), payload })
    }

    /// An event whose name need not be kept.
    pub(crate) fn known_event(name: &'static str, payload: Payload) -> Self {
        Self::new(Content::Event { name: Name::Known(name), payload })
    }

    /// A raw text message. Socket.IO clients get it as the event `message`.
    pub fn text(text: &str) -> Self {
        Self::new(Content::Text(stored(text)))
    }

    /// A raw binary message. Socket.IO clients get it as the event `message`.
    pub fn binary(bytes: Bytes) -> Self {
        Self::new(Content::Binary(bytes))
    }

    fn new(content: Content) -> Self {
        Self {
            content,
            volatile: false,
            ack: None,
            envelope: OnceCell::new(),
            engine: OnceCell::new(),
            socketio: OnceCell::new(),
            parsed: OnceCell::new(),
            #[cfg(debug_assertions)]
            payload_type: None,
        }
    }

    /// Notes the name of the type that an event was made from, in debug builds.
    #[cfg_attr(not(debug_assertions), allow(unused_variables))]
    pub(crate) fn made_from(self, name: fn() -> &'static str) -> Self {
        #[cfg(debug_assertions)]
        return Self { payload_type: Some(name()), ..self };
        #[cfg(not(debug_assertions))]
        return self;
    }

    /// The type that was noted, if one was.
    pub(crate) fn payload_type(&self) -> Option<&'static str> {
        #[cfg(debug_assertions)]
        return self.payload_type;
        #[cfg(not(debug_assertions))]
        return None;
    }

    /// The same message, volatile or not: a volatile one is dropped for a client that can't take it
    /// now.
    #[must_use]
    pub fn with_volatile(self, volatile: bool) -> Self {
        Self { volatile, ..self }
    }

    /// Asks the client to answer under this id.
    pub(crate) fn asking(self, ack: u64) -> Self {
        self.with_ack(Some(ack))
    }

    /// The id in it makes each wire form another one: those that were made are dropped.
    pub(crate) fn with_ack(self, ack: Option<u64>) -> Self {
        if ack == self.ack {
            return self;
        }
        Self {
            ack,
            envelope: OnceCell::new(),
            engine: OnceCell::new(),
            socketio: OnceCell::new(),
            parsed: OnceCell::new(),
            ..self
        }
    }

    pub(crate) fn ack(&self) -> Option<u64> {
        self.ack
    }

    /// The event's name; `None` for raw messages.
    pub fn name(&self) -> Option<&str> {
        match &self.content {
            Content::Event { name, .. } => Some(name.as_str()),
            Content::Text(_) | Content::Binary(_) => None,
        }
    }

    /// The arguments as JSON, with the attachments that placeholders in it stand for. A raw message is one argument.
    pub(crate) fn arguments(&self) -> (Cow<'_, str>, Option<Attachments>) {
        let owned = match &self.content {
            Content::Event { payload, .. } => return payload.placeholders(),
            // A string always serializes.
            Content::Text(message) => Payload::of(text(message)).unwrap_or_else(|_| Payload::new()),
            Content::Binary(bytes) => Payload::of_binary(bytes.clone()),
        };
        let (json, attachments) = owned.placeholders();
        (Cow::Owned(json.into_owned()), attachments)
    }

    /// A raw message: `Ok` is a text, `Err` is binary.
    pub(crate) fn raw_message(&self) -> Option<Result<&str, &Bytes>> {
        match &self.content {
            Content::Event { .. } => None,
            Content::Text(message) => Some(Ok(text(message))),
            Content::Binary(bytes) => Some(Err(bytes)),
        }
    }

    /// Whether the message may be dropped for a client that can't take it now.
    pub fn is_volatile(&self) -> bool {
        self.volatile
    }

    /// What is sent to a client that reads this encoding. A packet stays within one namespace, so that each is made once.
    pub(crate) fn with_frame<R>(
        &self,
        encoding: &Encoding,
        namespace: &str,
        send: impl FnOnce(&EncodedFrame) -> R,
    ) -> R {
        let encode = || self.encode(encoding, namespace);
        match encoding {
            Encoding::Envelopes => send(self.envelope.get_or_init(encode)),
            Encoding::Engine => send(self.engine.get_or_init(encode)),
            Encoding::SocketIo => send(self.socketio.get_or_init(encode)),
            Encoding::Parsed(parser) => {
                let (known, frame) = self.parsed.get_or_init(|| (Arc::clone(parser), encode()));
                if Arc::ptr_eq(known, parser) { send(frame) } else { send(&encode()) }
            }
        }
    }

    fn encode(&self, encoding: &Encoding, namespace: &str) -> EncodedFrame {
        match &self.content {
            Content::Event { name, payload } => encoding.event(namespace, name.as_str(), payload, self.ack),
            Content::Text(message) => encoding.text(namespace, text(message)),
            Content::Binary(bytes) => encoding.binary(namespace, bytes),
        }
    }
}

fn stored(text: &str) -> Scratch {
    let mut stored = Scratch::take();
    stored.extend_from_slice(text.as_bytes());
    stored
}

/// What was text when it was stored.
fn text(stored: &Scratch) -> &str {
    std::str::from_utf8(stored).unwrap_or_default()
}
