//! [`Outcome`]: converts a handler's return value into the answer.
//!
//! Method resolution on [`Probe`] selects the kind of return value. Inherent methods take
//! precedence over trait methods, and methods of the value over those of a reference.
//!
//! The bounds are on [`ReturnedAnswer::of`], which is called after that selection. On `Probe` they
//! would make a `Result` with a `Serialize` error count as a value, which is sent as `{"Err": …}`.

use futures_util::future::BoxFuture;
use serde::Serialize;
use std::future::Future;
use std::marker::PhantomData;

use super::ack::Args;
use super::context::RawArgs;
use super::error::EventError;
use super::incoming::Incoming;
use super::marker::{Fallible, Nothing, Several, Value};
use crate::hub::selection::EmitError;
use crate::wire::payload::{EncodeError, Payload};
use crate::wire::shown::{Shown, shown};

/// The outcome of a handler.
#[doc(hidden)]
#[derive(Debug)]
pub enum Outcome {
    /// No value: an answer without arguments, if the client asked for one.
    Done,
    Value(Payload),
    Failed(EventError),
}

/// Converts a handler's return value into the answer to an event.
///
/// A handler returns `()`, a [`Reply`], [`Args`], or a `Result` of one of these and a
/// [`ReplyError`]. The compiler infers the marker `K`.
#[derive(Debug)]
pub struct ReturnedAnswer<'a, K> {
    event: &'a Incoming,
    kind: PhantomData<K>,
}

// Compile errors show these signatures, so they contain no more than users need to know.
type Answered = Outcome;

/// The future of an async handler. It must be `Send`, because connections move between threads.
#[derive(Debug)]
pub enum HandlerFuture {}

impl HandlerFuture {
    /// Boxes a handler's future, and applies `outcome` to its output.
    #[doc(hidden)]
    pub fn of<'a, F, A>(future: F, outcome: A) -> BoxFuture<'a, Answered>
    where
        F: Future + Send + 'a,
        A: FnOnce(F::Output) -> Answered + Send + 'a,
    {
        Box::pin(async move { outcome(future.await) })
    }
}

/// A type that can answer an event: every type that implements [`Serialize`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be the reply of an event handler",
    label = "the answer to the event would be this",
    note = "help: return `()`, a type that implements `serde::Serialize`, `Args((…))` of such types, or \
            `Result<T, E>` with one of these as `T` and an `E` that converts into `EventError`; a handler that awaits is an `async fn`"
)]
pub trait Reply: Serialize {}

#[diagnostic::do_not_recommend]
impl<T: Serialize + ?Sized> Reply for T {}

/// The error type of a handler that returns `Result<T, E>`: every type that converts into
/// [`EventError`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be the error of an event handler",
    label = "the client is told this error",
    note = "help: write `#[derive(socketio::ErrorCodes)]` above the type, or `impl From<{Self}> for socketio::EventError`; or return a \
            `String` or `&'static str`"
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

/// A tuple of up to eight values, each of which is one argument.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not several arguments",
    label = "not a tuple of values that implement `serde::Serialize`",
    note = "help: write `Args((a, b))`, with types that implement `serde::Serialize`"
)]
pub trait Encode {
    #[doc(hidden)]
    fn encode(&self, payload: &mut Payload) -> Result<(), EncodeError>;
}

macro_rules! encode_tuples {
    ($(($($name:ident $at:tt),*))*) => {$(
        impl<$($name: Serialize),*> Encode for ($($name,)*) {
            fn encode(&self, payload: &mut Payload) -> Result<(), EncodeError> {
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

/// Copies all arguments of another event unchanged.
impl Encode for RawArgs<'_> {
    fn encode(&self, payload: &mut Payload) -> Result<(), EncodeError> {
        payload.push_raw(self.json(), self.attachments())
    }
}

/// Selects the kind of a handler's return value. It holds the value and the event that it answers.
#[doc(hidden)]
#[derive(Debug)]
pub struct Probe<'t, 'a, T>(pub &'t T, pub &'a Incoming);

impl<'a> Probe<'_, 'a, ()> {
    pub fn kind(&self) -> ReturnedAnswer<'a, Nothing> {
        ReturnedAnswer::to(self.1)
    }
}

impl<'a, E> Probe<'_, 'a, Result<(), E>> {
    pub fn kind(&self) -> ReturnedAnswer<'a, Fallible<Nothing>> {
        ReturnedAnswer::to(self.1)
    }
}

impl<'a, T> Probe<'_, 'a, Args<T>> {
    pub fn kind(&self) -> ReturnedAnswer<'a, Several> {
        ReturnedAnswer::to(self.1)
    }
}

impl<'a, T, E> Probe<'_, 'a, Result<Args<T>, E>> {
    pub fn kind(&self) -> ReturnedAnswer<'a, Fallible<Several>> {
        ReturnedAnswer::to(self.1)
    }
}

#[doc(hidden)]
pub trait FallibleKind<'a> {
    fn kind(&self) -> ReturnedAnswer<'a, Fallible<Value>>;
}

impl<'a, T, E> FallibleKind<'a> for Probe<'_, 'a, Result<T, E>> {
    fn kind(&self) -> ReturnedAnswer<'a, Fallible<Value>> {
        ReturnedAnswer::to(self.1)
    }
}

#[doc(hidden)]
pub trait ValueKind<'a> {
    fn kind(&self) -> ReturnedAnswer<'a, Value>;
}

impl<'a, T> ValueKind<'a> for &Probe<'_, 'a, T> {
    fn kind(&self) -> ReturnedAnswer<'a, Value> {
        ReturnedAnswer::to(self.1)
    }
}

impl<'a, K> ReturnedAnswer<'a, K> {
    fn to(event: &'a Incoming) -> Self {
        Self { event, kind: PhantomData }
    }
}

impl ReturnedAnswer<'_, Nothing> {
    #[doc(hidden)]
    pub fn of(self, (): ()) -> Answered {
        Outcome::Done
    }
}

impl ReturnedAnswer<'_, Value> {
    #[doc(hidden)]
    pub fn of<T: Reply>(self, reply: T) -> Answered {
        encoded(self.event, |payload| payload.push(&reply))
    }
}

impl ReturnedAnswer<'_, Several> {
    #[doc(hidden)]
    pub fn of<T: Encode>(self, reply: Args<T>) -> Answered {
        encoded(self.event, |payload| reply.0.encode(payload))
    }
}

impl ReturnedAnswer<'_, Fallible<Nothing>> {
    #[doc(hidden)]
    pub fn of<E: ReplyError>(self, reply: Result<(), E>) -> Answered {
        match reply {
            Ok(()) => Outcome::Done,
            Err(error) => Outcome::Failed(error.into_event_error()),
        }
    }
}

impl<'a> ReturnedAnswer<'a, Fallible<Value>> {
    #[doc(hidden)]
    pub fn of<T: Reply, E: ReplyError>(self, reply: Result<T, E>) -> Answered {
        match reply {
            Ok(value) => ReturnedAnswer::<'a, Value>::to(self.event).of(value),
            Err(error) => Outcome::Failed(error.into_event_error()),
        }
    }
}

impl<'a> ReturnedAnswer<'a, Fallible<Several>> {
    #[doc(hidden)]
    pub fn of<T: Encode, E: ReplyError>(self, reply: Result<Args<T>, E>) -> Answered {
        match reply {
            Ok(values) => ReturnedAnswer::<'a, Several>::to(self.event).of(values),
            Err(error) => Outcome::Failed(error.into_event_error()),
        }
    }
}

/// Encodes an answer if the client asked for one.
fn encoded(event: &Incoming, encode: impl FnOnce(&mut Payload) -> Result<(), EncodeError>) -> Outcome {
    if !event.wants_answer() {
        return Outcome::Done;
    }
    let mut payload = Payload::new();
    match encode(&mut payload) {
        Ok(()) => Outcome::Value(payload),
        Err(EncodeError::Json(error)) => {
            tracing::error!(
                event = &*shown(event.name()),
                error = %Shown(&error),
                "the reply of a handler does not serialize"
            );
            Outcome::Failed(EventError::internal())
        }
        // A client can cause this one.
        Err(EncodeError::Ambiguous) => Outcome::Failed(EmitError::Ambiguous.into()),
    }
}
