//! [`Settings`] of the stream, and the commands that use it.

use base64::Engine as _;
use socketio::cluster::{Offset, Topic};
use std::time::Duration;

use super::entry::BASE64;
use crate::channels::Channels;
use crate::resp;

/// What servers on Node.js call `streamName`, `maxLen`, `readCount`, `blockTimeInMs` and
/// `sessionKeyPrefix`.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) stream: String,
    pub(crate) max_len: u64,
    pub(crate) read_count: usize,
    pub(crate) block: Duration,
    pub(crate) session_prefix: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            stream: "socket.io".into(),
            max_len: 10_000,
            read_count: 100,
            block: Duration::from_secs(5),
            session_prefix: "sio:session:".into(),
        }
    }
}

impl Settings {
    /// Appends the command that publishes a message. Sessions expire after `sessions`.
    pub(crate) fn write_message(
        &self,
        bytes: &mut Vec<u8>,
        channels: &Channels,
        sessions: Duration,
        topic: &Topic<'_>,
        body: &[u8],
    ) {
        match topic {
            Topic::Log { namespace, server, kind } => self.add(bytes, namespace, server, *kind, body),
            Topic::Session { token, .. } if body.is_empty() => {
                resp::header(bytes, b'*', 2);
                resp::bulk(bytes, &["DEL"]);
                resp::bulk(bytes, &[&*self.session_prefix, token]);
            }
            Topic::Session { token, .. } => {
                resp::header(bytes, b'*', 5);
                resp::bulk(bytes, &["SET"]);
                resp::bulk(bytes, &[&*self.session_prefix, token]);
                base64(bytes, body);
                resp::bulk(bytes, &["PX"]);
                resp::bulk(bytes, &[millis(sessions)]);
            }
            _ => channels.write_message(bytes, topic, body),
        }
    }

    /// Appends the command that adds an entry. Its fields are in the order of those from Node.js.
    fn add(&self, bytes: &mut Vec<u8>, namespace: &str, server: &str, kind: u8, body: &[u8]) {
        resp::header(bytes, b'*', if namespace.is_empty() { 12 } else { 14 });
        resp::bulk(bytes, &["XADD"]);
        resp::bulk(bytes, &[&self.stream]);
        bytes.extend_from_slice(b"$6\r\nMAXLEN\r\n$1\r\n~\r\n");
        resp::bulk(bytes, &[resp::digits(self.max_len, &mut [0; 20])]);
        bytes.extend_from_slice(b"$1\r\n*\r\n$3\r\nuid\r\n");
        resp::bulk(bytes, &[server]);
        if !namespace.is_empty() {
            bytes.extend_from_slice(b"$3\r\nnsp\r\n");
            resp::bulk(bytes, &[namespace]);
        }
        bytes.extend_from_slice(b"$4\r\ntype\r\n");
        resp::bulk(bytes, &[resp::digits(kind.into(), &mut [0; 20])]);
        bytes.extend_from_slice(b"$4\r\ndata\r\n");
        if body.first() == Some(&b'{') {
            resp::bulk(bytes, &[body]);
        } else {
            base64(bytes, body);
        }
    }

    /// Appends the command that waits for the entries after one.
    pub(super) fn read(&self, bytes: &mut Vec<u8>, after: Offset, count: usize) {
        let (count, block) = (count.to_string(), millis(self.block));
        let command = ["XREAD", "COUNT", &count, "BLOCK", &block, "STREAMS", &self.stream, &after.to_string()];
        write(bytes, &command);
    }

    /// Appends the command that reads entries from one to another.
    pub(super) fn range(&self, bytes: &mut Vec<u8>, from: Offset, to: Offset, count: usize) {
        write(bytes, &["XRANGE", &self.stream, &from.to_string(), &to.to_string(), "COUNT", &count.to_string()]);
    }

    /// Appends the command that describes the stream.
    pub(super) fn info(&self, bytes: &mut Vec<u8>) {
        write(bytes, &["XINFO", "STREAM", &self.stream]);
    }

    /// Appends the command that removes entries which are older than a time in milliseconds.
    pub(super) fn trim(&self, bytes: &mut Vec<u8>, oldest: u64) {
        write(bytes, &["XTRIM", &self.stream, "MINID", "~", &oldest.to_string()]);
    }

    /// Appends five commands. The reply to the last of them has a session, the number of sessions
    /// that were removed, and the last entry.
    pub(super) fn take_session(&self, bytes: &mut Vec<u8>, token: &str) {
        let key = [&*self.session_prefix, token].concat();
        write(bytes, &["MULTI"]);
        write(bytes, &["GET", &key]);
        write(bytes, &["DEL", &key]);
        write(bytes, &["XREVRANGE", &self.stream, "+", "-", "COUNT", "1"]);
        write(bytes, &["EXEC"]);
    }
}

pub(super) fn write(bytes: &mut Vec<u8>, command: &[&str]) {
    resp::header(bytes, b'*', command.len());
    for argument in command {
        resp::bulk(bytes, &[argument]);
    }
}

/// A time in milliseconds, of which Redis wants at least one.
fn millis(time: Duration) -> String {
    time.as_millis().clamp(1, i64::MAX as u128 / 2).to_string()
}

/// Appends a bulk string of the text that stands for these bytes.
fn base64(bytes: &mut Vec<u8>, body: &[u8]) {
    let length = body.len().div_ceil(3) * 4;
    resp::header(bytes, b'$', length);
    let start = bytes.len();
    bytes.resize(start + length, 0);
    // It has this length, so this does not fail.
    _ = BASE64.encode_slice(body, &mut bytes[start..]);
    bytes.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channels::Form;

    /// The arguments of the command for a message.
    fn written(topic: Topic<'_>, body: &[u8]) -> Vec<String> {
        let channels = Channels { prefix: "p".into(), form: Form::Streams };
        let mut bytes = Vec::new();
        Settings::default().write_message(&mut bytes, &channels, Duration::from_secs(120), &topic, body);
        let (command, length) = resp::reply(&bytes).unwrap();
        assert_eq!(length, bytes.len());
        command.array().unwrap().iter().map(|argument| argument.text().unwrap().to_owned()).collect()
    }

    #[test]
    fn entries_have_the_form_of_node() {
        let topic = Topic::Log { namespace: "/", server: "8a7f", kind: 3 };
        let begin = ["XADD", "socket.io", "MAXLEN", "~", "10000", "*", "uid", "8a7f", "nsp", "/", "type", "3", "data"];
        assert_eq!(written(topic, br#"{"a":1}"#), [&begin[..], &[r#"{"a":1}"#]].concat());
        assert_eq!(written(topic, b"\x81\xa1a\x01"), [&begin[..], &["gaFhAQ=="]].concat());
        let probe = Topic::Log { namespace: "", server: "8a7f", kind: 0 };
        let without = ["XADD", "socket.io", "MAXLEN", "~", "10000", "*", "uid", "8a7f", "type", "0", "data", "{}"];
        assert_eq!(written(probe, b"{}"), without);
    }

    #[test]
    fn sessions_are_keys_that_expire() {
        let topic = Topic::Session { namespace: "/", token: "abc" };
        assert_eq!(written(topic, b"x"), ["SET", "sio:session:abc", "eA==", "PX", "120000"]);
        assert_eq!(written(topic, b""), ["DEL", "sio:session:abc"]);
    }

    #[test]
    fn other_messages_are_published_on_channels() {
        assert_eq!(written(Topic::Main { namespace: "/" }, b"x"), ["PUBLISH", "p#/#", "x"]);
        assert_eq!(written(Topic::Reply { namespace: "/", server: "s" }, b"x"), ["PUBLISH", "p#/#s#", "x"]);
    }
}
