//! [`Encoding`]: how the messages of one client are written.

use bytes::Bytes;
use serde::Serialize;
use std::sync::Arc;

use super::envelope;
use super::frame::{EncodedFrame, FrameWriter, Opcode};
use super::parser::{Parser, ParserMessage, ParserPacket};
use super::payload::Payload;
use super::socketio::{self, ConnectError};

/// How the messages of one client are written: as WebSocket frames in any case, also for one that polls.
#[derive(Clone, Debug)]
pub(crate) enum Encoding {
    /// For plain WebSocket clients: envelopes, and messages as they are.
    Envelopes,
    /// For Engine.IO clients: the same inside Engine.IO messages.
    Engine,
    /// For Socket.IO clients, in the default encoding.
    SocketIo,
    /// For Socket.IO clients, in another one.
    Parsed(Arc<dyn Parser>),
}

/// The first character of an Engine.IO message.
const MESSAGE: u8 = b'4';

impl Encoding {
    /// Whether the client can have several sockets on its connection.
    pub(crate) fn has_namespaces(&self) -> bool {
        matches!(self, Self::SocketIo | Self::Parsed(_))
    }

    /// Writes an event. With `ack` the client is asked to answer under that id.
    pub(super) fn event(&self, namespace: &str, name: &str, payload: &Payload, ack: Option<u64>) -> EncodedFrame {
        self.write(
            payload.attachments(),
            |out| envelope::write_event(out, name, payload, ack),
            |out| socketio::write_event(out, namespace, name, payload, ack),
        )
    }

    /// Writes a text message, for Socket.IO clients the event `message`.
    pub(super) fn text(&self, namespace: &str, text: &str) -> EncodedFrame {
        let event = || Payload::of(text).map(|payload| self.event(namespace, "message", &payload, None));
        match self {
            Self::Envelopes => EncodedFrame::text(text),
            Self::Engine => engine_text(|out| out.extend_from_slice(text.as_bytes())),
            // A string always serializes.
            Self::SocketIo | Self::Parsed(_) => event().unwrap_or(EncodedFrame::NOTHING),
        }
    }

    /// Writes a binary message, for Socket.IO clients the event `message`.
    pub(super) fn binary(&self, namespace: &str, bytes: &Bytes) -> EncodedFrame {
        match self {
            Self::Envelopes | Self::Engine => EncodedFrame::binary(bytes),
            Self::SocketIo | Self::Parsed(_) => {
                self.event(namespace, "message", &Payload::of_binary(bytes.clone()), None)
            }
        }
    }

    /// Writes the answer to an event. `id`: its JSON text, as it was received.
    pub(crate) fn answer<E: Serialize>(&self, namespace: &str, id: &str, answer: Result<&Payload, &E>) -> EncodedFrame {
        let attachments = answer.map_or(&[][..], Payload::attachments);
        let envelope = |out: &mut Vec<u8>| match answer {
            Ok(payload) => envelope::write_answer(out, id, payload),
            Err(error) => envelope::write_error(out, id, error),
        };
        self.write(attachments, envelope, |out| match answer {
            Ok(payload) => socketio::write_ack(out, namespace, id, payload),
            Err(error) => socketio::write_error(out, namespace, id, error),
        })
    }

    /// Tells a client that it is connected to a namespace. `None`: its protocol knows of none.
    pub(crate) fn connect(&self, namespace: &str, sid: &str) -> Option<EncodedFrame> {
        self.packet(|out| socketio::write_connect(out, namespace, sid))
    }

    /// Tells a client why it is not.
    pub(crate) fn connect_error(&self, namespace: &str, error: &ConnectError<'_>) -> Option<EncodedFrame> {
        self.packet(|out| socketio::write_connect_error(out, namespace, error))
    }

    /// Tells a client that it is no longer.
    pub(crate) fn disconnect(&self, namespace: &str) -> Option<EncodedFrame> {
        self.packet(|out| socketio::write_disconnect(out, namespace))
    }

    fn packet(&self, write: impl FnOnce(&mut Vec<u8>)) -> Option<EncodedFrame> {
        match self {
            Self::Envelopes | Self::Engine => None,
            Self::SocketIo | Self::Parsed(_) => Some(self.write(&[], |_| {}, write)),
        }
    }

    /// Writes an envelope or a packet, whichever the client reads.
    fn write(
        &self,
        attachments: &[Bytes],
        envelope: impl FnOnce(&mut Vec<u8>),
        packet: impl FnOnce(&mut Vec<u8>),
    ) -> EncodedFrame {
        match self {
            Self::Envelopes => {
                let mut writer = FrameWriter::new();
                envelope(writer.payload());
                writer.finish(Opcode::Text)
            }
            Self::Engine => engine_text(envelope),
            Self::SocketIo if attachments.is_empty() => engine_text(packet),
            Self::SocketIo => EncodedFrame::Several(
                [engine_text(packet)].into_iter().chain(attachments.iter().map(EncodedFrame::binary)).collect(),
            ),
            Self::Parsed(parser) => {
                let mut text = Vec::new();
                packet(&mut text);
                let text = String::from_utf8(text).unwrap_or_default();
                let messages = parser.encode(&ParserPacket { text, attachments: attachments.to_vec() });
                EncodedFrame::Several(messages.iter().map(parsed).collect())
            }
        }
    }
}

fn engine_text(write: impl FnOnce(&mut Vec<u8>)) -> EncodedFrame {
    let mut writer = FrameWriter::new();
    writer.payload().push(MESSAGE);
    write(writer.payload());
    writer.finish(Opcode::Text)
}

fn parsed(message: &ParserMessage) -> EncodedFrame {
    match message {
        ParserMessage::Text(text) => engine_text(|out| out.extend_from_slice(text.as_bytes())),
        ParserMessage::Binary(bytes) => EncodedFrame::binary(bytes),
    }
}
