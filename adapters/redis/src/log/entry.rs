//! Reads entries of the stream from the replies of `XREAD` and `XRANGE`.

use base64::Engine as _;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;
use socketio::cluster::{LogEntry, Offset};
use std::ops::Range;
use std::str;

use crate::resp::{Cursor, Unparsed};

/// The type of the entries that have no namespace: the probes of servers.
const PROBE: u8 = 0;

/// Standard base64. Servers on Node.js accept it without padding, too.
pub(super) const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Where the parts of an entry are in its bytes.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct RawEntry {
    id: Range<usize>,
    server: Range<usize>,
    namespace: Range<usize>,
    kind: Range<usize>,
    data: Range<usize>,
}

/// An entry is not one that a server wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed;

impl RawEntry {
    /// Finds an entry, and returns it with its length.
    pub(super) fn parse(bytes: &[u8]) -> Result<(Self, usize), Unparsed> {
        let mut cursor = Cursor::new(bytes, 0);
        if cursor.array()? != Some(2) {
            return Err(Unparsed::Malformed);
        }
        let mut entry = Self { id: cursor.bulk()?.ok_or(Unparsed::Malformed)?, ..Self::default() };
        let parts = cursor.array()?.unwrap_or_default();
        for _ in 0..parts / 2 {
            let name = cursor.bulk()?.ok_or(Unparsed::Malformed)?;
            let value = cursor.bulk()?.ok_or(Unparsed::Malformed)?;
            match &bytes[name] {
                b"uid" => entry.server = value,
                b"nsp" => entry.namespace = value,
                b"type" => entry.kind = value,
                b"data" => entry.data = value,
                _ => {}
            }
        }
        Ok((entry, cursor.at()))
    }

    /// The offset. Redis writes no other ids.
    pub(super) fn offset(&self, bytes: &[u8]) -> Option<Offset> {
        Offset::parse(text(bytes, &self.id)?)
    }

    pub(super) fn namespace<'a>(&self, bytes: &'a [u8]) -> Option<&'a str> {
        text(bytes, &self.namespace)
    }

    /// Reads the entry that was found in these bytes.
    pub(super) fn read<'a>(&self, bytes: &'a Bytes) -> Result<LogEntry<'a>, Malformed> {
        let read = || {
            let kind: u8 = text(bytes, &self.kind)?.parse().ok()?;
            let namespace = self.namespace(bytes)?;
            if namespace.is_empty() && kind != PROBE {
                return None;
            }
            let data = bytes.slice(self.data.clone());
            let data = if data.first() == Some(&b'{') { data } else { BASE64.decode(&data).ok()?.into() };
            Some(LogEntry {
                offset: self.offset(bytes)?,
                namespace: namespace.into(),
                server: text(bytes, &self.server)?.into(),
                kind,
                data,
            })
        };
        read().ok_or(Malformed)
    }
}

fn text<'a>(bytes: &'a [u8], range: &Range<usize>) -> Option<&'a str> {
    str::from_utf8(bytes.get(range.clone())?).ok()
}

/// The beginning of the reply of `XREAD` for one stream.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Head {
    /// So many entries follow.
    Entries(usize),
    /// The reply is an error.
    Failed(String),
}

impl Head {
    /// Reads the beginning of a reply, and returns it with its length.
    pub(super) fn parse(bytes: &[u8]) -> Result<(Self, usize), Unparsed> {
        if bytes.first() == Some(&b'-') {
            let (reply, length) = crate::resp::reply(bytes)?;
            return Ok((Self::Failed(reply.ok().err().unwrap_or_default()), length));
        }
        let mut cursor = Cursor::new(bytes, 0);
        let Some(streams) = cursor.array()? else { return Ok((Self::Entries(0), cursor.at())) };
        if streams != 1 || cursor.array()? != Some(2) {
            return Err(Unparsed::Malformed);
        }
        cursor.bulk()?.ok_or(Unparsed::Malformed)?;
        let entries = cursor.array()?.unwrap_or_default();
        Ok((Self::Entries(entries), cursor.at()))
    }
}

/// Finds the entries in a complete reply of `XRANGE`.
///
/// # Errors
///
/// The reply is an error, or something else.
pub(super) fn entries(reply: &Bytes) -> Result<Vec<(RawEntry, Bytes)>, String> {
    if reply.first() == Some(&b'-') {
        let (reply, _) = crate::resp::reply(reply).map_err(|malformed| malformed.to_string())?;
        return Err(reply.ok().err().unwrap_or_default());
    }
    let mut cursor = Cursor::new(reply, 0);
    let parsed = (|| {
        let length = cursor.array()?.unwrap_or_default();
        let mut at = cursor.at();
        let mut entries = Vec::with_capacity(length.min(1024));
        for _ in 0..length {
            let (entry, length) = RawEntry::parse(reply.get(at..).unwrap_or_default())?;
            entries.push((entry, reply.slice(at..at + length)));
            at += length;
        }
        Ok(entries)
    })();
    parsed.map_err(|unparsed: Unparsed| unparsed.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bulk(text: &str) -> String {
        format!("${}\r\n{text}\r\n", text.len())
    }

    fn written(id: &str, fields: &[&str]) -> Bytes {
        let fields: String = fields.iter().map(|field| bulk(field)).collect();
        let count = fields.matches("\r\n").count() / 2;
        format!("*2\r\n{}*{count}\r\n{fields}", bulk(id)).into()
    }

    fn read(bytes: &Bytes) -> Result<LogEntry<'_>, Malformed> {
        let (entry, length) = RawEntry::parse(bytes).unwrap();
        assert_eq!(length, bytes.len());
        entry.read(bytes)
    }

    #[test]
    fn entries_are_read() {
        let bytes = written("1700000000000-7", &["uid", "ab", "nsp", "/chat", "type", "3", "data", r#"{"a":1}"#]);
        let expected = LogEntry {
            offset: Offset { epoch: 1_700_000_000_000, number: 7 },
            namespace: "/chat".into(),
            server: "ab".into(),
            kind: 3,
            data: Bytes::from_static(br#"{"a":1}"#),
        };
        assert_eq!(read(&bytes), Ok(expected));
        for end in 0..bytes.len() {
            assert!(matches!(RawEntry::parse(&bytes[..end]), Err(Unparsed::Incomplete(_))), "{end}");
        }
    }

    #[test]
    fn fields_have_any_order_and_others_are_ignored() {
        let bytes = written("1-0", &["data", "{}", "new", "x", "type", "4", "nsp", "/", "uid", "emitter"]);
        let entry = read(&bytes).unwrap();
        assert_eq!((&*entry.namespace, &*entry.server, entry.kind, &*entry.data), ("/", "emitter", 4, &b"{}"[..]));
    }

    #[test]
    fn binary_data_is_in_base64() {
        for text in ["gaFhAQ==", "gaFhAQ"] {
            let bytes = written("1-0", &["uid", "u", "nsp", "/", "type", "3", "data", text]);
            assert_eq!(&*read(&bytes).unwrap().data, b"\x81\xa1a\x01");
        }
    }

    #[test]
    fn only_probes_have_no_namespace() {
        assert_eq!(read(&written("1-0", &["uid", "u", "type", "0", "data", "{}"])).unwrap().namespace, "");
        assert_eq!(read(&written("1-0", &["uid", "u", "type", "3", "data", "{}"])), Err(Malformed));
    }

    #[test]
    fn what_no_server_writes_is_malformed() {
        let cases: [&[&str]; 6] = [
            &[],
            &["nsp", "/", "data", "{}"],
            &["nsp", "/", "type", "x", "data", "{}"],
            &["nsp", "/", "type", "256", "data", "{}"],
            &["nsp", "/", "type", "3", "data", "?"],
            &["nsp", "/", "type", "-3", "data", "{}"],
        ];
        for fields in cases {
            assert_eq!(read(&written("1-0", fields)), Err(Malformed), "{fields:?}");
        }
        let bytes =
            Bytes::from_static(b"*2\r\n$3\r\n1-0\r\n*4\r\n$3\r\nnsp\r\n$1\r\n\xff\r\n$4\r\ntype\r\n$1\r\n3\r\n");
        assert_eq!(read(&bytes), Err(Malformed));
        for bytes in [&b"*3\r\n"[..], b"+OK\r\n", b"*2\r\n:1\r\n"] {
            assert_eq!(RawEntry::parse(bytes), Err(Unparsed::Malformed));
        }
    }

    #[test]
    fn the_head_of_a_reply_says_how_many_entries_follow() {
        let bytes = b"*1\r\n*2\r\n$9\r\nsocket.io\r\n*17\r\n";
        assert_eq!(Head::parse(bytes), Ok((Head::Entries(17), bytes.len())));
        for end in 0..bytes.len() {
            assert!(matches!(Head::parse(&bytes[..end]), Err(Unparsed::Incomplete(_))), "{end}");
        }
        assert_eq!(Head::parse(b"*-1\r\n*0\r\n"), Ok((Head::Entries(0), 5)));
        assert_eq!(Head::parse(b"-WRONGTYPE no\r\n"), Ok((Head::Failed("WRONGTYPE no".into()), 15)));
        assert_eq!(Head::parse(b"*2\r\n"), Err(Unparsed::Malformed));
    }

    #[test]
    fn the_entries_of_a_range_are_found() {
        let one = written("1-0", &["nsp", "/", "type", "3", "data", "{}"]);
        let two = written("1-1", &[]);
        let reply: Bytes = [b"*2\r\n", &*one, &*two].concat().into();
        let found = entries(&reply).unwrap();
        assert_eq!((&found[0].1, &found[1].1), (&one, &two));
        assert_eq!(found[1].0.offset(&two), Some(Offset { epoch: 1, number: 1 }));
        assert_eq!(entries(&Bytes::from_static(b"*0\r\n")).unwrap().len(), 0);
        assert_eq!(entries(&Bytes::from_static(b"-ERR no\r\n")).unwrap_err(), "ERR no");
        assert!(entries(&Bytes::from_static(b"*1\r\n")).is_err());
    }
}
