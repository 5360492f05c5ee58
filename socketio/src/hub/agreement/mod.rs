//! [`AgreedNamespace`]: the events of a contract that a hub must handle or may emit.
//!
//! [`check`] compares them with the hub's handlers when the hub is built. [`watch`] compares them
//! with everything that the hub emits later.

pub(crate) mod check;
pub(crate) mod watch;

use crate::event::handler::Source;

/// One namespace of a contract.
#[derive(Clone, Debug)]
pub(crate) struct AgreedNamespace {
    /// The path, including its slash. It may have parameters in braces.
    pub(crate) path: &'static str,
    pub(crate) receives: Vec<AgreedHandler>,
    pub(crate) emits: Vec<AgreedEmit>,
}

/// An event that clients send.
#[derive(Clone, Debug)]
pub(crate) struct AgreedHandler {
    pub(crate) event: &'static str,
    pub(crate) source: Source,
    /// The codes of the handler's errors. `None` allows all codes.
    pub(crate) codes: Option<Vec<&'static str>>,
}

/// An event that the server emits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AgreedEmit {
    pub(crate) event: &'static str,
    /// Returns the name of the payload's Rust type, with its path.
    pub(crate) payload: fn() -> &'static str,
    /// Whether the client answers the event.
    pub(crate) is_answered: bool,
}
