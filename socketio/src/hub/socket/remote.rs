//! [`RemoteSocket`].

use super::attributes::SocketAttributes;
use super::{Socket, SocketId};

/// A socket as it was when it was [fetched](crate::Selection::fetch_sockets), on whatever server it is. To reach it, emit to
/// its id.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct RemoteSocket {
    /// Its id.
    pub id: SocketId,
    /// The rooms that it is in, that of its own id first.
    pub rooms: Vec<String>,
    /// What the application keeps with it.
    pub attributes: SocketAttributes,
}

impl RemoteSocket {
    pub(crate) fn of(socket: &Socket) -> Self {
        Self { id: socket.id(), rooms: socket.rooms(), attributes: socket.attributes() }
    }
}
