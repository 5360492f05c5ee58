//! Contracts: what a server receives and emits, gathered by [`contract!`](crate::contract!) from the definitions of handlers and
//! payload types.
//!
//! [`infer`] finds out what the functions themselves say, [`description`] holds it; [`agreement`] compares it with a hub's handlers,
//! [`watch`] with what a hub emits.

pub(crate) mod agreement;
#[cfg(feature = "asyncapi")]
pub(crate) mod asyncapi;
mod describe;
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
pub(crate) mod watch;

#[cfg(feature = "typescript")]
use std::{io, path::Path};

#[cfg(feature = "asyncapi")]
pub use asyncapi::{AsyncApiInfo, DocsRoutes};
pub use describe::Describe;
pub use description::{DescribedArguments, Description, Emitted};
pub use infer::{
    DescribeReplies, DescribedFunction, Emits, FallibleReply, Parameter, Parameters, Receiver, Returned, ValueReply,
};
pub use watch::ContractViolation;

/// What a server and its clients agree on: made by [`contract!`](crate::contract!).
pub trait Contract {
    /// Everything that the contract says.
    fn describe() -> Description;

    /// The contract as TypeScript: the payload types, the interfaces `ServerToClientEvents` and `ClientToServerEvents` that
    /// `socket.io-client` takes, and a client for plain WebSockets. The guide has [a page on it](crate::guide::contract).
    ///
    /// # Panics
    ///
    /// Two different types have the same name in TypeScript, or a type has that of something else in the file. `ts-rs` panics at
    /// what it can't write, such as an `Option` with `#[serde(flatten)]`.
    #[cfg(feature = "typescript")]
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
    #[cfg(feature = "typescript")]
    fn export(path: impl AsRef<Path>) -> io::Result<()> {
        typescript::export(path.as_ref(), &Self::typescript())
    }

    /// Sees in a test that a file is what [`export`](Self::export) would write. With the variable `SOCKETIO_EXPORT=1` it writes it.
    ///
    /// # Panics
    ///
    /// It is not; the message shows the difference.
    #[cfg(feature = "typescript")]
    #[track_caller]
    fn assert_exported(path: impl AsRef<Path>) {
        typescript::assert_exported(path.as_ref(), &Self::typescript());
    }

    /// The contract as an AsyncAPI document, of version 3.0: a channel for each namespace, an operation for each event, its message
    /// with a JSON Schema, and the reply to it. The guide has [a page on it](crate::guide::asyncapi).
    ///
    /// `info` is what the contract does not know: how the document is called, which version it is, where the servers are.
    #[cfg(feature = "asyncapi")]
    fn asyncapi(info: AsyncApiInfo) -> serde_json::Value {
        asyncapi::document(&Self::describe(), info)
    }
}

/// Gives a contract's type the exports as functions of its own, so that nobody needs to import [`Contract`] for them.
#[doc(hidden)]
#[macro_export]
#[cfg(feature = "typescript")]
macro_rules! __contract_in_typescript {
    ($visibility:vis $contract:ident) => {
        #[allow(dead_code)]
        impl $contract {
            /// The contract as TypeScript.
            $visibility fn typescript() -> ::std::string::String {
                <Self as $crate::Contract>::typescript()
            }

            /// Writes the contract's TypeScript into a file.
            $visibility fn export(path: impl ::core::convert::AsRef<::std::path::Path>) -> ::std::io::Result<()> {
                <Self as $crate::Contract>::export(path)
            }

            /// Sees in a test that a file is the contract's TypeScript.
            #[track_caller]
            $visibility fn assert_exported(path: impl ::core::convert::AsRef<::std::path::Path>) {
                <Self as $crate::Contract>::assert_exported(path);
            }
        }
    };
}

#[doc(hidden)]
#[macro_export]
#[cfg(not(feature = "typescript"))]
macro_rules! __contract_in_typescript {
    ($visibility:vis $contract:ident) => {};
}

#[doc(hidden)]
#[macro_export]
#[cfg(feature = "asyncapi")]
macro_rules! __contract_in_asyncapi {
    ($visibility:vis $contract:ident) => {
        #[allow(dead_code)]
        impl $contract {
            /// The contract as an AsyncAPI document.
            $visibility fn asyncapi(info: $crate::AsyncApiInfo) -> $crate::__private::Json {
                <Self as $crate::Contract>::asyncapi(info)
            }
        }
    };
}

#[doc(hidden)]
#[macro_export]
#[cfg(not(feature = "asyncapi"))]
macro_rules! __contract_in_asyncapi {
    ($visibility:vis $contract:ident) => {};
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
