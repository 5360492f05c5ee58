//! [`check`]: reads arbitrary bytes as a message, for tests and fuzz targets.

use bytes::Bytes;
use std::borrow::Cow;

use super::{Incoming, Received, decode, encode, sequence, server_of};
use crate::cluster::message::{FetchPage, Flags, Message, Names, Options, Outgoing, ReceivedValue, ValueRef};
use crate::cluster::{Dialect, Topic};
use crate::wire::packet::Packet;

/// Reads a message, which must not panic. What is read must survive writing and reading.
pub(crate) fn check(dialect: Dialect, topic: Topic<'_>, body: &Bytes) {
    let _ = sequence(dialect, body);
    let guessed = server_of(dialect, body);
    let Ok(received) = decode(dialect, topic, body) else { return };
    let Received { server, message, .. } = received;
    if let Some(guessed) = guessed.filter(|_| !matches!(topic, Topic::Log { .. })) {
        // Of fields that occur twice, the last one counts.
        let is_unique = body.windows(3).filter(|bytes| bytes == b"uid").count() == 1;
        assert!(!is_unique || server.as_deref() == Some(guessed), "{guessed} {server:?}");
    }
    // Numbers and strings have several forms in JSON, but only one after they were written.
    let Some(once) = Owned::of(&message).and_then(|first| first.rewritten(dialect, topic)) else { return };
    let twice = once.rewritten(dialect, topic).expect("a message");
    assert_eq!(once.shown(), twice.shown());
}

/// A message that refers to nothing.
pub(super) type Owned = Message<'static, Packet, ReceivedValue>;

impl Owned {
    /// Decodes a message. `None` if that fails.
    pub(super) fn of(message: &Incoming<'_>) -> Option<Self> {
        message.map(|packet| packet.packet().ok(), |answer| answer.value().ok())
    }

    /// Writes and reads the message. `None` if it is of a kind that is not written, or its values
    /// are nested too deeply for the other format.
    fn rewritten(&self, dialect: Dialect, topic: Topic<'_>) -> Option<Self> {
        let mut written = Vec::new();
        encode(dialect, "me", topic, &self.outgoing(), &mut written);
        if written.is_empty() {
            return None;
        }
        let written = written.into();
        let read = decode(dialect, topic, &written).expect("a message");
        Some(Self::of(&read.message).expect("its values"))
    }

    pub(super) fn outgoing(&self) -> Outgoing<'_> {
        self.map(Some, |ReceivedValue { json, attachments }| Some(ValueRef { json, attachments })).expect("all of it")
    }

    /// The message as text, by which messages are compared.
    pub(super) fn shown(&self) -> String {
        // A key like that of a placeholder has two spellings, and only one in MessagePack.
        let plain = |json: &str| json.replace(r"_placeholde\u0072", "_placeholder");
        let answer = |answer: &ReceivedValue| Some((plain(&answer.json), answer.attachments.clone()));
        let shown = self.map(|packet| Some((packet.name(), packet.raw(), packet.args())), answer);
        format!("{:?}", shown.expect("all of it"))
    }
}

impl<'a, P, A> Message<'a, P, A> {
    /// Translates the packet or the answer.
    fn map<'s, 't, Q, B>(
        &'s self,
        packet_of: impl Fn(&'s P) -> Option<Q>,
        answer_of: impl Fn(&'s A) -> Option<B>,
    ) -> Option<Message<'t, Q, B>> {
        let text = |text: &Cow<'_, str>| owned(text);
        let texts = |names: &[Cow<'_, str>]| names.iter().map(text).collect::<Names<'t>>();
        let all = |options: &Options<'_>| Options {
            rooms: texts(&options.rooms),
            except: texts(&options.except),
            flags: Flags { latest: options.flags.latest.as_ref().map(text), ..options.flags },
        };
        let page_of = |page: &FetchPage<'_>| FetchPage { after: page.after.as_ref().map(text), limit: page.limit };
        let translated = |answer: &'s Option<A>| match answer {
            Some(answer) => answer_of(answer).map(Some),
            None => Some(None),
        };
        Some(match self {
            Message::Broadcast { packet, options, request } => Message::Broadcast {
                packet: packet_of(packet)?,
                options: all(options),
                request: request.as_ref().map(text),
            },
            Message::Join { options, rooms } => Message::Join { options: all(options), rooms: texts(rooms) },
            Message::Leave { options, rooms } => Message::Leave { options: all(options), rooms: texts(rooms) },
            Message::Disconnect { options, close, reason } => {
                Message::Disconnect { options: all(options), close: *close, reason: text(reason) }
            }
            Message::Fetch { options, request, page } => {
                Message::Fetch { options: all(options), request: text(request), page: page.as_ref().map(page_of) }
            }
            Message::FetchRooms { request, page } => {
                Message::FetchRooms { request: text(request), page: page_of(page) }
            }
            Message::FetchIds { request, rooms } => Message::FetchIds { request: text(request), rooms: texts(rooms) },
            Message::OldJoin { socket, room, request } => {
                Message::OldJoin { socket: text(socket), room: text(room), request: text(request) }
            }
            Message::OldLeave { socket, room, request } => {
                Message::OldLeave { socket: text(socket), room: text(room), request: text(request) }
            }
            Message::OldDisconnect { socket, close, request } => {
                Message::OldDisconnect { socket: text(socket), close: *close, request: text(request) }
            }
            Message::ServerEmit { packet, request } => {
                Message::ServerEmit { packet: packet_of(packet)?, request: request.as_ref().map(text) }
            }
            Message::Sockets { request, sockets } => {
                Message::Sockets { request: text(request), sockets: sockets.clone() }
            }
            Message::Rooms { request, rooms } => Message::Rooms { request: text(request), rooms: rooms.clone() },
            Message::SocketIds { request, ids } => Message::SocketIds { request: text(request), ids: ids.clone() },
            Message::Done { request } => Message::Done { request: text(request) },
            Message::ClientCount { request, clients } => {
                Message::ClientCount { request: text(request), clients: *clients }
            }
            Message::Ack { request, answer, socket } => {
                Message::Ack { request: text(request), answer: translated(answer)?, socket: socket.as_ref().map(text) }
            }
            Message::ServerAnswer { request, answer } => {
                Message::ServerAnswer { request: text(request), answer: translated(answer)? }
            }
            Message::InitialHeartbeat => Message::InitialHeartbeat,
            Message::Heartbeat => Message::Heartbeat,
            Message::Close => Message::Close,
            Message::Probe { number } => Message::Probe { number: *number },
        })
    }
}

fn owned<'t>(text: &str) -> Cow<'t, str> {
    Cow::Owned(text.to_owned())
}
