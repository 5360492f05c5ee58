//! Handler parameters that tell where an event came from.

use bytes::Bytes;
use serde::Deserialize;
use std::ops::Deref;

use super::argument::{Argument, Arguments, LifecycleArgument};
use super::decode::Remaining;
use super::depth;
use super::error::{EventError, PayloadError};
use super::incoming::EventKind;
use super::marker;
use crate::contract::DescribedArguments;
use crate::hub::socket::handshake::Handshake;
use crate::session::disconnect::Disconnect;
use crate::session::limits::MAX_DEPTH;
use crate::wire::binary::Attachments;
use crate::wire::envelope::ArgumentText;
use crate::wire::scan::Scanner;

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
///
/// They can be emitted under a name, `socket.emit(("name", args))`, and answered with, `ack.send_args(Args(args))`, binary
/// data included.
#[derive(Clone, Copy, Debug)]
pub struct RawArgs<'a> {
    args: ArgumentText<'a>,
    attachments: Option<&'a Attachments>,
    /// Whether they did not come from a client: those are scanned as they are received.
    is_unscanned: bool,
}

impl<'a> RawArgs<'a> {
    pub(crate) fn new(args: ArgumentText<'a>, attachments: Option<&'a Attachments>) -> Self {
        Self { args, attachments, is_unscanned: false }
    }

    /// Arguments that this side has written: they are scanned before they are decoded.
    pub(crate) fn unscanned(args: ArgumentText<'a>, attachments: Option<&'a Attachments>) -> Self {
        Self { args, attachments, is_unscanned: true }
    }

    /// The arguments' JSON text, comma separated, without brackets; empty if there are none. Where a Socket.IO client has
    /// binary data, `{"_placeholder":true,"num":0}` stands for the first of the [`attachments`](Self::attachments).
    pub fn json(&self) -> &'a str {
        match self.args {
            ArgumentText::One(text) | ArgumentText::Many(text) => text,
        }
    }

    /// The binary data of a Socket.IO client, in the order of its placeholders' numbers.
    pub fn attachments(&self) -> &'a [Bytes] {
        self.attachments.map(|attachments| &**attachments).unwrap_or_default()
    }

    /// The arguments without the first few; none, where there are not so many.
    #[must_use]
    pub fn skip(self, count: usize) -> Self {
        let mut scanner = Scanner::new(self.json());
        let mut skipped = 0;
        while skipped < count && scanner.value().is_some() && scanner.take(b',') {
            skipped += 1;
        }
        let rest = if skipped == count { scanner.rest().trim_start() } else { "" };
        Self { args: ArgumentText::Many(rest), ..self }
    }

    /// What they are decoded from.
    pub(crate) fn remaining(&self) -> Result<Remaining<'a>, PayloadError> {
        if self.is_unscanned {
            depth::check(self.args, MAX_DEPTH)?;
        }
        Ok(Remaining::new(self.args).with_attachments(self.attachments))
    }

    /// Decodes the first argument.
    ///
    /// # Errors
    ///
    /// It is missing, or not what `T` is decoded from.
    pub fn first<T: Deserialize<'a>>(&self) -> Result<T, PayloadError> {
        self.remaining()?.next()
    }

    /// Decodes all arguments, each as a `T`.
    ///
    /// # Errors
    ///
    /// One of them is not what `T` is decoded from.
    pub fn all<T: Deserialize<'a>>(&self) -> Result<Vec<T>, PayloadError> {
        let mut remaining = self.remaining()?;
        let mut all = Vec::new();
        while !remaining.is_empty() {
            all.push(remaining.next()?);
        }
        Ok(all)
    }
}

impl<'a> Argument<'a> for RawArgs<'a> {
    fn from_event(arguments: &mut Arguments<'a>) -> Result<Self, EventError> {
        Ok(Self::new(arguments.incoming.args(), arguments.incoming.attachments()))
    }

    fn describe(payload: &mut DescribedArguments) {
        payload.takes_any = true;
    }
}

/// The HTTP request that brought the event, as a handler parameter: of a Socket.IO or Engine.IO client that polls the POST with
/// the event in it, of all others the request that the connection began with. It dereferences to [`Handshake`].
///
/// ```
/// use socketio::{Carrier, event};
///
/// #[event("whoami")]
/// fn whoami(request: Carrier<'_>) -> Option<String> {
///     request.header("user-agent").map(str::to_owned)
/// }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Carrier<'a>(Handshake<'a>);

impl<'a> Deref for Carrier<'a> {
    type Target = Handshake<'a>;

    fn deref(&self) -> &Handshake<'a> {
        &self.0
    }
}

impl<'a> Argument<'a> for Carrier<'a> {
    fn from_event(arguments: &mut Arguments<'a>) -> Result<Self, EventError> {
        let incoming = arguments.incoming;
        Ok(Self(Handshake::new(incoming.request(), incoming.socket.connect_info())))
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

impl<'a> Frame<'a> {
    /// Decodes JSON, of a binary message as well, as [`from_json`](crate::from_json) does.
    ///
    /// ```
    /// use socketio::{Frame, PayloadError, event};
    ///
    /// #[event(message)]
    /// fn message(frame: Frame<'_>) -> Result<(), PayloadError> {
    ///     let (x, y): (i32, i32) = frame.json()?;
    ///     println!("moved to {x}, {y}");
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// It is not what `T` is decoded from, is nested more than 127 levels deep, or has a reserved key.
    pub fn json<T: Deserialize<'a>>(&self) -> Result<T, PayloadError> {
        match *self {
            Self::Text(text) => depth::from_json(text),
            Self::Binary(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => depth::from_json(text),
                Err(_) => Err(PayloadError::new(0, "invalid UTF-8")),
            },
        }
    }
}

// The parameters that lifecycle events have of their own. Handlers are found by what happened, so it is always the right one
// of the subjects; no macro writes these, for the compiler would tell of it wherever such a parameter stands in the wrong place.

impl<'a> LifecycleArgument<'a, marker::Message> for Frame<'a> {
    fn from_lifecycle(arguments: &mut Arguments<'a>) -> Result<Self, EventError> {
        match &arguments.incoming.kind {
            EventKind::Message { message, .. } => Ok(message.frame()),
            _ => Err(EventError::internal()),
        }
    }
}

impl<'a> LifecycleArgument<'a, marker::Ping> for Frame<'a> {
    fn from_lifecycle(arguments: &mut Arguments<'a>) -> Result<Self, EventError> {
        match &arguments.incoming.kind {
            EventKind::Ping(payload) => Ok(Frame::Binary(payload)),
            _ => Err(EventError::internal()),
        }
    }
}

impl<'a> LifecycleArgument<'a, marker::Pong> for Frame<'a> {
    fn from_lifecycle(arguments: &mut Arguments<'a>) -> Result<Self, EventError> {
        match &arguments.incoming.kind {
            EventKind::Pong(payload) => Ok(Frame::Binary(payload)),
            _ => Err(EventError::internal()),
        }
    }
}

impl<'a> LifecycleArgument<'a, marker::Disconnecting> for Disconnect {
    fn from_lifecycle(arguments: &mut Arguments<'a>) -> Result<Self, EventError> {
        match &arguments.incoming.kind {
            EventKind::Disconnecting(disconnect) => Ok(disconnect.clone()),
            _ => Err(EventError::internal()),
        }
    }
}

impl<'a> LifecycleArgument<'a, marker::Disconnect> for Disconnect {
    fn from_lifecycle(arguments: &mut Arguments<'a>) -> Result<Self, EventError> {
        match &arguments.incoming.kind {
            EventKind::Disconnect(disconnect) => Ok(disconnect.clone()),
            _ => Err(EventError::internal()),
        }
    }
}

impl<'a> LifecycleArgument<'a, marker::Error> for EventError {
    fn from_lifecycle(arguments: &mut Arguments<'a>) -> Result<Self, EventError> {
        match &arguments.incoming.kind {
            EventKind::Error(error) => Ok(error.clone()),
            _ => Err(EventError::internal()),
        }
    }
}
