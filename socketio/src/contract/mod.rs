//! Contracts: what a server receives and emits, gathered by [`contract!`](crate::contract!) from the definitions of handlers and
//! payload types.
//!
//! [`infer`] finds out what the functions themselves say, [`description`] holds it; [`agreement`] compares it with a hub's handlers,
//! [`watch`] with what a hub emits.

pub(crate) mod agreement;
pub(crate) mod description;
#[doc(hidden)]
pub(crate) mod infer;
#[cfg(test)]
mod tests;
pub(crate) mod watch;

pub use description::{DescribedArguments, Description};
pub use watch::ContractViolation;

/// What a server and its clients agree on: made by [`contract!`](crate::contract!).
pub trait Contract {
    /// Everything that the contract says.
    fn describe() -> Description;
}

/// A type that a contract can describe: an argument, a reply or the payload of an event.
///
/// That is every type, as long as no export asks for more.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be described in a contract",
    label = "the contract has this type in it",
    note = "help: derive for it what the exports are made from: `ts_rs::TS` for the feature `typescript`"
)]
pub trait Describe {}

#[diagnostic::do_not_recommend]
impl<T: ?Sized> Describe for T {}

/// An error type that says which codes it converts into, so that clients know them.
///
/// A handler's error is any type that converts into [`EventError`](crate::EventError). With this, a contract knows what a client
/// can expect of it; without, any code.
///
/// ```
/// use socketio::{ErrorCodes, EventError};
///
/// enum ChatError {
///     NoSuchUser,
///     Muted,
/// }
///
/// impl ErrorCodes for ChatError {
///     const CODES: &'static [&'static str] = &["no_such_user", "muted"];
/// }
///
/// impl From<ChatError> for EventError {
///     fn from(error: ChatError) -> Self {
///         match error {
///             ChatError::NoSuchUser => EventError::new("no_such_user", "nobody has that name"),
///             ChatError::Muted => EventError::new("muted", "you are muted"),
///         }
///     }
/// }
/// ```
///
/// The framework's own codes, such as `invalid_payload`, are always known, and not repeated here.
pub trait ErrorCodes {
    /// The codes.
    const CODES: &'static [&'static str];
}

/// A text is an error without a code of its own.
impl ErrorCodes for String {
    const CODES: &'static [&'static str] = &["handler_error"];
}

/// A text is an error without a code of its own.
impl ErrorCodes for &'static str {
    const CODES: &'static [&'static str] = &["handler_error"];
}

impl ErrorCodes for std::convert::Infallible {
    const CODES: &'static [&'static str] = &[];
}

impl ErrorCodes for crate::EmitError {
    const CODES: &'static [&'static str] = &["handler_error"];
}

impl ErrorCodes for crate::AckError {
    const CODES: &'static [&'static str] = &["handler_error", "timeout"];
}
