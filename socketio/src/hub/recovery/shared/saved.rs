//! [`SavedSession`]: a session as it is stored in a cluster, in the format of servers on Node.js.

use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::hub::recovery::history::{Change, History};
use crate::hub::recovery::session::Past;
use crate::hub::socket::SocketId;
use crate::hub::socket::attributes::SocketAttributes;
use crate::hub::socket::reliable::stored::StoredEvent;
use crate::wire::msgpack::cursor::Cursor;
use crate::wire::msgpack::read::{BinaryForm, Translator};
use crate::wire::msgpack::write::Writer;
use crate::wire::offset::Offset;

/// A session whose client is cut off, or may be. It is written as MessagePack.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct SavedSession {
    pub(super) sid: String,
    /// The token.
    pub(super) pid: String,
    /// The room with the socket's id is one of them.
    pub(super) rooms: Vec<String>,
    /// The attributes. Servers on Node.js store any value.
    #[serde(default)]
    data: Value,
    /// What servers on Node.js do not store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    log: Option<SavedPast>,
}

/// What the client has received.
#[derive(Debug, Serialize, Deserialize)]
struct SavedPast {
    /// The id of the server that stored it.
    server: String,
    /// Whether it was stored while the client was connected.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    live: bool,
    number: u64,
    start: Text,
    sent: Text,
    settled: Text,
    unlogged: Text,
    known_from: Text,
    changes: Vec<(Text, String, bool)>,
    /// When the client's proof of identity runs out, in milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expiry: Option<u64>,
    /// When this was stored, in milliseconds since 1970.
    #[serde(default)]
    stored_at: Option<u64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    reliable: Vec<StoredEvent>,
}

/// An offset as text.
#[derive(Clone, Copy, Debug)]
struct Text(Offset);

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        Offset::parse(&text).map(Self).ok_or_else(|| serde::de::Error::custom("no offset"))
    }
}

fn to_milliseconds(at: SystemTime) -> u64 {
    let time = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn from_milliseconds(at: u64) -> Option<SystemTime> {
    UNIX_EPOCH.checked_add(Duration::from_millis(at))
}

impl SavedSession {
    pub(super) fn new(
        server: &str,
        token: &str,
        id: &SocketId,
        rooms: &[Arc<str>],
        data: SocketAttributes,
        past: Past,
    ) -> Self {
        let Past { number, start, sent, settled, unlogged, history } = past;
        let changes = history.changes().iter();
        Self {
            sid: id.to_string(),
            pid: token.to_owned(),
            rooms: std::iter::once(id.to_string()).chain(rooms.iter().map(ToString::to_string)).collect(),
            data: data.iter().map(|(key, value)| (key.to_owned(), value.clone())).collect(),
            log: Some(SavedPast {
                server: server.to_owned(),
                live: false,
                number,
                start: Text(start),
                sent: Text(sent),
                settled: Text(settled),
                unlogged: Text(unlogged),
                known_from: Text(history.known_from()),
                expiry: None,
                stored_at: Some(to_milliseconds(SystemTime::now())),
                reliable: Vec::new(),
                changes: changes
                    .map(|Change { from, room, joined }| (Text(*from), room.to_string(), *joined))
                    .collect(),
            }),
        }
    }

    /// Adds when the client's proof of identity runs out.
    pub(super) fn with_expiry(mut self, at: Option<SystemTime>) -> Self {
        if let (Some(log), Some(at)) = (&mut self.log, at) {
            log.expiry = Some(to_milliseconds(at));
        }
        self
    }

    /// When the client's proof of identity runs out.
    pub(super) fn expiry(&self) -> Option<SystemTime> {
        from_milliseconds(self.log.as_ref()?.expiry?)
    }

    /// When the session was stored, by the clock of the server that did it. `None`: it is not
    /// known.
    pub(super) fn stored_at(&self) -> Option<SystemTime> {
        from_milliseconds(self.log.as_ref()?.stored_at?)
    }

    /// Adds the events that are repeated until the client has acked them.
    pub(super) fn with_reliable(mut self, reliable: Vec<StoredEvent>) -> Self {
        if let Some(log) = &mut self.log {
            log.reliable = reliable;
        }
        self
    }

    /// The client is still connected.
    pub(super) fn while_connected(mut self) -> Self {
        if let Some(log) = &mut self.log {
            log.live = true;
        }
        self
    }

    /// Whether the session was stored while the client was connected: it may have changed since.
    pub(super) fn is_live(&self) -> bool {
        self.log.as_ref().is_some_and(|log| log.live)
    }

    /// The id of the server that stored the session. `None`: one on Node.js.
    pub(super) fn server(&self) -> Option<&str> {
        self.log.as_ref().map(|log| &*log.server)
    }

    pub(super) fn reliable(&self) -> &[StoredEvent] {
        self.log.as_ref().map_or(&[], |log| &log.reliable)
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        // It has nothing that does not serialize.
        let json = serde_json::to_vec(self).unwrap_or_default();
        let mut out = Vec::new();
        Writer { out: &mut out }.json(&json, &[]);
        out
    }

    /// Reads a session. `None` if it is not one.
    pub(super) fn decode(bytes: &Bytes) -> Option<Self> {
        let mut json = Vec::new();
        let mut cursor = Cursor::new(bytes);
        Translator::new(bytes, BinaryForm::Object, usize::MAX).refuse_reserved().value(&mut cursor, &mut json, 0)?;
        serde_json::from_slice(&json).ok().filter(|_| cursor.rest().is_empty())
    }

    pub(super) fn attributes(&self) -> SocketAttributes {
        match &self.data {
            Value::Object(entries) => entries.iter().map(|(key, value)| (key.clone(), value.clone())).collect(),
            _ => SocketAttributes::default(),
        }
    }

    /// What the client has received, unless a server on Node.js has stored the session.
    pub(super) fn past(&self) -> Option<Past> {
        let saved = self.log.as_ref()?;
        let changes = saved.changes.iter().map(|(from, room, joined)| Change {
            from: from.0,
            room: room.as_str().into(),
            joined: *joined,
        });
        Some(Past {
            number: saved.number,
            start: saved.start.0,
            sent: saved.sent.0,
            settled: saved.settled.0,
            unlogged: saved.unlogged.0,
            history: History::of(changes.collect(), saved.known_from.0),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn at(number: u64) -> Offset {
        Offset { epoch: 1_795_440_300_304, number }
    }

    #[test]
    fn a_session_is_read_as_it_was_stored() {
        let change = |number, room: &str, joined| Change { from: at(number), room: room.into(), joined };
        let history = History::of(vec![change(1, "a", true), change(2, "ü", false)], at(0));
        let past = Past { number: 7, start: at(1), sent: at(2), settled: at(3), unlogged: Offset::default(), history };
        let attributes: SocketAttributes = [("name".to_owned(), json!({ "first": "Ann" }))].into_iter().collect();
        let (id, rooms) = (SocketId::from("sid"), ["a".into(), "b".into()]);
        let saved = SavedSession::new("server", "token", &id, &rooms, attributes.clone(), past.clone());
        let read = SavedSession::decode(&saved.encode().into()).expect("a session");
        assert_eq!((&*read.sid, &*read.pid), ("sid", "token"));
        assert_eq!(read.rooms, ["sid", "a", "b"]);
        assert_eq!(read.attributes(), attributes);
        assert_eq!(read.past(), Some(past));
    }

    #[test]
    fn a_session_of_node_is_read() {
        let json = br#"{"sid":"s","pid":"p","rooms":["s","room"],"data":{"user":1}}"#;
        let mut bytes = Vec::new();
        Writer { out: &mut bytes }.json(json, &[]);
        let read = SavedSession::decode(&bytes.into()).expect("a session");
        assert_eq!(read.attributes().get_as::<u32>("user"), Some(1));
        assert!(read.past().is_none());
        for other in [&b""[..], b"\xa1x", b"\x80", b"\x81\xa3sid\xa1x"] {
            assert!(SavedSession::decode(&Bytes::copy_from_slice(other)).is_none());
        }
    }
}
