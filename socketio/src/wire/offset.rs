//! [`Offset`]: the position of a message in a log, as clients are told it.

use std::cell::Cell;
use std::fmt;

use super::envelope::write_value;

/// The position of a message in a log: `<epoch>-<number>` on the wire. Later messages have greater
/// offsets.
///
/// In the log of one server, the epoch tells the log from those of other servers and of earlier
/// runs. In the log of an engine, it is the time of the message in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(not(feature = "cluster"), allow(unreachable_pub))]
pub struct Offset {
    /// The first part.
    pub epoch: u64,
    /// The second part. In the log of one server, the first message has the number 1.
    pub number: u64,
}

#[cfg_attr(not(feature = "cluster"), allow(unreachable_pub))]
impl Offset {
    /// The greatest offset.
    pub(crate) const MAX: Self = Self { epoch: u64::MAX, number: u64::MAX };

    /// Reads an offset.
    pub fn parse(text: &str) -> Option<Self> {
        let (epoch, number) = text.split_once('-')?;
        Some(Self { epoch: digits(epoch)?, number: digits(number)? })
    }

    /// The lowest offset after this one.
    pub(crate) fn next(self) -> Self {
        match self.number.checked_add(1) {
            Some(number) => Self { number, ..self },
            None => Self { epoch: self.epoch.saturating_add(1), number: 0 },
        }
    }

    /// The greatest offset before this one.
    pub(crate) fn before(self) -> Self {
        match self.number.checked_sub(1) {
            Some(number) => Self { number, ..self },
            None => Self { epoch: self.epoch.saturating_sub(1), number: u64::MAX },
        }
    }

    /// Appends the offset as a JSON string.
    pub(crate) fn write(self, out: &mut Vec<u8>) {
        write_beginning(out, self.epoch);
        write_value(out, &self.number);
        out.push(b'"');
    }
}

/// How an offset of this epoch begins: the quote, the epoch and the hyphen.
#[derive(Clone, Copy)]
struct Beginning {
    epoch: u64,
    text: [u8; 22],
    length: usize,
}

thread_local! {
    /// The one that this thread has written last.
    static LAST: Cell<Beginning> = const { Cell::new(Beginning { epoch: 0, text: *b"\"0-0000000000000000000", length: 3 }) };
}

/// Appends the beginning of an offset. It is copied if the offset before had the same, because many
/// messages have the same epoch.
fn write_beginning(out: &mut Vec<u8>, epoch: u64) {
    let mut last = LAST.get();
    if last.epoch != epoch {
        let start = out.len();
        out.push(b'"');
        write_value(out, &epoch);
        out.push(b'-');
        last.epoch = epoch;
        last.length = out.len() - start;
        last.text[..last.length].copy_from_slice(&out[start..]);
        return LAST.set(last);
    }
    out.extend_from_slice(&last.text[..last.length]);
}

impl fmt::Display for Offset {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}-{}", self.epoch, self.number)
    }
}

/// A number of digits only: `parse` alone accepts a sign.
pub(super) fn digits(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for (epoch, number) in [(0, 0), (1, 2), (u64::MAX, u64::MAX), (u64::MAX, 1), (12, 3), (12, 4), (0, 1)] {
            let offset = Offset { epoch, number };
            let mut out = Vec::new();
            offset.write(&mut out);
            let text: String = serde_json::from_slice(&out).expect("a string");
            assert_eq!(Offset::parse(&text), Some(offset));
        }
    }

    #[test]
    fn other_texts_are_no_offsets() {
        for text in ["", "-", "1", "1-", "-1", "+1-2", "1-+2", "1-2-3", " 1-2", "1-2 ", "a-1", "99999999999999999999-1"]
        {
            assert_eq!(Offset::parse(text), None, "{text}");
        }
    }
}
