//! [`Ack`], a handle to answer an event later, and [`Args`], an answer with several arguments.

use serde::Serialize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::argument::{Argument, Arguments};
use super::error::EventError;
use super::reply::Encode;
use crate::contract::DescribedArguments;
use crate::hub::selection::EmitError;
use crate::hub::socket::Socket;
use crate::wire::payload::Payload;

/// A handle to answer an event once, at any later time.
///
/// A handler that takes an `Ack` returns `()` or `Result<(), E>`. An `Err` is the answer only if
/// the `Ack` was not used. Only the first answer is sent; later ones are ignored.
///
/// If the last clone is dropped unused, the client receives the error `unanswered`.
/// [`forget`](Self::forget) sends nothing. If the client did not ask for an answer, all methods do
/// nothing.
///
/// ```
/// use socketio::{Ack, event};
///
/// #[event("work")]
/// fn work(input: u32, ack: Ack) {
///     std::thread::spawn(move || {
///         let _ = ack.send(input * 2);
///     });
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Ack(Option<Arc<AckState>>);

#[derive(Debug)]
pub(crate) struct AckState {
    socket: Socket,
    id: Box<str>,
    done: AtomicBool,
}

impl AckState {
    /// `done` is `true` if the event was already answered.
    pub(crate) fn new(socket: Socket, id: &str, done: bool) -> Self {
        Self { socket, id: id.into(), done: AtomicBool::new(done) }
    }

    pub(crate) fn answer(&self, answer: Result<&Payload, &EventError>) {
        if !self.done.swap(true, Ordering::Relaxed) {
            self.socket.send_answer(&self.id, answer);
        }
    }
}

impl Drop for AckState {
    fn drop(&mut self) {
        self.answer(Err(&EventError::unanswered()));
    }
}

impl Ack {
    pub(crate) fn new(state: Option<Arc<AckState>>) -> Self {
        Self(state)
    }

    /// Returns `true` if the client asked for an answer and none was given yet.
    pub fn is_wanted(&self) -> bool {
        self.0.as_ref().is_some_and(|state| !state.done.load(Ordering::Relaxed))
    }

    /// Answers with one argument. `()` answers without arguments. For several arguments use
    /// [`send_args`](Self::send_args).
    ///
    /// # Errors
    ///
    /// The value does not serialize. The event is then still unanswered.
    pub fn send(&self, value: impl Serialize) -> Result<(), EmitError> {
        let Some(state) = self.0.as_ref().filter(|_| self.is_wanted()) else {
            return Ok(());
        };
        // `Payload::reply` encodes `()` as no arguments, like the return value of a handler.
        state.answer(Ok(&Payload::reply(&value)?));
        Ok(())
    }

    /// Answers with several arguments.
    ///
    /// # Errors
    ///
    /// One of the values does not serialize. The event is then still unanswered.
    pub fn send_args<T: Encode>(&self, Args(values): Args<T>) -> Result<(), EmitError> {
        let Some(state) = self.0.as_ref().filter(|_| self.is_wanted()) else {
            return Ok(());
        };
        let mut payload = Payload::new();
        values.encode(&mut payload)?;
        state.answer(Ok(&payload));
        Ok(())
    }

    /// Answers with an error.
    pub fn fail(&self, error: impl Into<EventError>) {
        if let Some(state) = &self.0 {
            state.answer(Err(&error.into()));
        }
    }

    /// Sends no answer. The client waits until its own timeout, if it has one.
    pub fn forget(self) {
        if let Some(state) = &self.0 {
            state.done.store(true, Ordering::Relaxed);
        }
    }
}

impl<'a> Argument<'a> for Ack {
    fn from_event(arguments: &mut Arguments<'a>) -> Result<Self, EventError> {
        Ok(arguments.incoming.take_ack())
    }

    fn describe(payload: &mut DescribedArguments) {
        payload.takes_ack = true;
    }
}

/// An answer with several arguments: a JavaScript client receives `Args((a, b))` as `(a, b)`.
///
/// ```
/// use socketio::{Args, event};
///
/// #[event("divide")]
/// fn divide(a: i32, b: i32) -> Result<Args<(i32, i32)>, &'static str> {
///     if b == 0 { Err("division by zero") } else { Ok(Args((a / b, a % b))) }
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Args<T>(pub T);
