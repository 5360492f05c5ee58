//! Return values: how what a handler returns becomes the answer.
//!
//! Which kind of value it is, is found out by method resolution on [`Probe`]: inherent methods come before trait
//! methods, and those on the value before those on a reference to it. The bounds stand on [`ReturnedAnswer::of`], behind that choice:
//! else a `Result` whose error happens to be `Serialize` would pass for a value and go out as `{"Err": …}`.

use futures_util::future::BoxFuture;
use serde::Serialize;
use std::future::Future;
use std::marker::PhantomData;

use super::ack::Args;
use super::context::RawArgs;
use super::error::{EventError, shortened};
use super::incoming::Incoming;
use super::marker::{Fallible, Nothing, Several, Value};
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

/// How a handler's return value becomes the answer to an event.
///
/// A handler returns `()`, a [`Reply`], [`Args`], or a `Result` of one of these and a [`ReplyError`]. The marker `K` says
/// which, and is inferred.
#[derive(Debug)]
pub struct ReturnedAnswer<'a, K> {
    event: &'a Incoming,
    kind: PhantomData<K>,
}

// The compiler shows these signatures to users whose types do not fit: they say no more than those need to know.
type Answered = Outcome;

/// The future of an async handler. It has to be `Send`, because connections move between threads.
#[derive(Debug)]
pub enum HandlerFuture {}

impl HandlerFuture {
    /// The future of an outcome, of a handler's and of what makes an outcome of what it returns.
    #[doc(hidden)]
    pub fn of<'a, F, A>(future: F, outcome: A) -> BoxFuture<'a, Answered>
    where
        F: Future + Send + 'a,
        A: FnOnce(F::Output) -> Answered + Send + 'a,
    {
        Box::pin(async move { outcome(future.await) })
    }
}

/// A type that can be the answer to an event: everything that implements [`Serialize`].
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

/// All arguments of another event, as they came.
impl Encode for RawArgs<'_> {
    fn encode(&self, payload: &mut Payload) -> serde_json::Result<()> {
        payload.push_raw(self.json(), self.attachments());
        Ok(())
    }
}

/// A handler's return value, to be asked which kind it is, and the event that it answers.
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

/// Encodes an answer, unless nobody wants it.
fn encoded(event: &Incoming, encode: impl FnOnce(&mut Payload) -> serde_json::Result<()>) -> Outcome {
    if !event.wants_answer() {
        return Outcome::Done;
    }
    let mut payload = Payload::new();
    match encode(&mut payload) {
        Ok(()) => Outcome::Value(payload),
        Err(error) => {
            tracing::error!(event = shortened(event.name()), %error, "a reply does not serialize");
            Outcome::Failed(EventError::internal())
        }
    }
}
