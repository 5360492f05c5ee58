//! Contracts: what a server receives and emits, gathered by [`contract!`](crate::contract!) from
//! the definitions of handlers and payload types.
//!
//! [`infer`] finds out what the functions themselves say, and [`description`] holds it. The exports
//! are made from it, and what a hub is held to.

#[cfg(feature = "asyncapi")]
pub(crate) mod asyncapi;
#[doc(hidden)]
pub(crate) mod describe;
pub(crate) mod description;
#[doc(hidden)]
pub(crate) mod infer;
#[cfg(test)]
mod tests;
#[cfg(feature = "typescript")]
pub(crate) mod typescript;
#[cfg(feature = "garde")]
#[doc(hidden)]
pub(crate) mod valid;

#[cfg(feature = "typescript")]
use std::{io, path::Path};

#[cfg(feature = "asyncapi")]
pub use asyncapi::{AsyncApiInfo, DocsRoutes};
pub use description::{ArgumentDescription, DescribedArguments, Description};

use crate::hub::hub_builder::HubBuilder;

/// What a server and its clients agree on: made by [`contract!`](crate::contract!).
pub trait Contract {
    /// Everything that the contract says.
    fn describe() -> Description;
}

impl HubBuilder {
    /// Requires the hub to match a contract. [`build`](Self::build) then fails if the handlers
    /// differ from those in the contract. Debug builds also check what the hub emits against the
    /// contract; see [`Hub::contract_violations`](crate::Hub::contract_violations). Several
    /// contracts add up. Their namespaces exist even without handlers.
    ///
    /// Handlers of namespaces that a [function accepts](Self::dynamic_namespace) are not checked,
    /// because these namespaces have no path in a contract. Listeners are not checked either,
    /// because they are registered after the hub is built.
    pub fn contract<C: Contract>(mut self) -> Self {
        self.agreed.get_or_insert_default().extend(C::describe().agreed());
        self
    }
}

/// A contract that is exported as TypeScript: one with `#[export(typescript)]` above its name. The guide has
/// [a page on it](crate::guide::contract).
#[cfg(feature = "typescript")]
#[diagnostic::on_unimplemented(
    message = "the contract `{Self}` is not exported as TypeScript",
    label = "not exported as TypeScript",
    note = "help: write `#[export(typescript)]` above its name in `contract!`"
)]
pub trait TypeScriptContract: Contract {
    /// The contract as TypeScript: the payload types, the interfaces `ServerToClientEvents` and `ClientToServerEvents` that
    /// `socket.io-client` takes, and a client for plain WebSockets.
    ///
    /// # Panics
    ///
    /// Two different types have the same name in TypeScript, or a type has that of something else in the file. `ts-rs` panics at
    /// what it can't write, such as an `Option` with `#[serde(flatten)]`.
    fn typescript() -> String {
        typescript::typescript(&Self::describe())
    }

    /// Writes the [TypeScript](Self::typescript) into a file, and makes the directories that it is in. A relative path is one from
    /// where the program was started; in tests that is the package's directory.
    ///
    /// # Errors
    ///
    /// The file can't be written.
    ///
    /// # Panics
    ///
    /// As [`typescript`](Self::typescript).
    fn export(path: impl AsRef<Path>) -> io::Result<()> {
        typescript::export(path.as_ref(), &Self::typescript())
    }

    /// Sees in a test that a file is what [`export`](Self::export) would write. With the variable `SOCKETIO_EXPORT=1` it writes it.
    ///
    /// # Panics
    ///
    /// It is not; the message shows the difference.
    #[track_caller]
    fn assert_exported(path: impl AsRef<Path>) {
        typescript::assert_exported(path.as_ref(), &Self::typescript());
    }
}

/// A contract that is exported as AsyncAPI: one with `#[export(asyncapi)]` above its name. The guide has
/// [a page on it](crate::guide::asyncapi).
#[cfg(feature = "asyncapi")]
#[diagnostic::on_unimplemented(
    message = "the contract `{Self}` is not exported as AsyncAPI",
    label = "not exported as AsyncAPI",
    note = "help: write `#[export(asyncapi)]` above its name in `contract!`"
)]
pub trait AsyncApiContract: Contract {
    /// The contract as an AsyncAPI document, of version 3.0: a channel for each namespace, an operation for each event, its message
    /// with a JSON Schema, and the reply to it.
    ///
    /// `info` is what the contract does not know: how the document is called, which version it is, where the servers are.
    fn asyncapi(info: AsyncApiInfo) -> serde_json::Value {
        asyncapi::document(&Self::describe(), info)
    }
}

/// An error type that says which codes it converts into, so that clients know them.
///
/// A handler's error is any type that converts into [`EventError`](crate::EventError). With this, a contract knows what a client
/// can expect of it; without, any code.
///
/// [`#[derive(ErrorCodes)]`](macro@crate::ErrorCodes) makes both of the names of an error's variants:
///
/// ```
/// use socketio::ErrorCodes;
///
/// #[derive(Debug, thiserror::Error, ErrorCodes)]
/// enum ChatError {
///     #[error("nobody is called {0}")]
///     NoSuchUser(String),
///     #[error("you are muted")]
///     Muted,
/// }
///
/// assert_eq!(ChatError::CODES, ["no_such_user", "muted"]);
/// ```
///
/// By hand, an error can tell clients more:
///
/// ```
/// use socketio::{ErrorCodes, EventError};
///
/// enum ChatError {
///     NoSuchUser,
///     Muted { minutes: u32 },
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
///             ChatError::Muted { minutes } => EventError::new("muted", "you are muted").with_data(minutes),
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
