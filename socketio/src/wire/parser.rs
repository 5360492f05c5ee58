//! [`Parser`]: custom encodings of Socket.IO packets.

use bytes::Bytes;
use std::fmt;

/// A custom encoding of Socket.IO packets, like the `parser` option of `socket.io-client`. Server
/// and client must use the same one.
///
/// A parser translates between its own messages and the default encoding. The rest of the server
/// only sees the default encoding. [`MsgpackParser`](crate::MsgpackParser) is one; set it with
/// [`EngineRoutes::parser`](crate::EngineRoutes::parser).
pub trait Parser: fmt::Debug + Send + Sync + 'static {
    /// Translates an outgoing packet into one or more messages. This is called while locks are
    /// held, so it must not access sockets or the hub.
    fn encode(&self, packet: &ParserPacket) -> Vec<ParserMessage>;

    /// Translates incoming messages. `received` holds all messages since the last packet. Return
    /// `None` while a packet of several messages is incomplete.
    ///
    /// # Errors
    ///
    /// The messages are not a packet. The server closes the connection with the reason `parse
    /// error`.
    fn decode(&self, received: &[ParserMessage]) -> Result<Option<ParserPacket>, InvalidPacket>;
}

/// A packet in Socket.IO's default encoding.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ParserPacket {
    /// The packet's text, such as `2["message","hello"]`.
    pub text: String,
    /// The binary data. The text holds a placeholder for each attachment:
    /// `{"_placeholder":true,"num":0}` for the first, and so on. A parser whose encoding has no
    /// placeholders spells the key of such an object that is data `"_placeholde\u0072"`. Outgoing
    /// packets with attachments have no such data.
    pub attachments: Vec<Bytes>,
}

/// The content of one Engine.IO message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ParserMessage {
    /// A text message.
    Text(String),
    /// A binary message.
    Binary(Bytes),
}

/// The received messages are not a packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, thiserror::Error)]
#[error("not a packet")]
pub struct InvalidPacket;
