//! Engine.IO on a connection: packets as they are read, whichever way they travel.

use bytes::Bytes;
use http::Extensions;
use std::sync::Arc;
use std::task::Context;
use std::time::Duration;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::end::End;
use super::upgrading::Probe;
use super::{ClientTransport, Connection, Linger, Phase, after};
use crate::event::handler::Lifecycle;
use crate::event::incoming::EventKind;
use crate::hub::socket::handshake::Request;
use crate::session::disconnect::{Disconnect, DisconnectReason};
use crate::wire::engineio::{self, EnginePacket};
use crate::wire::parser::ParserMessage;
use crate::wire::socketio::Partial;

/// How long a session that its client has closed waits for a poll which the client had sent before, on another connection.
const STRAGGLERS: Duration = Duration::from_millis(50);

/// What an Engine.IO session is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flavour {
    /// Its messages are raw messages of one socket.
    Bare,
    /// Its messages are Socket.IO packets.
    SocketIo,
}

/// What a connection has to remember of Engine.IO, and of Socket.IO inside.
pub(crate) struct Engine {
    pub(super) flavour: Flavour,
    /// What axum layers had set on the request that the session began with.
    pub(super) extensions: Extensions,
    /// Until when the client is to be connected to a namespace.
    pub(super) join_by: Option<Instant>,
    /// The request of the WebSocket that the client has gone over to.
    pub(super) request: Option<Arc<Request>>,
    /// A WebSocket that the client tries.
    pub(super) probe: Option<Box<Probe>>,
    /// A packet in the default encoding whose attachments have not all come.
    pub(super) partial: Option<Partial<Utf8Bytes>>,
    /// A packet in another encoding, as far as it has come.
    pub(super) messages: Vec<ParserMessage>,
}

impl Engine {
    pub(crate) fn new(flavour: Flavour, extensions: Extensions, join_by: Option<Instant>) -> Self {
        Self { flavour, extensions, join_by, request: None, probe: None, partial: None, messages: Vec::new() }
    }

    pub(super) fn bytes(&self) -> usize {
        let messages = self.messages.iter().map(|message| match message {
            ParserMessage::Text(text) => text.len(),
            ParserMessage::Binary(bytes) => bytes.len(),
        });
        self.partial.as_ref().map_or(0, Partial::size) + messages.sum::<usize>()
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        [self.join_by, self.probe.as_ref().and_then(|probe| probe.by)].into_iter().flatten().min()
    }
}

impl Connection {
    /// Does what is due on the way to a namespace or to a WebSocket.
    pub(super) fn engine_deadline(&mut self, now: Instant, context: &mut Context<'_>) {
        let super::Protocol::Engine(engine) = &mut self.protocol else { return };
        if engine.probe.as_ref().and_then(|probe| probe.by).is_some_and(|by| by <= now) {
            tracing::debug!("the client did not complete its upgrade");
            self.give_up_probe(context);
        }
        let super::Protocol::Engine(engine) = &mut self.protocol else { return };
        if engine.join_by.is_some_and(|by| by <= now) {
            engine.join_by = None;
            tracing::debug!("the client did not connect to a namespace");
            self.end(End::misused());
        }
    }

    /// Deals with the packet in a text frame, or in a part of a body.
    pub(super) fn receive_packet(&mut self, text: &Utf8Bytes, context: &mut Context<'_>) {
        match engineio::read(text) {
            Ok(EnginePacket::Text(text)) => match self.flavour() {
                Flavour::Bare => self.receive_text(text, false, context),
                Flavour::SocketIo => self.receive_socketio_text(text, context),
            },
            Ok(EnginePacket::Binary(bytes)) => self.receive_engine_binary(bytes, context),
            Ok(EnginePacket::Pong) => self.receive_control(Lifecycle::Pong, &EventKind::Pong(Bytes::new()), context),
            Ok(EnginePacket::Close) => self.closed_by_packet(context),
            Ok(EnginePacket::Upgrade | EnginePacket::Ignored) => {}
            Ok(EnginePacket::Ping | EnginePacket::Probe) => {
                let cause = Disconnect::new(DisconnectReason::TransportError);
                self.broken(cause.with_code(1002).with_message("invalid heartbeat direction"), context);
            }
            Err(engineio::Invalid) => self.parse_error(context),
        }
    }

    /// Deals with a binary message.
    pub(super) fn receive_engine_binary(&mut self, bytes: Bytes, context: &mut Context<'_>) {
        match self.flavour() {
            Flavour::Bare => self.receive_binary(bytes, context),
            Flavour::SocketIo => self.receive_socketio_binary(bytes, context),
        }
    }

    fn flavour(&self) -> Flavour {
        match &self.protocol {
            super::Protocol::Engine(engine) => engine.flavour,
            super::Protocol::Plain { .. } => Flavour::Bare,
        }
    }

    /// The client broke the protocol.
    pub(super) fn parse_error(&mut self, context: &mut Context<'_>) {
        self.broken(Disconnect::new(DisconnectReason::ParseError).with_code(1002), context);
    }

    /// The client ends the session with a packet.
    fn closed_by_packet(&mut self, context: &mut Context<'_>) {
        let by = self.close_by(None);
        self.conclude(&Disconnect::new(DisconnectReason::TransportClose).with_code(1005), false);
        match &mut self.transport {
            ClientTransport::Polling(polling) => {
                polling.closed_by_client();
                self.peer.handle.discard();
                match polling.is_polled() {
                    true => self.close(context),
                    false => {
                        let by = by.min(after(Instant::now(), STRAGGLERS));
                        self.phase = Phase::Closing { by, code: 1005, reason: String::new() };
                    }
                }
            }
            ClientTransport::WebSocket(websocket) => {
                websocket.close(1000, "");
                self.peer.handle.discard();
                self.phase = Phase::Lingering { by, how: Linger::Expecting };
            }
        }
    }
}
