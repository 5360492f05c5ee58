//! [`OwnedTopic`]: a topic that is kept.

use std::fmt::{self, Debug};

use super::Topic;

/// A [`Topic`] that borrows nothing.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OwnedTopic(Owned);

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Owned {
    Main(Box<str>),
    Room(Box<str>, Box<str>),
    Requests(Box<str>),
    Responses(Box<str>),
    Reply(Box<str>, Box<str>),
    Log(Box<str>, Box<str>, u8),
    Session(Box<str>, Box<str>),
}

impl OwnedTopic {
    /// The topic.
    pub fn get(&self) -> Topic<'_> {
        match &self.0 {
            Owned::Main(namespace) => Topic::Main { namespace },
            Owned::Room(namespace, room) => Topic::Room { namespace, room },
            Owned::Requests(namespace) => Topic::Requests { namespace },
            Owned::Responses(namespace) => Topic::Responses { namespace },
            Owned::Reply(namespace, server) => Topic::Reply { namespace, server },
            Owned::Log(namespace, server, kind) => Topic::Log { namespace, server, kind: *kind },
            Owned::Session(namespace, token) => Topic::Session { namespace, token },
        }
    }
}

impl From<Topic<'_>> for OwnedTopic {
    fn from(topic: Topic<'_>) -> Self {
        let namespace = topic.namespace().into();
        Self(match topic {
            Topic::Main { .. } => Owned::Main(namespace),
            Topic::Room { room, .. } => Owned::Room(namespace, room.into()),
            Topic::Requests { .. } => Owned::Requests(namespace),
            Topic::Responses { .. } => Owned::Responses(namespace),
            Topic::Reply { server, .. } => Owned::Reply(namespace, server.into()),
            Topic::Log { server, kind, .. } => Owned::Log(namespace, server.into(), kind),
            Topic::Session { token, .. } => Owned::Session(namespace, token.into()),
        })
    }
}

impl PartialEq<Topic<'_>> for OwnedTopic {
    fn eq(&self, other: &Topic<'_>) -> bool {
        self.get() == *other
    }
}

impl Debug for OwnedTopic {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.get().fmt(formatter)
    }
}
