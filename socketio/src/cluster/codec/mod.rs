//! The codec of the messages in a cluster, in both [dialects](super::Dialect).
//!
//! - [`encode`] writes a message as JSON or MessagePack. [`output`] hides which.
//! - [`decode`] reads one. [`fields`] collects its fields in any order, and [`document`] hides the
//!   format. It copies nothing, and only measures events and answers: [`packet`] and [`value`]
//!   decode them later, if they are needed.
//! - [`sequence`] numbers encoded messages, and [`translate`] translates them. [`sender`] finds out
//!   quickly who sent one.

#[cfg(any(test, fuzzing))]
mod check;
mod decode;
mod document;
mod encode;
mod fields;
mod output;
mod packet;
mod sender;
mod sequence;
#[cfg(test)]
mod tests;
mod translate;
mod types;
mod value;

#[cfg(fuzzing)]
pub(crate) use check::check;
pub(crate) use decode::{Incoming, Received, decode};
pub(crate) use encode::{encode, kind_in_log};
pub(crate) use packet::RawPacket;
pub(crate) use sender::{answered_request, server_of};
pub(crate) use sequence::{add_sequence, sequence};
pub use translate::to_msgpack;
pub(crate) use types::{BROADCAST_IN_LOG, PROBE_IN_LOG};

/// A message is not one that the dialect has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;
