//! [`MsgpackParser`]: Socket.IO packets as MessagePack, as `socket.io-msgpack-parser` has them.
//!
//! A packet is one binary message, a map with the keys `type`, `nsp`, `data` and `id`. Binary data stands inside it as it is.

use bytes::Bytes;
use rmp::Marker;
use rmp::decode::read_marker;
use rmp::encode as write;

use super::parser::{InvalidPacket, Parser, ParserMessage, ParserPacket};
use super::scan::Scanner;
use super::socketio::{self, Kind, PLACEHOLDER};

/// How deep values may be nested.
const MAX_DEPTH: usize = 128;

/// The encoding of `socket.io-msgpack-parser`: give the client that as its `parser`, and this one to the routes.
///
/// ```
/// use socketio::{Hub, MsgpackParser};
///
/// let hub = Hub::builder().build()?;
/// let app: axum::Router = axum::Router::new().merge(hub.socketio().parser(MsgpackParser));
/// # Ok::<(), socketio::BuildError>(())
/// ```
///
/// MessagePack knows dates and `undefined`, JSON does not: handlers get a date as a string in the form that JavaScript's
/// `toJSON` has, and `undefined` as `null`.
#[derive(Clone, Copy, Debug, Default)]
pub struct MsgpackParser;

impl Parser for MsgpackParser {
    fn encode(&self, packet: &ParserPacket) -> Vec<ParserMessage> {
        // What this side has written is a packet.
        let Ok(read) = socketio::read(&packet.text, usize::MAX) else { return Vec::new() };
        let kind = match read.kind {
            Kind::Connect => 0,
            Kind::Disconnect => 1,
            Kind::Event => 2,
            Kind::Ack => 3,
            Kind::ConnectError => 4,
        };
        let id = read.id.and_then(|id| id.parse::<u64>().ok());
        let fields = 2 + usize::from(!read.json.is_empty()) + usize::from(id.is_some());
        let mut writer = Writer { out: Vec::with_capacity(packet.text.len()), attachments: &packet.attachments };
        writer.map(fields);
        writer.string("type");
        writer.out.push(kind);
        writer.string("nsp");
        writer.string(read.namespace);
        if !read.json.is_empty() {
            writer.string("data");
            writer.json(&mut Scanner::new(read.json));
        }
        if let Some(id) = id {
            writer.string("id");
            writer.unsigned(id);
        }
        vec![ParserMessage::Binary(writer.out.into())]
    }

    fn decode(&self, received: &[ParserMessage]) -> Result<Option<ParserPacket>, InvalidPacket> {
        let [ParserMessage::Binary(message)] = received else { return Err(InvalidPacket) };
        let mut reader = Reader { whole: message, rest: message, attachments: Vec::new() };
        let packet = reader.packet()?;
        if reader.rest.is_empty() { Ok(Some(packet)) } else { Err(InvalidPacket) }
    }
}

/// Writes JSON as MessagePack. Writing into memory never fails.
struct Writer<'a> {
    out: Vec<u8>,
    attachments: &'a [Bytes],
}

impl Writer<'_> {
    fn map(&mut self, length: usize) {
        let _ = write::write_map_len(&mut self.out, length as u32);
    }

    fn string(&mut self, text: &str) {
        let _ = write::write_str(&mut self.out, text);
    }

    fn unsigned(&mut self, number: u64) {
        let _ = write::write_uint(&mut self.out, number);
    }

    /// Writes the value that comes next.
    fn json(&mut self, scanner: &mut Scanner<'_>) {
        if let Some(attachment) = self.attachment(scanner) {
            let _ = write::write_bin(&mut self.out, &attachment);
        } else if scanner.take(b'[') {
            let _ = write::write_array_len(&mut self.out, elements(scanner.clone(), b']') as u32);
            while !scanner.take(b']') {
                self.json(scanner);
                scanner.take(b',');
            }
        } else if scanner.take(b'{') {
            self.map(elements(scanner.clone(), b'}'));
            while !scanner.take(b'}') {
                self.leaf(scanner.string().unwrap_or_default());
                scanner.take(b':');
                self.json(scanner);
                scanner.take(b',');
            }
        } else {
            self.leaf(scanner.value().unwrap_or("null"));
        }
    }

    /// The attachment that a placeholder stands for which comes next.
    fn attachment(&self, scanner: &mut Scanner<'_>) -> Option<Bytes> {
        if self.attachments.is_empty() || !scanner.rest().starts_with(PLACEHOLDER) {
            return None;
        }
        let value = scanner.clone().value()?;
        let number: usize = value.strip_prefix(PLACEHOLDER)?.strip_suffix('}')?.parse().ok()?;
        let attachment = self.attachments.get(number)?.clone();
        scanner.value();
        Some(attachment)
    }

    /// Writes a string, a number or a word.
    fn leaf(&mut self, json: &str) {
        if json.starts_with('"') {
            match serde_json::from_str::<std::borrow::Cow<'_, str>>(json) {
                Ok(text) => self.string(&text),
                Err(_) => self.string(""),
            }
            return;
        }
        let _ = match json {
            "true" => write::write_bool(&mut self.out, true),
            "false" => write::write_bool(&mut self.out, false),
            "null" => write::write_nil(&mut self.out),
            number => {
                if let Ok(number) = number.parse() {
                    self.unsigned(number);
                } else if let Ok(number) = number.parse() {
                    let _ = write::write_sint(&mut self.out, number);
                } else {
                    let _ = write::write_f64(&mut self.out, number.parse().unwrap_or_default());
                }
                Ok(())
            }
        };
    }
}

/// How many elements follow before the bracket that ends them.
fn elements(mut scanner: Scanner<'_>, end: u8) -> usize {
    let mut count = 0;
    while !scanner.take(end) {
        if end == b'}' && (scanner.string().is_none() || !scanner.take(b':')) {
            break;
        }
        if scanner.value().is_none() {
            break;
        }
        scanner.take(b',');
        count += 1;
    }
    count
}

/// Reads MessagePack, and writes JSON.
struct Reader<'a> {
    whole: &'a Bytes,
    rest: &'a [u8],
    attachments: Vec<Bytes>,
}

type Read<T> = Result<T, InvalidPacket>;

impl<'a> Reader<'a> {
    /// Reads the map that a packet is.
    fn packet(&mut self) -> Read<ParserPacket> {
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
        let namespace: String = serde_json::from_slice(&namespace).map_err(|_| InvalidPacket)?;
        if !namespace.starts_with('/') || namespace.contains(',') || !id.iter().all(u8::is_ascii_digit) {
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
        Ok(ParserPacket { text, attachments: std::mem::take(&mut self.attachments) })
    }

    fn marker(&mut self) -> Read<Marker> {
        read_marker(&mut self.rest).map_err(|_| InvalidPacket)
    }

    fn take(&mut self, length: usize) -> Read<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(InvalidPacket)?;
        self.rest = rest;
        Ok(taken)
    }

    /// A length of this many bytes.
    fn length(&mut self, size: usize) -> Read<usize> {
        Ok(self.take(size)?.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)))
    }

    fn bytes<const N: usize>(&mut self) -> Read<[u8; N]> {
        let (bytes, rest) = self.rest.split_first_chunk().ok_or(InvalidPacket)?;
        self.rest = rest;
        Ok(*bytes)
    }

    /// Reads a value and appends it as JSON.
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
            // What JSON has no number for is `null` there, as in JavaScript.
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
        super::binary::write_placeholder(out, self.attachments.len());
        let bytes = self.take(length)?;
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

    /// Reads a map's key: a string, or what becomes one in JavaScript.
    fn key(&mut self, out: &mut Vec<u8>) -> Read<()> {
        let start = out.len();
        let attachments = self.attachments.len();
        self.value(out, MAX_DEPTH)?;
        if out[start] != b'"' {
            let text = String::from_utf8(out.split_off(start)).map_err(|_| InvalidPacket)?;
            self.attachments.truncate(attachments);
            write_json(out, &text);
        }
        Ok(())
    }

    /// Extensions of type 0 are what JavaScript's encoder has for `undefined`, dates and array buffers; others become a
    /// list of type and bytes, as they do there.
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

/// How the JavaScript encoder writes `undefined`.
const UNDEFINED: &[u8] = &[0xd4, 0, 0];

fn write_json(out: &mut Vec<u8>, value: &(impl serde::Serialize + ?Sized)) {
    // Strings, numbers and words always serialize.
    let _ = serde_json::to_writer(out, value);
}

/// A point in time, in milliseconds since 1970, as JavaScript's `toJSON` writes it. `None`: there is no such date.
fn date(millis: i64) -> Option<String> {
    let (days, of_day) = (millis.div_euclid(86_400_000), millis.rem_euclid(86_400_000));
    // Days of the civil calendar, counted in eras of 400 years from the first of March of the year 0.
    let days = days.checked_add(719_468)?;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    let (hour, minute) = (of_day / 3_600_000, of_day / 60_000 % 60);
    let (second, milli) = (of_day / 1000 % 60, of_day % 1000);
    // JavaScript's dates end 100,000,000 days from 1970.
    (millis.unsigned_abs() <= 8_640_000_000_000_000).then(|| {
        let year = match year {
            0..=9999 => format!("{year:04}"),
            _ => format!("{year:+07}"),
        };
        format!("{year}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn encoded(text: &str, attachments: Vec<Bytes>) -> Vec<ParserMessage> {
        MsgpackParser.encode(&ParserPacket { text: text.to_owned(), attachments })
    }

    fn decoded(bytes: &[u8]) -> Result<Option<ParserPacket>, InvalidPacket> {
        MsgpackParser.decode(&[ParserMessage::Binary(Bytes::copy_from_slice(bytes))])
    }

    #[test]
    fn packets_are_read_back() {
        for text in
            ["0/,", "1/a,", "2/,[\"a\",1,-1,1.5,null,true,{\"b\":[]},\"é\\n\"]", "3/x,12[]", "4/,{\"message\":\"no\"}"]
        {
            let packet = MsgpackParser.decode(&encoded(text, Vec::new())).expect("a packet").expect("all of it");
            assert_eq!(packet, ParserPacket { text: text.to_owned(), attachments: Vec::new() });
        }
    }

    #[test]
    fn binary_stands_inside() {
        let text = r#"52-/,3["a",{"_placeholder":true,"num":1},{"b":{"_placeholder":true,"num":0}}]"#;
        let attachments = vec![Bytes::from_static(&[1]), Bytes::from_static(&[2, 3])];
        let packet = MsgpackParser.decode(&encoded(text, attachments)).expect("a packet").expect("all of it");
        let expected = r#"52-/,3["a",{"_placeholder":true,"num":0},{"b":{"_placeholder":true,"num":1}}]"#;
        assert_eq!(packet.text, expected);
        assert_eq!(packet.attachments, [Bytes::from_static(&[2, 3]), Bytes::from_static(&[1])]);
    }

    #[test]
    fn what_javascript_has_besides() {
        // {type: 2, nsp: "/", data: ["a", undefined, new Date(0), new ArrayBuffer(1)], id: undefined}
        let message =
            b"\x84\xa4type\x02\xa3nsp\xa1/\xa4data\x94\xa1a\xd4\0\0\xd7\0\0\0\0\0\0\0\0\0\xc7\x01\0\x07\xa2id\xd4\0\0";
        let packet = decoded(message).expect("a packet").expect("all of it");
        let expected = r#"51-/,["a",null,"1970-01-01T00:00:00.000Z",{"_placeholder":true,"num":0}]"#;
        assert_eq!(packet.text, expected);
        assert_eq!(packet.attachments, [Bytes::from_static(&[7])]);
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (millis, text) in [
            (951_782_400_000, Some("2000-02-29T00:00:00.000Z")),
            (-1, Some("1969-12-31T23:59:59.999Z")),
            (1_700_000_000_123, Some("2023-11-14T22:13:20.123Z")),
            (-62_198_755_200_000, Some("-000001-01-01T00:00:00.000Z")),
            (253_402_300_800_000, Some("+010000-01-01T00:00:00.000Z")),
            (i64::MAX, None),
            (i64::MIN, None),
        ] {
            assert_eq!(date(millis).as_deref(), text, "{millis}");
        }
    }

    #[test]
    fn what_is_no_packet() {
        for bytes in [
            &b""[..],
            b"\x80",
            b"\x93\x01\x02\x03",
            b"\x82\xa4type\x09\xa3nsp\xa1/",
            b"\x82\xa4type\x02\xa3nsp\xa1x",
            b"\x82\xa4type\x02\xa3nsp\xa3/,x",
            b"\x82\xa4type\x01\xa3nsp\xa1/\0",
            b"\x83\xa4type\x02\xa3nsp\xa1/\xa2id\xa1x",
            b"\x83\xa4type\x02\xa3nsp\xa1/\xa4data\xdd\xff\xff\xff\xff",
        ] {
            assert_eq!(decoded(bytes), Err(InvalidPacket), "{bytes:?}");
        }
        let deep = [&b"\x83\xa4type\x02\xa3nsp\xa1/\xa4data"[..], &[0x91; 100_000]].concat();
        assert_eq!(decoded(&deep), Err(InvalidPacket));
        assert!(MsgpackParser.decode(&[ParserMessage::Text("2".into())]).is_err());
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<i32>().prop_map(|n| Value::from(f64::from(n) / 8.0)),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 64, 40, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..40).prop_map(Value::from),
                prop::collection::hash_map(any::<String>(), inner, 0..20)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn values_are_read_back(value in value()) {
            let text = format!("2/,{}", json!(["a", value]));
            let packet = MsgpackParser.decode(&encoded(&text, Vec::new())).expect("a packet").expect("all of it");
            let read: Value = serde_json::from_str(&packet.text[3..]).expect("JSON");
            prop_assert_eq!(read, json!(["a", value]));
        }

        #[test]
        fn no_bytes_make_reading_panic(bytes in any::<Vec<u8>>()) {
            let _ = decoded(&bytes);
            let _ = decoded(&[b"\x83\xa4type\x02\xa3nsp\xa1/\xa4data\x92\xa1a", &bytes[..]].concat());
        }
    }
}
