//! Translates MessagePack to JSON.

use bytes::Bytes;
use rmp::Marker;
use rmp::decode::read_marker;

use super::date::date;
use crate::wire::parser::{InvalidPacket, ParserPacket};
use crate::wire::socketio::placeholder;

/// The deepest nesting of values.
const MAX_DEPTH: usize = 128;
/// The most attachments of a packet. Each takes more memory here than an empty one takes in the
/// message.
const MAX_ATTACHMENTS: usize = 1_000;

/// Reads one message.
pub(super) struct Reader<'a> {
    whole: &'a Bytes,
    rest: &'a [u8],
    attachments: Vec<Bytes>,
}

type Read<T> = Result<T, InvalidPacket>;

impl<'a> Reader<'a> {
    pub(super) fn new(message: &'a Bytes) -> Self {
        Self { whole: message, rest: message, attachments: Vec::new() }
    }

    /// Reads the message as one packet.
    pub(super) fn packet(&mut self) -> Read<ParserPacket> {
        let fields = match self.marker()? {
            Marker::FixMap(length) => usize::from(length),
            Marker::Map16 => self.length(2)?,
            Marker::Map32 => self.length(4)?,
            _ => return Err(InvalidPacket),
        };
        let (mut kind, mut namespace, mut id, mut data) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for _ in 0..fields {
            let mut key = Vec::new();
            self.key(&mut key)?;
            let field = match &*key {
                br#""type""# => &mut kind,
                br#""nsp""# => &mut namespace,
                br#""id""# => &mut id,
                br#""data""# => &mut data,
                _ => {
                    let known = self.attachments.len();
                    self.value(&mut Vec::new(), 0)?;
                    self.attachments.truncate(known);
                    continue;
                }
            };
            field.clear();
            if self.rest.starts_with(UNDEFINED) {
                self.take(UNDEFINED.len())?;
            } else {
                self.value(field, 0)?;
            }
        }
        if !self.rest.is_empty() {
            return Err(InvalidPacket);
        }
        let namespace: String = serde_json::from_slice(&namespace).map_err(|_| InvalidPacket)?;
        if !namespace.starts_with('/') || namespace.contains(',') || !id.iter().all(u8::is_ascii_digit) {
            return Err(InvalidPacket);
        }
        // The default encoding has no separator before the data, so `data` must not start with a
        // digit.
        if !matches!(
            (&*kind, data.first()),
            (b"0", None | Some(b'{')) | (b"1", None) | (b"2" | b"3", Some(b'[')) | (b"4", Some(b'{' | b'"'))
        ) {
            return Err(InvalidPacket);
        }
        let (kind, attachments) = match (&*kind, self.attachments.len()) {
            (b"2", 1..) => ("5", format!("{}-", self.attachments.len())),
            (b"3", 1..) => ("6", format!("{}-", self.attachments.len())),
            (_, 1..) => return Err(InvalidPacket),
            (b"0", 0) => ("0", String::new()),
            (b"1", 0) => ("1", String::new()),
            (b"2", 0) => ("2", String::new()),
            (b"3", 0) => ("3", String::new()),
            (b"4", 0) => ("4", String::new()),
            _ => return Err(InvalidPacket),
        };
        let text = [kind.as_bytes(), attachments.as_bytes(), namespace.as_bytes(), b",", &id, &data].concat();
        let text = String::from_utf8(text).map_err(|_| InvalidPacket)?;
        let mut attachments = std::mem::take(&mut self.attachments);
        // A small attachment must not keep the whole message in memory.
        if attachments.iter().map(Bytes::len).fold(0, usize::saturating_add) < self.whole.len() / 2 {
            attachments.iter_mut().for_each(|attachment| *attachment = Bytes::copy_from_slice(attachment));
        }
        Ok(ParserPacket { text, attachments })
    }

    fn marker(&mut self) -> Read<Marker> {
        read_marker(&mut self.rest).map_err(|_| InvalidPacket)
    }

    fn take(&mut self, length: usize) -> Read<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(InvalidPacket)?;
        self.rest = rest;
        Ok(taken)
    }

    /// Reads a length of `size` bytes.
    fn length(&mut self, size: usize) -> Read<usize> {
        Ok(self.take(size)?.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)))
    }

    fn bytes<const N: usize>(&mut self) -> Read<[u8; N]> {
        let (bytes, rest) = self.rest.split_first_chunk().ok_or(InvalidPacket)?;
        self.rest = rest;
        Ok(*bytes)
    }

    /// Reads a value, and appends it as JSON.
    fn value(&mut self, out: &mut Vec<u8>, depth: usize) -> Read<()> {
        if depth > MAX_DEPTH {
            return Err(InvalidPacket);
        }
        match self.marker()? {
            Marker::Null => write_json(out, &()),
            Marker::True => write_json(out, &true),
            Marker::False => write_json(out, &false),
            Marker::FixPos(number) => write_json(out, &number),
            Marker::FixNeg(number) => write_json(out, &number),
            Marker::U8 => write_json(out, &u8::from_be_bytes(self.bytes()?)),
            Marker::U16 => write_json(out, &u16::from_be_bytes(self.bytes()?)),
            Marker::U32 => write_json(out, &u32::from_be_bytes(self.bytes()?)),
            Marker::U64 => write_json(out, &u64::from_be_bytes(self.bytes()?)),
            Marker::I8 => write_json(out, &i8::from_be_bytes(self.bytes()?)),
            Marker::I16 => write_json(out, &i16::from_be_bytes(self.bytes()?)),
            Marker::I32 => write_json(out, &i32::from_be_bytes(self.bytes()?)),
            Marker::I64 => write_json(out, &i64::from_be_bytes(self.bytes()?)),
            // NaN and infinities become `null`, as in JavaScript.
            Marker::F32 => write_json(out, &f32::from_be_bytes(self.bytes()?)),
            Marker::F64 => write_json(out, &f64::from_be_bytes(self.bytes()?)),
            Marker::FixStr(length) => self.string(out, usize::from(length))?,
            Marker::Str8 => self.sized(1, |reader, length| reader.string(out, length))?,
            Marker::Str16 => self.sized(2, |reader, length| reader.string(out, length))?,
            Marker::Str32 => self.sized(4, |reader, length| reader.string(out, length))?,
            Marker::Bin8 => self.sized(1, |reader, length| reader.binary(out, length))?,
            Marker::Bin16 => self.sized(2, |reader, length| reader.binary(out, length))?,
            Marker::Bin32 => self.sized(4, |reader, length| reader.binary(out, length))?,
            Marker::FixArray(length) => self.array(out, usize::from(length), depth)?,
            Marker::Array16 => self.sized(2, |reader, length| reader.array(out, length, depth))?,
            Marker::Array32 => self.sized(4, |reader, length| reader.array(out, length, depth))?,
            Marker::FixMap(length) => self.map(out, usize::from(length), depth)?,
            Marker::Map16 => self.sized(2, |reader, length| reader.map(out, length, depth))?,
            Marker::Map32 => self.sized(4, |reader, length| reader.map(out, length, depth))?,
            Marker::FixExt1 => self.extension(out, 1, true)?,
            Marker::FixExt2 => self.extension(out, 2, true)?,
            Marker::FixExt4 => self.extension(out, 4, true)?,
            Marker::FixExt8 => self.extension(out, 8, true)?,
            Marker::FixExt16 => self.extension(out, 16, true)?,
            Marker::Ext8 => self.sized(1, |reader, length| reader.extension(out, length, false))?,
            Marker::Ext16 => self.sized(2, |reader, length| reader.extension(out, length, false))?,
            Marker::Ext32 => self.sized(4, |reader, length| reader.extension(out, length, false))?,
            Marker::Reserved => return Err(InvalidPacket),
        }
        Ok(())
    }

    fn sized(&mut self, size: usize, read: impl FnOnce(&mut Self, usize) -> Read<()>) -> Read<()> {
        let length = self.length(size)?;
        read(self, length)
    }

    fn string(&mut self, out: &mut Vec<u8>, length: usize) -> Read<()> {
        write_json(out, std::str::from_utf8(self.take(length)?).map_err(|_| InvalidPacket)?);
        Ok(())
    }

    fn binary(&mut self, out: &mut Vec<u8>, length: usize) -> Read<()> {
        placeholder::write(out, self.attachments.len());
        let bytes = self.take(length)?;
        if self.attachments.len() >= MAX_ATTACHMENTS {
            return Err(InvalidPacket);
        }
        self.attachments.push(self.whole.slice_ref(bytes));
        Ok(())
    }

    fn array(&mut self, out: &mut Vec<u8>, length: usize, depth: usize) -> Read<()> {
        out.push(b'[');
        for at in 0..length {
            if at > 0 {
                out.push(b',');
            }
            self.value(out, depth + 1)?;
        }
        out.push(b']');
        Ok(())
    }

    fn map(&mut self, out: &mut Vec<u8>, length: usize, depth: usize) -> Read<()> {
        out.push(b'{');
        for at in 0..length {
            if at > 0 {
                out.push(b',');
            }
            self.key(out)?;
            out.push(b':');
            self.value(out, depth + 1)?;
        }
        out.push(b'}');
        Ok(())
    }

    /// Reads a map key, and appends it as a string. Other types are converted, as in JavaScript.
    fn key(&mut self, out: &mut Vec<u8>) -> Read<()> {
        let start = out.len();
        let attachments = self.attachments.len();
        self.value(out, MAX_DEPTH)?;
        if out[start] == b'"' {
            // An object of this encoding is never a placeholder.
            let key = std::str::from_utf8(&out[start..]).map_err(|_| InvalidPacket)?;
            if let Some(spelled) = placeholder::data_key(key) {
                out.truncate(start);
                out.extend_from_slice(spelled.as_bytes());
            }
        } else {
            let text = String::from_utf8(out.split_off(start)).map_err(|_| InvalidPacket)?;
            self.attachments.truncate(attachments);
            write_json(out, &text);
        }
        Ok(())
    }

    /// The JavaScript encoder uses extension type 0 for `undefined`, dates and array buffers. It
    /// decodes other extensions as an array of type and bytes.
    fn extension(&mut self, out: &mut Vec<u8>, length: usize, fixed: bool) -> Read<()> {
        let kind = i8::from_be_bytes(self.bytes()?);
        match (kind, fixed, length) {
            (0, true, 1) => {
                self.take(1)?;
                write_json(out, &());
            }
            (0, true, 8) => write_json(out, &date(i64::from_be_bytes(self.bytes()?))),
            (0, false, _) => self.binary(out, length)?,
            _ => {
                out.push(b'[');
                write_json(out, &kind);
                out.push(b',');
                self.binary(out, length)?;
                out.push(b']');
            }
        }
        Ok(())
    }
}

/// The encoding of `undefined` by the JavaScript encoder.
const UNDEFINED: &[u8] = &[0xd4, 0, 0];

fn write_json(out: &mut Vec<u8>, value: &(impl serde::Serialize + ?Sized)) {
    // Strings, numbers, booleans and `null` always serialize.
    let _ = serde_json::to_writer(out, value);
}
