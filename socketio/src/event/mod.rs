//! Events, from the handler table to the answer. Middleware, handlers and listeners of the
//! application are called here.
//!
//! The hub creates an [`incoming`] event and passes it to [`dispatch`]. [`rate_limit`] has counted
//! it by then. [`table`] finds its [`handler`], and [`argument`] extracts the parameters, such as a
//! [`state`] or an [`extension`]. [`reply`] turns the return value into an answer; an [`ack`]
//! answers later. [`listener`] contains the closures that are registered at run time. [`slow_poll`]
//! warns about those that block their thread. [`trace`] is the span of an event. [`unscanned`]
//! decodes JSON text outside events. [`named`] gives the macros facts about types.

pub(crate) mod ack;
pub(crate) mod argument;
pub(crate) mod build;
pub(crate) mod context;
pub(crate) mod decode;
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
pub(crate) mod rate_limit;
pub(crate) mod raw_message;
pub(crate) mod reply;
pub(crate) mod slow_poll;
pub(crate) mod state;
pub(crate) mod table;
pub(crate) mod time_limit;
pub(crate) mod trace;
pub(crate) mod unscanned;
#[cfg(feature = "garde")]
pub(crate) mod valid;
