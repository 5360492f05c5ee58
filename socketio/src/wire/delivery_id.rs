//! [`DeliveryId`]: what tells the repetitions of one reliable event.

use std::fmt;
use std::str::FromStr;

use super::offset::digits;

/// The id of a [reliable](crate::Socket::reliable) event: all its repetitions have the same, and no
/// other event has it. Clients receive it as the string that [`Display`](fmt::Display) writes, two
/// numbers with a hyphen in between.
///
/// It is not a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DeliveryId {
    /// A random number of the hub that has emitted the event.
    pub(crate) hub: u64,
    pub(crate) number: u64,
}

/// The error of a text that is not a [`DeliveryId`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the id of a delivery")]
pub struct InvalidDeliveryId;

impl DeliveryId {
    /// Appends the id as a JSON string.
    pub(crate) fn write(self, out: &mut Vec<u8>) {
        super::envelope::write_value(out, &format_args!("{self}"));
    }
}

impl fmt::Display for DeliveryId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}-{}", self.hub, self.number)
    }
}

impl FromStr for DeliveryId {
    type Err = InvalidDeliveryId;

    fn from_str(text: &str) -> Result<Self, InvalidDeliveryId> {
        let (hub, number) = text.split_once('-').ok_or(InvalidDeliveryId)?;
        let number_of = |text| digits(text).ok_or(InvalidDeliveryId);
        Ok(Self { hub: number_of(hub)?, number: number_of(number)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for (hub, number) in [(0, 0), (1, 2), (u64::MAX, u64::MAX)] {
            let id = DeliveryId { hub, number };
            let mut out = Vec::new();
            id.write(&mut out);
            let text: String = serde_json::from_slice(&out).expect("a string");
            assert_eq!((text.parse(), id.to_string()), (Ok(id), text));
        }
        for text in ["", "1", "1-", "-1", "+1-2", "1-2-3", "a-1"] {
            assert_eq!(text.parse::<DeliveryId>(), Err(InvalidDeliveryId), "{text}");
        }
    }
}
