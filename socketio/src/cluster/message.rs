//! [`Message`]: what the members of a cluster tell each other, independent of the [`Dialect`].
//!
//! [`Dialect`]: super::Dialect

use bytes::Bytes;
use smallvec::SmallVec;
use std::borrow::Cow;

pub(crate) use super::details::{HandshakeDetails, SocketDetails};
use crate::wire::packet::Packet;

/// The id by which an answer finds its request.
pub(crate) type RequestId<'a> = Cow<'a, str>;

/// Names of rooms.
pub(crate) type Names<'a> = SmallVec<[Cow<'a, str>; 2]>;

/// The sockets that a message concerns: the members of any of `rooms`, or all if there are none,
/// except members of `except`.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Options<'a> {
    pub(crate) rooms: Names<'a>,
    pub(crate) except: Names<'a>,
    pub(crate) flags: Flags<'a>,
}

/// The longest time in milliseconds that a message can tell: that of timers in JavaScript.
pub(crate) const MAX_TIMEOUT: u64 = i32::MAX as u64;

/// The flags that are read. Others are ignored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Flags<'a> {
    pub(crate) volatile: bool,
    /// Of the event's messages with this key, only the latest waits for a client. Servers that do
    /// not know the flag have all of them wait.
    pub(crate) latest: Option<Cow<'a, str>>,
    /// In milliseconds, at most [`MAX_TIMEOUT`].
    pub(crate) timeout: Option<u64>,
    pub(crate) expect_single_response: bool,
    /// The packet is a raw message. Its event is `message`, for servers that do not know the flag.
    pub(crate) raw: bool,
    /// The number of the only session that gets the event. Servers that do not know the flag send
    /// it to all members of the rooms.
    pub(crate) session: Option<u64>,
}

impl Flags<'_> {
    /// The packet of an event with the policy that these flags tell.
    pub(crate) fn with_policy(&self, packet: Packet) -> Packet {
        packet.with_volatile(self.volatile).with_latest(self.latest.as_deref().map(str::to_owned))
    }
}

/// Of the sockets that a message concerns, those with the lowest ids after one. Or rooms, in the
/// order of their names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FetchPage<'a> {
    pub(crate) after: Option<Cow<'a, str>>,
    /// How many at most.
    pub(crate) limit: u64,
}

impl FetchPage<'_> {
    /// All that there is.
    pub(crate) const ALL: Self = Self { after: None, limit: u64::MAX };

    pub(crate) fn is_all(&self) -> bool {
        *self == Self::ALL
    }
}

/// A message. `P` is an event's packet, and `A` the value of an answer, which is `None` if the
/// client answered without a value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Message<'a, P, A> {
    /// An event to sockets. With a request id, the members answer with a `ClientCount` at once, and
    /// with an `Ack` for each socket.
    Broadcast {
        packet: P,
        options: Options<'a>,
        request: Option<RequestId<'a>>,
    },
    Join {
        options: Options<'a>,
        rooms: Names<'a>,
    },
    Leave {
        options: Options<'a>,
        rooms: Names<'a>,
    },
    Disconnect {
        options: Options<'a>,
        close: bool,
        reason: Cow<'a, str>,
    },
    /// Answered with `Sockets`. Members that do not know the page answer with all of them.
    Fetch {
        options: Options<'a>,
        request: RequestId<'a>,
        page: Option<FetchPage<'a>>,
    },
    /// Answered with `Rooms`. Classic members that do not know the page answer with all names. The
    /// other dialects have no such message: it is written as a `Fetch` with one more field, and
    /// members that do not know it answer with `Sockets`, which have the rooms.
    FetchRooms {
        request: RequestId<'a>,
        page: FetchPage<'a>,
    },
    /// Answered with `SocketIds`. Only old members of the classic dialect send it.
    FetchIds {
        request: RequestId<'a>,
        rooms: Names<'a>,
    },
    /// Old form of `Join` and `Leave` for one socket, answered with `Done`. Classic only.
    OldJoin {
        socket: Cow<'a, str>,
        room: Cow<'a, str>,
        request: RequestId<'a>,
    },
    OldLeave {
        socket: Cow<'a, str>,
        room: Cow<'a, str>,
        request: RequestId<'a>,
    },
    /// Old form of `Disconnect`, answered with `Done`. Classic only.
    OldDisconnect {
        socket: Cow<'a, str>,
        close: bool,
        request: RequestId<'a>,
    },
    /// An event to the other servers. With a request id, each answers with a `ServerAnswer`.
    ServerEmit {
        packet: P,
        request: Option<RequestId<'a>>,
    },

    Sockets {
        request: RequestId<'a>,
        sockets: Vec<SocketDetails>,
    },
    Rooms {
        request: RequestId<'a>,
        rooms: Vec<String>,
    },
    SocketIds {
        request: RequestId<'a>,
        ids: Vec<String>,
    },
    Done {
        request: RequestId<'a>,
    },
    ClientCount {
        request: RequestId<'a>,
        clients: usize,
    },
    /// The answer of a client. Members of this crate add the id of its socket.
    Ack {
        request: RequestId<'a>,
        answer: Option<A>,
        socket: Option<Cow<'a, str>>,
    },
    ServerAnswer {
        request: RequestId<'a>,
        answer: Option<A>,
    },

    /// What a server publishes when it comes into a namespace. Each other server answers with a
    /// `Heartbeat`. These and `Close` are only in `Messages`.
    InitialHeartbeat,
    /// Says that the server takes part in the namespace.
    Heartbeat,
    /// The server leaves the namespace.
    Close,

    /// What a server publishes to itself. Others ignore it.
    Probe {
        number: u64,
    },
}

/// An outgoing message.
pub(crate) type Outgoing<'a> = Message<'a, &'a Packet, ValueRef<'a>>;

/// A value that is sent: JSON text, with a placeholder for each attachment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct ValueRef<'a> {
    pub(crate) json: &'a str,
    pub(crate) attachments: &'a [Bytes],
}

/// A received value: JSON text, with a placeholder for each attachment.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ReceivedValue {
    pub(crate) json: String,
    pub(crate) attachments: Vec<Bytes>,
}
