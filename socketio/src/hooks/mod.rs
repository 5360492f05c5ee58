//! Calls of hooks. A hook is code of the application that the framework calls: a handler, a
//! listener, a callback of a route, a method of a [`Parser`](crate::Parser) or an
//! [`Adapter`](crate::adapter::Adapter), a `Serialize`, a `Drop`.
//!
//! - [`catch`] ends panics of hooks.
//! - [`guarded`] stores values of the application, whose `Drop` may panic.
//! - [`nesting`] bounds hooks that call themselves through the framework.

pub(crate) mod catch;
pub(crate) mod guarded;
pub(crate) mod nesting;
