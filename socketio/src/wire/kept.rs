//! [`KeptPacket`]: an outgoing message in a compact form. [`Kept`] is one that the log of a
//! namespace keeps among others.

use bytes::Bytes;

use super::packet::{Message, Packet};
use super::payload::Payload;
use super::policy::{LatestId, LatestKey};
use super::scratch::Scratch;

/// A message that is kept in memory.
#[derive(Debug)]
pub(crate) struct KeptPacket {
    kind: Kind,
    text: Box<[u8]>,
    attachments: Box<[Bytes]>,
    latest: Option<Box<LatestKey>>,
}

/// A message, borrowed from where it is kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kept<'a> {
    pub(crate) kind: Kind,
    /// An event's name and its arguments, or the text of a raw message.
    pub(crate) text: &'a [u8],
    pub(crate) attachments: &'a [Bytes],
    pub(crate) latest: Option<&'a LatestKey>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    Event { name_length: usize, arguments: usize },
    Text,
    Binary,
}

/// What the allocator adds to an allocation, on average.
pub(crate) const ALLOCATION: usize = 16;

impl Kind {
    /// Appends the text that is kept of a message.
    #[inline]
    pub(crate) fn append(packet: &Packet, text: &mut Vec<u8>) -> Self {
        match packet.message() {
            Message::Event(name, payload) => {
                text.extend_from_slice(name);
                text.extend_from_slice(payload.json_with_markers());
                Self::Event { name_length: name.len(), arguments: payload.count() }
            }
            Message::Text(message) => {
                text.extend_from_slice(message);
                Self::Text
            }
            Message::Binary => Self::Binary,
        }
    }
}

impl KeptPacket {
    pub(crate) fn of(packet: &Packet) -> Self {
        let mut text = Vec::new();
        Self {
            kind: Kind::append(packet, &mut text),
            text: text.into(),
            attachments: packet.attachments().into(),
            latest: packet.latest_key().cloned().map(Box::new),
        }
    }

    fn kept(&self) -> Kept<'_> {
        let Self { kind, text, attachments, latest } = self;
        Kept { kind: *kind, text, attachments, latest: latest.as_deref() }
    }

    /// The number of bytes beside the struct itself.
    pub(crate) fn size(&self) -> usize {
        self.kept().size()
    }

    pub(crate) fn packet(&self) -> Packet {
        self.kept().packet()
    }
}

impl Kept<'_> {
    /// The number of bytes that it takes beside a [`KeptPacket`].
    pub(crate) fn size(&self) -> usize {
        let attachments = self.attachments.iter().map(|bytes| size_of::<Bytes>() + bytes.len()).sum::<usize>();
        let latest = self.latest.map_or(0, |key| size_of::<LatestKey>() + key.as_str().len() + 2 * ALLOCATION);
        self.text.len() + attachments + latest + ALLOCATION * (1 + usize::from(!self.attachments.is_empty()))
    }

    /// Which of a client's messages this one replaces, among those of its namespace.
    pub(crate) fn latest_id(&self) -> Option<LatestId> {
        self.latest.map(|key| key.id("", self.name()))
    }

    fn name(&self) -> Option<&str> {
        match self.kind {
            Kind::Event { name_length, .. } => Some(std::str::from_utf8(&self.text[..name_length]).unwrap_or_default()),
            Kind::Text | Kind::Binary => None,
        }
    }

    /// Whether plain clients get an event, and not a raw message.
    pub(crate) fn is_event(&self) -> bool {
        matches!(self.kind, Kind::Event { .. })
    }

    pub(crate) fn packet(&self) -> Packet {
        let utf8 = |bytes| std::str::from_utf8(bytes).unwrap_or_default();
        match self.kind {
            Kind::Event { name_length, arguments } => {
                let (name, json) = self.text.split_at(name_length);
                let mut copied = Scratch::take();
                copied.extend_from_slice(json);
                Packet::event(utf8(name), Payload::of_parts(copied, arguments, self.attachments.to_vec()))
            }
            Kind::Text => Packet::text(utf8(self.text)),
            Kind::Binary => Packet::binary(self.attachments.first().cloned().unwrap_or_default()),
        }
        .with_latest(self.latest.map(|key| key.as_str().to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Binary;
    use crate::event::message::IntoMessage;
    use crate::wire::encoding::Encoding;
    use crate::wire::frame::{EncodedFrame, frames};

    fn written(packet: &Packet) -> Vec<u8> {
        let mut out = Vec::new();
        packet.with_frame(&Encoding::SocketIo, "/", |frame: &EncodedFrame| frame.append_to(&mut out));
        out
    }

    #[test]
    fn a_kept_message_is_the_same_on_the_wire() {
        let packets = [
            ("news", 1, "two", [3]).into_packet().expect("it serializes"),
            ("nothing",).into_packet().expect("it serializes"),
            ("file", Binary::from(vec![1, 2, 3]), "name").into_packet().expect("it serializes"),
            Packet::text("ünïcode"),
            Packet::binary(vec![0, 255].into()),
        ];
        for packet in packets {
            let kept = KeptPacket::of(&packet);
            assert_eq!(written(&kept.packet()), written(&packet), "{packet:?}");
            assert!(frames(&written(&packet)).count() > 0);
            assert_eq!(kept.kept().is_event(), packet.is_event());
            assert_eq!((kept.packet().latest(), kept.kept().latest_id()), (None, None));
            let latest = packet.with_latest(Some("key".to_owned()));
            let kept = KeptPacket::of(&latest);
            assert_eq!((kept.packet().latest(), kept.packet().policy("/")), (Some("key"), latest.policy("/")));
            assert_eq!(kept.kept().name(), latest.name());
        }
    }
}
