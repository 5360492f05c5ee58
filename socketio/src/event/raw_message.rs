//! [`Text`] and [`IntoRawMessage`]: messages that are text or bytes, and no events.

use bytes::Bytes;
use std::borrow::Cow;

use super::context::Frame;
use super::message::IntoMessage;
use crate::hub::selection::EmitError;
use crate::wire::binary::Binary;
use crate::wire::packet::Packet;

/// A text message, for the methods that take any message. [`Socket::send`] takes the text alone.
///
/// A plain WebSocket client receives it as a text frame, a Socket.IO client as the event `message`.
///
/// ```
/// use socketio::{EmitError, Hub, Text};
///
/// fn greet(hub: &Hub, id: &str) -> Result<(), EmitError> {
///     hub.emit_to(id, Text("hello"))?;
///     hub.broadcast(Text(format!("{id} is here")))
/// }
/// # let hub = Hub::builder().build().unwrap();
/// # assert!(greet(&hub, "ann").is_err());
/// ```
///
/// [`Socket::send`]: crate::Socket::send
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Text<T>(pub T);

impl<T: AsRef<str>> IntoMessage for Text<T> {
    fn into_packet(self) -> Result<Packet, EmitError> {
        Ok(Packet::text(self.0.as_ref()))
    }
}

/// Text or bytes, which [`Socket::send`] sends as they are.
///
/// | value | meaning |
/// | --- | --- |
/// | `&str`, `String`, `&String`, `Cow<str>` | a text message |
/// | `Bytes`, [`Binary`], `Vec<u8>`, `&[u8]` | a binary message |
/// | [`Frame`] | a message as it was received |
///
/// [`Socket::send`]: crate::Socket::send
#[diagnostic::on_unimplemented(
    message = "`{Self}` is neither text nor bytes",
    label = "can't be sent as it is",
    note = "help: `send` takes a string or bytes; an event is emitted: `emit((\"name\", value))`, or `emit(&payload)` with a \
            type that has `#[event(\"name\")]`"
)]
pub trait IntoRawMessage {
    #[doc(hidden)]
    fn into_raw(self) -> Packet;
}

macro_rules! texts {
    ($($text:ty),*) => {$(
        impl IntoRawMessage for $text {
            fn into_raw(self) -> Packet {
                Packet::text(&self)
            }
        }
    )*};
}

texts!(&str, String, &String, Cow<'_, str>);

/// Sends back what a handler of `message` received.
impl IntoRawMessage for Frame<'_> {
    fn into_raw(self) -> Packet {
        match self {
            Self::Text(text) => Packet::text(text),
            Self::Binary(bytes) => Packet::binary(bytes.clone()),
        }
    }
}

impl<T: AsRef<str>> IntoRawMessage for Text<T> {
    fn into_raw(self) -> Packet {
        Packet::text(self.0.as_ref())
    }
}

/// Bytes are messages of both kinds: no event can be meant by them.
macro_rules! bytes {
    ($($({$($generics:tt)+})? $bytes:ty: $packet:expr;)*) => {$(
        impl$(<$($generics)+>)? IntoRawMessage for $bytes {
            fn into_raw(self) -> Packet {
                let packet: fn(Self) -> Bytes = $packet;
                Packet::binary(packet(self))
            }
        }

        impl$(<$($generics)+>)? IntoMessage for $bytes {
            fn into_packet(self) -> Result<Packet, EmitError> {
                Ok(self.into_raw())
            }
        }
    )*};
}

bytes! {
    Bytes: |bytes| bytes;
    Binary: |binary| binary.0;
    Vec<u8>: Bytes::from;
    &[u8]: Bytes::copy_from_slice;
    {const N: usize} &[u8; N]: |bytes| Bytes::copy_from_slice(bytes);
}
