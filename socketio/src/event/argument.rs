//! [`Argument`], the trait of handler parameters, and [`Arguments`], the event they are taken from.

use serde::Deserialize;
use std::sync::Arc;

use super::decode::ArgumentDecoder;
use super::error::{EventError, PayloadError};
use super::incoming::Incoming;
use super::marker::{Checked, Context, Lifecycle, Payload};
use super::state::State;
use crate::contract::DescribedArguments;
use crate::hub::Hub;
use crate::hub::socket::Socket;

/// A type that can be a parameter of an event handler.
///
/// It is implemented for:
///
/// - every type that implements [`Deserialize`]. Such a parameter takes the next argument of the
///   payload;
/// - [`&Socket`](Socket), [`&Hub`](Hub), [`State`], [`Extension`](crate::Extension),
///   [`Ack`](crate::Ack), [`Handshake`](crate::Handshake), [`EventName`](crate::EventName) and
///   [`RawArgs`](crate::RawArgs), which describe the context of the event;
/// - `Result<T, PayloadError>`, with which a handler handles an invalid payload itself;
/// - `Valid<T>`, a validated payload, with the feature `garde`.
///
/// Implement it for parameters of your own. The marker `M` tells the kinds of parameters apart. The
/// compiler infers it; leave it at its default:
///
/// ```
/// use socketio::{Argument, Arguments, EventError, event};
///
/// /// The name that the user signed in with.
/// struct UserName(String);
///
/// impl<'a> Argument<'a> for UserName {
///     fn from_event(arguments: &mut Arguments<'a>) -> Result<Self, EventError> {
///         let name = arguments.socket().get_string_attribute("user");
///         name.map(UserName).ok_or_else(|| EventError::new("signed_out", "sign in first"))
///     }
/// }
///
/// #[event("rename")]
/// fn rename(user: UserName, to: String) {
///     println!("{} is now {to}", user.0);
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be a parameter of an event handler",
    label = "not known where the value comes from",
    note = "help: a value that the server knows: implement `Argument` for its type, or take it as `Extension<T>`, with a `T` that \
            is `Clone`, or `State<T>`",
    note = "help: what an event gives: `&Socket`, `&Hub`, and by value `Ack`, `Handshake<'_>`, `EventName<'_>`, `RawArgs<'_>`; \
            `Disconnect`, `EventError` and `Frame<'_>` belong to lifecycle events, such as `#[event(disconnect)]`",
    note = "help: a value that clients choose: derive `serde::Deserialize` for its type, to take it from the payload, alone or in \
            `Option<T>`, `Result<T, PayloadError>` or, if it derives `garde::Validate` too, `Valid<T>`"
)]
pub trait Argument<'a, M = Context>: Sized {
    /// Extracts the parameter from the event.
    ///
    /// # Errors
    ///
    /// The error becomes the answer to the event, and the handler is not called.
    fn from_event(arguments: &mut Arguments<'a>) -> Result<Self, EventError>;

    /// Tells a [`contract!`](crate::contract!) which payload arguments this parameter takes, and
    /// the error codes it fails with. A type that wraps other parameters calls their `describe`:
    /// `<Ack as Argument>::describe(payload)`. Default: no arguments.
    fn describe(_payload: &mut DescribedArguments) {}
}

/// The event from which the parameters of a handler are extracted: its context, and the payload
/// arguments that are not decoded yet.
#[derive(Debug)]
pub struct Arguments<'a> {
    pub(crate) incoming: &'a Incoming,
    pub(super) remaining: ArgumentDecoder<'a>,
}

impl<'a> Arguments<'a> {
    #[doc(hidden)]
    pub fn new(incoming: &'a Incoming) -> Self {
        Self { incoming, remaining: ArgumentDecoder::new(incoming.args()).with_attachments(incoming.attachments()) }
    }

    /// Decodes the payload's next argument.
    ///
    /// # Errors
    ///
    /// The argument is missing or does not decode as `T`.
    pub fn next_payload<T: Deserialize<'a>>(&mut self) -> Result<T, PayloadError> {
        self.remaining.next()
    }

    /// The socket that received the event.
    pub fn socket(&self) -> &'a Socket {
        &self.incoming.socket
    }

    /// The hub.
    pub fn hub(&self) -> &'a Hub {
        self.incoming.socket.hub()
    }

    /// The event's name.
    pub fn event_name(&self) -> &'a str {
        self.incoming.name()
    }

    /// Returns the hub's state of type `T`, or `None` if the hub has none.
    pub fn state<T: Send + Sync + 'static>(&self) -> Option<State<T>> {
        self.hub().states().get()
    }
}

#[diagnostic::do_not_recommend]
impl<'a, T: Deserialize<'a>> Argument<'a, Payload> for T {
    fn from_event(arguments: &mut Arguments<'a>) -> Result<Self, EventError> {
        Ok(arguments.next_payload()?)
    }
}

#[diagnostic::do_not_recommend]
impl<'a, T: Deserialize<'a>> Argument<'a, Checked> for Result<T, PayloadError> {
    fn from_event(arguments: &mut Arguments<'a>) -> Result<Self, EventError> {
        Ok(arguments.next_payload())
    }
}

impl<'a> Argument<'a> for &'a Socket {
    fn from_event(arguments: &mut Arguments<'a>) -> Result<Self, EventError> {
        Ok(arguments.socket())
    }
}

impl<'a> Argument<'a> for Socket {
    fn from_event(arguments: &mut Arguments<'a>) -> Result<Self, EventError> {
        Ok(arguments.socket().clone())
    }
}

impl<'a> Argument<'a> for &'a Hub {
    fn from_event(arguments: &mut Arguments<'a>) -> Result<Self, EventError> {
        Ok(arguments.hub())
    }
}

impl<'a> Argument<'a> for Hub {
    fn from_event(arguments: &mut Arguments<'a>) -> Result<Self, EventError> {
        Ok(arguments.hub().clone())
    }
}

impl<'a, T: Send + Sync + 'static> Argument<'a> for State<T> {
    fn from_event(arguments: &mut Arguments<'a>) -> Result<Self, EventError> {
        // `build()` checks the states that handlers take. It can't see a state inside a
        // hand-written `Argument`.
        arguments.state().ok_or_else(EventError::internal)
    }
}

/// A parameter of a lifecycle handler. Lifecycle events have no payload. Some have a parameter type
/// of their own, such as `Disconnect`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not available in a handler of this lifecycle event",
    label = "not available here",
    note = "help: lifecycle events have no payload: take `&Socket`, `&Hub`, `State<T>`, `Extension<T>` or `Handshake<'_>`; `Disconnect` in \
            `disconnecting` and `disconnect`, `EventError` in `error`, `Frame<'_>` in `message`, `ping` and `pong`"
)]
pub trait LifecycleArgument<'a, L: Lifecycle>: Sized {
    #[doc(hidden)]
    fn from_lifecycle(arguments: &mut Arguments<'a>) -> Result<Self, EventError>;
}

#[diagnostic::do_not_recommend]
impl<'a, L: Lifecycle, T: Argument<'a, Context>> LifecycleArgument<'a, L> for T {
    fn from_lifecycle(arguments: &mut Arguments<'a>) -> Result<Self, EventError> {
        T::from_event(arguments)
    }
}

/// Returns the value that `self` handlers receive as `&self`.
#[doc(hidden)]
pub fn receiver<T: 'static>(this: &Option<Arc<dyn std::any::Any + Send + Sync>>) -> &T {
    this.as_ref()
        .and_then(|this| this.downcast_ref())
        .expect("a table of `self` handlers is only mounted together with its value")
}
