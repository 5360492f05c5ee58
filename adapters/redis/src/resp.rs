//! RESP2, the protocol of Redis: writes commands and reads replies.
//!
//! Replies borrow from the bytes that were read, and messages of subscriptions are found without an
//! allocation.

use std::fmt;
use std::ops::Range;
use std::str;

/// Arrays in arrays. The deepest reply that is read is that of `CLUSTER SLOTS`.
const MAX_DEPTH: usize = 8;
/// A length beyond what Redis can send.
const MAX_LENGTH: i64 = 1 << 30;

/// The reply to a command.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Reply<'a> {
    Status(&'a [u8]),
    Error(&'a [u8]),
    Integer(i64),
    /// `None` for the reply that stands for the absence of a value.
    Bulk(Option<&'a [u8]>),
    Array(Vec<Reply<'a>>),
}

impl<'a> Reply<'a> {
    /// The text of a bulk string or a status.
    pub(crate) fn text(&self) -> Option<&'a str> {
        match self {
            Self::Status(text) | Self::Bulk(Some(text)) => str::from_utf8(text).ok(),
            _ => None,
        }
    }

    pub(crate) fn integer(&self) -> Option<i64> {
        match self {
            Self::Integer(value) => Some(*value),
            _ => None,
        }
    }

    pub(crate) fn array(&self) -> Option<&[Reply<'a>]> {
        match self {
            Self::Array(items) => Some(items),
            _ => None,
        }
    }

    /// The reply, or the message of an error reply.
    pub(crate) fn ok(self) -> Result<Self, String> {
        match self {
            Self::Error(message) => Err(String::from_utf8_lossy(message).into_owned()),
            reply => Ok(reply),
        }
    }
}

/// What arrives on a connection that subscribes.
#[derive(Debug, PartialEq)]
pub(crate) enum Incoming<'a> {
    /// A message. The ranges are those of the bytes that were parsed.
    Message {
        pattern: Option<Range<usize>>,
        channel: Range<usize>,
        body: Range<usize>,
    },
    Reply(Reply<'a>),
}

/// Why nothing was parsed.
#[derive(Debug, PartialEq)]
pub(crate) enum Unparsed {
    /// There must be this many bytes at least.
    Incomplete(usize),
    /// It is not RESP2.
    Malformed,
}

impl fmt::Display for Unparsed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the server sent something that is not the protocol of Redis")
    }
}

/// Reads a reply, and returns it with its length.
pub(crate) fn reply(bytes: &[u8]) -> Result<(Reply<'_>, usize), Unparsed> {
    let mut cursor = Cursor::new(bytes, 0);
    let reply = cursor.reply(0)?;
    Ok((reply, cursor.at))
}

/// Reads what arrives on a connection that subscribes, and returns it with its length.
pub(crate) fn incoming(bytes: &[u8]) -> Result<(Incoming<'_>, usize), Unparsed> {
    let mut cursor = Cursor::new(bytes, 0);
    if let Some(message) = cursor.message()? {
        return Ok((message, cursor.at));
    }
    let (reply, length) = reply(bytes)?;
    Ok((Incoming::Reply(reply), length))
}

/// Reads the parts of a reply one after the other.
pub(crate) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    /// Begins at a byte.
    pub(crate) fn new(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at }
    }

    /// How much was read.
    pub(crate) fn at(&self) -> usize {
        self.at
    }

    /// The beginning of an array: its length, or `None` for nil.
    pub(crate) fn array(&mut self) -> Result<Option<usize>, Unparsed> {
        match self.line()? {
            [b'*', length @ ..] => Self::length(length),
            _ => Err(Unparsed::Malformed),
        }
    }

    /// The bytes to the end of the line.
    fn line(&mut self) -> Result<&'a [u8], Unparsed> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let Some(length) = rest.iter().position(|byte| *byte == b'\r') else {
            return Err(Unparsed::Incomplete(self.bytes.len() + 2));
        };
        match rest.get(length + 1) {
            Some(b'\n') => {
                self.at += length + 2;
                Ok(&rest[..length])
            }
            Some(_) => Err(Unparsed::Malformed),
            None => Err(Unparsed::Incomplete(self.bytes.len() + 1)),
        }
    }

    fn number(line: &[u8]) -> Result<i64, Unparsed> {
        let (digits, sign) = match line {
            [b'-', digits @ ..] => (digits, -1),
            digits => (digits, 1),
        };
        if digits.is_empty() || digits.len() > 19 {
            return Err(Unparsed::Malformed);
        }
        let mut value: i64 = 0;
        for digit in digits {
            let digit = i64::from(digit.wrapping_sub(b'0'));
            if digit > 9 {
                return Err(Unparsed::Malformed);
            }
            value = value.checked_mul(10).and_then(|value| value.checked_add(digit)).ok_or(Unparsed::Malformed)?;
        }
        Ok(sign * value)
    }

    /// The length of an array or a bulk string, `None` for nil.
    fn length(line: &[u8]) -> Result<Option<usize>, Unparsed> {
        match Self::number(line)? {
            -1 => Ok(None),
            length @ 0..=MAX_LENGTH => Ok(Some(usize::try_from(length).map_err(|_| Unparsed::Malformed)?)),
            _ => Err(Unparsed::Malformed),
        }
    }

    /// The place of a string of this length, which begins here.
    fn string(&mut self, length: usize) -> Result<Range<usize>, Unparsed> {
        let range = self.at..self.at + length;
        match self.bytes.get(range.end..range.end + 2) {
            Some(b"\r\n") => {
                self.at = range.end + 2;
                Ok(range)
            }
            Some(_) => Err(Unparsed::Malformed),
            None => Err(Unparsed::Incomplete(range.end + 2)),
        }
    }

    /// The place of a bulk string, `None` for anything else.
    pub(crate) fn bulk(&mut self) -> Result<Option<Range<usize>>, Unparsed> {
        match self.line()? {
            [b'$', length @ ..] => Self::length(length)?.map(|length| self.string(length)).transpose(),
            _ => Ok(None),
        }
    }

    /// A message. Returns `None` if it is something else.
    fn message(&mut self) -> Result<Option<Incoming<'a>>, Unparsed> {
        let strings = match self.line()? {
            b"*3" => 3,
            b"*4" => 4,
            _ => return Ok(None),
        };
        let Some(kind) = self.bulk()? else { return Ok(None) };
        let pattern = match (&self.bytes[kind], strings) {
            (b"message" | b"smessage", 3) => None,
            (b"pmessage", 4) => Some(self.bulk()?.ok_or(Unparsed::Malformed)?),
            _ => return Ok(None),
        };
        let channel = self.bulk()?.ok_or(Unparsed::Malformed)?;
        let body = self.bulk()?.ok_or(Unparsed::Malformed)?;
        Ok(Some(Incoming::Message { pattern, channel, body }))
    }

    fn reply(&mut self, depth: usize) -> Result<Reply<'a>, Unparsed> {
        if depth > MAX_DEPTH {
            return Err(Unparsed::Malformed);
        }
        match self.line()? {
            [b'+', text @ ..] => Ok(Reply::Status(text)),
            [b'-', text @ ..] => Ok(Reply::Error(text)),
            [b':', number @ ..] => Ok(Reply::Integer(Self::number(number)?)),
            [b'$', length @ ..] => match Self::length(length)? {
                Some(length) => {
                    let range = self.string(length)?;
                    Ok(Reply::Bulk(Some(&self.bytes[range])))
                }
                None => Ok(Reply::Bulk(None)),
            },
            [b'*', length @ ..] => match Self::length(length)? {
                Some(length) => {
                    let mut items = Vec::with_capacity(length.min(16));
                    for _ in 0..length {
                        items.push(self.reply(depth + 1)?);
                    }
                    Ok(Reply::Array(items))
                }
                None => Ok(Reply::Bulk(None)),
            },
            _ => Err(Unparsed::Malformed),
        }
    }
}

/// Appends a command.
pub(crate) fn command(buffer: &mut Vec<u8>, arguments: &[&[u8]]) {
    header(buffer, b'*', arguments.len());
    for argument in arguments {
        bulk(buffer, &[argument]);
    }
}

/// Appends a bulk string that consists of these parts.
pub(crate) fn bulk(buffer: &mut Vec<u8>, parts: &[impl AsRef<[u8]>]) {
    header(buffer, b'$', parts.iter().map(|part| part.as_ref().len()).sum());
    for part in parts {
        buffer.extend_from_slice(part.as_ref());
    }
    buffer.extend_from_slice(b"\r\n");
}

/// Appends the beginning of an array or a bulk string.
pub(crate) fn header(buffer: &mut Vec<u8>, kind: u8, length: usize) {
    buffer.push(kind);
    buffer.extend_from_slice(digits(length as u64, &mut [0; 20]));
    buffer.extend_from_slice(b"\r\n");
}

/// Writes a number to the end of a buffer.
pub(crate) fn digits(number: u64, digits: &mut [u8; 20]) -> &[u8] {
    let mut at = digits.len();
    let mut rest = number;
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            return &digits[at..];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_are_read_when_they_are_complete() {
        let bytes = b"*4\r\n+OK\r\n-ERR no\r\n:-12\r\n*2\r\n$3\r\nabc\r\n$-1\r\n";
        let (parsed, length) = reply(bytes).unwrap();
        assert_eq!(length, bytes.len());
        let inner = Reply::Array(vec![Reply::Bulk(Some(b"abc")), Reply::Bulk(None)]);
        assert_eq!(
            parsed,
            Reply::Array(vec![Reply::Status(b"OK"), Reply::Error(b"ERR no"), Reply::Integer(-12), inner])
        );
        for end in 0..bytes.len() {
            let Err(Unparsed::Incomplete(needed)) = reply(&bytes[..end]) else { panic!("{end}") };
            assert!(needed > end && needed <= bytes.len(), "{needed} after {end}");
        }
    }

    #[test]
    fn messages_are_found_in_place() {
        let bytes = b"*4\r\n$8\r\npmessage\r\n$2\r\na*\r\n$3\r\nabc\r\n$5\r\nhello\r\n+next";
        let (Incoming::Message { pattern, channel, body }, length) = incoming(bytes).unwrap() else { panic!() };
        assert_eq!((&bytes[pattern.unwrap()], &bytes[channel], &bytes[body]), (&b"a*"[..], &b"abc"[..], &b"hello"[..]));
        assert_eq!(&bytes[length..], b"+next");

        let bytes = b"*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n";
        let (Incoming::Reply(reply), _) = incoming(bytes).unwrap() else { panic!() };
        assert_eq!(reply.array().unwrap()[2].integer(), Some(1));
    }

    #[test]
    fn the_length_of_a_long_message_is_known_from_its_beginning() {
        let bytes = b"*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1000\r\nx";
        assert_eq!(incoming(bytes), Err(Unparsed::Incomplete(bytes.len() - 1 + 1002)));
    }

    #[test]
    fn what_is_not_resp_is_malformed() {
        let cases: [&[u8]; 7] =
            [b"HTTP/1.1 400\r\n", b"$x\r\n", b"$2\r\nabc\r\n", b":1\rx", b"*-2\r\n", b"$99999999999\r\n", b"\r\n"];
        for bytes in cases {
            assert_eq!(incoming(bytes), Err(Unparsed::Malformed), "{}", String::from_utf8_lossy(bytes));
        }
        let deep = b"*1\r\n".repeat(20);
        assert_eq!(reply(&deep), Err(Unparsed::Malformed));
    }

    #[test]
    fn commands_are_arrays_of_strings() {
        let mut buffer = Vec::new();
        command(&mut buffer, &[b"PUBLISH", b"", b"0123456789"]);
        assert_eq!(buffer, b"*3\r\n$7\r\nPUBLISH\r\n$0\r\n\r\n$10\r\n0123456789\r\n");
    }
}
