//! Processes Socket.IO packets, and passes them to the sockets of their namespaces.

use bytes::Bytes;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::Session;
use super::disconnect::{Disconnect, DisconnectReason};
use super::effects::{Effects, Fault, InNamespace};
use super::end::End;
use super::limits::{Limits, too_deep};
use super::received::{Parts, ReceivedAnswer, ReceivedEvent};
use super::socket::Ended;
use crate::wire::binary::Attachments;
use crate::wire::encoding::Encoding;
use crate::wire::envelope::ArgumentText;
use crate::wire::parser::ParserMessage;
use crate::wire::socketio::{self, ConnectError, Kind, Partial, SocketIoPacket};

/// The maximum length of a namespace path, in bytes.
const MAX_NAMESPACE: usize = 1024;

/// The Socket.IO state of a session.
pub(crate) struct SocketIo {
    encoding: Encoding,
    pending: Pending,
}

/// The received part of an incomplete packet.
enum Pending {
    Nothing,
    /// A packet in the default encoding, with the attachments received so far.
    Attachments(Partial<Utf8Bytes>),
    /// The messages of a packet in a custom encoding.
    Messages(Vec<ParserMessage>),
}

impl SocketIo {
    pub(super) fn new(encoding: Encoding) -> Self {
        Self { encoding, pending: Pending::Nothing }
    }

    pub(super) fn encoding(&self) -> &Encoding {
        &self.encoding
    }

    /// Whether a packet waits for its attachments.
    pub(super) fn has_partial_packet(&self) -> bool {
        !matches!(self.pending, Pending::Nothing)
    }

    fn has_parser(&self) -> bool {
        matches!(self.encoding, Encoding::Parsed(_))
    }
}

impl<S: InNamespace> Session<S> {
    /// Processes a text message.
    pub(super) fn receive_socketio_text(&mut self, text: Utf8Bytes, effects: &mut impl Effects<Socket = S>) {
        let Some(socketio) = self.protocol.socketio_mut() else { return };
        if socketio.has_parser() {
            return self.receive_parsed(ParserMessage::Text(text.to_string()), effects);
        }
        match socketio::read(&text, self.limits.max_attachments) {
            // No other packet may come between a packet and its attachments.
            Ok(_) if socketio.has_partial_packet() => self.parse_error(effects),
            Ok(SocketIoPacket { attachments: expected @ 1.., .. }) => {
                socketio.pending = Pending::Attachments(Partial::new(text, expected));
            }
            Ok(packet) => self.receive_socketio(&text, &packet, None, effects),
            Err(socketio::Invalid) => self.parse_error(effects),
        }
    }

    /// Processes a binary message: an attachment, or a part of a packet in a custom encoding.
    pub(super) fn receive_socketio_binary(&mut self, bytes: Bytes, effects: &mut impl Effects<Socket = S>) {
        let Some(socketio) = self.protocol.socketio_mut() else { return };
        if socketio.has_parser() {
            return self.receive_parsed(ParserMessage::Binary(bytes), effects);
        }
        let Pending::Attachments(partial) = &mut socketio.pending else { return self.parse_error(effects) };
        if partial.size().saturating_add(bytes.len()) > self.limits.max_payload {
            return self.too_large(effects);
        }
        if partial.take(bytes)
            && let Pending::Attachments(partial) = std::mem::replace(&mut socketio.pending, Pending::Nothing)
        {
            let (text, attachments) = partial.into_parts();
            self.receive_complete(text, attachments, effects);
        }
    }

    fn receive_parsed(&mut self, message: ParserMessage, effects: &mut impl Effects<Socket = S>) {
        let Some(SocketIo { encoding: Encoding::Parsed(parser), pending }) = self.protocol.socketio_mut() else {
            return;
        };
        let mut messages = match std::mem::replace(pending, Pending::Nothing) {
            Pending::Messages(messages) => messages,
            Pending::Nothing | Pending::Attachments(_) => Vec::new(),
        };
        messages.push(message);
        match parser.decode(&messages) {
            Ok(Some(packet)) => self.receive_complete(packet.text.into(), packet.attachments, effects),
            // A packet consists of one message for itself and one for each attachment.
            Ok(None) if messages.len() > self.limits.max_attachments => self.parse_error(effects),
            Ok(None) if messages.iter().map(length).fold(0, usize::saturating_add) > self.limits.max_payload => {
                self.too_large(effects);
            }
            Ok(None) => *pending = Pending::Messages(messages),
            Err(_) => self.parse_error(effects),
        }
    }

    /// Processes a packet whose attachments have all arrived.
    fn receive_complete(&mut self, text: Utf8Bytes, attachments: Vec<Bytes>, effects: &mut impl Effects<Socket = S>) {
        let Limits { max_attachments, max_depth, max_payload, .. } = *self.limits;
        let whole = match socketio::read(&text, max_attachments) {
            _ if attachments.len() > max_attachments => Err(socketio::Invalid),
            // The event is refused for its depth. Placeholders are not searched, because the
            // search recurses.
            Ok(packet) if attachments.is_empty() || packet.depth > max_depth => Ok(text),
            Ok(packet) => packet.with_placeholders(&text, &attachments, max_payload).map(Into::into),
            Err(invalid) => Err(invalid),
        };
        let Ok(text) = whole else { return self.parse_error(effects) };
        let attachments = Some(attachments).filter(|attachments| !attachments.is_empty());
        match socketio::read(&text, max_attachments) {
            Ok(packet) => self.receive_socketio(&text, &packet, attachments.map(Into::into), effects),
            Err(socketio::Invalid) => self.parse_error(effects),
        }
    }

    fn too_large(&mut self, effects: &mut impl Effects<Socket = S>) {
        self.on_error(Disconnect::new(DisconnectReason::TooLarge).with_code(1009), effects);
    }

    /// Processes a complete packet.
    fn receive_socketio(
        &mut self,
        text: &Utf8Bytes,
        packet: &SocketIoPacket<'_>,
        attachments: Option<Attachments>,
        effects: &mut impl Effects<Socket = S>,
    ) {
        let namespace = packet.namespace;
        let present =
            self.sockets.iter().position(|entry| entry.state.is_present() && entry.socket.namespace() == namespace);
        match (packet.kind, present) {
            (Kind::Connect, None) => self.connect(packet, effects),
            (Kind::Event, Some(at)) => {
                let entry = &mut self.sockets[at];
                let parts = Parts::of(text, &packet.name, ArgumentText::Many(packet.args), packet.id);
                let violation = self.limits.violation(&packet.name, packet.depth);
                effects.event(&mut entry.socket, ReceivedEvent::packet(text.clone(), parts, attachments), violation);
            }
            (Kind::Ack, Some(at)) => {
                let Some(id) = packet.id.and_then(|id| id.parse().ok()) else { return };
                let answer = match packet.depth {
                    depth if depth > self.limits.max_depth => ReceivedAnswer::TooDeep(depth),
                    _ => ReceivedAnswer::Many(packet.args.to_owned(), attachments),
                };
                // An answer without a matching request is ignored.
                effects.answer(&mut self.sockets[at].socket, id, answer);
            }
            // Only a connected socket can leave its namespace.
            (Kind::Disconnect, Some(at)) if self.sockets[at].state.is_connected() => {
                let entry = &mut self.sockets[at];
                let disconnect = Disconnect::new(DisconnectReason::ClientDisconnect);
                if entry.state.end(&disconnect, false) == Ended::Now {
                    effects.end(&mut entry.socket, &disconnect, false);
                }
            }
            // The packets may have crossed a DISCONNECT packet of the server.
            (Kind::Disconnect | Kind::Event | Kind::Ack, None)
                if self.sockets.iter().any(|entry| entry.socket.namespace() == namespace) => {}
            _ => {
                tracing::debug!(kind = ?packet.kind, "unexpected packet");
                effects.count(Fault::Protocol);
                self.end(End::client_misuse(), effects);
            }
        }
    }

    /// Connects the client to a namespace.
    fn connect(&mut self, packet: &SocketIoPacket<'_>, effects: &mut impl Effects<Socket = S>) {
        let SocketIoPacket { namespace, json: auth, depth, .. } = *packet;
        if self.sockets.len() >= self.limits.max_namespaces {
            return self.refuse_namespace(namespace, "Too many namespaces", None, effects);
        }
        if depth > self.limits.max_depth {
            let data = json!({ "code": "invalid_payload", "message": too_deep(depth) });
            return self.refuse_namespace(namespace, "Invalid auth", Some(&data), effects);
        }
        let auth = if auth.is_empty() { "{}" } else { auth };
        let opened = if namespace.len() > MAX_NAMESPACE { None } else { effects.open(namespace, auth) };
        match opened {
            Some(opened) => self.add(opened, effects),
            None => self.refuse_namespace(namespace, "Invalid namespace", None, effects),
        }
    }

    fn refuse_namespace(
        &self,
        namespace: &str,
        message: &str,
        data: Option<&Value>,
        effects: &mut impl Effects<Socket = S>,
    ) {
        let error = ConnectError { message, data };
        if let Some(frame) = self.protocol.encoding().and_then(|encoding| encoding.connect_error(namespace, &error)) {
            effects.send(frame);
        }
    }
}

fn length(message: &ParserMessage) -> usize {
    match message {
        ParserMessage::Text(text) => text.len(),
        ParserMessage::Binary(bytes) => bytes.len(),
    }
}
