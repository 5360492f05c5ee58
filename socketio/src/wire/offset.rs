//! [`Offset`]: the position of a message in the log of a namespace, as clients are told it.

use super::envelope::write_value;

/// A position in the log of a namespace: `<epoch>-<number>` on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Offset {
    /// Which log the number belongs to. A log that is created later has another epoch.
    pub(crate) epoch: u64,
    /// The number of the message. The first is 1.
    pub(crate) number: u64,
}

impl Offset {
    /// Reads an offset that a client sent.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (epoch, number) = text.split_once('-')?;
        Some(Self { epoch: digits(epoch)?, number: digits(number)? })
    }

    /// Appends the offset as a JSON string.
    pub(crate) fn write(self, out: &mut Vec<u8>) {
        out.push(b'"');
        write_value(out, &self.epoch);
        out.push(b'-');
        write_value(out, &self.number);
        out.push(b'"');
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
        for (epoch, number) in [(0, 0), (1, 2), (u64::MAX, u64::MAX)] {
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
