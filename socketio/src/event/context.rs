//! Handler parameters that tell where an event came from.

use bytes::Bytes;
use serde::Deserialize;
use std::ops::Deref;

use super::argument::{Argument, Arguments, LifecycleArgument};
use super::disconnect::Disconnect;
use super::error::{EventError, PayloadError};
use super::incoming::Subject;
use crate::wire::envelope::Args;

/// The name of the event, as a parameter of fallback handlers.
///
/// ```
/// use socketio::{EventName, RawArgs, event};
///
/// #[event(fallback)]
/// fn unknown(name: EventName<'_>, args: RawArgs<'_>) {
///     println!("nobody handles {}: {}", &*name, args.json());
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventName<'a>(&'a str);

impl Deref for EventName<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        self.0
    }
}

impl<'a> Argument<'a> for EventName<'a> {
    fn from_event(arguments: &mut Arguments<'a>) -> Result<Self, EventError> {
        Ok(Self(arguments.event_name()))
    }
}

/// All arguments of the event as JSON text, not decoded: for handlers that pass them on, such as fallback handlers.
#[derive(Clone, Copy, Debug)]
pub struct RawArgs<'a>(Args<'a>);

impl<'a> RawArgs<'a> {
    pub(crate) fn new(args: Args<'a>) -> Self {
        Self(args)
    }

    /// The arguments' JSON text, comma separated, without brackets; empty if there are none.
    pub fn json(&self) -> &'a str {
        match self.0 {
            Args::One(text) | Args::Many(text) => text,
        }
    }

    /// Decodes the first argument.
    ///
    /// # Errors
    ///
    /// It is missing, or not what `T` is decoded from.
    pub fn first<T: Deserialize<'a>>(&self) -> Result<T, PayloadError> {
        super::decode::Remaining::new(self.0).next()
    }

    /// Decodes all arguments, each as a `T`.
    ///
    /// # Errors
    ///
    /// One of them is not what `T` is decoded from.
    pub fn all<T: Deserialize<'a>>(&self) -> Result<Vec<T>, PayloadError> {
        let mut remaining = super::decode::Remaining::new(self.0);
        let mut all = Vec::new();
        while !remaining.is_empty() {
            all.push(remaining.next()?);
        }
        Ok(all)
    }
}

impl<'a> Argument<'a> for RawArgs<'a> {
    fn from_event(arguments: &mut Arguments<'a>) -> Result<Self, EventError> {
        Ok(Self(arguments.incoming.args()))
    }
}

/// A raw message or the payload of a control frame, as a parameter of `message`, `ping` and `pong` handlers.
///
/// ```
/// use socketio::{EmitError, Frame, Socket, event};
///
/// #[event(message)]
/// fn echo(socket: &Socket, frame: Frame<'_>) -> Result<(), EmitError> {
///     match frame {
///         Frame::Text(text) => socket.emit(text),
///         Frame::Binary(bytes) => socket.emit(bytes.clone()),
///     }
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame<'a> {
    /// A text message.
    Text(&'a str),
    /// A binary message, or a control frame's payload.
    Binary(&'a Bytes),
}

/// The lifecycle events, as types that say which parameters their handlers can have.
#[doc(hidden)]
pub trait Lifecycles {}

macro_rules! lifecycles {
    ($($name:ident),*) => {$(
        #[doc(hidden)]
        #[derive(Debug)]
        pub struct $name;
        impl Lifecycles for $name {}
    )*};
}

/// One type per lifecycle event.
#[doc(hidden)]
pub mod lifecycle {
    use super::Lifecycles;
    lifecycles!(Connect, Message, Ping, Pong, Close, Disconnecting, Disconnect, Error);
}

/// Marks the parameter that a lifecycle event has of its own.
#[doc(hidden)]
#[derive(Debug)]
pub enum Own {}

macro_rules! own_arguments {
    ($($event:ident: $type:ty = $pattern:pat => $value:expr;)*) => {$(
        impl<'a> LifecycleArgument<'a, lifecycle::$event, Own> for $type {
            fn from_lifecycle(arguments: &mut Arguments<'a>) -> Result<Self, EventError> {
                match &arguments.incoming.subject {
                    $pattern => Ok($value),
                    // The table of lifecycle handlers is looked up by the subject, so it is always the right one.
                    _ => Err(EventError::internal()),
                }
            }
        }
    )*};
}

own_arguments! {
    Message: Frame<'a> = Subject::Message { message, .. } => message.frame();
    Ping: Frame<'a> = Subject::Ping(payload) => Frame::Binary(payload);
    Pong: Frame<'a> = Subject::Pong(payload) => Frame::Binary(payload);
    Disconnecting: Disconnect = Subject::Disconnecting(disconnect) => disconnect.clone();
    Disconnect: Disconnect = Subject::Disconnect(disconnect) => disconnect.clone();
    Error: EventError = Subject::Error(error) => error.clone();
}
