//! WebSocket messages as a server reads them ([RFC 6455, section 5]): frames unmasked, fragments joined, texts checked.
//!
//! Pure, and fed with whatever has arrived. A message that lies there whole, as most do, is copied once, unmasked, into memory
//! that it shares with others: nothing is allocated for it. Between two messages a reader has no memory of its own.
//!
//! [RFC 6455, section 5]: https://www.rfc-editor.org/rfc/rfc6455#section-5

use bytes::{Bytes, BytesMut};
use smallvec::SmallVec;
use std::cell::RefCell;
use tokio_tungstenite::tungstenite::error::{CapacityError, Error, ProtocolError};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{CloseCode, Control, Data, OpCode};
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

/// The longest header: two bytes, a 64-bit length, a mask.
const MAX_HEADER: usize = 14;
/// The longest payload of a control frame.
const MAX_CONTROL: usize = 125;
/// How large the memory is that short messages share. One that waits for its handler may keep all of it.
const CHUNK: usize = 4 * 1024;
/// The length up to which they do.
const SHORT: usize = CHUNK / 2;
/// How much memory a message gets before that much of it has come.
const FIRST_PIECE: usize = 64 * 1024;

thread_local! {
    static SHARED: RefCell<BytesMut> = RefCell::new(BytesMut::new());
}

/// Reads the messages of one client.
#[derive(Debug)]
pub(crate) struct Reader {
    /// How long a message may be.
    max: usize,
    /// A header that has not come whole.
    header: SmallVec<[u8; MAX_HEADER]>,
    /// The frame whose payload has not come whole.
    frame: Option<FrameHeader>,
    /// What has come of a message in several frames, or of one that has not come whole.
    message: Vec<u8>,
    /// What has come of a control frame's payload, which may stand between the frames of a message.
    control: Vec<u8>,
    /// What the message is that more frames are to come of.
    fragmented: Option<Kind>,
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
    /// Turned so that it begins with the byte for what comes next.
    mask: [u8; 4],
    /// How many bytes of the payload are to come.
    left: usize,
}

impl Reader {
    pub(crate) fn new(max: usize) -> Self {
        Self { max, header: SmallVec::new(), frame: None, message: Vec::new(), control: Vec::new(), fragmented: None }
    }

    /// The next message, taken off the front of `bytes`. `None`: all of them are taken, and it has not come whole. After an
    /// error nothing more can be read.
    pub(crate) fn read(&mut self, bytes: &mut &[u8]) -> Result<Option<Message>, Error> {
        loop {
            let mut frame = match self.frame.take() {
                Some(frame) => frame,
                None => {
                    let Some(frame) = self.begin(bytes)? else { return Ok(None) };
                    if let (OpCode::Data(_), true, None) = (frame.opcode, frame.is_final, self.fragmented)
                        && let Some((payload, rest)) = bytes.split_at_checked(frame.left)
                    {
                        *bytes = rest;
                        return message(kind(frame.opcode), unmasked(payload, frame.mask)).map(Some);
                    }
                    frame
                }
            };
            self.go_on(&mut frame, bytes);
            if frame.left > 0 {
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

    /// Reads a frame's header. `None`: it has not come whole.
    fn begin(&mut self, bytes: &mut &[u8]) -> Result<Option<FrameHeader>, Error> {
        let parsed = if self.header.is_empty() {
            let parsed = header(bytes)?;
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
                if let Some(parsed) = header(&self.header)? {
                    self.header.clear();
                    break parsed;
                }
            },
        };
        match (frame.opcode, self.fragmented) {
            (OpCode::Control(_), _) if !frame.is_final => Err(ProtocolError::FragmentedControlFrame.into()),
            (OpCode::Control(_), _) if frame.left > MAX_CONTROL => Err(ProtocolError::ControlFrameTooBig.into()),
            (OpCode::Data(Data::Continue), None) => Err(ProtocolError::UnexpectedContinueFrame.into()),
            (OpCode::Data(data @ (Data::Text | Data::Binary)), Some(_)) => {
                Err(ProtocolError::ExpectedFragment(data).into())
            }
            (OpCode::Data(_), _) if frame.left > self.max - self.message.len() => {
                let size = self.message.len().saturating_add(frame.left);
                Err(CapacityError::MessageTooLong { size, max_size: self.max }.into())
            }
            _ => Ok(Some(frame)),
        }
    }

    /// Takes what has come of a frame's payload.
    fn go_on(&mut self, frame: &mut FrameHeader, bytes: &mut &[u8]) {
        let (payload, rest) = bytes.split_at(frame.left.min(bytes.len()));
        *bytes = rest;
        let out = if let OpCode::Control(_) = frame.opcode { &mut self.control } else { &mut self.message };
        // Who only says that a message is long gets no memory for it, and a message in one frame that has come keeps none that
        // is spare.
        if self.fragmented.is_none() && out.capacity() - out.len() < payload.len() {
            let room = out.len().max(FIRST_PIECE).max(payload.len());
            out.reserve_exact(room.min(frame.left));
        }
        let start = out.len();
        out.extend_from_slice(payload);
        unmask(&mut out[start..], frame.mask);
        frame.mask.rotate_left(payload.len() % 4);
        frame.left -= payload.len();
    }
}

/// Reads a header, and tells how long it is. `None`: it has not come whole.
fn header(bytes: &[u8]) -> Result<Option<(FrameHeader, usize)>, Error> {
    let [first, second, rest @ ..] = bytes else { return Ok(None) };
    let opcode = OpCode::from(first & 0x0f);
    if let OpCode::Control(Control::Reserved(_)) | OpCode::Data(Data::Reserved(_)) = opcode {
        return Err(ProtocolError::InvalidOpcode(first & 0x0f).into());
    }
    if first & 0x70 != 0 {
        return Err(ProtocolError::NonZeroReservedBits.into());
    }
    if second & 0x80 == 0 {
        return Err(ProtocolError::UnmaskedFrameFromClient.into());
    }
    let (left, rest) = match second & 0x7f {
        126 => match rest.split_first_chunk() {
            Some((length, rest)) => (u16::from_be_bytes(*length).into(), rest),
            None => return Ok(None),
        },
        127 => match rest.split_first_chunk() {
            Some((length, rest)) => (u64::from_be_bytes(*length), rest),
            None => return Ok(None),
        },
        length => (length.into(), rest),
    };
    let Some((mask, rest)) = rest.split_first_chunk() else { return Ok(None) };
    // What no memory could hold is too long whatever the limit.
    let left = usize::try_from(left).unwrap_or(usize::MAX);
    let frame = FrameHeader { opcode, is_final: first & 0x80 != 0, mask: *mask, left };
    Ok(Some((frame, bytes.len() - rest.len())))
}

/// What kind of message begins with such a frame.
fn kind(opcode: OpCode) -> Kind {
    if opcode == OpCode::Data(Data::Text) { Kind::Text } else { Kind::Binary }
}

fn message(kind: Kind, payload: Bytes) -> Result<Message, Error> {
    Ok(match kind {
        Kind::Text => Message::Text(Utf8Bytes::try_from(payload)?),
        Kind::Binary => Message::Binary(payload),
    })
}

fn control(control: Control, payload: Vec<u8>) -> Result<Message, Error> {
    let payload = Bytes::from(payload);
    Ok(match control {
        Control::Ping => Message::Ping(payload),
        Control::Pong => Message::Pong(payload),
        Control::Close | Control::Reserved(_) => Message::Close(match payload.split_first_chunk() {
            Some((code, _)) => {
                let code = CloseCode::from(u16::from_be_bytes(*code));
                Some(CloseFrame { code, reason: Utf8Bytes::try_from(payload.slice(2..))? })
            }
            None if payload.is_empty() => None,
            None => return Err(ProtocolError::InvalidCloseSequence.into()),
        }),
    })
}

/// A copy of a payload that has come whole.
fn unmasked(payload: &[u8], mask: [u8; 4]) -> Bytes {
    if payload.len() > SHORT {
        let mut copy = payload.to_vec();
        unmask(&mut copy, mask);
        return copy.into();
    }
    SHARED.with_borrow_mut(|shared| {
        if shared.capacity() < payload.len() {
            // The same memory once more, if nobody has any of it.
            shared.reserve(CHUNK);
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
    use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig, WebSocketContext};

    const MAX: usize = 300;

    /// A frame, right or wrong.
    #[derive(Clone, Debug)]
    struct Sent {
        first: u8,
        mask: Option<[u8; 4]>,
        /// Whether the length is written in a longer form than it needs.
        is_wordy: bool,
        payload: Vec<u8>,
    }

    impl Sent {
        fn write(&self, out: &mut Vec<u8>) {
            out.push(self.first);
            let masked = if self.mask.is_some() { 0x80 } else { 0 };
            match self.payload.len() {
                length @ 0..=125 if !self.is_wordy => out.push(masked | length as u8),
                length @ 0..=0xffff if length > 125 || length % 2 == 0 => {
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
        Sent { first, mask: Some([1, 2, 3, 4]), is_wordy: false, payload: payload.into() }.write(&mut out);
        out
    }

    /// What is read from pieces of bytes that arrive one after the other, up to the first close frame or error.
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
                    Err(error) => return (messages, Some(group(&error))),
                }
            }
            assert!(bytes.is_empty(), "what could not be used was left");
        }
        (messages, None)
    }

    fn group(error: &Error) -> &'static str {
        match error {
            Error::Capacity(_) => "too long",
            Error::Utf8(_) => "no text",
            Error::Protocol(_) => "wrong",
            other => panic!("{other}"),
        }
    }

    /// What is read from a stream without an end, and written into nothing.
    struct Waiting<'a>(&'a [u8]);

    impl Read for Waiting<'_> {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            if self.0.is_empty() { Err(io::ErrorKind::WouldBlock.into()) } else { self.0.read(out) }
        }
    }

    impl Write for Waiting<'_> {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What tungstenite reads.
    fn read_by_tungstenite(bytes: &[u8]) -> (Vec<Message>, Option<&'static str>) {
        let config = WebSocketConfig::default().max_message_size(Some(MAX)).max_frame_size(Some(MAX));
        let mut context = WebSocketContext::new(Role::Server, Some(config));
        let (mut stream, mut messages) = (Waiting(bytes), Vec::new());
        loop {
            match context.read(&mut stream) {
                // It takes a code that nobody may send for another one.
                Ok(Message::Close(_)) => {
                    messages.push(Message::Close(None));
                    return (messages, None);
                }
                Ok(message) => messages.push(message),
                Err(Error::Io(_)) => return (messages, None),
                Err(error) => return (messages, Some(group(&error))),
            }
        }
    }

    fn sent() -> impl Strategy<Value = Sent> {
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
        (first, mask, any::<bool>(), payload).prop_map(|(first, mask, is_wordy, payload)| Sent {
            first,
            mask,
            is_wordy,
            payload,
        })
    }

    proptest! {
        /// Whole or in pieces, right or wrong: what tungstenite reads is read here.
        #[test]
        fn it_agrees_with_tungstenite(frames in prop::collection::vec(sent(), 0..12), cuts in prop::collection::vec(0..40usize, 0..40)) {
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
            // That a message is no text is found out here when it is whole.
            if expected.1 == Some("no text") {
                found.0.truncate(expected.0.len());
                found.1 = expected.1;
            }
            // What is wrong with a frame shows in its header, before all of it is there; it may be wrong in several ways.
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
    fn masks_go_on_where_they_were() {
        let bytes = text("eine lange Nachricht", 0x81);
        for cut in 0..bytes.len() {
            let (before, after) = bytes.split_at(cut);
            assert_eq!(read(&[before, after]), (vec![Message::text("eine lange Nachricht")], None));
        }
    }

    #[test]
    fn control_frames_come_between_fragments() {
        let bytes = [text("a", 0x01), text("ping", 0x89), text("b", 0x00), text("c", 0x80)].concat();
        assert_eq!(read(&[&bytes]), (vec![Message::Ping("ping".into()), Message::text("abc")], None));
    }

    #[test]
    fn what_is_wrong_is_told_apart() {
        for (first, payload, wrong) in [
            (0x81, "\u{e9}", None),
            (0x80, "", Some("wrong")),
            (0x83, "", Some("wrong")),
            (0x8b, "", Some("wrong")),
            (0xc1, "", Some("wrong")),
            (0x09, "", Some("wrong")),
            (0x88, "x", Some("wrong")),
        ] {
            assert_eq!(read(&[&text(payload, first)]).1, wrong, "{first:x}");
        }
        assert_eq!(read(&[&[0x81, 0]]).1, Some("wrong"));
        assert_eq!(read(&[&[0x81, 0x81, 0, 0, 0, 0, 0xff]]).1, Some("no text"));
        assert_eq!(read(&[&text(&"x".repeat(MAX_CONTROL + 1), 0x89)]).1, Some("wrong"));
        assert_eq!(read(&[&[text("", 0x01), text("", 0x81)].concat()]).1, Some("wrong"));
    }

    #[test]
    fn the_limit_is_the_whole_message_s() {
        let half = "x".repeat(MAX / 2);
        assert_eq!(read(&[&[text(&half, 0x01), text(&half, 0x80)].concat()]).1, None);
        assert_eq!(read(&[&[text(&half, 0x01), text(&half, 0x00), text("x", 0x80)].concat()]).1, Some("too long"));
        let claim = [0x82, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0];
        assert_eq!(read(&[&claim]).1, Some("too long"));
    }

    #[test]
    fn who_only_says_that_a_message_is_long_gets_no_memory_for_it() {
        let mut reader = Reader::new(usize::MAX);
        let mut bytes = &[0x82, 0xff, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 7][..];
        assert_eq!(reader.read(&mut bytes).unwrap(), None);
        assert!(reader.message.capacity() <= FIRST_PIECE);
    }

    #[test]
    fn many_small_fragments_are_not_copied_over_and_over() {
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
        let payload = "x".repeat(3 * FIRST_PIECE);
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
