//! Decoding of a client's WebSocket messages ([RFC 6455, section 5]): unmasks frames, joins
//! fragments, validates UTF-8.
//!
//! The reader does no I/O. It takes bytes as they arrive. A message that has arrived completely, as
//! most do, is unmasked into a buffer shared with other messages, without an allocation of its own.
//! Between two messages a reader holds no memory.
//!
//! [RFC 6455, section 5]: https://www.rfc-editor.org/rfc/rfc6455#section-5

use bytes::{Bytes, BytesMut};
use smallvec::SmallVec;
use std::cell::RefCell;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Control, Data, OpCode};
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

use super::frame::is_close_code;

/// The longest header of a masked frame: two bytes, a 64-bit length, a mask.
const MAX_HEADER_LEN: usize = 14;
/// The size of the buffer that short messages share. One pending message keeps all of it alive.
const SHARED_BUFFER: usize = 4 * 1024;
/// The longest message that is put into the shared buffer.
const MAX_SHARED: usize = SHARED_BUFFER / 2;
/// The most memory that is allocated for a message before its bytes have arrived.
const INITIAL_CAPACITY: usize = 64 * 1024;

thread_local! {
    static SHARED: RefCell<BytesMut> = RefCell::new(BytesMut::new());
}

/// Reads the messages of one client.
#[derive(Debug)]
pub(crate) struct Reader {
    /// The longest message that is accepted, in bytes.
    max: usize,
    /// The bytes of an incomplete frame header.
    header: SmallVec<[u8; MAX_HEADER_LEN]>,
    /// The header of the frame whose payload is incomplete.
    frame: Option<FrameHeader>,
    /// The bytes of an incomplete or fragmented message.
    message: Vec<u8>,
    /// The bytes of an incomplete control frame, which may arrive between the fragments of a
    /// message.
    control: Vec<u8>,
    /// The kind of the fragmented message. `None` between messages.
    fragmented: Option<Kind>,
}

/// Why the received bytes are not a valid message.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ReadError {
    #[error("a message of {size} bytes is longer than the limit of {max} bytes")]
    TooLong { size: usize, max: usize },
    #[error("a text is not valid UTF-8")]
    NotUtf8,
    /// The bytes violate RFC 6455.
    #[error("{0}")]
    Violation(&'static str),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Text,
    Binary,
}

#[derive(Clone, Copy, Debug)]
struct FrameHeader {
    opcode: OpCode,
    is_final: bool,
    /// Rotated so that the first byte belongs to the next payload byte.
    mask: [u8; 4],
    /// The number of payload bytes that have not arrived.
    remaining: usize,
}

impl Reader {
    pub(crate) fn new(max: usize) -> Self {
        Self { max, header: SmallVec::new(), frame: None, message: Vec::new(), control: Vec::new(), fragmented: None }
    }

    /// Reads the next message from the front of `bytes`, and advances `bytes` past it. `None`: all
    /// bytes are consumed, and the message is incomplete. After an error the reader must not be
    /// used again.
    pub(crate) fn read(&mut self, bytes: &mut &[u8]) -> Result<Option<Message>, ReadError> {
        loop {
            let mut frame = match self.frame.take() {
                Some(frame) => frame,
                None => {
                    let Some(frame) = self.read_header(bytes)? else { return Ok(None) };
                    if let (OpCode::Data(_), true, None) = (frame.opcode, frame.is_final, self.fragmented)
                        && let Some((payload, rest)) = bytes.split_at_checked(frame.remaining)
                    {
                        *bytes = rest;
                        return message(kind(frame.opcode), unmasked(payload, frame.mask)).map(Some);
                    }
                    frame
                }
            };
            self.read_payload(&mut frame, bytes);
            if frame.remaining > 0 {
                self.frame = Some(frame);
                return Ok(None);
            }
            match frame.opcode {
                OpCode::Control(control) => {
                    return self::control(control, std::mem::take(&mut self.control)).map(Some);
                }
                opcode if frame.is_final => {
                    let kind = self.fragmented.take().unwrap_or(kind(opcode));
                    return message(kind, std::mem::take(&mut self.message).into()).map(Some);
                }
                opcode => {
                    self.fragmented.get_or_insert(kind(opcode));
                }
            }
        }
    }

    /// Whether a part of a frame or of a fragmented message has arrived.
    pub(crate) fn is_incomplete(&self) -> bool {
        self.frame.is_some() || self.fragmented.is_some() || !self.header.is_empty()
    }

    /// Reads a frame header and validates it. `None`: the header is incomplete.
    fn read_header(&mut self, bytes: &mut &[u8]) -> Result<Option<FrameHeader>, ReadError> {
        let parsed = if self.header.is_empty() {
            let parsed = parse_header(bytes)?;
            let length = parsed.as_ref().map_or(0, |(_, length)| *length);
            *bytes = &bytes[length..];
            parsed
        } else {
            None
        };
        let (frame, _) = match parsed {
            Some(parsed) => parsed,
            None => loop {
                let Some((next, rest)) = bytes.split_first() else { return Ok(None) };
                self.header.push(*next);
                *bytes = rest;
                if let Some(parsed) = parse_header(&self.header)? {
                    self.header.clear();
                    break parsed;
                }
            },
        };
        match (frame.opcode, self.fragmented) {
            (OpCode::Data(Data::Continue), None) => Err(ReadError::Violation("a fragment continues no message")),
            (OpCode::Data(Data::Text | Data::Binary), Some(_)) => {
                Err(ReadError::Violation("a message begins before the last one is complete"))
            }
            (OpCode::Data(_), _) if frame.remaining > self.max - self.message.len() => {
                let size = self.message.len().saturating_add(frame.remaining);
                Err(ReadError::TooLong { size, max: self.max })
            }
            _ => Ok(Some(frame)),
        }
    }

    /// Reads the part of the frame's payload that has arrived.
    fn read_payload(&mut self, frame: &mut FrameHeader, bytes: &mut &[u8]) {
        let (payload, rest) = bytes.split_at(frame.remaining.min(bytes.len()));
        *bytes = rest;
        let out = if let OpCode::Control(_) = frame.opcode { &mut self.control } else { &mut self.message };
        // Memory is allocated as data arrives, not from the announced length. A message in a single
        // frame gets no spare capacity.
        if self.fragmented.is_none() && out.capacity() - out.len() < payload.len() {
            let room = out.len().max(INITIAL_CAPACITY).max(payload.len());
            out.reserve_exact(room.min(frame.remaining));
        }
        let start = out.len();
        out.extend_from_slice(payload);
        unmask(&mut out[start..], frame.mask);
        frame.mask.rotate_left(payload.len() % 4);
        frame.remaining -= payload.len();
    }
}

/// Parses a frame header, and returns it with its length. `None`: the header is incomplete.
fn parse_header(bytes: &[u8]) -> Result<Option<(FrameHeader, usize)>, ReadError> {
    let [first, second, rest @ ..] = bytes else { return Ok(None) };
    let is_final = first & 0x80 != 0;
    let opcode = OpCode::from(first & 0x0f);
    match opcode {
        OpCode::Control(Control::Reserved(_)) | OpCode::Data(Data::Reserved(_)) => {
            return Err(ReadError::Violation("a frame has a reserved opcode"));
        }
        OpCode::Control(_) if !is_final => return Err(ReadError::Violation("a control frame is fragmented")),
        OpCode::Control(_) if second & 0x7f > 125 => return Err(ReadError::Violation("a control frame is too long")),
        _ => {}
    }
    if first & 0x70 != 0 {
        return Err(ReadError::Violation("a frame has reserved bits"));
    }
    if second & 0x80 == 0 {
        return Err(ReadError::Violation("a frame is not masked"));
    }
    let (length, shortest, rest) = match second & 0x7f {
        126 => match rest.split_first_chunk() {
            Some((length, rest)) => (u16::from_be_bytes(*length).into(), 126, rest),
            None => return Ok(None),
        },
        127 => match rest.split_first_chunk() {
            Some((length, rest)) => (u64::from_be_bytes(*length), 1 << 16, rest),
            None => return Ok(None),
        },
        length => (length.into(), 0, rest),
    };
    if length < shortest {
        return Err(ReadError::Violation("the length of a frame is not in its shortest form"));
    }
    if length >> 63 != 0 {
        return Err(ReadError::Violation("the length of a frame has its highest bit set"));
    }
    let Some((mask, rest)) = rest.split_first_chunk() else { return Ok(None) };
    // A length beyond the address space exceeds any limit.
    let remaining = usize::try_from(length).unwrap_or(usize::MAX);
    let frame = FrameHeader { opcode, is_final, mask: *mask, remaining };
    Ok(Some((frame, bytes.len() - rest.len())))
}

/// The kind of message that begins with this opcode.
fn kind(opcode: OpCode) -> Kind {
    if opcode == OpCode::Data(Data::Text) { Kind::Text } else { Kind::Binary }
}

fn message(kind: Kind, payload: Bytes) -> Result<Message, ReadError> {
    Ok(match kind {
        Kind::Text => Message::Text(text(payload)?),
        Kind::Binary => Message::Binary(payload),
    })
}

fn control(control: Control, payload: Vec<u8>) -> Result<Message, ReadError> {
    let payload = Bytes::from(payload);
    Ok(match control {
        Control::Ping => Message::Ping(payload),
        Control::Pong => Message::Pong(payload),
        Control::Close | Control::Reserved(_) => Message::Close(match payload.split_first_chunk() {
            Some((code, _)) => {
                let code = u16::from_be_bytes(*code);
                if !is_close_code(code) {
                    return Err(ReadError::Violation("a close frame has an invalid code"));
                }
                Some(CloseFrame { code: code.into(), reason: text(payload.slice(2..))? })
            }
            None if payload.is_empty() => None,
            None => return Err(ReadError::Violation("a close frame has half a code")),
        }),
    })
}

fn text(bytes: Bytes) -> Result<Utf8Bytes, ReadError> {
    Utf8Bytes::try_from(bytes).map_err(|_| ReadError::NotUtf8)
}

/// Copies and unmasks a complete payload.
fn unmasked(payload: &[u8], mask: [u8; 4]) -> Bytes {
    if payload.len() > MAX_SHARED {
        let mut copy = payload.to_vec();
        unmask(&mut copy, mask);
        return copy.into();
    }
    SHARED.with_borrow_mut(|shared| {
        if shared.capacity() < payload.len() {
            // Reuses the same buffer if no message refers to it.
            shared.reserve(SHARED_BUFFER);
        }
        shared.extend_from_slice(payload);
        unmask(shared, mask);
        shared.split().freeze()
    })
}

fn unmask(bytes: &mut [u8], mask: [u8; 4]) {
    let [a, b, c, d] = mask;
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let (words, rest) = bytes.as_chunks_mut();
    for word in words {
        *word = (u64::from_ne_bytes(*word) ^ wide).to_ne_bytes();
    }
    for (byte, mask) in rest.iter_mut().zip(mask.iter().cycle()) {
        *byte ^= mask;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::{self, Read, Write};
    use tokio_tungstenite::tungstenite::Error;
    use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig, WebSocketContext};

    const MAX: usize = 300;

    /// A client's frame, valid or not.
    #[derive(Clone, Debug)]
    struct ClientFrame {
        first: u8,
        mask: Option<[u8; 4]>,
        payload: Vec<u8>,
    }

    impl ClientFrame {
        fn write(&self, out: &mut Vec<u8>) {
            out.push(self.first);
            let masked = if self.mask.is_some() { 0x80 } else { 0 };
            match self.payload.len() {
                length @ 0..=125 => out.push(masked | length as u8),
                length @ 0..=0xffff => {
                    out.push(masked | 126);
                    out.extend((length as u16).to_be_bytes());
                }
                length => {
                    out.push(masked | 127);
                    out.extend((length as u64).to_be_bytes());
                }
            }
            out.extend(self.mask.iter().flatten());
            let mask = self.mask.unwrap_or_default();
            out.extend(self.payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        }
    }

    fn text(payload: &str, first: u8) -> Vec<u8> {
        let mut out = Vec::new();
        ClientFrame { first, mask: Some([1, 2, 3, 4]), payload: payload.into() }.write(&mut out);
        out
    }

    /// The messages read from consecutive chunks, up to the first close frame or error.
    fn read(pieces: &[&[u8]]) -> (Vec<Message>, Option<&'static str>) {
        let (mut reader, mut messages) = (Reader::new(MAX), Vec::new());
        for piece in pieces {
            let mut bytes = *piece;
            loop {
                match reader.read(&mut bytes) {
                    Ok(Some(message)) => {
                        messages.push(message);
                        if matches!(messages.last(), Some(Message::Close(_))) {
                            return (messages, None);
                        }
                    }
                    Ok(None) => break,
                    Err(error) => return (messages, Some(category(&error))),
                }
            }
            assert!(bytes.is_empty(), "bytes are left");
        }
        (messages, None)
    }

    fn category(error: &ReadError) -> &'static str {
        match error {
            ReadError::TooLong { .. } => "too long",
            ReadError::NotUtf8 => "not UTF-8",
            ReadError::Violation(_) => "protocol",
        }
    }

    fn category_of_tungstenite(error: &Error) -> &'static str {
        match error {
            Error::Capacity(_) => "too long",
            Error::Utf8(_) => "not UTF-8",
            Error::Protocol(_) => "protocol",
            other => panic!("{other}"),
        }
    }

    /// A stream that blocks after its bytes, and discards what is written.
    struct BlockingStream<'a>(&'a [u8]);

    impl Read for BlockingStream<'_> {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            if self.0.is_empty() { Err(io::ErrorKind::WouldBlock.into()) } else { self.0.read(out) }
        }
    }

    impl Write for BlockingStream<'_> {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// The messages that tungstenite reads.
    fn read_by_tungstenite(bytes: &[u8]) -> (Vec<Message>, Option<&'static str>) {
        let config = WebSocketConfig::default().max_message_size(Some(MAX)).max_frame_size(Some(MAX));
        let mut context = WebSocketContext::new(Role::Server, Some(config));
        let (mut stream, mut messages) = (BlockingStream(bytes), Vec::new());
        loop {
            match context.read(&mut stream) {
                // tungstenite replaces a close code that must not be sent.
                Ok(Message::Close(_)) => {
                    messages.push(Message::Close(None));
                    return (messages, None);
                }
                Ok(message) => messages.push(message),
                Err(Error::Io(_)) => return (messages, None),
                Err(error) => return (messages, Some(category_of_tungstenite(&error))),
            }
        }
    }

    fn client_frame() -> impl Strategy<Value = ClientFrame> {
        let first = prop_oneof![
            20 => prop::sample::select(vec![0x81, 0x82, 0x01, 0x02, 0x00, 0x80, 0x89, 0x8a]),
            1 => Just(0x88),
            1 => any::<u8>(),
        ];
        let mask = prop_oneof![30 => any::<[u8; 4]>().prop_map(Some), 1 => Just(None)];
        let payload = prop_oneof![
            10 => "[ -~é]{0,60}".prop_map(String::into_bytes),
            3 => prop::collection::vec(any::<u8>(), 0..60),
            1 => prop::collection::vec(Just(b'x'), 100..MAX + 5),
        ];
        (first, mask, payload).prop_map(|(first, mask, payload)| ClientFrame { first, mask, payload })
    }

    proptest! {
        /// The reader returns the same messages as tungstenite, for valid and invalid bytes, whole
        /// or in chunks.
        #[test]
        fn it_agrees_with_tungstenite(frames in prop::collection::vec(client_frame(), 0..12), cuts in prop::collection::vec(0..40usize, 0..40)) {
            let mut bytes = Vec::new();
            frames.iter().for_each(|frame| frame.write(&mut bytes));
            let mut expected = read_by_tungstenite(&bytes);
            let whole = read(&[&bytes]);
            let (mut pieces, mut rest) = (Vec::new(), &bytes[..]);
            for cut in cuts {
                let (piece, after) = rest.split_at(cut.min(rest.len()));
                pieces.push(piece);
                rest = after;
            }
            pieces.push(rest);
            let mut found = read(&pieces);
            prop_assert_eq!(&whole, &found);
            if let (Some(Message::Close(_)), Some(Message::Close(close))) = (expected.0.last(), found.0.last_mut()) {
                *close = None;
            }
            // This reader validates UTF-8 when the message is complete, tungstenite per frame.
            if expected.1 == Some("not UTF-8") {
                found.0.truncate(expected.0.len());
                found.1 = expected.1;
            }
            // This reader rejects a close frame with an invalid code.
            if let (Some(Message::Close(_)), Some("protocol")) = (expected.0.last(), found.1) {
                expected.0.pop();
            }
            // This reader rejects a frame by its header, before the payload has arrived. If a frame
            // has several faults, tungstenite may report another one.
            if found.1.is_some() {
                expected.1 = found.1;
            }
            prop_assert_eq!(expected, found);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            read(&[&bytes]);
        }
    }

    #[test]
    fn the_mask_continues_across_chunks() {
        let bytes = text("a long message", 0x81);
        for cut in 0..bytes.len() {
            let (before, after) = bytes.split_at(cut);
            assert_eq!(read(&[before, after]), (vec![Message::text("a long message")], None));
        }
    }

    #[test]
    fn control_frames_are_read_between_fragments() {
        let bytes = [text("a", 0x01), text("ping", 0x89), text("b", 0x00), text("c", 0x80)].concat();
        assert_eq!(read(&[&bytes]), (vec![Message::Ping("ping".into()), Message::text("abc")], None));
    }

    #[test]
    fn errors_have_the_right_category() {
        for (first, payload, expected) in [
            (0x81, "\u{e9}", None),
            (0x80, "", Some("protocol")),
            (0x83, "", Some("protocol")),
            (0x8b, "", Some("protocol")),
            (0xc1, "", Some("protocol")),
            (0x09, "", Some("protocol")),
            (0x88, "x", Some("protocol")),
            (0x88, "xx", Some("protocol")),
        ] {
            assert_eq!(read(&[&text(payload, first)]).1, expected, "{first:x}");
        }
        assert_eq!(read(&[&[0x81, 0]]).1, Some("protocol"));
        assert_eq!(read(&[&[0x81, 0x81, 0, 0, 0, 0, 0xff]]).1, Some("not UTF-8"));
        assert_eq!(read(&[&text(&"x".repeat(126), 0x89)]).1, Some("protocol"));
        assert_eq!(read(&[&[text("", 0x01), text("", 0x81)].concat()]).1, Some("protocol"));
    }

    #[test]
    fn lengths_must_be_in_their_shortest_form() {
        let masked = |head: &[u8]| read(&[&[head, &[0; 4]].concat()]).1;
        for length in [0_u16, 125] {
            let [high, low] = length.to_be_bytes();
            assert_eq!(masked(&[0x81, 0xfe, high, low]), Some("protocol"));
        }
        for length in [0_u64, 126, 0xffff, 1 << 63, u64::MAX] {
            assert_eq!(masked(&[&[0x81, 0xff][..], &length.to_be_bytes()].concat()), Some("protocol"));
        }
        assert_eq!(masked(&[0x81, 0xfe, 0, 126]), None);
        assert_eq!(masked(&[&[0x81, 0xff][..], &(1_u64 << 16).to_be_bytes()].concat()), Some("too long"));
        // Control frames have the shortest form only.
        assert_eq!(read(&[&[0x89, 0xfe]]).1, Some("protocol"));
        assert_eq!(read(&[&[0x89, 0xff]]).1, Some("protocol"));
    }

    #[test]
    fn an_incomplete_message_is_noticed() {
        let whole = [text("a", 0x01), text("ping", 0x89), text("c", 0x80)].concat();
        let mut reader = Reader::new(MAX);
        for (at, byte) in whole.iter().enumerate() {
            assert_eq!(reader.is_incomplete(), at > 0, "{at}");
            reader.read(&mut &[*byte][..]).unwrap();
        }
        assert!(!reader.is_incomplete());
    }

    #[test]
    fn the_limit_applies_to_the_whole_message() {
        let half = "x".repeat(MAX / 2);
        assert_eq!(read(&[&[text(&half, 0x01), text(&half, 0x80)].concat()]).1, None);
        assert_eq!(read(&[&[text(&half, 0x01), text(&half, 0x00), text("x", 0x80)].concat()]).1, Some("too long"));
        let claim = [0x82, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0];
        assert_eq!(read(&[&claim]).1, Some("too long"));
    }

    #[test]
    fn memory_is_not_allocated_from_the_announced_length() {
        let mut reader = Reader::new(usize::MAX);
        let mut bytes = &[0x82, 0xff, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 7][..];
        assert_eq!(reader.read(&mut bytes).unwrap(), None);
        assert!(reader.message.capacity() <= INITIAL_CAPACITY);
    }

    #[test]
    fn many_small_fragments_cause_few_reallocations() {
        let mut reader = Reader::new(usize::MAX);
        let (mut growths, mut capacity) = (0, 0);
        for number in 0..10_000 {
            let fragment = text("x", if number == 0 { 0x01 } else { 0x00 });
            assert_eq!(reader.read(&mut &fragment[..]).unwrap(), None);
            if reader.message.capacity() != capacity {
                capacity = reader.message.capacity();
                growths += 1;
            }
        }
        assert!(growths < 20, "{growths}");
    }

    #[test]
    fn a_long_message_keeps_no_spare_memory() {
        let payload = "x".repeat(3 * INITIAL_CAPACITY);
        let bytes = text(&payload, 0x81);
        let mut reader = Reader::new(usize::MAX);
        for mut piece in bytes.chunks(1000) {
            if let Some(message) = reader.read(&mut piece).unwrap() {
                assert_eq!(message, Message::text(payload.as_str()));
            }
        }
        assert_eq!(reader.message.capacity(), 0);
    }
}
