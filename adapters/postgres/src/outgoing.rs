//! [`parts`]: how a batch is divided into transactions, and what each of them notifies.

use socketio::cluster::{PublishBatch, Topic, to_msgpack};
use std::borrow::Cow;
use std::collections::HashMap;

use crate::channels::Channels;

/// The longest payload of a notification that PostgreSQL accepts, in bytes.
pub(crate) const MAX_PAYLOAD: usize = 7_999;
/// How much goes into one transaction, unless a single message is larger.
const MAX_MESSAGES: usize = 2_000;
const MAX_BYTES: usize = 4 << 20;

/// A message in the form in which it is published.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Outgoing<'a> {
    /// An index of the channels of the part.
    pub(crate) channel: usize,
    /// The server that it answers.
    pub(crate) to: Option<&'a str>,
    pub(crate) body: Body<'a>,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Body<'a> {
    /// A notification.
    Text(Cow<'a, str>),
    /// MessagePack, which becomes an attachment.
    Attachment(Cow<'a, [u8]>),
}

/// What goes into one transaction.
#[derive(Debug, Default)]
pub(crate) struct Part<'a> {
    pub(crate) channels: Vec<String>,
    pub(crate) messages: Vec<Outgoing<'a>>,
    pub(crate) bytes: usize,
    namespaces: HashMap<&'a str, usize>,
    /// How often a text was notified. PostgreSQL would notify it once.
    seen: HashMap<(usize, &'a str), usize>,
}

/// Divides a batch. `threshold` is the longest text that is notified.
pub(crate) fn parts<'a>(batch: &'a PublishBatch, channels: &Channels, threshold: usize) -> Vec<Part<'a>> {
    let mut parts = Vec::new();
    let mut part = Part::default();
    for (topic, body) in batch.iter() {
        if part.messages.len() >= MAX_MESSAGES || part.bytes + body.len() > MAX_BYTES && !part.messages.is_empty() {
            parts.push(std::mem::take(&mut part));
        }
        part.add(topic, body, channels, threshold.min(MAX_PAYLOAD));
    }
    parts.push(part);
    parts
}

impl<'a> Part<'a> {
    fn add(&mut self, topic: Topic<'a>, body: &'a [u8], channels: &Channels, threshold: usize) {
        let namespace = topic.namespace();
        let channel = *self.namespaces.entry(namespace).or_insert_with(|| {
            self.channels.push(channels.channel(namespace));
            self.channels.len() - 1
        });
        self.bytes += body.len();
        let to = if let Topic::Reply { server, .. } = topic { Some(server) } else { None };
        let body = match self.text(channel, body, threshold) {
            Some(text) => Body::Text(text),
            None => Body::Attachment(to_msgpack(body).map_or(Cow::Borrowed(body), Cow::Owned)),
        };
        self.messages.push(Outgoing { channel, to, body });
    }

    /// The text to notify, if the message is one, and not too long. It differs from all others of
    /// this transaction.
    fn text(&mut self, channel: usize, body: &'a [u8], threshold: usize) -> Option<Cow<'a, str>> {
        if body.first() != Some(&b'{') || body.len() > threshold {
            return None;
        }
        let text = std::str::from_utf8(body).ok()?;
        let seen = self.seen.entry((channel, text)).or_default();
        *seen += 1;
        if *seen == 1 {
            return Some(Cow::Borrowed(text));
        }
        // Space at the end means nothing in JSON.
        let mut distinct = text.to_owned();
        let mut number = *seen - 1;
        while number > 0 {
            distinct.push([' ', '\n', '\t', '\r'][number % 4]);
            number /= 4;
        }
        (distinct.len() <= MAX_PAYLOAD).then_some(Cow::Owned(distinct))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use socketio::testing::cluster::batch;
    use std::collections::HashSet;

    const MAIN: Topic<'_> = Topic::Main { namespace: "/" };

    fn channels() -> Channels {
        Channels { prefix: "p".into() }
    }

    fn json(length: usize) -> Vec<u8> {
        let mut text = br#"{"type":4,"data":""#.to_vec();
        text.resize(length - 2, b'x');
        text.extend(b"\"}");
        text
    }

    #[test]
    fn long_messages_and_binary_ones_are_attachments() {
        let bodies = [json(100), json(101), json(7_999), json(8_000), b"\x81\xa4type\x03".to_vec()];
        let batch = batch(bodies.iter().map(|body| (MAIN, &body[..])));
        let kinds = |threshold| {
            let parts = parts(&batch, &channels(), threshold);
            let messages = parts.iter().flat_map(|part| &part.messages);
            messages.map(|message| matches!(message.body, Body::Text(_))).collect::<Vec<_>>()
        };
        assert_eq!(kinds(8_000), [true, true, true, false, false]);
        assert_eq!(kinds(100), [true, false, false, false, false]);
        assert_eq!(kinds(0), [false; 5]);
        let parts = parts(&batch, &channels(), 8_000);
        let Body::Attachment(long) = &parts[0].messages[3].body else { panic!("it is a text") };
        assert_eq!(long[..7], *b"\x82\xa4type\x04");
        assert_eq!(parts[0].messages[4].body, Body::Attachment(Cow::Borrowed(b"\x81\xa4type\x03")));
    }

    #[test]
    fn equal_messages_are_told_apart() {
        let (one, other) = (json(50), json(51));
        let mut bodies = vec![&one[..]; 500];
        bodies.push(&other);
        let other_namespace = Topic::Main { namespace: "/a" };
        let messages = bodies.iter().map(|body| (MAIN, *body)).chain([(other_namespace, &one[..])]);
        let batch = batch(messages);
        let parts = parts(&batch, &channels(), 8_000);
        let [part] = &parts[..] else { panic!("there are {} parts", parts.len()) };
        assert_eq!(part.channels, ["p#/", "p#/a"]);
        let mut seen = HashSet::new();
        for message in &part.messages {
            let Body::Text(text) = &message.body else { panic!("it is an attachment") };
            assert!(seen.insert((message.channel, text)));
            assert!([&one, &other].iter().any(|body| text.trim_end().as_bytes() == &body[..]));
        }
        assert_eq!(seen.len(), 502);
    }

    #[test]
    fn a_text_that_can_not_be_longer_becomes_an_attachment() {
        let body = json(MAX_PAYLOAD);
        let batch = batch([(MAIN, &body[..]), (MAIN, &body[..])]);
        let parts = parts(&batch, &channels(), 8_000);
        assert!(matches!(parts[0].messages[1].body, Body::Attachment(_)));
    }

    #[test]
    fn transactions_are_bounded() {
        let (small, large) = (json(20), json(MAX_BYTES));
        let messages = (0..4_100).map(|_| (MAIN, &small[..])).chain([(MAIN, &large[..]), (MAIN, &small[..])]);
        let batch = batch(messages);
        let lengths: Vec<_> = parts(&batch, &channels(), 8_000).iter().map(|part| part.messages.len()).collect();
        assert_eq!(lengths, [2_000, 2_000, 100, 1, 1]);
    }

    #[test]
    fn answers_say_whom_they_are_for() {
        let body = json(9_000);
        let reply = Topic::Reply { namespace: "/", server: "a" };
        let batch = batch([(reply, &body[..]), (MAIN, &body[..])]);
        let parts = parts(&batch, &channels(), 8_000);
        assert_eq!(parts[0].messages.iter().map(|message| message.to).collect::<Vec<_>>(), [Some("a"), None]);
    }
}
