//! An outgoing message before it is encoded for its recipients.

use bytes::Bytes;
use std::borrow::Cow;
use std::cell::OnceCell;
use std::sync::Arc;

use super::binary::Attachments;
use super::delivery_id::DeliveryId;
use super::encoding::Encoding;
use super::frame::EncodedFrame;
use super::mark::Mark;
use super::offset::Offset;
use super::parser::Parser;
use super::payload::Payload;
use super::policy::{LatestId, LatestKey, Policy};
use super::scratch::Scratch;

/// An outgoing message: an event with its encoded arguments, or a raw text or binary message.
///
/// [`Adapter`](crate::adapter::Adapter)s handle messages in this neutral form. Each wire format is
/// encoded once, when the first recipient needs it.
#[derive(Debug)]
pub struct Packet {
    content: Content,
    volatile: bool,
    /// Of messages with this key, only the latest waits for a client.
    latest: Option<Box<Latest>>,
    /// The ack id, if an answer is expected.
    ack: Option<u64>,
    /// What the client is told of the event beside its arguments, except for its offset.
    mark: Option<Mark>,
    frames: Frames,
    /// The payload type of the event. Debug builds compare it with the contract.
    #[cfg(debug_assertions)]
    payload_type: Option<&'static str>,
}

/// The key of messages of which only the latest waits. It is in a box, because few packets have
/// one.
#[derive(Debug)]
struct Latest {
    key: LatestKey,
    id: OnceCell<LatestId>,
}

/// The text of a packet, borrowed from it. It is UTF-8.
pub(crate) enum Message<'a> {
    /// The name, and the arguments.
    Event(&'a [u8], &'a Payload),
    Text(&'a [u8]),
    Binary,
}

/// The frames of one message, each of which is encoded when the first recipient needs it.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    /// The message's position in the log of its namespace.
    offset: Option<Offset>,
    envelope: OnceCell<EncodedFrame>,
    resumable: OnceCell<EncodedFrame>,
    engine: OnceCell<EncodedFrame>,
    socketio: OnceCell<EncodedFrame>,
    /// The encoding by the first custom parser that was used.
    parsed: OnceCell<(Arc<dyn Parser>, EncodedFrame)>,
}

#[derive(Debug)]
enum Content {
    Event { name: Name, payload: Payload },
    Text(Scratch),
    Binary(Bytes),
}

#[derive(Debug)]
enum Name {
    /// The name of a payload type.
    Static(&'static str),
    Copied(Scratch),
}

impl Name {
    fn as_str(&self) -> &str {
        match self {
            Self::Static(name) => name,
            Self::Copied(name) => text(name),
        }
    }

    fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Static(name) => name.as_bytes(),
            Self::Copied(name) => name,
        }
    }
}

impl Packet {
    pub(crate) fn event(name: &str, payload: Payload) -> Self {
        Self::new(Content::Event { name: Name::Copied(copied(name)), payload })
    }

    /// An event with a static name, which is not copied.
    pub(crate) fn known_event(name: &'static str, payload: Payload) -> Self {
        Self::new(Content::Event { name: Name::Static(name), payload })
    }

    /// A raw text message. Socket.IO clients receive it as the event `message`.
    pub fn text(text: &str) -> Self {
        Self::new(Content::Text(copied(text)))
    }

    /// A raw binary message. Socket.IO clients receive it as the event `message`.
    pub fn binary(bytes: Bytes) -> Self {
        Self::new(Content::Binary(bytes))
    }

    fn new(content: Content) -> Self {
        Self {
            content,
            volatile: false,
            latest: None,
            ack: None,
            mark: None,
            frames: Frames::default(),
            #[cfg(debug_assertions)]
            payload_type: None,
        }
    }

    /// Sets the payload type, in debug builds.
    #[cfg_attr(not(debug_assertions), allow(unused_variables))]
    pub(crate) fn made_from(self, name: fn() -> &'static str) -> Self {
        #[cfg(debug_assertions)]
        return Self { payload_type: Some(name()), ..self };
        #[cfg(not(debug_assertions))]
        return self;
    }

    /// The payload type, if it is known.
    pub(crate) fn payload_type(&self) -> Option<&'static str> {
        #[cfg(debug_assertions)]
        return self.payload_type;
        #[cfg(not(debug_assertions))]
        return None;
    }

    /// Makes the message volatile or not. A volatile message is dropped for a client that cannot
    /// take it now.
    #[must_use]
    pub fn with_volatile(self, volatile: bool) -> Self {
        Self { volatile, ..self }
    }

    /// Sets a key: of this event's messages with the same key, only the latest waits for a client
    /// that can't take it now. The key may be empty.
    ///
    /// ```
    /// use socketio::adapter::Packet;
    ///
    /// let packet = Packet::event_json("price", "187.4", &[])?;
    /// let packet = packet.with_latest(Some("AAPL".to_owned()));
    /// assert_eq!(packet.latest(), Some("AAPL"));
    /// # Ok::<(), socketio::adapter::PacketError>(())
    /// ```
    #[must_use]
    pub fn with_latest(self, key: Option<String>) -> Self {
        match (&self.latest, key) {
            (None, None) => self,
            (_, key) => {
                let latest = key.map(|key| Box::new(Latest { key: LatestKey::new(key), id: OnceCell::new() }));
                Self { latest, frames: Frames::default(), ..self }
            }
        }
    }

    /// The key of which only the latest message waits for a client. `None`: all messages wait.
    pub fn latest(&self) -> Option<&str> {
        self.latest_key().map(LatestKey::as_str)
    }

    pub(crate) fn latest_key(&self) -> Option<&LatestKey> {
        self.latest.as_ref().map(|latest| &latest.key)
    }

    /// What happens to the message if a client of the namespace can't take it now. A packet has one
    /// namespace. An event that awaits an answer is never replaced.
    pub(crate) fn policy(&self, namespace: &str) -> Policy {
        match &self.latest {
            _ if self.volatile => Policy::Volatile,
            Some(latest) if self.ack.is_none() => {
                Policy::Latest(*latest.id.get_or_init(|| latest.key.id(namespace, self.name())))
            }
            _ => Policy::Wait,
        }
    }

    /// Requests an answer with this ack id.
    pub(crate) fn asking(self, ack: u64) -> Self {
        self.with_ack(Some(ack))
    }

    /// Sets the ack id, which is a part of each wire format, and drops what was encoded before.
    pub(crate) fn with_ack(self, ack: Option<u64>) -> Self {
        if ack == self.ack {
            return self;
        }
        Self { ack, frames: Frames::default(), ..self }
    }

    pub(crate) fn ack(&self) -> Option<u64> {
        self.ack
    }

    /// Sets what the client is told beside the arguments, and drops what was encoded before.
    pub(crate) fn with_mark(self, mark: Option<Mark>) -> Self {
        if mark == self.mark {
            return self;
        }
        Self { mark, frames: Frames::default(), ..self }
    }

    pub(crate) fn mark(&self) -> Option<Mark> {
        self.mark
    }

    /// The id of a reliable event.
    pub(crate) fn delivery(&self) -> Option<DeliveryId> {
        match self.mark {
            Some(Mark::Delivery(id)) => Some(id),
            _ => None,
        }
    }

    /// The event's name; `None` for raw messages.
    pub fn name(&self) -> Option<&str> {
        match &self.content {
            Content::Event { name, .. } => Some(name.as_str()),
            Content::Text(_) | Content::Binary(_) => None,
        }
    }

    /// Whether it is an event, and not a raw message.
    pub(crate) fn is_event(&self) -> bool {
        matches!(self.content, Content::Event { .. })
    }

    /// The name and the arguments; `None` for raw messages.
    #[cfg(any(feature = "cluster", feature = "http-emit"))]
    pub(crate) fn name_and_payload(&self) -> Option<(&str, &Payload)> {
        match &self.content {
            Content::Event { name, payload } => Some((name.as_str(), payload)),
            Content::Text(_) | Content::Binary(_) => None,
        }
    }

    /// The text of the packet.
    pub(crate) fn message(&self) -> Message<'_> {
        match &self.content {
            Content::Event { name, payload } => Message::Event(name.as_bytes(), payload),
            Content::Text(message) => Message::Text(message),
            Content::Binary(_) => Message::Binary,
        }
    }

    /// The binary data that is not part of the text.
    pub(crate) fn attachments(&self) -> &[Bytes] {
        match &self.content {
            Content::Event { payload, .. } => payload.attachments(),
            Content::Text(_) => &[],
            Content::Binary(bytes) => std::slice::from_ref(bytes),
        }
    }

    /// Whether the last argument that Socket.IO clients receive is a string.
    pub(crate) fn ends_in_string(&self) -> bool {
        match &self.content {
            Content::Event { payload, .. } => payload.json_with_markers().ends_with(b"\""),
            Content::Text(_) => true,
            Content::Binary(_) => false,
        }
    }

    /// The arguments as JSON, with placeholders for the attachments. A raw message is one argument.
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

    /// The raw message: `Ok` is text, `Err` is binary. `None` for events.
    pub(crate) fn raw_message(&self) -> Option<Result<&str, &Bytes>> {
        match &self.content {
            Content::Event { .. } => None,
            Content::Text(message) => Some(Ok(text(message))),
            Content::Binary(bytes) => Some(Err(bytes)),
        }
    }

    /// Whether the message may be dropped for clients that cannot take it now.
    pub fn is_volatile(&self) -> bool {
        self.volatile
    }

    /// Passes the frame for clients with this encoding to `send`. Each format is encoded only once,
    /// because a packet has one namespace.
    pub(crate) fn with_frame<R>(
        &self,
        encoding: &Encoding,
        namespace: &str,
        send: impl FnOnce(&EncodedFrame) -> R,
    ) -> R {
        self.frames.with(self, encoding, namespace, send)
    }

    fn encode(&self, encoding: &Encoding, namespace: &str, offset: Option<Offset>) -> EncodedFrame {
        if self.latest.is_none() {
            return self.encode_content(encoding, namespace, offset);
        }
        // Its bytes are dropped where locks may be held.
        self.encode_content(encoding, namespace, offset).without_foreign_bytes()
    }

    fn encode_content(&self, encoding: &Encoding, namespace: &str, offset: Option<Offset>) -> EncodedFrame {
        match &self.content {
            Content::Event { name, payload } => {
                let mark = self.mark.or(offset.map(Mark::Offset));
                encoding.event(namespace, name.as_str(), payload, self.ack, mark)
            }
            Content::Text(message) => encoding.text(namespace, text(message), offset),
            Content::Binary(bytes) => encoding.binary(namespace, bytes, offset),
        }
    }
}

impl Frames {
    /// The frames of a message that has this offset.
    pub(crate) fn at(offset: Offset) -> Self {
        Self { offset: Some(offset), ..Self::default() }
    }

    /// Passes the frame of `packet` for clients with this encoding to `send`. It must be the same
    /// packet in each call.
    pub(crate) fn with<R>(
        &self,
        packet: &Packet,
        encoding: &Encoding,
        namespace: &str,
        send: impl FnOnce(&EncodedFrame) -> R,
    ) -> R {
        let encode = || packet.encode(encoding, namespace, self.offset);
        match encoding {
            Encoding::Envelopes => send(self.envelope.get_or_init(encode)),
            Encoding::ResumableEnvelopes => send(self.resumable.get_or_init(encode)),
            Encoding::Engine => send(self.engine.get_or_init(encode)),
            Encoding::SocketIo => send(self.socketio.get_or_init(encode)),
            Encoding::Parsed(parser) => {
                // The parser may emit. No borrow of the cell may be active while it runs.
                if let Some((known, frame)) = self.parsed.get()
                    && Arc::ptr_eq(known, parser)
                {
                    return send(frame);
                }
                let sent = encode();
                let result = send(&sent);
                let _ = self.parsed.set((Arc::clone(parser), sent));
                result
            }
        }
    }
}

fn copied(text: &str) -> Scratch {
    let mut copied = Scratch::take();
    copied.extend_from_slice(text.as_bytes());
    copied
}

/// The inverse of [`copied`].
fn text(copied: &Scratch) -> &str {
    std::str::from_utf8(copied).unwrap_or_default()
}
