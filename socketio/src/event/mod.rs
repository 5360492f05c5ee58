//! Events: from the names on handlers and payload types to the call of a function and the answer that comes back.
//!
//! [`table`] finds a [`handler`], [`incoming`] is what it is called with, [`argument`] turns that into its parameters, such as a
//! [`state`] or an [`extension`]; [`reply`] turns its return value into an [`ack`]. [`depth`] decodes text that is no event.
//! [`listener`] is the string-keyed way, [`dispatch`] runs them all, [`rate`] counts them. [`named`] is what the macros ask of
//! types.

pub(crate) mod ack;
pub(crate) mod argument;
pub(crate) mod build;
pub(crate) mod context;
pub(crate) mod decode;
pub(crate) mod depth;
pub(crate) mod dispatch;
pub(crate) mod error;
pub(crate) mod extension;
pub(crate) mod handler;
pub(crate) mod incoming;
pub(crate) mod listener;
pub mod marker;
pub(crate) mod message;
pub(crate) mod middleware;
#[doc(hidden)]
pub(crate) mod named;
pub(crate) mod rate;
pub(crate) mod reply;
pub(crate) mod state;
pub(crate) mod table;
#[cfg(feature = "garde")]
pub(crate) mod valid;
