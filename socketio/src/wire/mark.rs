//! [`Mark`]: what clients are told of an event beside its arguments.

use super::delivery_id::DeliveryId;
use super::offset::Offset;
use super::trace_context::TraceContext;

/// What belongs to an event beside its arguments. In a Socket.IO packet it is a value after the
/// arguments, in an envelope a key of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    /// The event can be recovered.
    Offset(Offset),
    /// The event is repeated until the client has acked it.
    Delivery(DeliveryId),
    /// The span of the request that the event makes.
    #[cfg_attr(not(feature = "opentelemetry-traces"), allow(dead_code, reason = "only that feature sends contexts"))]
    Trace(TraceContext),
}

impl Mark {
    /// The key of an envelope.
    pub(super) fn key(self) -> &'static [u8] {
        match self {
            Self::Offset(_) => b"offset",
            Self::Delivery(_) => b"delivery",
            Self::Trace(_) => b"meta",
        }
    }

    /// Appends it as JSON.
    pub(super) fn write(self, out: &mut Vec<u8>) {
        match self {
            Self::Offset(offset) => offset.write(out),
            Self::Delivery(id) => id.write(out),
            Self::Trace(context) => context.write(out),
        }
    }
}
