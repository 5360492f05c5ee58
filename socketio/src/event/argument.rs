//! Handler parameters: how each comes out of an event.

use serde::Deserialize;
use std::sync::Arc;

use super::decode::Remaining;
use super::error::{EventError, PayloadError};
use super::incoming::Incoming;
use super::marker::{Checked, Context, Lifecycle, Payload};
use super::state::State;
use crate::contract::DescribedArguments;
use crate::hub::Hub;
use crate::hub::socket::Socket;

/// A type that can be a parameter of an event handler.
///
/// Implemented for everything that implements [`Deserialize`]: such a parameter is the next argument of the event's
/// payload, in order. Implemented as well for what tells where the event came from: [`&Socket`](Socket),
/// [`&Hub`](Hub), [`State`], [`Extension`](crate::Extension), [`Ack`](crate::Ack), [`Handshake`](crate::Handshake), [`EventName`](crate::EventName),
/// [`RawArgs`](crate::RawArgs), and for `Result<T, PayloadError>`, with which a handler deals with a bad payload itself. With
/// the feature `garde` there is `Valid<T>`, a payload that is checked as well.
///
/// Implement it to give handlers parameters of your own. The marker `M` says which of the kinds a type is and is
/// inferred; leave it at its default:
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
    label = "not a payload, and nothing that an event can give",
    note = "help: derive `serde::Deserialize` for it to take it from the payload, or take one of `&Socket`, `&Hub`, \
            `State<T>`, `Extension<T>` with a `T` that is `Clone`, `Ack`, `Handshake<'_>`, `EventName<'_>`, `RawArgs<'_>`, \
            `Option<T>`, `Result<T, PayloadError>`, or `Valid<T>` if it derives `garde::Validate`, too; or implement `Argument` for it; \
            `Disconnect`, `EventError` and `Frame<'_>` belong to lifecycle events, such as `#[event(disconnect)]`"
)]
pub trait Argument<'a, M = Context>: Sized {
    /// Takes the parameter out of the event.
    ///
    /// # Errors
    ///
    /// An error is the event's answer, and the handler is not called.
    fn from_event(arguments: &mut Arguments<'a>) -> Result<Self, EventError>;

    /// Tells a [`contract!`](crate::contract!) which arguments it takes out of the payload, and with which codes it fails. One
    /// that is made of others lets these tell it: `<Ack as Argument>::describe(payload)`. Default: none.
    fn describe(_payload: &mut DescribedArguments) {}
}

/// An event that handler parameters are taken from: the payload's arguments one after the other, and everything around.
#[derive(Debug)]
pub struct Arguments<'a> {
    pub(crate) incoming: &'a Incoming,
    pub(super) remaining: Remaining<'a>,
}

impl<'a> Arguments<'a> {
    #[doc(hidden)]
    pub fn new(incoming: &'a Incoming) -> Self {
        Self { incoming, remaining: Remaining::new(incoming.args()).with_attachments(incoming.attachments()) }
    }

    /// Decodes the payload's next argument.
    ///
    /// # Errors
    ///
    /// It is missing, or not what `T` is decoded from.
    pub fn next_payload<T: Deserialize<'a>>(&mut self) -> Result<T, PayloadError> {
        self.remaining.next()
    }

    /// The socket that the event came from.
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

    /// A value of the hub's state; `None` if the hub was given none of this type.
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
        // `build()` has seen to it that the value is there; this covers a hand-written `Argument` that wraps a state.
        arguments.state().ok_or_else(EventError::internal)
    }
}

/// A parameter of a lifecycle handler: those never have a payload, and some have a parameter of their own.
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

/// The state that `self` handlers share, as their `&self`.
#[doc(hidden)]
pub fn receiver<T: 'static>(this: &Option<Arc<dyn std::any::Any + Send + Sync>>) -> &T {
    this.as_ref()
        .and_then(|this| this.downcast_ref())
        .expect("a table of `self` handlers is only mounted together with its value")
}
