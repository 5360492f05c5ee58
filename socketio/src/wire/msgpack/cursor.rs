//! [`Cursor`]: reads MessagePack one token at a time, or skips values without reading them.

/// Reads MessagePack from its start. Each method returns `None` if the bytes are not what it reads.
/// The position is then undefined.
#[derive(Clone, Debug)]
pub(crate) struct Cursor<'a> {
    rest: &'a [u8],
}

/// The start of a value. Strings, binary data and extensions are followed by as many bytes as
/// [`Cursor::take`] must consume, arrays and maps by their elements. The bytes may be fewer than
/// the length says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Head {
    Nil,
    Bool(bool),
    Unsigned(u64),
    Signed(i64),
    Single(f32),
    Double(f64),
    Text(usize),
    Binary(usize),
    Array(usize),
    /// The number of entries.
    Map(usize),
    /// An extension of a type. `fixed` is `true` if the length has no bytes of its own.
    Extension {
        kind: i8,
        length: usize,
        fixed: bool,
    },
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// What is not yet consumed.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(crate) fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(taken)
    }

    pub(crate) fn bytes<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (bytes, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        Some(*bytes)
    }

    /// Reads a length of `size` bytes.
    fn length(&mut self, size: usize) -> Option<usize> {
        Some(self.take(size)?.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)))
    }

    /// Reads the start of a value.
    #[inline]
    pub(crate) fn head(&mut self) -> Option<Head> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        let first = *first;
        Some(match first {
            0x00..=0x7f => Head::Unsigned(first.into()),
            0x80..=0x8f => Head::Map((first & 0x0f).into()),
            0x90..=0x9f => Head::Array((first & 0x0f).into()),
            0xa0..=0xbf => Head::Text((first & 0x1f).into()),
            0xe0..=0xff => Head::Signed(i8::from_be_bytes([first]).into()),
            _ => return self.long_head(first),
        })
    }

    /// Reads the start of a value with its first byte already consumed.
    fn long_head(&mut self, first: u8) -> Option<Head> {
        // Consecutive types have lengths of 1, 2 and 4 bytes.
        let sized = |cursor: &mut Self, smallest: u8| cursor.length(1 << (first - smallest));
        Some(match first {
            0xc0 => Head::Nil,
            0xc2 => Head::Bool(false),
            0xc3 => Head::Bool(true),
            0xc4..=0xc6 => Head::Binary(sized(self, 0xc4)?),
            0xc7..=0xc9 => {
                let length = sized(self, 0xc7)?;
                Head::Extension { kind: i8::from_be_bytes(self.bytes()?), length, fixed: false }
            }
            0xca => Head::Single(f32::from_be_bytes(self.bytes()?)),
            0xcb => Head::Double(f64::from_be_bytes(self.bytes()?)),
            0xcc => Head::Unsigned(u8::from_be_bytes(self.bytes()?).into()),
            0xcd => Head::Unsigned(u16::from_be_bytes(self.bytes()?).into()),
            0xce => Head::Unsigned(u32::from_be_bytes(self.bytes()?).into()),
            0xcf => Head::Unsigned(u64::from_be_bytes(self.bytes()?)),
            0xd0 => Head::Signed(i8::from_be_bytes(self.bytes()?).into()),
            0xd1 => Head::Signed(i16::from_be_bytes(self.bytes()?).into()),
            0xd2 => Head::Signed(i32::from_be_bytes(self.bytes()?).into()),
            0xd3 => Head::Signed(i64::from_be_bytes(self.bytes()?)),
            0xd4..=0xd8 => {
                let kind = i8::from_be_bytes(self.bytes()?);
                Head::Extension { kind, length: 1 << (first - 0xd4), fixed: true }
            }
            0xd9..=0xdb => Head::Text(sized(self, 0xd9)?),
            0xdc | 0xdd => Head::Array(self.length(if first == 0xdc { 2 } else { 4 })?),
            0xde | 0xdf => Head::Map(self.length(if first == 0xde { 2 } else { 4 })?),
            _ => return None,
        })
    }

    /// Reads a string.
    #[inline]
    pub(crate) fn text(&mut self) -> Option<&'a str> {
        let Head::Text(length) = self.head()? else { return None };
        std::str::from_utf8(self.take(length)?).ok()
    }

    /// Skips a value and returns its bytes. They are not checked: strings may not be UTF-8.
    pub(crate) fn skip(&mut self) -> Option<&'a [u8]> {
        let before = self.rest;
        let mut values = 1_usize;
        while values > 0 {
            values -= 1;
            match self.head()? {
                Head::Text(length) | Head::Binary(length) | Head::Extension { length, .. } => {
                    self.take(length)?;
                }
                Head::Array(length) => values = values.checked_add(length)?,
                Head::Map(entries) => values = values.checked_add(entries.checked_mul(2)?)?,
                Head::Nil | Head::Bool(_) | Head::Unsigned(_) | Head::Signed(_) | Head::Single(_) | Head::Double(_) => {
                }
            }
        }
        before.get(..before.len() - self.rest.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_has_its_head() {
        let extension = |kind, length, fixed| Head::Extension { kind, length, fixed };
        for (bytes, head) in [
            (&b"\x7f"[..], Head::Unsigned(127)),
            (b"\x8f", Head::Map(15)),
            (b"\x9f", Head::Array(15)),
            (b"\xbf", Head::Text(31)),
            (b"\xc0", Head::Nil),
            (b"\xc2", Head::Bool(false)),
            (b"\xc3", Head::Bool(true)),
            (b"\xc4\x01", Head::Binary(1)),
            (b"\xc5\x01\x02", Head::Binary(0x102)),
            (b"\xc6\x01\x02\x03\x04", Head::Binary(0x0102_0304)),
            (b"\xc7\x01\xff", extension(-1, 1, false)),
            (b"\xc8\x01\x02\x01", extension(1, 0x102, false)),
            (b"\xc9\x01\x02\x03\x04\0", extension(0, 0x0102_0304, false)),
            (b"\xca\x3f\x80\0\0", Head::Single(1.0)),
            (b"\xcb\x3f\xf0\0\0\0\0\0\0", Head::Double(1.0)),
            (b"\xcc\x80", Head::Unsigned(128)),
            (b"\xcd\x01\x02", Head::Unsigned(0x102)),
            (b"\xce\x01\x02\x03\x04", Head::Unsigned(0x0102_0304)),
            (b"\xcf\xff\xff\xff\xff\xff\xff\xff\xff", Head::Unsigned(u64::MAX)),
            (b"\xd0\x80", Head::Signed(-128)),
            (b"\xd1\x80\0", Head::Signed(-0x8000)),
            (b"\xd2\x80\0\0\0", Head::Signed(-0x8000_0000)),
            (b"\xd3\x80\0\0\0\0\0\0\0", Head::Signed(i64::MIN)),
            (b"\xd4\x05", extension(5, 1, true)),
            (b"\xd8\xfb", extension(-5, 16, true)),
            (b"\xd9\x01", Head::Text(1)),
            (b"\xda\x01\x02", Head::Text(0x102)),
            (b"\xdb\x01\x02\x03\x04", Head::Text(0x0102_0304)),
            (b"\xdc\x01\x02", Head::Array(0x102)),
            (b"\xdd\x01\x02\x03\x04", Head::Array(0x0102_0304)),
            (b"\xde\x01\x02", Head::Map(0x102)),
            (b"\xdf\x01\x02\x03\x04", Head::Map(0x0102_0304)),
            (b"\xff", Head::Signed(-1)),
        ] {
            let mut cursor = Cursor::new(bytes);
            assert_eq!((cursor.head(), cursor.rest()), (Some(head), &[][..]), "{bytes:x?}");
            for end in 0..bytes.len() {
                assert_eq!(Cursor::new(&bytes[..end]).head(), None, "{bytes:x?}");
            }
        }
        assert_eq!(Cursor::new(b"\xc1").head(), None);
    }

    #[test]
    fn values_are_skipped() {
        let bytes = b"\x82\xa1a\x93\x01\xc4\x02ab\x90\xd7\0________\xc0end";
        let mut cursor = Cursor::new(bytes);
        assert_eq!(cursor.skip(), bytes.strip_suffix(b"end"));
        assert_eq!(cursor.rest(), b"end");
        for bytes in [&b""[..], b"\x91", b"\xa2a", b"\xdd\xff\xff\xff\xff", b"\xdf\xff\xff\xff\xff\x01", b"\xc1"] {
            assert_eq!(Cursor::new(bytes).skip(), None);
        }
        assert_eq!(Cursor::new(&[0x91; 1 << 20]).skip(), None);
    }
}
