//! [`OwnedTopic`]: a [`Topic`] that owns its names.

use crate::cluster::Topic;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct OwnedTopic {
    kind: Kind,
    namespace: Box<str>,
    /// The room or the server.
    detail: Box<str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Main,
    Room,
    Requests,
    Responses,
    Reply,
}

impl From<Topic<'_>> for OwnedTopic {
    fn from(topic: Topic<'_>) -> Self {
        let (kind, detail) = match topic {
            Topic::Main { .. } => (Kind::Main, ""),
            Topic::Room { room, .. } => (Kind::Room, room),
            Topic::Requests { .. } => (Kind::Requests, ""),
            Topic::Responses { .. } => (Kind::Responses, ""),
            Topic::Reply { server, .. } => (Kind::Reply, server),
        };
        Self { kind, namespace: topic.namespace().into(), detail: detail.into() }
    }
}

impl OwnedTopic {
    pub(super) fn as_topic(&self) -> Topic<'_> {
        let (namespace, detail) = (&*self.namespace, &*self.detail);
        match self.kind {
            Kind::Main => Topic::Main { namespace },
            Kind::Room => Topic::Room { namespace, room: detail },
            Kind::Requests => Topic::Requests { namespace },
            Kind::Responses => Topic::Responses { namespace },
            Kind::Reply => Topic::Reply { namespace, server: detail },
        }
    }

    /// The main topic of the namespace, if this is the topic of a room.
    pub(super) fn main_of_room(&self) -> Option<Self> {
        (self.kind == Kind::Room).then(|| Topic::Main { namespace: &self.namespace }.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_survives_the_conversion() {
        let namespace = "/chat";
        let topics = [
            Topic::Main { namespace },
            Topic::Room { namespace, room: "lobby" },
            Topic::Requests { namespace },
            Topic::Responses { namespace },
            Topic::Reply { namespace, server: "abc" },
        ];
        for topic in topics {
            assert_eq!(OwnedTopic::from(topic).as_topic(), topic);
        }
        assert_eq!(OwnedTopic::from(topics[1]).main_of_room(), Some(topics[0].into()));
        assert_eq!(OwnedTopic::from(topics[4]).main_of_room(), None);
    }
}
