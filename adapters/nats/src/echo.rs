//! [`Echo`]: what a connection publishes to itself. The server handles the commands of a connection
//! in their order, so that an echo shows that it has handled all before.

use bytes::Bytes;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Echo {
    /// The messages before it are published.
    Published(u64),
    /// The changes of subscriptions before it are in effect.
    Subscribed(u64),
}

impl Echo {
    pub(crate) fn bytes(self) -> Bytes {
        let (kind, number) = match self {
            Self::Published(number) => (b'p', number),
            Self::Subscribed(number) => (b's', number),
        };
        let mut bytes = vec![kind];
        bytes.extend_from_slice(&number.to_be_bytes());
        bytes.into()
    }

    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let (kind, number) = bytes.split_first()?;
        let number = u64::from_be_bytes(number.try_into().ok()?);
        match kind {
            b'p' => Some(Self::Published(number)),
            b's' => Some(Self::Subscribed(number)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn echoes_are_written_and_read() {
        for echo in [Echo::Published(0), Echo::Subscribed(u64::MAX)] {
            assert_eq!(Echo::read(&echo.bytes()), Some(echo));
        }
        for bytes in [&b""[..], b"p", b"x12345678", b"p123456789"] {
            assert_eq!(Echo::read(bytes), None);
        }
    }
}
