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
        out.push(b'"');
        write_epoch(out, self.epoch);
        out.push(b'-');
        write_value(out, &self.number);
        out.push(b'"');
    }
}

/// The epoch that this thread has written last, and its digits.
#[derive(Clone, Copy)]
struct LastEpoch {
    epoch: u64,
    digits: [u8; 20],
    length: usize,
}

thread_local! {
    static LAST_EPOCH: Cell<LastEpoch> = const { Cell::new(LastEpoch { epoch: 0, digits: [b'0'; 20], length: 1 }) };
}

/// Appends the digits of an epoch. They are copied if it is that of the message before, because
/// many messages have the same one.
fn write_epoch(out: &mut Vec<u8>, epoch: u64) {
    let mut last = LAST_EPOCH.get();
    if last.epoch != epoch {
        let start = out.len();
        write_value(out, &epoch);
        last.epoch = epoch;
        last.length = out.len() - start;
        last.digits[..last.length].copy_from_slice(&out[start..]);
        return LAST_EPOCH.set(last);
    }
    out.extend_from_slice(&last.digits[..last.length]);
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
