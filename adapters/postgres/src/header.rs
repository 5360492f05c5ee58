//! [`Header`]: what is notified of a message that is stored as an attachment.

use serde::Deserialize;
use std::borrow::Cow;

/// A longer notification is no header.
const LONGEST: usize = 512;

/// Where a message is stored, and for whom it is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Header<'a> {
    pub(crate) id: i64,
    /// The server that sent it. Emitters have no id of their own.
    pub(crate) server: Option<Cow<'a, str>>,
    /// The server that it answers, which servers on Node.js do not tell.
    pub(crate) to: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Fields<'a> {
    #[serde(borrow, rename = "attachmentId", default)]
    id: Option<Id<'a>>,
    #[serde(borrow, rename = "uid", default)]
    server: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    to: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Id<'a> {
    Number(i64),
    Text(#[serde(borrow)] Cow<'a, str>),
}

impl<'a> Header<'a> {
    /// Reads a notification. Returns `None` if it is a message and no header.
    pub(crate) fn read(payload: &'a str) -> Option<Self> {
        if payload.len() > LONGEST || !payload.contains("\"attachmentId\"") {
            return None;
        }
        let Fields { id, server, to } = serde_json::from_str(payload).ok()?;
        let id = match id? {
            Id::Number(id) => id,
            Id::Text(text) => text.parse().ok()?,
        };
        Some(Self { id, server, to })
    }

    /// Writes the header of a message in MessagePack.
    pub(crate) fn write(id: i64, server: &str, to: Option<&str>, message: &[u8]) -> String {
        let kind = match message {
            // The type is the first field.
            [_, 0xa4, b't', b'y', b'p', b'e', kind @ ..0x80, ..] => *kind,
            _ => 0,
        };
        let to = match to {
            Some(to) => format!(",\"to\":{}", serde_json::Value::from(to)),
            None => String::new(),
        };
        format!("{{\"uid\":{},\"type\":{kind},\"attachmentId\":\"{id}\"{to}}}", serde_json::Value::from(server))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_those_of_node() {
        let message = socketio::cluster::to_msgpack(br#"{"type":3,"data":{}}"#).unwrap();
        let text = Header::write(51, "f9bc", None, &message);
        assert_eq!(text, r#"{"uid":"f9bc","type":3,"attachmentId":"51"}"#);
        assert_eq!(Header::read(&text), Some(Header { id: 51, server: Some("f9bc".into()), to: None }));
        let text = Header::write(52, "f9bc", Some("a\"b"), &message);
        assert_eq!(Header::read(&text).unwrap().to.as_deref(), Some("a\"b"));
        assert_eq!(Header::read(r#"{"type":3,"attachmentId":7}"#).unwrap().id, 7);
    }

    #[test]
    fn messages_are_no_headers() {
        for text in [
            "",
            r#"{"type":3,"data":{"attachmentId":"1"},"uid":"a"}"#,
            r#"{"type":3,"data":["\"attachmentId\":\"1\""]}"#,
            r#"{"uid":"a","type":3,"attachmentId":"x"}"#,
            r#"{"uid":"a","type":3,"attachmentId":null}"#,
            r#"["attachmentId"]"#,
        ] {
            assert_eq!(Header::read(text), None, "{text}");
        }
    }
}
