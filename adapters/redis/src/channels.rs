//! [`Channels`]: which channel of Redis a topic has, and the topic of a channel.

use std::str;
use std::sync::Arc;

use socketio::cluster::Topic;

use crate::resp;

/// The names of channels, as the adapters for Node.js form them.
#[derive(Clone, Debug)]
pub(crate) struct Channels {
    pub(crate) prefix: String,
    pub(crate) form: Form,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// `createAdapter`: `PUBLISH`, `SUBSCRIBE` and `PSUBSCRIBE`.
    Classic,
    /// `createShardedAdapter`: `SPUBLISH` and `SSUBSCRIBE`.
    Sharded,
    /// `createAdapter` of `@socket.io/redis-streams-adapter`: `PUBLISH` and `SUBSCRIBE`.
    Streams,
}

/// How a channel is subscribed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Via {
    Subscribe,
    Pattern,
    Shard,
}

/// What a channel carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Main,
    Room,
    Requests,
    Responses,
    Reply,
    /// No topic: what a connection sends to itself.
    Probe,
}

/// The subscription of a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Subscription {
    /// The channel or the pattern.
    pub(crate) channel: Arc<str>,
    pub(crate) shape: Shape,
}

/// What is needed to find a topic in the name of its channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) via: Via,
    pub(crate) kind: Kind,
    /// Where the namespace is in the channel.
    namespace: (u32, u32),
}

impl Kind {
    fn of(topic: &Topic<'_>) -> Self {
        match topic {
            Topic::Room { .. } => Self::Room,
            Topic::Requests { .. } => Self::Requests,
            Topic::Responses { .. } => Self::Responses,
            Topic::Reply { .. } => Self::Reply,
            _ => Self::Main,
        }
    }
}

impl Channels {
    /// The parts that together are the topic's channel.
    pub(crate) fn parts<'a>(&'a self, topic: &Topic<'a>) -> [&'a str; 6] {
        let infix = match (self.form, topic) {
            (Form::Classic, Topic::Requests { .. }) => "-request#",
            (Form::Classic, Topic::Responses { .. } | Topic::Reply { .. }) => "-response#",
            _ => "#",
        };
        let (detail, end) = match topic {
            Topic::Room { room, .. } => (*room, "#"),
            Topic::Reply { server, .. } => (*server, "#"),
            _ => ("", ""),
        };
        [&self.prefix, infix, topic.namespace(), "#", detail, end]
    }

    pub(crate) fn channel(&self, topic: &Topic<'_>) -> String {
        self.parts(topic).concat()
    }

    /// Appends the command that publishes a message.
    pub(crate) fn write_message(&self, bytes: &mut Vec<u8>, topic: &Topic<'_>, body: &[u8]) {
        let command: &[u8] = match self.form {
            Form::Classic | Form::Streams => b"*3\r\n$7\r\nPUBLISH\r\n",
            Form::Sharded => b"*3\r\n$8\r\nSPUBLISH\r\n",
        };
        bytes.extend_from_slice(command);
        resp::bulk(bytes, &self.parts(topic));
        resp::bulk(bytes, &[body]);
    }

    /// How to subscribe to a topic. Returns `None` if another subscription includes it.
    pub(crate) fn subscription(&self, topic: &Topic<'_>) -> Option<Subscription> {
        let kind = Kind::of(topic);
        let channel = self.channel(topic);
        let [prefix, infix, ..] = self.parts(topic);
        let start = prefix.len() + infix.len();
        let end = start + topic.namespace().len();
        let (via, channel) = match (self.form, kind) {
            (Form::Classic, Kind::Room) => return None,
            (Form::Classic, Kind::Main) => (Via::Pattern, format!("{}*", escaped(&channel))),
            (Form::Classic, _) => (Via::Subscribe, channel),
            (Form::Sharded, _) => (Via::Shard, channel),
            (Form::Streams, _) => (Via::Subscribe, channel),
        };
        let namespace = (u32::try_from(start).ok()?, u32::try_from(end).ok()?);
        Some(Subscription { channel: channel.into(), shape: Shape { via, kind, namespace } })
    }

    /// The topic of a message that a pattern matched. The pattern decides where the namespace ends,
    /// which may contain a `#`.
    pub(crate) fn matched<'a>(&self, pattern: &[u8], channel: &'a [u8]) -> Option<Topic<'a>> {
        let channel = str::from_utf8(channel).ok()?;
        let main = unescaped_len(pattern.strip_suffix(b"*")?);
        let (main, room) = channel.split_at_checked(main)?;
        let namespace = main.strip_prefix(&*self.prefix)?.strip_prefix('#')?.strip_suffix('#')?;
        match room {
            "" => Some(Topic::Main { namespace }),
            _ => Some(Topic::Room { namespace, room: room.strip_suffix('#')? }),
        }
    }
}

impl Shape {
    /// That of the channel on which a node is probed.
    pub(crate) const PROBE: Self = Self { via: Via::Shard, kind: Kind::Probe, namespace: (0, 0) };

    /// The topic of a channel that has this shape.
    pub(crate) fn topic<'a>(&self, channel: &'a str) -> Option<Topic<'a>> {
        let (start, end) = (self.namespace.0 as usize, self.namespace.1 as usize);
        let namespace = channel.get(start..end)?;
        let detail = || channel.get(end + 1..)?.strip_suffix('#');
        Some(match self.kind {
            Kind::Main => Topic::Main { namespace },
            Kind::Requests => Topic::Requests { namespace },
            Kind::Responses => Topic::Responses { namespace },
            Kind::Room => Topic::Room { namespace, room: detail()? },
            Kind::Reply => Topic::Reply { namespace, server: detail()? },
            Kind::Probe => return None,
        })
    }
}

/// A pattern that matches exactly this text.
fn escaped(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len());
    for character in text.chars() {
        if matches!(character, '*' | '?' | '[' | ']' | '\\' | '^') {
            pattern.push('\\');
        }
        pattern.push(character);
    }
    pattern
}

/// The length of the text that an escaped pattern matches.
fn unescaped_len(pattern: &[u8]) -> usize {
    let mut length = 0;
    let mut at = 0;
    while at < pattern.len() {
        at += if pattern[at] == b'\\' { 2 } else { 1 };
        length += 1;
    }
    length
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Topic<'_>; 5] = [
        Topic::Main { namespace: "/chat" },
        Topic::Room { namespace: "/chat", room: "a#b" },
        Topic::Requests { namespace: "/chat" },
        Topic::Responses { namespace: "/chat" },
        Topic::Reply { namespace: "/chat", server: "5Vwf26" },
    ];

    fn channels(form: Form) -> Channels {
        Channels { prefix: "socket.io".into(), form }
    }

    #[test]
    fn channels_are_those_of_node() {
        let names = |form| ALL.map(|topic| channels(form).channel(&topic));
        assert_eq!(
            names(Form::Classic),
            [
                "socket.io#/chat#",
                "socket.io#/chat#a#b#",
                "socket.io-request#/chat#",
                "socket.io-response#/chat#",
                "socket.io-response#/chat#5Vwf26#",
            ]
        );
        let sharded = names(Form::Sharded);
        assert_eq!(sharded[..2], ["socket.io#/chat#", "socket.io#/chat#a#b#"]);
        assert_eq!(sharded[4], "socket.io#/chat#5Vwf26#");
        assert_eq!(names(Form::Streams), sharded);
    }

    #[test]
    fn the_topic_of_a_subscription_is_found_in_its_channel() {
        for form in [Form::Classic, Form::Sharded, Form::Streams] {
            for topic in ALL {
                let Some(subscription) = channels(form).subscription(&topic) else { continue };
                if subscription.shape.via != Via::Pattern {
                    assert_eq!(subscription.shape.topic(&subscription.channel), Some(topic));
                }
            }
        }
    }

    #[test]
    fn a_pattern_matches_its_namespace_only() {
        let channels = channels(Form::Classic);
        for namespace in ["/", "/a*", "/[x]?^y\\", "/a#b", "/ü*"] {
            let main = Topic::Main { namespace };
            let pattern = channels.subscription(&main).unwrap().channel;
            for topic in [main, Topic::Room { namespace, room: "r*#" }, Topic::Room { namespace, room: "" }] {
                let channel = channels.channel(&topic);
                assert_eq!(channels.matched(pattern.as_bytes(), channel.as_bytes()), Some(topic), "{pattern}");
            }
        }
        assert_eq!(&*channels.subscription(&Topic::Main { namespace: "/a*" }).unwrap().channel, "socket.io#/a\\*#*");
        assert_eq!(channels.matched(b"socket.io#/#*", b"socket.io#/#open"), None);
        assert_eq!(channels.matched(b"socket.io#/#*", b"\xff"), None);
    }
}
