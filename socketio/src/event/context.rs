//! Handler parameters for the context of an event: [`EventName`], [`RawArgs`], [`Carrier`] and
//! [`Frame`].

use bytes::Bytes;
use serde::Deserialize;
use std::ops::Deref;

use super::argument::{Argument, Arguments, LifecycleArgument};
use super::decode::ArgumentDecoder;
use super::error::{EventError, PayloadError};
use super::incoming::EventKind;
use super::marker;
use super::unscanned;
use crate::contract::DescribedArguments;
use crate::hub::socket::handshake::Handshake;
use crate::session::disconnect::Disconnect;
use crate::session::limits::MAX_DEPTH;
use crate::wire::binary::Attachments;
use crate::wire::envelope::ArgumentText;
use crate::wire::scan::Scanner;

/// The event's name, as a handler parameter. It is most useful in fallback handlers.
///
/// ```
/// use socketio::{EventName, RawArgs, event};
///
/// #[event(fallback)]
/// fn unknown(name: EventName<'_>, args: RawArgs<'_>) {
///     println!("no handler for {}: {}", &*name, args.json());
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

/// All arguments of the event as undecoded JSON text, for handlers that forward them.
///
/// Emit them with `socket.emit(("name", args))` or answer with `ack.send_args(Args(args))`. Both
/// include the binary attachments.
#[derive(Clone, Copy, Debug)]
pub struct RawArgs<'a> {
    args: ArgumentText<'a>,
    attachments: Option<&'a Attachments>,
    /// `true` for arguments that this server wrote. Arguments of clients are scanned when they are
    /// received.
    is_unscanned: bool,
}

impl<'a> RawArgs<'a> {
    pub(crate) fn new(args: ArgumentText<'a>, attachments: Option<&'a Attachments>) -> Self {
        Self { args, attachments, is_unscanned: false }
    }

    /// Wraps arguments that this server wrote. They are scanned before they are decoded.
    pub(crate) fn unscanned(args: ArgumentText<'a>, attachments: Option<&'a Attachments>) -> Self {
        Self { args, attachments, is_unscanned: true }
    }

    /// The JSON text of the arguments, separated by commas, without brackets. It is empty if there
    /// are none.
    ///
    /// In Socket.IO events `{"_placeholder":true,"num":0}` stands for the first of the
    /// [`attachments`](Self::attachments).
    pub fn json(&self) -> &'a str {
        match self.args {
            ArgumentText::One(text) | ArgumentText::Many(text) => text,
        }
    }

    /// The binary attachments of a Socket.IO event, in the order of their placeholders' numbers.
    pub fn attachments(&self) -> &'a [Bytes] {
        self.attachments.map(|attachments| &**attachments).unwrap_or_default()
    }

    /// Returns the arguments without the first `count`. The result is empty if there are fewer.
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

    /// Returns a decoder for the arguments, after it has scanned them if necessary.
    pub(crate) fn remaining(&self) -> Result<ArgumentDecoder<'a>, PayloadError> {
        if self.is_unscanned {
            unscanned::check(self.args, MAX_DEPTH)?;
        }
        Ok(ArgumentDecoder::new(self.args).with_attachments(self.attachments))
    }

    /// Decodes the first argument.
    ///
    /// # Errors
    ///
    /// The argument is missing or does not decode as `T`.
    pub fn first<T: Deserialize<'a>>(&self) -> Result<T, PayloadError> {
        self.remaining()?.next()
    }

    /// Decodes all arguments, each as a `T`.
    ///
    /// # Errors
    ///
    /// One of the arguments does not decode as `T`.
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

/// The HTTP request that carried the event, as a handler parameter. It dereferences to
/// [`Handshake`].
///
/// With Socket.IO or Engine.IO over HTTP polling this is the POST request that contained the event.
/// Otherwise it is the first request of the connection.
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
        Ok(Self(Handshake::new(incoming.request(), &incoming.socket)))
    }
}

/// A raw message or the payload of a control frame, as a parameter of `message`, `ping` and `pong`
/// handlers.
///
/// ```
/// use socketio::{EmitError, Frame, Socket, event};
///
/// #[event(message)]
/// fn echo(socket: &Socket, frame: Frame<'_>) -> Result<(), EmitError> {
///     socket.send(frame)
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame<'a> {
    /// A text message.
    Text(&'a str),
    /// A binary message or the payload of a control frame.
    Binary(&'a Bytes),
}

impl<'a> Frame<'a> {
    /// Decodes a text message, or a binary message in UTF-8, as JSON with
    /// [`from_json`](crate::from_json).
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
    /// The message does not decode as `T`, is nested more than 127 levels deep, or has an object
    /// with a reserved key.
    pub fn json<T: Deserialize<'a>>(&self) -> Result<T, PayloadError> {
        match *self {
            Self::Text(text) => unscanned::from_json(text),
            Self::Binary(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => unscanned::from_json(text),
                Err(_) => Err(PayloadError::of_all("invalid UTF-8")),
            },
        }
    }
}

// The parameter types of single lifecycle events. Dispatch selects a handler by the event's kind,
// so the other match arms are unreachable. The implementations are written out so that compile
// errors don't mention a macro.

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
