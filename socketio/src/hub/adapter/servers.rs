//! What other servers answer: [`ServerReplies`] and [`AllRooms`].

use bytes::Bytes;
use std::collections::BTreeSet;

use super::PacketError;
use super::sink::received_answer;
use crate::hub::socket::remote::ServerId;
use crate::session::received::ReceivedAnswer;

/// The answers of other servers to an event, undecoded. An adapter returns them from
/// [`server_request`](super::Adapter::server_request).
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct ServerReplies {
    /// The answers in the order of arrival.
    pub replies: Vec<ServerReply>,
    /// The number of servers that did not answer in time.
    pub silent: usize,
}

impl ServerReplies {
    /// Creates a result with these answers and no silent server.
    pub fn new(replies: Vec<ServerReply>) -> Self {
        Self { replies, silent: 0 }
    }
}

/// The answer of one server.
#[derive(Debug)]
pub struct ServerReply {
    pub(crate) server: Option<ServerId>,
    pub(crate) answer: ReceivedAnswer,
}

impl ServerReply {
    /// Creates an answer. `args` is the JSON text of its arguments, comma-separated, with a
    /// placeholder for each attachment. An answer without arguments is the empty text. `server` is
    /// `None` if the sender is unknown.
    ///
    /// ```
    /// use socketio::adapter::ServerReply;
    ///
    /// assert!(ServerReply::new(Some("server 7".into()), r#"{"load":0.5}"#, &[]).is_ok());
    /// assert!(ServerReply::new(None, "{", &[]).is_err());
    /// ```
    ///
    /// # Errors
    ///
    /// The text is not JSON or is nested too deeply, or a placeholder has no attachment.
    pub fn new(server: Option<ServerId>, args: &str, attachments: &[Bytes]) -> Result<Self, PacketError> {
        Ok(Self { server, answer: received_answer(args, attachments)? })
    }
}

/// The names of the rooms that have members, from [`all_rooms`](crate::Namespace::all_rooms).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct AllRooms {
    /// The rooms on this server, and on all other servers that answered in time. Each socket is
    /// also in a room with its own id.
    pub rooms: BTreeSet<String>,
    /// The number of servers that did not answer in time.
    pub silent: usize,
}

impl AllRooms {
    /// Creates a result with these rooms and no silent server.
    pub fn new(rooms: BTreeSet<String>) -> Self {
        Self { rooms, silent: 0 }
    }
}
