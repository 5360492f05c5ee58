//! Encoding and decoding for test clients, with the server's codecs.

use bytes::Bytes;
use std::collections::BTreeMap;
use std::fmt;
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

use crate::event::context::RawArgs;
use crate::event::error::{EventError, PayloadError};
use crate::hub::socket::from_answer::failure;
use crate::session::limits::MAX_DEPTH;
use crate::wire::any_value::AnyValue;
use crate::wire::binary::Attachments;
use crate::wire::encoding::Encoding;
use crate::wire::engineio;
use crate::wire::envelope::{self, ArgumentText, Envelope};
use crate::wire::frame::{EncodedFrame, frames};
use crate::wire::offset::Offset;
use crate::wire::packet::Packet;
use crate::wire::socketio::{self, Kind, Partial};

/// The number of characters after which errors and records truncate a text.
const MAX_DISPLAYED: usize = 2_000;

/// The arguments of an event or an answer.
#[derive(Clone, Debug)]
pub(super) struct Contents {
    /// Comma separated.
    json: Box<str>,
    attachments: Option<Attachments>,
}

/// A message for the application.
#[derive(Clone, Debug)]
pub(super) enum Item {
    /// `ack`: the JSON text of the ack id, if the server wants an answer.
    Event {
        name: Box<str>,
        contents: Contents,
        ack: Option<Box<str>>,
    },
    Text(Utf8Bytes),
    Binary(Bytes),
}

/// An answer to an event that the client sent.
pub(super) type Answer = Result<Contents, EventError>;

/// A decoded message from the server.
#[derive(Debug)]
pub(super) enum Incoming {
    Ping,
    /// CONNECT: the namespace has accepted the client, as the socket `sid`.
    Connected {
        namespace: Box<str>,
        has_pid: bool,
        sid: Box<str>,
    },
    /// CONNECT_ERROR, with its JSON.
    Refused {
        namespace: Box<str>,
        json: Box<str>,
    },
    Disconnected {
        namespace: Box<str>,
    },
    Item {
        namespace: Box<str>,
        item: Item,
    },
    Answer {
        namespace: Box<str>,
        id: u64,
        answer: Answer,
    },
    /// An incomplete packet, or one without effect.
    Ignored,
    /// A message that violates the protocol.
    Invalid,
}

/// Decodes the messages of one connection.
#[derive(Debug)]
pub(super) struct Reader {
    is_plain: bool,
    /// The packet whose attachments have not all arrived.
    partial: Option<Partial<Utf8Bytes>>,
    /// Whether the server appends an offset to events, because the session can be resumed.
    has_offsets: bool,
}

/// The namespace of plain clients.
pub(super) const ROOT: &str = "/";

impl Reader {
    pub(super) fn new(encoding: &Encoding) -> Self {
        Self { is_plain: !encoding.has_namespaces(), partial: None, has_offsets: false }
    }

    pub(super) fn read(&mut self, message: Message) -> Incoming {
        match (message, self.is_plain) {
            (Message::Text(text), true) => read_plain(text),
            (Message::Binary(bytes), true) => Incoming::Item { namespace: ROOT.into(), item: Item::Binary(bytes) },
            (Message::Text(text), false) => match engineio::read(&text) {
                Ok(engineio::EnginePacket::Ping) => Incoming::Ping,
                Ok(engineio::EnginePacket::Text(text)) => self.begin_packet(text),
                Ok(engineio::EnginePacket::Ignored) => Incoming::Ignored,
                _ => Incoming::Invalid,
            },
            (Message::Binary(bytes), false) => match self.partial.take() {
                Some(mut partial) => match partial.take(bytes) {
                    true => {
                        let (text, attachments) = partial.into_parts();
                        self.read_packet(&text, Some(attachments.into()))
                    }
                    false => {
                        self.partial = Some(partial);
                        Incoming::Ignored
                    }
                },
                None => Incoming::Invalid,
            },
            _ => Incoming::Ignored,
        }
    }

    fn begin_packet(&mut self, text: Utf8Bytes) -> Incoming {
        match socketio::read(&text, usize::MAX) {
            Ok(packet) if packet.attachments > 0 => {
                self.partial = Some(Partial::new(text.clone(), packet.attachments));
                Incoming::Ignored
            }
            _ => self.read_packet(&text, None),
        }
    }

    fn read_packet(&mut self, text: &str, attachments: Option<Attachments>) -> Incoming {
        let mut incoming = read_packet(text, attachments);
        match &mut incoming {
            Incoming::Connected { has_pid, .. } => self.has_offsets |= *has_pid,
            Incoming::Item { item: Item::Event { contents, ack: None, .. }, .. } if self.has_offsets => {
                contents.remove_offset();
            }
            _ => {}
        }
        incoming
    }
}

fn read_plain(text: Utf8Bytes) -> Incoming {
    let namespace = ROOT.into();
    let contents = |args: ArgumentText<'_>| {
        let (ArgumentText::One(json) | ArgumentText::Many(json)) = args;
        Contents { json: json.into(), attachments: None }
    };
    match envelope::read(&text) {
        Some(Envelope::Event { name, args, id, .. }) => {
            let item = Item::Event { name: (*name).into(), contents: contents(args), ack: id.map(Into::into) };
            Incoming::Item { namespace, item }
        }
        Some(Envelope::Answer { id, answer, depth }) => {
            let error = |json: &str| match depth > MAX_DEPTH {
                true => PayloadError::too_deep(depth).into(),
                false => EventError::from_client(json),
            };
            Incoming::Answer { namespace, id, answer: answer.map(contents).map_err(error) }
        }
        None => Incoming::Item { namespace, item: Item::Text(text) },
    }
}

fn read_packet(text: &str, attachments: Option<Attachments>) -> Incoming {
    let Ok(packet) = socketio::read(text, usize::MAX) else { return Incoming::Invalid };
    let namespace = packet.namespace.into();
    let contents = Contents { json: packet.args.into(), attachments };
    match packet.kind {
        Kind::Connect => {
            let Connected { sid, pid } = serde_json::from_str(packet.json).unwrap_or_default();
            Incoming::Connected { namespace, sid: sid.into(), has_pid: pid.is_some() }
        }
        Kind::ConnectError => Incoming::Refused { namespace, json: packet.json.into() },
        Kind::Disconnect => Incoming::Disconnected { namespace },
        Kind::Event => {
            let item = Item::Event { name: (*packet.name).into(), contents, ack: packet.id.map(Into::into) };
            Incoming::Item { namespace, item }
        }
        Kind::Ack => match packet.id.and_then(|id| id.parse().ok()) {
            Some(id) => {
                // A value that is nested too deeply is not checked here. Decoding it fails later.
                let error = Some(contents.raw()).filter(|_| packet.depth <= MAX_DEPTH).and_then(failure);
                let answer = error.map_or(Ok(contents), Err);
                Incoming::Answer { namespace, id, answer }
            }
            None => Incoming::Invalid,
        },
    }
}

/// The reply to CONNECT.
#[derive(Default, serde::Deserialize)]
struct Connected<'a> {
    sid: &'a str,
    /// The id of a session that can be resumed.
    #[serde(default)]
    pid: Option<&'a str>,
}

impl Contents {
    pub(super) fn raw(&self) -> RawArgs<'_> {
        RawArgs::unscanned(ArgumentText::Many(&self.json), self.attachments.as_ref())
    }

    /// Removes the last argument if it is an offset.
    fn remove_offset(&mut self) {
        let Some(rest) = self.json.strip_suffix('"') else { return };
        let Some((args, last)) = rest.rsplit_once('"') else { return };
        if Offset::parse(last).is_some() {
            self.json = args.strip_suffix(',').unwrap_or(args).into();
        }
    }
}

/// Compares what a client can observe: the order of an object's fields does not matter.
impl PartialEq for Item {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Event { name, contents, .. }, Self::Event { name: other_name, contents: other, .. }) => {
                let value = |contents: &Contents| contents.raw().all::<AnyValue>().ok();
                name == other_name && value(contents) == value(other)
            }
            (Self::Text(text), Self::Text(other)) => text == other,
            (Self::Binary(bytes), Self::Binary(other)) => bytes == other,
            _ => false,
        }
    }
}

impl Item {
    /// Whether the items are equal, apart from the order of the elements in arrays.
    pub(super) fn is_permutation(&self, other: &Self) -> bool {
        let (Self::Event { name, contents, .. }, Self::Event { name: other_name, contents: other, .. }) = (self, other)
        else {
            return self == other;
        };
        let sorted = |contents: &Contents| {
            let arguments = contents.raw().all::<serde_json::Value>().ok()?;
            Some(arguments.into_iter().map(sorted).collect::<Vec<_>>())
        };
        name == other_name
            && sorted(contents) == sorted(other)
            && contents.raw().attachments() == other.raw().attachments()
    }
}

/// Sorts all arrays in a value by the text of their elements.
fn sorted(value: serde_json::Value) -> serde_json::Value {
    match value {
        serde_json::Value::Array(elements) => {
            let mut elements: Vec<_> = elements.into_iter().map(sorted).collect();
            elements.sort_by_cached_key(ToString::to_string);
            elements.into()
        }
        serde_json::Value::Object(fields) => {
            // Elements are sorted by their text, so their fields have one order.
            let fields: BTreeMap<_, _> = fields.into_iter().map(|(name, value)| (name, sorted(value))).collect();
            fields.into_iter().collect::<serde_json::Map<_, _>>().into()
        }
        value => value,
    }
}

impl fmt::Display for Contents {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "[{}]", Truncated(&self.json))?;
        match self.raw().attachments() {
            [] => Ok(()),
            attachments => {
                let lengths: Vec<_> = attachments.iter().map(|bytes| format!("{} bytes", bytes.len())).collect();
                write!(formatter, " with {}", lengths.join(", "))
            }
        }
    }
}

impl fmt::Display for Item {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Event { name, contents, ack } => {
                write!(formatter, "event `{name}` {contents}")?;
                formatter.write_str(if ack.is_some() { " (asks for an answer)" } else { "" })
            }
            Self::Text(text) => write!(formatter, "text {:?}", Truncated(text).to_string()),
            Self::Binary(bytes) => write!(formatter, "binary message of {} bytes", bytes.len()),
        }
    }
}

/// Displays a text, truncated to [`MAX_DISPLAYED`] characters.
pub(super) struct Truncated<'a>(pub(super) &'a str);

impl fmt::Display for Truncated<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.char_indices().nth(MAX_DISPLAYED) {
            Some((end, _)) => write!(formatter, "{}… ({} bytes)", &self.0[..end], self.0.len()),
            None => formatter.write_str(self.0),
        }
    }
}

/// Returns the message that a client with this encoding receives for a packet.
pub(super) fn item(packet: &Packet, encoding: &Encoding) -> Option<Item> {
    let mut reader = Reader::new(encoding);
    let incoming = packet.with_frame(encoding, ROOT, messages).into_iter().map(|message| reader.read(message)).last();
    match incoming {
        Some(Incoming::Item { item, .. }) => Some(item),
        _ => None,
    }
}

/// Splits encoded frames into WebSocket messages.
pub(super) fn messages(frame: &EncodedFrame) -> Vec<Message> {
    let mut bytes = Vec::new();
    frame.append_to(&mut bytes);
    let message = |(is_text, payload): (bool, &[u8])| match is_text {
        true => Message::text(String::from_utf8_lossy(payload).into_owned()),
        false => Message::binary(payload.to_vec()),
    };
    frames(&bytes).map(message).collect()
}

/// Returns a client's CONNECT packet.
pub(super) fn connect(namespace: &str, auth: Option<&str>) -> Message {
    let mut text = "40".to_owned();
    if namespace != ROOT {
        text.extend([namespace, ","]);
    }
    text.push_str(auth.unwrap_or_default());
    Message::text(text)
}

/// Returns the answer to an Engine.IO ping.
pub(super) fn pong() -> Message {
    Message::text("3")
}
