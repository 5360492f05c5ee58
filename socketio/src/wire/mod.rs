//! What travels: pure functions over bytes, without I/O and without tokio.
//!
//! [`payload`] is the neutral form of arguments that everything above speaks, written by [`json`], [`packet`] one message on its way out,
//! [`envelope`] the JSON envelopes of plain WebSocket clients, found in the text by [`scan`], [`frame`] finished WebSocket
//! frames, [`message_reader`] the way back from a client's frames to its messages. Socket.IO clients have [`socketio`] packets, written by the default encoding or another [`parser`] such as
//! [`msgpack`], inside [`engineio`] packets. [`encoding`] chooses among all these for one client. [`binary`] is the
//! [`Binary`](crate::Binary) payload type, [`any_value`] the one for any JSON with binary data in it, [`scratch`] the buffers that all of them are written into.

pub(crate) mod any_value;
pub(crate) mod binary;
pub(crate) mod encoding;
pub(crate) mod engineio;
pub(crate) mod envelope;
pub(crate) mod frame;
mod json;
pub(crate) mod message_reader;
pub(crate) mod msgpack;
pub(crate) mod packet;
pub(crate) mod parser;
pub(crate) mod payload;
#[cfg(test)]
mod reference;
pub(crate) mod scan;
pub(crate) mod scratch;
pub(crate) mod socketio;
