//! [`Addressing`]: on which topics a server or an emitter publishes its messages.

use super::message::Outgoing;
use super::{Dialect, EngineTraits, RoomTopics, Topic, codec};

/// What publishes as this is no server, and is not counted as one.
pub(crate) const EMITTER: &str = "emitter";

/// The length of socket ids, in UTF-16 units. The reference takes rooms whose names have it for
/// ids.
const ID_LENGTH: usize = 20;

/// The topics of a namespace.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Addressing<'a> {
    pub(crate) dialect: Dialect,
    pub(crate) rooms: RoomTopics,
    pub(crate) namespace: &'a str,
    /// The id of who publishes.
    pub(crate) server: &'a str,
}

impl<'a> Addressing<'a> {
    pub(crate) fn new(traits: &EngineTraits, namespace: &'a str, server: &'a str) -> Self {
        Self { dialect: traits.dialect, rooms: traits.rooms, namespace, server }
    }

    /// The topic of an event to the members of these rooms.
    pub(crate) fn event<R: AsRef<str>>(&self, rooms: &'a [R]) -> Topic<'a> {
        match rooms {
            _ if self.dialect == Dialect::Streams => self.log(codec::BROADCAST_IN_LOG),
            [room] if self.rooms == RoomTopics::Included || self.has_room_topic(room.as_ref()) => {
                Topic::Room { namespace: self.namespace, room: room.as_ref() }
            }
            _ => Topic::Main { namespace: self.namespace },
        }
    }

    /// The topic of a message that all servers get, and that is no event to clients.
    pub(crate) fn request(&self, message: &Outgoing<'_>) -> Topic<'a> {
        let kind = (self.dialect == Dialect::Streams).then(|| codec::kind_in_log(message));
        kind.flatten().map_or_else(|| self.question(), |kind| self.log(kind))
    }

    /// The topic of questions.
    pub(crate) fn question(&self) -> Topic<'a> {
        let namespace = self.namespace;
        match self.dialect {
            Dialect::Classic => Topic::Requests { namespace },
            Dialect::Messages | Dialect::Streams => Topic::Main { namespace },
        }
    }

    /// Whether servers subscribe to a topic of the room while they have members.
    pub(crate) fn has_room_topic(&self, room: &str) -> bool {
        match self.rooms {
            RoomTopics::None | RoomTopics::Included => false,
            RoomTopics::Dynamic => room.encode_utf16().count() != ID_LENGTH,
            RoomTopics::DynamicPrivate => true,
        }
    }

    fn log(&self, kind: u8) -> Topic<'a> {
        Topic::Log { namespace: self.namespace, server: self.server, kind }
    }
}
