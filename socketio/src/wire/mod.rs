//! What travels: pure functions over bytes, without I/O and without tokio.
//!
//! [`payload`] is the neutral form of arguments that everything above speaks, [`packet`] one message on its way out,
//! [`envelope`] the JSON envelopes of plain WebSocket clients, found in the text by [`scan`], [`frame`] finished WebSocket frames, [`binary`] the
//! [`Binary`](crate::Binary) payload type and [`scratch`] the buffers that all of them are written into.

pub(crate) mod binary;
pub(crate) mod envelope;
pub(crate) mod frame;
pub(crate) mod packet;
pub(crate) mod payload;
pub(crate) mod scan;
pub(crate) mod scratch;
