//! [`Encoding`]: the wire format of one client's outgoing messages.

use bytes::Bytes;
use serde::Serialize;
use std::sync::Arc;

use super::envelope;
use super::frame::{EncodedFrame, FrameWriter, Opcode};
use super::mark::Mark;
use super::offset::Offset;
use super::parser::{Parser, ParserMessage, ParserPacket};
use super::payload::Payload;
use super::socketio::{self, ConnectError};
use crate::hooks::catch::catch;
use crate::hooks::nesting::Entered;

/// The wire format of one client's outgoing messages. All variants produce WebSocket frames, also
/// for polling clients.
#[derive(Clone, Debug)]
pub(crate) enum Encoding {
    /// Envelopes and raw messages, for plain WebSocket clients.
    Envelopes,
    /// The same with offsets, for clients that can resume their session.
    ResumableEnvelopes,
    /// Envelopes and raw messages inside Engine.IO messages, for Engine.IO clients.
    Engine,
    /// Socket.IO packets in the default encoding.
    SocketIo,
    /// Socket.IO packets encoded by a custom parser.
    Parsed(Arc<dyn Parser>),
}

/// What a plain client is told about its session.
#[derive(Debug, Serialize)]
pub(crate) struct SessionEvent<'a> {
    /// The secret with which the client resumes, once.
    pub(crate) token: &'a str,
    /// Whether the client has resumed a session.
    pub(crate) recovered: bool,
    /// How long the session is kept after the connection is cut, in seconds.
    pub(crate) expires: u64,
}

/// The packet type of an Engine.IO message.
const MESSAGE: u8 = b'4';

impl Encoding {
    /// Whether the client can have several sockets on its connection.
    pub(crate) fn has_namespaces(&self) -> bool {
        matches!(self, Self::SocketIo | Self::Parsed(_))
    }

    /// Encodes an event. With `ack`, the client is asked to answer with that id.
    pub(super) fn event(
        &self,
        namespace: &str,
        name: &str,
        payload: &Payload,
        ack: Option<u64>,
        mark: Option<Mark>,
    ) -> EncodedFrame {
        self.write(
            payload.attachments(),
            |out| envelope::write_event(out, name, payload, ack, mark.filter(|mark| self.tells(mark))),
            |out| socketio::write_event(out, namespace, name, payload, ack, mark),
        )
    }

    /// Whether an envelope has the mark. Clients that can't resume are told no offsets.
    fn tells(&self, mark: &Mark) -> bool {
        self.has_offsets() || !matches!(mark, Mark::Offset(_))
    }

    /// Whether clients are told the offsets of events.
    pub(crate) fn has_offsets(&self) -> bool {
        matches!(self, Self::ResumableEnvelopes | Self::SocketIo | Self::Parsed(_))
    }

    /// Encodes a text message. Socket.IO clients receive it as the event `message`.
    pub(super) fn text(&self, namespace: &str, text: &str, offset: Option<Offset>) -> EncodedFrame {
        let event = || {
            Payload::of(text).map(|payload| self.event(namespace, "message", &payload, None, offset.map(Mark::Offset)))
        };
        match self {
            Self::Envelopes | Self::ResumableEnvelopes => EncodedFrame::text(text),
            Self::Engine => engine_text(|out| out.extend_from_slice(text.as_bytes())),
            // A string always serializes.
            Self::SocketIo | Self::Parsed(_) => event().unwrap_or(EncodedFrame::NOTHING),
        }
    }

    /// Encodes a binary message. Socket.IO clients receive it as the event `message`.
    pub(super) fn binary(&self, namespace: &str, bytes: &Bytes, offset: Option<Offset>) -> EncodedFrame {
        match self {
            Self::Envelopes | Self::ResumableEnvelopes | Self::Engine => EncodedFrame::binary(bytes),
            Self::SocketIo | Self::Parsed(_) => {
                self.event(namespace, "message", &Payload::of_binary(bytes.clone()), None, offset.map(Mark::Offset))
            }
        }
    }

    /// Encodes the answer to an event. `id` is the JSON text that the client sent.
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

    /// Encodes that the client is connected to a namespace, and may resume its session with `pid`.
    /// `None` if its protocol has no namespaces.
    pub(crate) fn connect(&self, namespace: &str, sid: &str, pid: Option<&str>) -> Option<EncodedFrame> {
        self.packet(|out| socketio::write_connect(out, namespace, sid, pid))
    }

    /// Encodes the session of a plain client that can resume. `None` for other clients.
    pub(crate) fn session(&self, session: &SessionEvent<'_>) -> Option<EncodedFrame> {
        if !matches!(self, Self::ResumableEnvelopes) {
            return None;
        }
        let payload = Payload::of(session).ok()?;
        Some(self.event("", "session", &payload, None, None))
    }

    /// Encodes why the client was refused by a namespace. `None` if its protocol has no namespaces.
    pub(crate) fn connect_error(&self, namespace: &str, error: &ConnectError<'_>) -> Option<EncodedFrame> {
        self.packet(|out| socketio::write_connect_error(out, namespace, error))
    }

    /// Encodes that the client is disconnected from a namespace. `None` if its protocol has no
    /// namespaces.
    pub(crate) fn disconnect(&self, namespace: &str) -> Option<EncodedFrame> {
        self.packet(|out| socketio::write_disconnect(out, namespace))
    }

    fn packet(&self, write: impl FnOnce(&mut Vec<u8>)) -> Option<EncodedFrame> {
        match self {
            Self::Envelopes | Self::ResumableEnvelopes | Self::Engine => None,
            Self::SocketIo | Self::Parsed(_) => Some(self.write(&[], |_| {}, write)),
        }
    }

    /// Writes a packet for Socket.IO clients, an envelope for all others.
    fn write(
        &self,
        attachments: &[Bytes],
        envelope: impl FnOnce(&mut Vec<u8>),
        packet: impl FnOnce(&mut Vec<u8>),
    ) -> EncodedFrame {
        match self {
            Self::Envelopes | Self::ResumableEnvelopes => {
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
                encode(&**parser, &ParserPacket { text, attachments: attachments.to_vec() })
            }
        }
    }
}

/// Encodes a packet with a custom parser. If that fails, there is
/// [no frame](EncodedFrame::NOTHING).
fn encode(parser: &dyn Parser, packet: &ParserPacket) -> EncodedFrame {
    let _entered = match Entered::encoding() {
        Ok(entered) => entered,
        Err(error) => {
            tracing::error!(%error, ?parser, "a packet was not encoded");
            return EncodedFrame::NOTHING;
        }
    };
    match catch(|| parser.encode(packet)) {
        Ok(messages) => EncodedFrame::Several(messages.iter().map(parsed).collect()),
        Err(_) => {
            tracing::error!("a parser panicked while it encoded a packet");
            EncodedFrame::NOTHING
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
