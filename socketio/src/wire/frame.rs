//! Encoding of WebSocket frames, unmasked, as servers send them ([RFC 6455, section 5.2]).
//!
//! [RFC 6455, section 5.2]: https://www.rfc-editor.org/rfc/rfc6455#section-5.2

use bytes::Bytes;
use smallvec::SmallVec;

use super::scratch::Scratch;

/// The longest header of an unmasked frame: two bytes and a 64-bit length.
const HEADER_ROOM: usize = 10;
/// Frames of this size or more are shared between recipients instead of copied into each outbox.
pub(crate) const SHARE_FROM: usize = 4 * 1024;

/// Whether a close frame may have this code. The codes below 3000 are those of IANA's registry,
/// without those that stand for the lack of a close frame. From 3000 on they belong to libraries
/// and applications.
pub(crate) fn is_close_code(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Opcode {
    Text = 0x1,
    Binary = 0x2,
    Close = 0x8,
    Ping = 0x9,
    Pong = 0xa,
}

/// A frame under construction: space for the header, then the payload.
pub(crate) struct FrameWriter(Scratch);

impl FrameWriter {
    pub(crate) fn new() -> Self {
        let mut buffer = Scratch::take();
        buffer.extend_from_slice(&[0; HEADER_ROOM]);
        Self(buffer)
    }

    pub(crate) fn payload(&mut self) -> &mut Vec<u8> {
        &mut self.0
    }

    pub(crate) fn finish(mut self, opcode: Opcode) -> EncodedFrame {
        let length = self.0.len() - HEADER_ROOM;
        let (header, size) = header(opcode, length);
        let start = HEADER_ROOM - size;
        self.0[start..HEADER_ROOM].copy_from_slice(&header[..size]);
        if length < SHARE_FROM {
            EncodedFrame::Small { buffer: self.0, start }
        } else {
            // The frame may stay in outboxes for long, so spare capacity is not kept.
            EncodedFrame::Shared(match self.0.capacity() / 2 > self.0.len() {
                true => Bytes::copy_from_slice(&self.0[start..]),
                false => Bytes::from(self.0.into_vec()).slice(start..),
            })
        }
    }
}

fn header(opcode: Opcode, length: usize) -> ([u8; HEADER_ROOM], usize) {
    let mut header = [0; HEADER_ROOM];
    header[0] = 0x80 | opcode as u8;
    let size = match length {
        0..=125 => {
            header[1] = length as u8;
            2
        }
        126..=0xffff => {
            header[1] = 126;
            header[2..4].copy_from_slice(&(length as u16).to_be_bytes());
            4
        }
        _ => {
            header[1] = 127;
            header[2..10].copy_from_slice(&(length as u64).to_be_bytes());
            10
        }
    };
    (header, size)
}

/// Encodes a control frame. The payload has at most 125 bytes.
pub(crate) fn control(opcode: Opcode, payload: &[u8]) -> SmallVec<[u8; 32]> {
    let (header, size) = header(opcode, payload.len());
    let mut frame = SmallVec::from_slice(&header[..size]);
    frame.extend_from_slice(payload);
    frame
}

/// One encoded message, header included. All recipients get the same bytes.
#[derive(Debug)]
pub(crate) enum EncodedFrame {
    /// Small enough to be copied into each outbox.
    Small { buffer: Scratch, start: usize },
    /// Shared between the recipients, because copying it into each outbox costs more.
    Shared(Bytes),
    /// Several frames that must not be separated, or the header of a shared payload and that
    /// payload.
    Several(Vec<EncodedFrame>),
}

impl EncodedFrame {
    /// No frame.
    pub(crate) const NOTHING: Self = Self::Several(Vec::new());

    /// Whether there is no frame, because a parser failed to encode the packet.
    pub(crate) fn is_nothing(&self) -> bool {
        matches!(self, Self::Several(frames) if frames.is_empty())
    }

    /// Encodes a binary frame. Payloads of [`SHARE_FROM`] bytes or more are not copied.
    pub(crate) fn binary(bytes: &Bytes) -> Self {
        let mut writer = FrameWriter::new();
        if bytes.len() < SHARE_FROM {
            writer.payload().extend_from_slice(bytes);
            return writer.finish(Opcode::Binary);
        }
        let (header, size) = header(Opcode::Binary, bytes.len());
        let mut buffer = Scratch::take();
        buffer.extend_from_slice(&header[..size]);
        Self::Several(vec![Self::Small { buffer, start: 0 }, Self::Shared(bytes.clone())])
    }

    /// Encodes a text frame.
    pub(crate) fn text(text: &str) -> Self {
        let mut writer = FrameWriter::new();
        writer.payload().extend_from_slice(text.as_bytes());
        writer.finish(Opcode::Text)
    }

    /// Copies the bytes that belong to the application, which may have given them an owner that is
    /// dropped with them.
    pub(super) fn without_foreign_bytes(self) -> Self {
        match self {
            Self::Several(frames) => Self::Several(
                frames
                    .into_iter()
                    .map(|frame| match frame {
                        Self::Shared(bytes) => Self::Shared(Bytes::copy_from_slice(&bytes)),
                        frame => frame.without_foreign_bytes(),
                    })
                    .collect(),
            ),
            // A writer has made them.
            Self::Small { .. } | Self::Shared(_) => self,
        }
    }

    /// The number of bytes. Several frames may share their memory.
    pub(crate) fn len(&self) -> u64 {
        match self {
            Self::Small { buffer, start } => (buffer.len() - start) as u64,
            Self::Shared(bytes) => bytes.len() as u64,
            Self::Several(frames) => frames.iter().map(Self::len).fold(0, u64::saturating_add),
        }
    }

    /// Appends a copy of all bytes.
    pub(crate) fn append_to(&self, out: &mut Vec<u8>) {
        match self {
            Self::Small { buffer, start } => out.extend_from_slice(&buffer[*start..]),
            Self::Shared(bytes) => out.extend_from_slice(bytes),
            Self::Several(frames) => frames.iter().for_each(|frame| frame.append_to(out)),
        }
    }
}

/// Parses the data frames in bytes that this server has encoded. Yields whether each is a text
/// frame, and its payload. Control frames are skipped.
pub(crate) fn frames(mut bytes: &[u8]) -> impl Iterator<Item = (bool, &[u8])> {
    std::iter::from_fn(move || {
        let (first, length, rest) = match *bytes {
            [first, 126, a, b, ref rest @ ..] => (first, usize::from(u16::from_be_bytes([a, b])), rest),
            [first, 127, ref rest @ ..] => {
                let (length, rest) = rest.split_first_chunk()?;
                (first, usize::try_from(u64::from_be_bytes(*length)).ok()?, rest)
            }
            [first, length, ref rest @ ..] => (first, usize::from(length), rest),
            _ => return None,
        };
        let (payload, rest) = rest.split_at_checked(length)?;
        bytes = rest;
        Some((first & 0x0f, payload))
    })
    .filter(|(opcode, _)| *opcode < 0x8)
    .map(|(opcode, payload)| (opcode == Opcode::Text as u8, payload))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio_tungstenite::tungstenite::protocol::frame::{Frame as Parsed, FrameSocket};

    fn bytes(frame: &EncodedFrame) -> Vec<u8> {
        let mut bytes = Vec::new();
        frame.append_to(&mut bytes);
        bytes
    }

    fn parsed(frame: &EncodedFrame) -> Parsed {
        FrameSocket::new(&*bytes(frame)).read(None).expect("a valid frame").expect("a whole frame")
    }

    #[test]
    fn shared_payloads_are_framed_without_a_copy() {
        for length in [0, 10, SHARE_FROM - 1, SHARE_FROM, 70_000] {
            let payload = Bytes::from(vec![7; length]);
            let frame = EncodedFrame::binary(&payload);
            assert_eq!(parsed(&frame).payload(), &payload[..]);
            assert_eq!(frame.len(), bytes(&frame).len() as u64);
            let read = frames(&bytes(&frame)).map(|(is_text, payload)| (is_text, payload.len())).collect::<Vec<_>>();
            assert_eq!(read, [(false, length)]);
        }
    }

    #[test]
    fn a_shared_frame_holds_at_most_twice_its_size_in_memory() {
        let mut writer = FrameWriter::new();
        writer.payload().reserve(64 * 1024);
        writer.payload().extend([b'x'; SHARE_FROM]);
        let EncodedFrame::Shared(bytes) = writer.finish(Opcode::Text) else { panic!("a frame of this size is shared") };
        let bytes = bytes.try_into_mut().expect("the only handle");
        assert!(bytes.capacity() <= 2 * bytes.len(), "{}", bytes.capacity());
    }

    #[test]
    fn every_length_form_is_read_back_by_tungstenite() {
        for length in [0, 1, 125, 126, 127, 65_535, 65_536, 200_000] {
            let mut writer = FrameWriter::new();
            writer.payload().extend(std::iter::repeat_n(b'x', length));
            let frame = writer.finish(Opcode::Text);
            assert_eq!(bytes(&frame).len() as u64, frame.len());
            let parsed = parsed(&frame);
            assert_eq!(parsed.payload().len(), length);
            assert!(parsed.header().is_final);
            assert_eq!(u8::from(parsed.header().opcode), Opcode::Text as u8);
        }
    }
}
