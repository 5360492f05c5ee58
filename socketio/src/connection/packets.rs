//! Socket.IO on a connection: packets, and the sockets that they are for.

use bytes::Bytes;
use std::sync::Arc;
use std::task::Context;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::end::End;
use super::outbox::Outbox;
use super::reading::{refusal_of, refuse};
use super::{Connection, Protocol};
use crate::event::incoming::{EventKind, Incoming, Parts, ReceivedEvent};
use crate::hub::config::MAX_DEPTH;
use crate::hub::socket::answer::ReceivedAnswer;
use crate::hub::socket::{Identity, Socket};
use crate::session::disconnect::{Disconnect, DisconnectReason};
use crate::wire::binary::Attachments;
use crate::wire::encoding::Encoding;
use crate::wire::envelope::ArgumentText;
use crate::wire::parser::ParserMessage;
use crate::wire::socketio::{self, ConnectError, Kind, Partial, SocketIoPacket};

/// How long the name of a namespace may be, in bytes.
const MAX_NAMESPACE: usize = 1024;
/// Deeper than any payload may be nested.
const TOO_DEEP: usize = MAX_DEPTH + 1;

impl Connection {
    /// Deals with a text message.
    pub(super) fn receive_socketio_text(&mut self, text: Utf8Bytes, context: &mut Context<'_>) {
        if let Encoding::Parsed(_) = self.peer.encoding {
            return self.receive_parsed(ParserMessage::Text(text.to_string()), context);
        }
        let max = self.config().max_attachments;
        let Protocol::Engine(engine) = &mut self.protocol else { return };
        match socketio::read(&text, max) {
            // No other packet comes between a packet and its attachments.
            Ok(_) if engine.partial.is_some() => self.parse_error(context),
            // What is nested too deeply for a decoder is too deep to be looked into for placeholders.
            Ok(SocketIoPacket { attachments: 1.., depth: TOO_DEEP.., .. }) => self.parse_error(context),
            Ok(SocketIoPacket { attachments: expected @ 1.., .. }) => {
                engine.partial = Some(Partial::new(text, expected));
            }
            Ok(packet) => self.receive_socketio(&text, &packet, None, context),
            Err(socketio::Invalid) => self.parse_error(context),
        }
    }

    /// Deals with a binary message: an attachment, or a packet in another encoding.
    pub(super) fn receive_socketio_binary(&mut self, bytes: Bytes, context: &mut Context<'_>) {
        if let Encoding::Parsed(_) = self.peer.encoding {
            return self.receive_parsed(ParserMessage::Binary(bytes), context);
        }
        let (max, max_payload) = (self.config().max_attachments, self.config().max_payload);
        let Protocol::Engine(engine) = &mut self.protocol else { return };
        let Some(partial) = &mut engine.partial else { return self.parse_error(context) };
        if partial.size() + bytes.len() > max_payload {
            return self.too_large(context);
        }
        if partial.take(bytes)
            && let Some(partial) = engine.partial.take()
        {
            let (text, attachments) = partial.into_parts();
            let packet = socketio::read(&text, max);
            match packet.and_then(|packet| packet.with_placeholders(&text, &attachments, max_payload)) {
                Ok(text) => self.receive_whole(&text.into(), attachments, context),
                Err(socketio::Invalid) => self.parse_error(context),
            }
        }
    }

    fn receive_parsed(&mut self, message: ParserMessage, context: &mut Context<'_>) {
        let max = self.config().max_payload;
        let (Protocol::Engine(engine), Encoding::Parsed(parser)) = (&mut self.protocol, &self.peer.encoding) else {
            return;
        };
        engine.messages.push(message);
        match parser.decode(&engine.messages) {
            Ok(Some(packet)) => {
                engine.messages = Vec::new();
                self.receive_whole(&Utf8Bytes::from(packet.text), packet.attachments, context);
            }
            // No packet has more messages than attachments, and one for itself.
            Ok(None) if engine.messages.len() > self.hub.config().max_attachments => self.parse_error(context),
            Ok(None) if engine.bytes() > max => self.too_large(context),
            Ok(None) => {}
            Err(_) => self.parse_error(context),
        }
    }

    fn receive_whole(&mut self, text: &Utf8Bytes, attachments: Vec<Bytes>, context: &mut Context<'_>) {
        let attachments = Some(attachments).filter(|attachments| !attachments.is_empty());
        match socketio::read(text, usize::MAX) {
            Ok(packet) => self.receive_socketio(text, &packet, attachments.map(Into::into), context),
            Err(socketio::Invalid) => self.parse_error(context),
        }
    }

    fn too_large(&mut self, context: &mut Context<'_>) {
        self.broken(Disconnect::new(DisconnectReason::TooLarge).with_code(1009), context);
    }

    /// Deals with a packet and all that belongs to it.
    fn receive_socketio(
        &mut self,
        text: &Utf8Bytes,
        packet: &SocketIoPacket<'_>,
        attachments: Option<Attachments>,
        context: &mut Context<'_>,
    ) {
        let namespace = packet.namespace;
        let entry =
            self.entries.iter().position(|entry| !entry.is_concluded() && entry.socket.namespace() == namespace);
        match (packet.kind, entry) {
            (Kind::Connect, None) => self.connect(namespace, packet.json, context),
            (Kind::Event, Some(entry)) => self.receive_event(entry, text, packet, attachments, context),
            (Kind::Ack, Some(entry)) => self.receive_answer(entry, packet, attachments),
            // Nobody leaves what it has not been let into.
            (Kind::Disconnect, Some(entry)) if !self.entries[entry].executor.is_opening() => {
                self.entries[entry].conclude(&Disconnect::new(DisconnectReason::ClientDisconnect), false);
            }
            // Leaving may cross being sent away, and so may what was sent before.
            (Kind::Disconnect | Kind::Event | Kind::Ack, None)
                if self.entries.iter().any(|entry| entry.socket.namespace() == namespace) => {}
            _ => {
                tracing::debug!(kind = ?packet.kind, "a packet that does not fit");
                self.end(End::misused());
            }
        }
    }

    fn receive_event(
        &mut self,
        entry: usize,
        text: &Utf8Bytes,
        packet: &SocketIoPacket<'_>,
        attachments: Option<Attachments>,
        context: &mut Context<'_>,
    ) {
        let socket = &self.entries[entry].socket;
        let parts = Parts::of(text, &packet.name, ArgumentText::Many(packet.args), packet.id);
        let refused = refusal_of(socket, &packet.name, packet.depth);
        let kind = EventKind::Event(ReceivedEvent::packet(text.clone(), parts, attachments));
        match refused {
            None => self.submit(entry, kind, context),
            Some(refused) => refuse(&Incoming::new(socket.clone(), kind), &refused),
        }
    }

    fn receive_answer(&mut self, entry: usize, packet: &SocketIoPacket<'_>, attachments: Option<Attachments>) {
        let Some(id) = packet.id.and_then(|id| id.parse().ok()) else { return };
        let answer = match packet.depth > self.config().max_depth {
            true => ReceivedAnswer::TooDeep,
            false => ReceivedAnswer::Many(packet.args.to_owned(), attachments),
        };
        // One to nothing that was asked means nothing.
        self.entries[entry].socket.answered(id, answer);
    }

    /// A client wants to connect to a namespace.
    fn connect(&mut self, namespace: &str, auth: &str, context: &mut Context<'_>) {
        let Protocol::Engine(engine) = &self.protocol else { return };
        if self.entries.len() >= self.config().max_namespaces {
            return self.refuse_namespace(namespace, "Too many namespaces");
        }
        let known = if namespace.len() > MAX_NAMESPACE { None } else { self.hub.enter(namespace) };
        let Some(namespace) = known else {
            return self.refuse_namespace(namespace, "Invalid namespace");
        };
        let identity = Identity::Generated { auth: if auth.is_empty() { "{}" } else { auth } };
        let peer = Arc::clone(&self.peer);
        let socket = Socket::register(self.hub.clone(), namespace, peer, engine.extensions.clone(), identity);
        self.add_socket(socket, None);
        // What decides about it goes as far as it can, and is woken from then on.
        self.run_events(context);
    }

    fn refuse_namespace(&self, namespace: &str, message: &str) {
        let error = ConnectError { message, data: None };
        if let Some(frame) = self.peer.encoding.connect_error(namespace, &error) {
            self.peer.handle.send_always(Some(&frame), Outbox::default());
        }
    }
}
