//! What a contract holds a hub to: the events that the hub has handlers for, and those that it
//! emits.
//!
//! [`check`] compares it with the hub's handlers when the hub is built, [`watch`] with what the hub
//! emits later.

pub(crate) mod check;
pub(crate) mod watch;

use crate::event::handler::Source;

/// One namespace of a contract.
#[derive(Clone, Debug)]
pub(crate) struct AgreedNamespace {
    /// With its slash. It may have parameters in braces.
    pub(crate) path: &'static str,
    pub(crate) receives: Vec<AgreedHandler>,
    pub(crate) emits: Vec<AgreedEmit>,
}

/// An event that clients send.
#[derive(Clone, Debug)]
pub(crate) struct AgreedHandler {
    pub(crate) event: &'static str,
    pub(crate) source: Source,
    /// The codes of the handler's own errors. `None`: any.
    pub(crate) codes: Option<Vec<&'static str>>,
}

/// An event that the server emits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AgreedEmit {
    pub(crate) event: &'static str,
    /// The name of the payload's Rust type, with its path.
    pub(crate) payload: fn() -> &'static str,
    /// The client answers it.
    pub(crate) is_answered: bool,
}
