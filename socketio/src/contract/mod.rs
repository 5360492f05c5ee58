//! Contracts: typed descriptions of a server's events. [`contract!`](crate::contract!) makes them
//! from the definitions of handlers and payload types.
//!
//! [`infer`] reads the signatures of the functions, and [`description`] holds the result. The
//! exports are made from it. The hub compares its part of it with handlers and emitted messages.

#[cfg(feature = "asyncapi")]
pub(crate) mod asyncapi;
#[doc(hidden)]
pub(crate) mod describe;
pub(crate) mod description;
#[doc(hidden)]
pub(crate) mod infer;
#[cfg(feature = "http-emit")]
pub(crate) mod openapi;
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

/// The events that a server and its clients exchange. [`contract!`](crate::contract!) implements
/// it.
pub trait Contract {
    /// Describes all namespaces and events of the contract.
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

/// A contract with `#[export(typescript)]` above its name, which can be exported as TypeScript. The
/// guide has [a page on it](crate::guide::contract).
#[cfg(feature = "typescript")]
#[diagnostic::on_unimplemented(
    message = "the contract `{Self}` is not exported as TypeScript",
    label = "not exported as TypeScript",
    note = "help: write `#[export(typescript)]` above its name in `contract!`"
)]
pub trait TypeScriptContract: Contract {
    /// Returns the contract as TypeScript: the payload types, the interfaces `ServerToClientEvents`
    /// and `ClientToServerEvents` for `socket.io-client`, `request` for it, and a client for plain
    /// WebSockets.
    ///
    /// # Panics
    ///
    /// Panics if two different types have the same TypeScript name, or if a type has the name of
    /// another item in the file. `ts-rs` panics on types that it cannot write, such as an `Option`
    /// with `#[serde(flatten)]`.
    fn typescript() -> String {
        typescript::typescript(&Self::describe())
    }

    /// Writes the [TypeScript](Self::typescript) into a file and creates missing directories. A
    /// relative path starts at the current directory of the process; in tests that is the package's
    /// directory.
    ///
    /// # Errors
    ///
    /// Returns an error if the file cannot be written.
    ///
    /// # Panics
    ///
    /// Panics in the same cases as [`typescript`](Self::typescript).
    fn export(path: impl AsRef<Path>) -> io::Result<()> {
        typescript::export(path.as_ref(), &Self::typescript())
    }

    /// Asserts in a test that the file has the content that [`export`](Self::export) would write.
    /// With the environment variable `SOCKETIO_EXPORT=1`, it writes the file instead.
    ///
    /// # Panics
    ///
    /// Panics with the difference if the file has other content.
    #[track_caller]
    fn assert_exported(path: impl AsRef<Path>) {
        typescript::assert_exported(path.as_ref(), &Self::typescript());
    }

    /// Returns an emitter for back-ends as TypeScript, which emits the contract's events over HTTP
    /// by `Hub::emit_routes` (feature `http-emit`). It imports the types of payloads from the file
    /// that [`export`](Self::export) writes. `module` is its name as an import, such as
    /// `./chat.js`.
    ///
    /// Events that clients must answer, and those with binary data, can't be emitted so, and are
    /// left out.
    fn typescript_emitter(module: &str) -> String {
        typescript::emitter(&Self::describe(), module)
    }

    /// Asserts in a test that the file has the [emitter](Self::typescript_emitter). With the
    /// environment variable `SOCKETIO_EXPORT=1`, it writes the file instead.
    ///
    /// # Panics
    ///
    /// Panics with the difference if the file has other content.
    #[track_caller]
    fn assert_emitter_exported(path: impl AsRef<Path>, module: &str) {
        typescript::assert_exported(path.as_ref(), &Self::typescript_emitter(module));
    }
}

/// A contract with `#[export(asyncapi)]` above its name, which can be exported as AsyncAPI. The
/// guide has [a page on it](crate::guide::asyncapi).
#[cfg(feature = "asyncapi")]
#[diagnostic::on_unimplemented(
    message = "the contract `{Self}` is not exported as AsyncAPI",
    label = "not exported as AsyncAPI",
    note = "help: write `#[export(asyncapi)]` above its name in `contract!`"
)]
pub trait AsyncApiContract: Contract {
    /// Returns the contract as an AsyncAPI 3.0 document. It has a channel for each namespace and an
    /// operation for each event, with the JSON Schema of its message and the reply to it.
    ///
    /// `info` adds what the contract does not contain: the document's title and version, and the
    /// servers' addresses.
    fn asyncapi(info: AsyncApiInfo) -> serde_json::Value {
        asyncapi::document(&Self::describe(), info, &[])
    }
}

/// An error type with a known list of codes, which contracts tell clients.
///
/// A handler's error is any type that converts into [`EventError`](crate::EventError). If the type
/// also implements `ErrorCodes`, a contract lists these codes. Otherwise clients must expect any
/// code.
///
/// [`#[derive(ErrorCodes)]`](macro@crate::ErrorCodes) derives the codes and the conversion from
/// the variants' names:
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
/// A manual implementation can send clients more data:
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
///             ChatError::Muted { minutes } => {
///                 EventError::new("muted", "you are muted").with_data(minutes)
///             }
///         }
///     }
/// }
/// ```
///
/// The framework's codes, such as `invalid_payload`, are always included and need not be listed.
/// The derive refuses them, because clients could not tell such an error from one of the framework.
pub trait ErrorCodes {
    /// All codes that the error converts into.
    const CODES: &'static [&'static str];
}

/// A string is an error without a code of its own.
impl ErrorCodes for String {
    const CODES: &'static [&'static str] = &["handler_error"];
}

/// A string is an error without a code of its own.
impl ErrorCodes for &'static str {
    const CODES: &'static [&'static str] = &["handler_error"];
}

impl ErrorCodes for std::convert::Infallible {
    const CODES: &'static [&'static str] = &[];
}

impl ErrorCodes for crate::EmitError {
    const CODES: &'static [&'static str] = &["handler_error"];
}

impl ErrorCodes for crate::JoinError {
    const CODES: &'static [&'static str] = &["handler_error"];
}

impl ErrorCodes for crate::SetIdError {
    const CODES: &'static [&'static str] = &["handler_error"];
}

impl ErrorCodes for crate::RequestError {
    const CODES: &'static [&'static str] = &[];
}

impl ErrorCodes for crate::DeliveryError {
    const CODES: &'static [&'static str] = &["handler_error", "timeout"];
}

impl ErrorCodes for crate::AckError {
    const CODES: &'static [&'static str] = &["handler_error", "timeout"];
}
