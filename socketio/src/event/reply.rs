//! Return values: how what a handler returns becomes the answer.
//!
//! Which kind of value it is, is found out by method resolution on [`Probe`]: inherent methods come before trait methods,
//! and those on the value before those on a reference to it. The bounds stand on `answer`, behind that choice: else a
//! `Result` whose error happens to be `Serialize` would pass for a value and go out as `{"Err": …}`.

use serde::Serialize;

use super::ack::Args;
use super::error::EventError;
use super::incoming::Incoming;
use crate::wire::payload::Payload;

/// What came of a handler's call.
#[doc(hidden)]
#[derive(Debug)]
pub enum Outcome {
    /// Nothing to tell: an answer without arguments, if one is wanted.
    Done,
    Value(Payload),
    Failed(EventError),
}

/// A type that a handler can return: everything that implements [`Serialize`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be the reply of an event handler",
    label = "the answer to the event would be this",
    note = "help: return `()`, a type that implements `serde::Serialize`, `Args((…))` of such types, or \
            `Result<T, E>` with one of these as `T` and an `E` that converts into `EventError`"
)]
pub trait Reply: Serialize {}

#[diagnostic::do_not_recommend]
impl<T: Serialize + ?Sized> Reply for T {}

/// The error type of a handler that returns `Result<T, E>`: everything that converts into [`EventError`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be the error of an event handler",
    label = "the client is told this error",
    note = "help: write `impl From<{Self}> for socketio::EventError`, or return a `String` or `&'static str`"
)]
pub trait ReplyError {
    #[doc(hidden)]
    fn into_event_error(self) -> EventError;
}

#[diagnostic::do_not_recommend]
impl<E: Into<EventError>> ReplyError for E {
    fn into_event_error(self) -> EventError {
        self.into()
    }
}

/// Values that are several arguments: tuples of up to eight.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not several arguments",
    label = "not a tuple of values that implement `serde::Serialize`",
    note = "help: write `Args((a, b))`, with types that implement `serde::Serialize`"
)]
pub trait Encode {
    #[doc(hidden)]
    fn encode(&self, payload: &mut Payload) -> serde_json::Result<()>;
}

macro_rules! encode_tuples {
    ($(($($name:ident $at:tt),*))*) => {$(
        impl<$($name: Serialize),*> Encode for ($($name,)*) {
            fn encode(&self, payload: &mut Payload) -> serde_json::Result<()> {
                $(payload.push(&self.$at)?;)*
                Ok(())
            }
        }
    )*};
}

encode_tuples! {
    (A 0)
    (A 0, B 1)
    (A 0, B 1, C 2)
    (A 0, B 1, C 2, D 3)
    (A 0, B 1, C 2, D 3, E 4)
    (A 0, B 1, C 2, D 3, E 4, F 5)
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6)
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7)
}

/// A handler's return value, to be asked which kind it is.
#[doc(hidden)]
#[derive(Debug)]
pub struct Probe<'a, T>(pub &'a T);

#[doc(hidden)]
#[derive(Debug)]
pub struct Nothing;
#[doc(hidden)]
#[derive(Debug)]
pub struct NothingOr;
#[doc(hidden)]
#[derive(Debug)]
pub struct Several;
#[doc(hidden)]
#[derive(Debug)]
pub struct SeveralOr;
#[doc(hidden)]
#[derive(Debug)]
pub struct ValueOr;
#[doc(hidden)]
#[derive(Debug)]
pub struct Value;

impl Probe<'_, ()> {
    pub fn kind(&self) -> Nothing {
        Nothing
    }
}

impl<E> Probe<'_, Result<(), E>> {
    pub fn kind(&self) -> NothingOr {
        NothingOr
    }
}

impl<T> Probe<'_, Args<T>> {
    pub fn kind(&self) -> Several {
        Several
    }
}

impl<T, E> Probe<'_, Result<Args<T>, E>> {
    pub fn kind(&self) -> SeveralOr {
        SeveralOr
    }
}

#[doc(hidden)]
pub trait FallibleKind {
    fn kind(&self) -> ValueOr;
}

impl<T, E> FallibleKind for Probe<'_, Result<T, E>> {
    fn kind(&self) -> ValueOr {
        ValueOr
    }
}

#[doc(hidden)]
pub trait ValueKind {
    fn kind(&self) -> Value;
}

impl<T> ValueKind for &Probe<'_, T> {
    fn kind(&self) -> Value {
        Value
    }
}

impl Nothing {
    pub fn answer(self, (): (), _incoming: &Incoming) -> Outcome {
        Outcome::Done
    }
}

impl NothingOr {
    pub fn answer<E: ReplyError>(self, result: Result<(), E>, _incoming: &Incoming) -> Outcome {
        match result {
            Ok(()) => Outcome::Done,
            Err(error) => Outcome::Failed(error.into_event_error()),
        }
    }
}

impl Value {
    pub fn answer<T: Reply>(self, value: T, incoming: &Incoming) -> Outcome {
        encoded(incoming, |payload| payload.push(&value))
    }
}

impl ValueOr {
    pub fn answer<T: Reply, E: ReplyError>(self, result: Result<T, E>, incoming: &Incoming) -> Outcome {
        match result {
            Ok(value) => Value.answer(value, incoming),
            Err(error) => Outcome::Failed(error.into_event_error()),
        }
    }
}

impl Several {
    pub fn answer<T: Encode>(self, Args(values): Args<T>, incoming: &Incoming) -> Outcome {
        encoded(incoming, |payload| values.encode(payload))
    }
}

impl SeveralOr {
    pub fn answer<T: Encode, E: ReplyError>(self, result: Result<Args<T>, E>, incoming: &Incoming) -> Outcome {
        match result {
            Ok(values) => Several.answer(values, incoming),
            Err(error) => Outcome::Failed(error.into_event_error()),
        }
    }
}

/// Encodes an answer, unless nobody wants it.
fn encoded(incoming: &Incoming, encode: impl FnOnce(&mut Payload) -> serde_json::Result<()>) -> Outcome {
    if !incoming.wants_answer() {
        return Outcome::Done;
    }
    let mut payload = Payload::new();
    match encode(&mut payload) {
        Ok(()) => Outcome::Value(payload),
        Err(error) => {
            tracing::error!(event = incoming.name(), %error, "a reply does not serialize");
            Outcome::Failed(EventError::internal())
        }
    }
}
