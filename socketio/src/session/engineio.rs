//! Processes Engine.IO packets, both from a WebSocket and from long-polling.

use bytes::Bytes;
use std::time::Duration;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::disconnect::{Disconnect, DisconnectReason};
use super::effects::{Effects, InNamespace};
use super::received::Control;
use super::socketio::SocketIo;
use super::{Protocol, Session};
use crate::wire::encoding::Encoding;
use crate::wire::engineio::{self, EnginePacket};

/// How long a session that the client closed waits for a poll in flight on another connection.
pub(super) const LATE_POLL_TIMEOUT: Duration = Duration::from_millis(50);

/// The kind of messages in an Engine.IO session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flavour {
    /// Raw messages of one socket.
    Bare,
    /// Socket.IO packets.
    SocketIo,
}

/// The state of the protocol inside Engine.IO messages.
pub(crate) enum EngineIo {
    RawMessages,
    SocketIo(SocketIo),
}

impl Protocol {
    /// Creates the protocol of an Engine.IO client that uses this encoding.
    pub(crate) fn engine_io(flavour: Flavour, encoding: &Encoding) -> Self {
        Self::EngineIo(Box::new(match flavour {
            Flavour::Bare => EngineIo::RawMessages,
            Flavour::SocketIo => EngineIo::SocketIo(SocketIo::new(encoding.clone())),
        }))
    }

    fn socketio(&self) -> Option<&SocketIo> {
        match self {
            Self::EngineIo(engine) => match &**engine {
                EngineIo::SocketIo(socketio) => Some(socketio),
                EngineIo::RawMessages => None,
            },
            Self::Plain { .. } => None,
        }
    }

    pub(super) fn socketio_mut(&mut self) -> Option<&mut SocketIo> {
        match self {
            Self::EngineIo(engine) => match &mut **engine {
                EngineIo::SocketIo(socketio) => Some(socketio),
                EngineIo::RawMessages => None,
            },
            Self::Plain { .. } => None,
        }
    }

    /// Whether a packet waits for its attachments.
    pub(super) fn has_partial_packet(&self) -> bool {
        self.socketio().is_some_and(SocketIo::has_partial_packet)
    }

    pub(super) fn has_namespaces(&self) -> bool {
        self.socketio().is_some()
    }

    /// Returns the encoding of Socket.IO packets. `None`: the protocol has no namespaces.
    pub(super) fn encoding(&self) -> Option<&Encoding> {
        self.socketio().map(SocketIo::encoding)
    }
}

impl<S: InNamespace> Session<S> {
    /// Processes the packet in a text frame or in a part of a POST body.
    pub(super) fn receive_packet(&mut self, text: &Utf8Bytes, effects: &mut impl Effects<Socket = S>) {
        match engineio::read(text) {
            Ok(EnginePacket::Text(text)) => self.receive_engine_text(text, effects),
            Ok(EnginePacket::Binary(bytes)) => self.receive_engine_binary(bytes, effects),
            Ok(EnginePacket::Pong) => self.receive_control(&Control::Pong(Bytes::new()), effects),
            Ok(EnginePacket::Close) => self.receive_close_packet(effects),
            Ok(EnginePacket::Upgrade | EnginePacket::Ignored) => {}
            Ok(EnginePacket::Ping | EnginePacket::Probe) => {
                let cause = Disconnect::new(DisconnectReason::TransportError);
                self.on_error(cause.with_code(1002).with_message("invalid heartbeat direction"), effects);
            }
            Err(engineio::Invalid) => self.parse_error(effects),
        }
    }

    fn receive_engine_text(&mut self, text: Utf8Bytes, effects: &mut impl Effects<Socket = S>) {
        self.count_received();
        if self.protocol.has_namespaces() {
            self.receive_socketio_text(text, effects);
        } else {
            self.receive_text(text, false, effects);
        }
    }

    /// Processes a binary message.
    pub(super) fn receive_engine_binary(&mut self, bytes: Bytes, effects: &mut impl Effects<Socket = S>) {
        self.count_received();
        if self.protocol.has_namespaces() {
            self.receive_socketio_binary(bytes, effects);
        } else {
            self.receive_binary(bytes, effects);
        }
    }

    /// Ends the connection with a parse error.
    pub(super) fn parse_error(&mut self, effects: &mut impl Effects<Socket = S>) {
        self.on_error(Disconnect::new(DisconnectReason::ParseError).with_code(1002), effects);
    }
}
