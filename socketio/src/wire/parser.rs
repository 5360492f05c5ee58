//! [`Parser`]: other encodings of Socket.IO packets than the default one.

use bytes::Bytes;
use std::fmt;

/// How Socket.IO packets are written, instead of in the default encoding: what `socket.io-client` has as its option `parser`.
/// Server and client must use the same one.
///
/// A parser translates between its own messages and the default encoding, so that nothing behind it needs to know of it.
/// [`MsgpackParser`](crate::MsgpackParser) is one; give it to the routes with
/// [`EngineRoutes::parser`](crate::EngineRoutes::parser).
pub trait Parser: fmt::Debug + Send + Sync + 'static {
    /// Translates a packet that goes out into one or more messages.
    fn encode(&self, packet: &ParserPacket) -> Vec<ParserMessage>;

    /// Translates what has come in. `received`: all messages since the last packet; a parser whose packets have several
    /// messages gives `None` until the last of them is there.
    ///
    /// # Errors
    ///
    /// It is no packet: the connection is closed, with the reason `parse error`.
    fn decode(&self, received: &[ParserMessage]) -> Result<Option<ParserPacket>, InvalidPacket>;
}

/// A packet in Socket.IO's default encoding.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ParserPacket {
    /// Its text, such as `2["message","hello"]`.
    pub text: String,
    /// Binary data, for which the text has `{"_placeholder":true,"num":0}` and so on.
    pub attachments: Vec<Bytes>,
}

/// What a parser's packet travels as: the contents of an Engine.IO message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ParserMessage {
    /// A text message.
    Text(String),
    /// A binary message.
    Binary(Bytes),
}

/// What came in is no packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, thiserror::Error)]
#[error("not a packet")]
pub struct InvalidPacket;
