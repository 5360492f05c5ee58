//! All messages that servers on Node.js were seen to publish are read, and those that this crate
//! writes too are written equally. `tests/node/cluster/record.mjs` records them.

use bytes::Bytes;
use serde::Deserialize;

use super::{add_sequence, decode, encode, hex, sequence, server_of};
use crate::cluster::codec::Received;
use crate::cluster::codec::check::Owned;
use crate::cluster::message::Message;
use crate::cluster::{Dialect, Topic};

#[derive(Deserialize)]
pub(super) struct Recorded {
    #[serde(rename = "dialect")]
    dialect_name: String,
    pub(super) step: String,
    /// The kind, the namespace, and the room or server, or server and type.
    #[serde(rename = "topic")]
    path: Vec<String>,
    #[serde(rename = "body")]
    digits: String,
    #[serde(default)]
    inexact: bool,
}

impl Recorded {
    pub(super) fn all() -> Vec<Self> {
        let lines = include_str!("../recorded.jsonl").lines();
        lines.map(|line| serde_json::from_str(line).expect("a recorded message")).collect()
    }

    pub(super) fn dialect(&self) -> Dialect {
        match &*self.dialect_name {
            "classic" => Dialect::Classic,
            "messages" => Dialect::Messages,
            _ => Dialect::Streams,
        }
    }

    pub(super) fn topic(&self) -> Topic<'_> {
        let namespace = &*self.path[1];
        match &*self.path[0] {
            "main" => Topic::Main { namespace },
            "room" => Topic::Room { namespace, room: &self.path[2] },
            "requests" => Topic::Requests { namespace },
            "responses" => Topic::Responses { namespace },
            "log" => Topic::Log { namespace, server: &self.path[2], kind: self.path[3].parse().expect("a type") },
            _ => Topic::Reply { namespace, server: &self.path[2] },
        }
    }

    pub(super) fn body(&self) -> Bytes {
        hex(&self.digits).into()
    }
}

#[test]
fn recorded_messages_are_read_and_written() {
    let mut exact = 0;
    for recorded in Recorded::all() {
        let (dialect, topic, body, step) = (recorded.dialect(), recorded.topic(), recorded.body(), &recorded.step);
        let received = decode(dialect, topic, &body).unwrap_or_else(|_| panic!("{step}: {body:?}"));
        let Received { server, message } = received;
        let is_answer = matches!(topic, Topic::Responses { .. } | Topic::Reply { .. });
        let has_no_server = is_answer && dialect == Dialect::Classic;
        let is_entry = matches!(topic, Topic::Log { .. });
        if !has_no_server && !is_entry && !step.starts_with("old:") {
            assert_eq!(server_of(dialect, &body), server.as_deref(), "{step}");
        }
        let owned = Owned::of(&message).unwrap_or_else(|| panic!("{step}: {body:?}"));
        let mut written = Vec::new();
        encode(dialect, server.as_deref().unwrap_or("me"), topic, &owned.outgoing(), &mut written);
        if recorded.inexact {
            continue;
        }
        exact += 1;
        if has_no_server {
            written = without_server(written);
        }
        assert_eq!(Bytes::from(written), body, "{step}");
    }
    assert!(exact > 100, "{exact}");
}

/// Removes the id that servers of this crate add to answers.
fn without_server(mut written: Vec<u8>) -> Vec<u8> {
    let suffix = if written[0] == b'{' { &br#","uid":"me"}"#[..] } else { b"\xa3uid\xa2me" };
    written = written.strip_suffix(suffix).expect("the id").to_vec();
    match &mut written[0] {
        b'{' => written.push(b'}'),
        entries => *entries -= 1,
    }
    written
}

#[test]
fn recorded_messages_can_be_numbered() {
    for recorded in Recorded::all() {
        let (dialect, topic) = (recorded.dialect(), recorded.topic());
        let mut body = recorded.body().to_vec();
        assert_eq!(sequence(dialect, &body), None);
        for number in [0, 1, u64::from(u32::MAX), u64::MAX] {
            let mut numbered = body.clone();
            add_sequence(dialect, &mut numbered, 0, number);
            let numbered = Bytes::from(numbered);
            assert_eq!(sequence(dialect, &numbered), Some(number), "{}", recorded.step);
            assert!(decode(dialect, topic, &numbered).is_ok(), "{}", recorded.step);
            assert_eq!(server_of(dialect, &numbered), server_of(dialect, &body));
        }
        body.truncate(body.len() - 1);
        assert!(decode(dialect, topic, &body.into()).is_err());
    }
}

/// The details of sockets keep what the recorded servers told.
#[test]
fn details_of_sockets_are_read() {
    let mut read = 0;
    for recorded in Recorded::all() {
        let (topic, body) = (recorded.topic(), recorded.body());
        let received = decode(recorded.dialect(), topic, &body).expect("a message");
        let Message::Sockets { sockets, .. } = received.message else { continue };
        for socket in sockets {
            read += 1;
            assert_eq!((socket.id.len(), &socket.rooms[0]), (20, &socket.id));
            let handshake = socket.handshake;
            assert_eq!((&*handshake.address, handshake.xdomain, handshake.secure), ("127.0.0.1", false, false));
            assert!(handshake.time.ends_with("GMT+0000 (Coordinated Universal Time)"), "{}", handshake.time);
            assert!(handshake.issued > 1_700_000_000_000 && handshake.url.starts_with("/socket.io/?EIO=4"));
            assert_eq!(handshake.query["transport"], "websocket");
            assert_eq!(handshake.auth, serde_json::json!({ "token": "x" }));
            assert!(handshake.headers.contains_key("host"));
            let data = match recorded.step.contains("binary") {
                true => serde_json::json!({ "bytes": { "type": "Buffer", "data": [0, 1, 254, 255] } }),
                false => serde_json::json!({ "name": "ä", "list": [1, { "two": 2.5 }] }),
            };
            assert_eq!(socket.data, data);
        }
    }
    assert!(read >= 6, "{read}");
}
