//! [`Mark`]: what clients are told of an event beside its arguments.

use super::delivery_id::DeliveryId;
use super::offset::Offset;

/// What tells an event from others. In a Socket.IO packet it is a string after the arguments, in an
/// envelope a key of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    /// The event can be recovered.
    Offset(Offset),
    /// The event is repeated until the client has acked it.
    Delivery(DeliveryId),
}

impl Mark {
    /// The key of an envelope.
    pub(super) fn key(self) -> &'static [u8] {
        match self {
            Self::Offset(_) => b"offset",
            Self::Delivery(_) => b"delivery",
        }
    }

    /// Appends it as a JSON string.
    pub(super) fn write(self, out: &mut Vec<u8>) {
        match self {
            Self::Offset(offset) => offset.write(out),
            Self::Delivery(id) => id.write(out),
        }
    }
}
