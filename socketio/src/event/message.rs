//! [`Event`], [`Request`], [`IntoEvent`] and [`IntoMessage`]: the types of values that can be
//! emitted. Messages that are no events are in [`raw_message`](super::raw_message).

use serde::Serialize;
use std::any::type_name;
use std::fmt::Display;

use super::context::RawArgs;
use super::reply::Encode;
use crate::hub::selection::EmitError;
use crate::wire::packet::Packet;
use crate::wire::payload::Payload;
use crate::wire::socketio::is_reserved;

/// A payload type: a struct or enum that belongs to one event. `#[event("name")]` on the type
/// implements it.
///
/// ```
/// use socketio::{Event, event};
///
/// #[event("moved")]
/// #[derive(serde::Serialize)]
/// struct Moved {
///     x: f64,
///     y: f64,
/// }
///
/// assert_eq!(Moved::NAME, "moved");
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a payload type",
    label = "no event has this payload",
    note = "help: write `#[event(\"name\")]` above the definition of the type; or name the event where it is used, above the \
            handler, or as `(\"name\", value)`"
)]
pub trait Event {
    /// The event's name.
    const NAME: &'static str;
    /// The type's doc comment.
    #[doc(hidden)]
    const DOC: &'static str = "";
    /// The note of the type's `#[deprecated]`, which may be empty. `None` without the attribute.
    #[doc(hidden)]
    const DEPRECATED: Option<&'static str> = None;
    /// The key of which only the latest value waits for a slow client. `None` without `latest`.
    #[doc(hidden)]
    fn latest_key(&self) -> Option<String> {
        None
    }
}

/// A field that can be the key of `#[event("name", latest(key = "field"))]`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be the key of a `latest` event",
    label = "this field has no text for a key",
    note = "help: the key is what `Display` makes of the field: name another field, implement `Display` for `{Self}`, or emit \
            with `latest_by(key)`"
)]
pub trait LatestKey {
    #[doc(hidden)]
    fn to_key(&self) -> String;
}

#[diagnostic::do_not_recommend]
impl<T: Display + ?Sized> LatestKey for T {
    fn to_key(&self) -> String {
        self.to_string()
    }
}

/// A payload type whose event asks for an answer. `#[event("name", ack = Answer)]` on the type
/// implements it. Send it with [`Socket::request`](crate::Socket::request), or with the same method
/// of a selection or namespace.
///
/// ```
/// use socketio::event;
///
/// #[event("question", ack = Answer)]
/// #[derive(serde::Serialize)]
/// struct Question<'a> {
///     text: &'a str,
/// }
///
/// #[derive(serde::Deserialize)]
/// struct Answer {
///     yes: bool,
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` asks for no answer",
    label = "not known what a client is to answer",
    note = "help: write `#[event(\"name\", ack = Answer)]` above the definition of the type; or name the answer's type where it \
            is asked for, `emit_with_ack::<Answer>(&payload)`"
)]
pub trait Request: Event {
    /// The type of the client's answer. It implements [`FromAnswer`](crate::FromAnswer).
    type Answer;
}

/// A value that can be emitted: an [event](IntoEvent), text or bytes.
///
/// | value | meaning |
/// | --- | --- |
/// | `&payload`, of a type with `#[event("name")]` | that event, with the payload as its one argument |
/// | `("name", value)` | an event with one argument |
/// | `("name", a, b, …)` | an event with up to eight arguments; `("name",)` has none |
/// | [`Text("hello")`](crate::Text) | a text message |
/// | `Bytes`, [`Binary`](crate::Binary), `Vec<u8>`, `&[u8]` | a binary message |
///
/// A bare string is none of these, because `emit("name")` looks like an event. [`Socket::send`]
/// sends a string as a text message.
///
/// [`Socket::send`]: crate::Socket::send
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be emitted",
    label = "not an event that can be serialized",
    note = "help: an event is `(\"name\", value)`, or `&payload` of a type with `#[event(\"name\")]` and \
            `#[derive(serde::Serialize)]`; without a value it is `(\"name\",)`; a text message is sent with `send(text)`, or as \
            `Text(text)` in `emit_to`, `emit_to_list` and `broadcast`"
)]
pub trait IntoMessage {
    #[doc(hidden)]
    fn into_packet(self) -> Result<Packet, EmitError>;
}

/// A message that is an event, so that clients can answer it and other servers can receive it.
///
/// These are `&payload` of a type with `#[event("name")]`, `("name", value)` and the other tuples
/// of [`IntoMessage`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an event",
    label = "not an event that can be serialized",
    note = "help: write `(\"name\", value)`, or `&payload` of a type with `#[event(\"name\")]` and `#[derive(serde::Serialize)]`; \
            without a value it is `(\"name\",)`"
)]
pub trait IntoEvent: IntoMessage {}

impl<E: Event + Serialize + ?Sized> IntoEvent for &E {}

impl<E: Event + Serialize + ?Sized> IntoMessage for &E {
    fn into_packet(self) -> Result<Packet, EmitError> {
        let packet = Packet::known_event(E::NAME, Payload::of(self)?).made_from(type_name::<E>);
        // Most events have no key, and their packet need not be moved once more.
        Ok(match self.latest_key() {
            None => packet,
            key => packet.with_latest(key),
        })
    }
}

impl<Name: AsRef<str>> IntoEvent for (Name, RawArgs<'_>) {}

impl<Name: AsRef<str>> IntoMessage for (Name, RawArgs<'_>) {
    fn into_packet(self) -> Result<Packet, EmitError> {
        let (name, args) = self;
        let name = name.as_ref();
        check_name(name)?;
        let mut payload = Payload::new();
        args.encode(&mut payload)?;
        Ok(Packet::event(name, payload))
    }
}

macro_rules! named_values {
    ($(($($value:ident),*))*) => {$(
        impl<Name: AsRef<str>, $($value: Serialize),*> IntoEvent for (Name, $($value,)*) {}

        impl<Name: AsRef<str>, $($value: Serialize),*> IntoMessage for (Name, $($value,)*) {
            fn into_packet(self) -> Result<Packet, EmitError> {
                #[allow(non_snake_case, reason = "one name serves as type and as variable")]
                let (name, $($value,)*) = self;
                let name = name.as_ref();
                check_name(name)?;
                #[allow(unused_mut, reason = "a name alone has no arguments to add")]
                let mut payload = Payload::new();
                $(payload.push(&$value)?;)*
                Ok(Packet::event(name, payload))
            }
        }
    )*};
}

named_values! {
    ()
    (A)
    (A, B)
    (A, B, C)
    (A, B, C, D)
    (A, B, C, D, E)
    (A, B, C, D, E, F)
    (A, B, C, D, E, F, G)
    (A, B, C, D, E, F, G, H)
}

/// Makes a packet of an event that clients must answer.
pub(crate) fn question(event: impl IntoEvent) -> Result<Packet, EmitError> {
    let packet = event.into_packet()?;
    match packet.latest() {
        Some(_) => Err(EmitError::LatestWithAck),
        None => Ok(packet),
    }
}

/// Checks an event name at run time. It must not be empty or reserved by the framework.
pub(crate) fn check_name(name: &str) -> Result<(), EmitError> {
    if name.is_empty() || is_reserved(name) {
        return Err(EmitError::InvalidName(name.to_owned()));
    }
    Ok(())
}
