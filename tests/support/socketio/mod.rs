//! Translates between the messages of a plain WebSocket client, which tests write and expect, and
//! Socket.IO.
//!
//! | test | server |
//! | --- | --- |
//! | `{"event", "data" or "args", "id"}` | EVENT, with a numeric id |
//! | `{"id", "data" or "args" or "error"}` | ACK; an error is an object with the field `error` |
//! | other text, or a binary message | EVENT `message` |
//! | a close frame | CONNECT_ERROR, DISCONNECT or the end of the session |

pub(crate) mod http;
mod msgpack;
mod packet;
pub(crate) mod polling;

use std::collections::{HashMap, HashSet, VecDeque};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Bytes, Message};

use packet::{ACK, CONNECT, CONNECT_ERROR, DISCONNECT, EVENT, Envelope, Packet};

/// The state of one client.
#[derive(Debug, Default)]
pub(crate) struct Translator {
    msgpack: bool,
    /// The ids of the test's pending requests, by their numeric ack ids.
    pending_acks: HashMap<u64, String>,
    next_id: u64,
    /// The attachments of the next envelope.
    pub(crate) attachments: Vec<Bytes>,
    /// The ack ids of the server's pending requests.
    requests: HashSet<u64>,
    /// An incomplete packet, and the number of its missing attachments.
    partial: Option<(Packet, usize)>,
    /// The translated messages for the test.
    received: VecDeque<Message>,
    /// Messages that the client sends on its own: CONNECT, pongs and the close frame.
    automatic: VecDeque<Message>,
    is_closed: bool,
}

impl Translator {
    /// Creates the state of a client that connects to `/`.
    pub(crate) fn new(msgpack: bool) -> Self {
        let mut new = Self { msgpack, ..Self::default() };
        new.automatic = new.messages(&Packet { kind: CONNECT, ..Packet::default() }).into();
        new
    }

    /// The next message for the test.
    pub(crate) fn next_received(&mut self) -> Option<Message> {
        self.received.pop_front()
    }

    /// The next message that the client sends on its own.
    pub(crate) fn next_automatic(&mut self) -> Option<Message> {
        self.automatic.pop_front()
    }

    /// Translates a message from the test.
    pub(crate) fn send(&mut self, message: Message) -> Vec<Message> {
        match message {
            Message::Text(text) => {
                let packet = Envelope::read(&text).and_then(|envelope| self.packet(&envelope));
                self.messages(&packet.unwrap_or_else(|| {
                    let json = serde_json::json!(["message", text.as_str()]).to_string();
                    Packet { kind: EVENT, json, ..Packet::default() }
                }))
            }
            Message::Binary(bytes) => {
                let json = r#"["message",{"_placeholder":true,"num":0}]"#.to_owned();
                self.messages(&Packet { kind: EVENT, json, attachments: vec![bytes], ..Packet::default() })
            }
            other => vec![other],
        }
    }

    /// `None`: the message is not an envelope, or answers a request that the server did not send.
    fn packet(&mut self, envelope: &Envelope<'_>) -> Option<Packet> {
        let (kind, id) = match (envelope.event, envelope.id) {
            (Some(_), None) => (EVENT, None),
            (Some(_), Some(id)) => {
                self.next_id += 1;
                self.pending_acks.insert(self.next_id, id.get().to_owned());
                (EVENT, Some(self.next_id))
            }
            (None, id) => (ACK, Some(id?.get().parse().ok().filter(|id| self.requests.remove(id))?)),
        };
        Some(Packet { kind, id, json: envelope.list(), attachments: std::mem::take(&mut self.attachments) })
    }

    fn messages(&self, packet: &Packet) -> Vec<Message> {
        if self.msgpack {
            return vec![Message::Binary(msgpack::write(packet))];
        }
        let attachments = packet.attachments.iter().cloned().map(Message::Binary);
        std::iter::once(Message::text(packet.text())).chain(attachments).collect()
    }

    /// Translates a message from the server.
    pub(crate) fn receive(&mut self, message: Message) {
        match message {
            _ if self.is_closed => {}
            Message::Text(text) => match text.split_at(1) {
                ("0" | "6", _) => {}
                ("2", _) => self.automatic.push_back(Message::text("3")),
                ("4", packet) => {
                    let (packet, attachments) = Packet::read(packet);
                    self.partial = Some((packet, attachments));
                    self.take_complete();
                }
                other => panic!("an unknown packet: {other:?}"),
            },
            Message::Binary(bytes) if self.msgpack => self.take(&msgpack::read(&bytes)),
            Message::Binary(bytes) => self.attach(bytes),
            other => self.received.push_back(other),
        }
    }

    fn attach(&mut self, bytes: Bytes) {
        let (packet, missing) = self.partial.as_mut().expect("a packet that has attachments");
        packet.attachments.push(bytes);
        *missing -= 1;
        self.take_complete();
    }

    fn take_complete(&mut self) {
        if let Some((packet, _)) = self.partial.take_if(|(_, missing)| *missing == 0) {
            self.take(&packet);
        }
    }

    fn take(&mut self, packet: &Packet) {
        let message = match packet.kind {
            CONNECT => return,
            DISCONNECT => self.closed(CloseCode::Normal, ""),
            CONNECT_ERROR => {
                let error: serde_json::Value = serde_json::from_str(&packet.json).expect("JSON");
                self.closed(CloseCode::Policy, error["message"].as_str().expect("a message"))
            }
            EVENT => {
                self.requests.extend(packet.id);
                packet.message().unwrap_or_else(|| Message::text(packet::event(packet.id, &packet.args())))
            }
            ACK => {
                let id =
                    packet.id.and_then(|id| self.pending_acks.remove(&id)).expect("an answer to a pending request");
                Message::text(packet::answer(&id, &packet.args()))
            }
            other => panic!("an unknown kind of packet: {other}"),
        };
        self.received.push_back(message);
    }

    /// The client is in no other namespace, so it closes the connection.
    fn closed(&mut self, code: CloseCode, reason: &str) -> Message {
        self.is_closed = true;
        self.automatic.push_back(Message::Close(None));
        Message::Close(Some(CloseFrame { code, reason: reason.into() }))
    }
}
