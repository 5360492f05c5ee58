//! [`PublishBatch`]: messages that an engine publishes together.

use std::ops::Range;
use std::sync::Arc;

use super::Topic;

/// Messages that an [`Engine`](super::Engine) publishes, in order.
#[derive(Debug, Default)]
pub struct PublishBatch {
    /// The details and bodies of all messages.
    bytes: Vec<u8>,
    messages: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    kind: Kind,
    namespace: Arc<str>,
    /// The room, the server or the token of the topic.
    detail: Range<usize>,
    body: Range<usize>,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Main,
    Room,
    Requests,
    Responses,
    Reply,
    Log(u8),
    Session,
}

impl PublishBatch {
    /// Adds a message. `write` appends its body. `namespace` is the namespace of the topic.
    pub(crate) fn push(&mut self, namespace: &Arc<str>, topic: Topic<'_>, write: impl FnOnce(&mut Vec<u8>)) {
        let (kind, detail) = match topic {
            Topic::Main { .. } => (Kind::Main, ""),
            Topic::Room { room, .. } => (Kind::Room, room),
            Topic::Requests { .. } => (Kind::Requests, ""),
            Topic::Responses { .. } => (Kind::Responses, ""),
            Topic::Reply { server, .. } => (Kind::Reply, server),
            Topic::Log { server, kind, .. } => (Kind::Log(kind), server),
            Topic::Session { token, .. } => (Kind::Session, token),
        };
        let start = self.bytes.len();
        self.bytes.extend_from_slice(detail.as_bytes());
        let detail = start..self.bytes.len();
        write(&mut self.bytes);
        let body = detail.end..self.bytes.len();
        self.messages.push(Entry { kind, namespace: Arc::clone(namespace), detail, body });
    }

    /// The messages with their topics.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (Topic<'_>, &[u8])> {
        self.messages.iter().map(|entry| {
            let namespace = &*entry.namespace;
            // It was copied from a string.
            let detail = std::str::from_utf8(&self.bytes[entry.detail.clone()]).unwrap_or_default();
            let topic = match entry.kind {
                Kind::Main => Topic::Main { namespace },
                Kind::Room => Topic::Room { namespace, room: detail },
                Kind::Requests => Topic::Requests { namespace },
                Kind::Responses => Topic::Responses { namespace },
                Kind::Reply => Topic::Reply { namespace, server: detail },
                Kind::Log(kind) => Topic::Log { namespace, server: detail, kind },
                Kind::Session => Topic::Session { namespace, token: detail },
            };
            (topic, &self.bytes[entry.body.clone()])
        })
    }

    /// The number of messages.
    pub fn len(&self) -> usize {
        self.messages.len()
    }

    /// Returns `true` if there is no message.
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// The length of all messages in bytes.
    pub fn byte_len(&self) -> usize {
        self.bytes.len()
    }

    /// Removes all messages and keeps the memory, up to `kept` bytes.
    pub(crate) fn clear(&mut self, kept: usize) {
        self.bytes.clear();
        self.bytes.shrink_to(kept);
        self.messages.clear();
        self.messages.shrink_to(kept / 64);
    }
}
