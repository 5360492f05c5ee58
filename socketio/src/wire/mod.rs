//! The wire formats: pure functions from bytes to packets and back, without I/O and without tokio.
//!
//! Outgoing data takes this way:
//!
//! - [`payload`] holds event arguments in a neutral form; [`json`] serializes them.
//! - [`packet`] is one outgoing message. [`encoding`] selects the wire format of a client, and
//!   [`policy`] what happens if that client can't take the message now.
//! - [`envelope`] writes and reads the JSON envelopes of plain WebSocket clients.
//! - [`socketio`] writes and reads Socket.IO packets in the default encoding. A [`parser`] such as
//!   [`msgpack`] replaces that encoding. [`engineio`] wraps the packets.
//! - [`frame`] makes finished WebSocket frames. [`scratch`] provides the buffers that all encoders
//!   write into.
//!
//! Incoming data: [`message_reader`] reads a client's messages from its frames, and [`scan`] finds
//! the JSON values in them.
//!
//! [`trace_context`] reads the trace that a client takes part in. [`shown`] writes what clients
//! send for the log.
//!
//! [`binary_json`] decodes arguments that have binary data. [`binary`] and [`any_value`] are the
//! public payload types [`Binary`](crate::Binary) and [`AnyValue`](crate::AnyValue).

pub(crate) mod any_value;
pub(crate) mod binary;
pub(crate) mod binary_json;
pub(crate) mod delivery_id;
pub(crate) mod encoding;
pub(crate) mod engineio;
pub(crate) mod envelope;
pub(crate) mod frame;
pub(crate) mod json;
pub(crate) mod kept;
pub(crate) mod mark;
pub(crate) mod message_reader;
pub(crate) mod msgpack;
pub(crate) mod offset;
pub(crate) mod packet;
pub(crate) mod parser;
pub(crate) mod payload;
pub(crate) mod policy;
#[cfg(test)]
mod reference;
#[cfg(test)]
pub(crate) mod round_trips;
pub(crate) mod scan;
pub(crate) mod scratch;
pub(crate) mod shown;
pub(crate) mod socketio;
pub(crate) mod trace_context;
