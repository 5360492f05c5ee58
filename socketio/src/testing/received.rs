//! [`Received`]: an event that a client has received. It can be decoded and answered.

use serde::Serialize;
use serde::de::DeserializeOwned;
use std::sync::Weak;

use super::connection::Connection;
use super::error::TestError;
use super::wire::Contents;
use crate::event::ack::Args;
use crate::event::context::RawArgs;
use crate::event::error::{EventError, PayloadError};
use crate::event::reply::Encode;
use crate::hub::selection::EmitError;
use crate::wire::payload::Payload;

/// An event that a client has received. See [`Client::expect_event`](super::Client::expect_event).
#[derive(Debug)]
pub struct Received {
    pub(super) name: Box<str>,
    pub(super) contents: Contents,
    pub(super) ack: Option<Box<str>>,
    pub(super) namespace: Box<str>,
    /// Weak, so that a kept event does not keep the connection open.
    pub(super) connection: Weak<Connection>,
}

impl Received {
    /// The event's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Decodes the first argument.
    ///
    /// # Errors
    ///
    /// There is no argument, or it does not decode to `T`.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, PayloadError> {
        self.contents.raw().first()
    }

    /// All arguments.
    pub fn args(&self) -> RawArgs<'_> {
        self.contents.raw()
    }

    /// Whether the server wants an answer.
    pub fn wants_answer(&self) -> bool {
        self.ack.is_some()
    }

    /// Answers with a value. `()` sends an answer without arguments.
    ///
    /// # Errors
    ///
    /// The server wants no answer, the client has been dropped, or the value does not serialize.
    pub fn answer(self, value: impl Serialize) -> Result<(), TestError> {
        self.respond(Ok(&Payload::reply(&value).map_err(EmitError::from)?))
    }

    /// Answers with several arguments.
    ///
    /// # Errors
    ///
    /// The server wants no answer, the client has been dropped, or one of the values does not
    /// serialize.
    pub fn answer_args<T: Encode>(self, Args(values): Args<T>) -> Result<(), TestError> {
        let mut payload = Payload::new();
        values.encode(&mut payload).map_err(EmitError::from)?;
        self.respond(Ok(&payload))
    }

    /// Answers with an error.
    ///
    /// # Errors
    ///
    /// The server wants no answer, or the client has been dropped.
    pub fn fail(self, error: impl Into<EventError>) -> Result<(), TestError> {
        self.respond(Err(&error.into()))
    }

    fn respond(&self, answer: Result<&Payload, &EventError>) -> Result<(), TestError> {
        let Some(id) = &self.ack else {
            return Err(TestError::Impossible(format!("the server wants no answer to `{}`", self.name)));
        };
        let Some(connection) = self.connection.upgrade() else {
            return Err(TestError::Impossible(format!("the client that received `{}` has been dropped", self.name)));
        };
        connection.write_frame(&connection.encoding.answer(&self.namespace, id, answer));
        Ok(())
    }
}
