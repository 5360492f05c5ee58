//! [`Document`]: reads a message that is JSON or MessagePack, one token at a time.

use bytes::Bytes;
use std::borrow::Cow;

use super::Malformed;
use super::value::RawValue;
use crate::cluster::message::Names;
use crate::wire::msgpack::cursor::{Cursor, Head};
use crate::wire::scan::Scanner;

pub(super) type Read<T> = Result<T, Malformed>;

/// Reads a message or a part of it. The position is undefined after an error.
#[derive(Clone, Debug)]
pub(super) enum Document<'a> {
    Json(Scanner<'a>),
    Msgpack { whole: &'a Bytes, cursor: Cursor<'a> },
}

/// How much is left of a map or an array that is being read.
#[derive(Debug)]
pub(super) struct Left {
    /// In MessagePack.
    elements: usize,
    is_first: bool,
}

impl<'a> Document<'a> {
    /// Begins to read a message. JSON begins with a brace, which is no map in MessagePack.
    pub(super) fn new(body: &'a Bytes) -> Read<Self> {
        if body.first() != Some(&b'{') {
            return Ok(Self::Msgpack { whole: body, cursor: Cursor::new(body) });
        }
        let text = std::str::from_utf8(body).map_err(|_| Malformed)?;
        Ok(Self::Json(Scanner::new(text)))
    }

    /// Returns `Ok` if everything is read.
    pub(super) fn end(mut self) -> Read<()> {
        let is_at_end = match &mut self {
            Self::Json(scanner) => scanner.is_at_end(),
            Self::Msgpack { cursor, .. } => cursor.rest().is_empty(),
        };
        is_at_end.then_some(()).ok_or(Malformed)
    }

    /// Consumes `null`, `nil` or `undefined` if one comes next.
    pub(super) fn null(&mut self) -> bool {
        match self {
            Self::Json(scanner) => scanner.peek() == Some(b'n') && scanner.value().is_some(),
            Self::Msgpack { cursor, .. } => {
                let length = match cursor.rest() {
                    [0xc0, ..] => 1,
                    [0xd4, 0, _, ..] => 3,
                    _ => return false,
                };
                cursor.take(length).is_some()
            }
        }
    }

    /// Reads a value, or `None` if it is `null`.
    pub(super) fn unless_null<T>(&mut self, read: impl FnOnce(&mut Self) -> Read<T>) -> Read<Option<T>> {
        if self.null() { Ok(None) } else { read(self).map(Some) }
    }

    /// Begins to read a map.
    pub(super) fn map(&mut self) -> Read<Left> {
        self.container(b'{', |head| if let Head::Map(entries) = head { Some(entries) } else { None })
    }

    /// Begins to read an array.
    pub(super) fn array(&mut self) -> Read<Left> {
        self.container(b'[', |head| if let Head::Array(length) = head { Some(length) } else { None })
    }

    fn container(&mut self, bracket: u8, length: fn(Head) -> Option<usize>) -> Read<Left> {
        let elements = match self {
            Self::Json(scanner) => scanner.take(bracket).then_some(0),
            Self::Msgpack { cursor, .. } => cursor.head().and_then(length),
        };
        Ok(Left { elements: elements.ok_or(Malformed)?, is_first: true })
    }

    /// Reads the next key of a map. `None` if the map has ended. A key of MessagePack that is not a
    /// string is empty.
    pub(super) fn key(&mut self, left: &mut Left) -> Read<Option<Cow<'a, str>>> {
        if !self.next(left, b'}')? {
            return Ok(None);
        }
        match self {
            Self::Json(scanner) => {
                let key = unquoted(scanner.string().ok_or(Malformed)?)?;
                scanner.take(b':').then_some(Some(key)).ok_or(Malformed)
            }
            Self::Msgpack { cursor, .. } => {
                let mut ahead = cursor.clone();
                let key = match ahead.text() {
                    Some(key) => {
                        *cursor = ahead;
                        key
                    }
                    None => cursor.skip().map(|_| "").ok_or(Malformed)?,
                };
                Ok(Some(Cow::Borrowed(key)))
            }
        }
    }

    /// Whether an array has another element, which then comes next.
    pub(super) fn element(&mut self, left: &mut Left) -> Read<bool> {
        self.next(left, b']')
    }

    fn next(&mut self, left: &mut Left, end: u8) -> Read<bool> {
        let is_first = std::mem::take(&mut left.is_first);
        match self {
            Self::Json(scanner) => {
                let is_ended = scanner.take(end);
                (is_ended || is_first || scanner.take(b',')).then_some(!is_ended).ok_or(Malformed)
            }
            Self::Msgpack { .. } => {
                let Some(elements) = left.elements.checked_sub(1) else { return Ok(false) };
                left.elements = elements;
                Ok(true)
            }
        }
    }

    /// Reads any value, without looking into it.
    pub(super) fn value(&mut self) -> Read<RawValue<'a>> {
        match self {
            Self::Json(scanner) => {
                let json = scanner.value().ok_or(Malformed)?;
                Ok(RawValue::json(json, scanner.depth()))
            }
            Self::Msgpack { whole, cursor } => Ok(RawValue::msgpack(whole, cursor.skip().ok_or(Malformed)?)),
        }
    }

    /// Reads a string.
    pub(super) fn text(&mut self) -> Read<Cow<'a, str>> {
        match self {
            Self::Json(scanner) => unquoted(scanner.string().ok_or(Malformed)?),
            Self::Msgpack { cursor, .. } => cursor.text().map(Cow::Borrowed).ok_or(Malformed),
        }
    }

    /// Reads a boolean.
    pub(super) fn boolean(&mut self) -> Read<bool> {
        match self.scalar()? {
            Scalar::Bool(value) => Ok(value),
            _ => Err(Malformed),
        }
    }

    /// Reads an integer that is not negative.
    pub(super) fn unsigned(&mut self) -> Read<u64> {
        match self.scalar()? {
            Scalar::Unsigned(number) => Ok(number),
            _ => Err(Malformed),
        }
    }

    /// Reads a number of milliseconds, which may have a fraction. `None` if the value is no such
    /// number.
    pub(super) fn millis(&mut self) -> Read<Option<u64>> {
        Ok(match self.scalar()? {
            Scalar::Unsigned(number) => Some(number),
            Scalar::Float(number) if number >= 0.0 => Some(number as u64),
            _ => None,
        })
    }

    /// Reads a boolean or a number. Other values are read too.
    fn scalar(&mut self) -> Read<Scalar> {
        let value = self.value()?;
        Ok(match value {
            RawValue::Json { text: "true", .. } => Scalar::Bool(true),
            RawValue::Json { text: "false", .. } => Scalar::Bool(false),
            RawValue::Json { text, .. } => match text.parse() {
                Ok(number) => Scalar::Unsigned(number),
                // `parse` reads names such as `inf` too, which are no values of JSON.
                Err(_) => text.parse().map_or(Scalar::Other, Scalar::Float),
            },
            RawValue::Msgpack { bytes, .. } => match Cursor::new(bytes).head() {
                Some(Head::Bool(value)) => Scalar::Bool(value),
                Some(Head::Unsigned(number)) => Scalar::Unsigned(number),
                Some(Head::Signed(number)) => u64::try_from(number).map_or(Scalar::Other, Scalar::Unsigned),
                Some(Head::Single(number)) => Scalar::Float(number.into()),
                Some(Head::Double(number)) => Scalar::Float(number),
                _ => Scalar::Other,
            },
        })
    }

    /// Reads an array of names. Numbers are names too, as in JavaScript.
    pub(super) fn names(&mut self) -> Read<Names<'a>> {
        let mut names = Names::new();
        if self.null() {
            return Ok(names);
        }
        let mut left = self.array()?;
        while self.element(&mut left)? {
            names.push(self.name()?);
        }
        Ok(names)
    }

    /// Reads a name.
    pub(super) fn name(&mut self) -> Read<Cow<'a, str>> {
        match self {
            Self::Json(scanner) => {
                let json = scanner.value().ok_or(Malformed)?;
                match json.as_bytes().first() {
                    Some(b'"') => unquoted(json),
                    Some(b'-' | b'0'..=b'9') => Ok(Cow::Borrowed(json)),
                    _ => Err(Malformed),
                }
            }
            Self::Msgpack { cursor, .. } => match cursor.clone().head() {
                Some(Head::Text(_)) => self.text(),
                Some(Head::Unsigned(_) | Head::Signed(_) | Head::Single(_) | Head::Double(_)) => {
                    self.value()?.to_json()
                }
                _ => Err(Malformed),
            },
        }
    }
}

/// A boolean or a number.
enum Scalar {
    Bool(bool),
    Unsigned(u64),
    Float(f64),
    Other,
}

/// Decodes a string of JSON.
fn unquoted(json: &str) -> Read<Cow<'_, str>> {
    if json.contains('\\') {
        return serde_json::from_str(json).map(Cow::Owned).map_err(|_| Malformed);
    }
    json.get(1..json.len() - 1).map(Cow::Borrowed).ok_or(Malformed)
}
