//! Answers to events: [`Ack`], with which a handler answers later, and [`Args`] for answers of several arguments.

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

/// The answer to an event, to be given later, once.
///
/// A handler that takes it returns `()` or `Result<(), E>`; an `Err` answers only if the `Ack` did not. The first use
/// counts, later ones do nothing. Dropped unused, the client gets the error `unanswered`; [`forget`](Self::forget) sends
/// nothing at all. If the client did not ask for an answer, using it does nothing.
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
    /// `done`: whether the event was answered already.
    pub(crate) fn new(socket: Socket, id: &str, done: bool) -> Self {
        Self { socket, id: id.into(), done: AtomicBool::new(done) }
    }

    pub(crate) fn answer(&self, answer: Result<&Payload, &EventError>) {
        if !self.done.swap(true, Ordering::Relaxed) {
            self.socket.answer(&self.id, answer);
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

    /// Whether the client asked for an answer and none was given yet.
    pub fn is_wanted(&self) -> bool {
        self.0.as_ref().is_some_and(|state| !state.done.load(Ordering::Relaxed))
    }

    /// Answers with a value: one argument, or with [`Args`] several. `()` answers without arguments.
    ///
    /// # Errors
    ///
    /// The value does not serialize; then nothing was answered yet.
    pub fn send(&self, value: impl Serialize) -> Result<(), EmitError> {
        let Some(state) = self.0.as_ref().filter(|_| self.is_wanted()) else {
            return Ok(());
        };
        // As a handler's `()` does, it answers without arguments.
        state.answer(Ok(&Payload::reply(&value)?));
        Ok(())
    }

    /// Answers with several values, each an argument of its own.
    ///
    /// # Errors
    ///
    /// One of them does not serialize; then nothing was answered yet.
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

    /// Gives no answer: the client will wait in vain.
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

/// Several arguments in one answer: `Args((a, b))` reaches a JavaScript client as `(a, b)`.
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
