//! The [`handle`](crate::handle) types, with the hub's [`Socket`] as the socket type.

use super::socket::Socket;
use crate::event::incoming::EventKind;
use crate::handle::{self, SocketHandle};

impl SocketHandle for Socket {
    type Event = EventKind;
}

/// One client, shared by all its sockets.
pub(crate) type Peer = handle::peer::Peer<Socket>;
pub(crate) type ConnectionHandle = handle::ConnectionHandle<Socket>;
pub(crate) type Command = handle::Command<Socket>;
pub(crate) type EngineSession = handle::engine_session::EngineSession<Socket>;
pub(crate) type EngineSessions = handle::engine_session::EngineSessions<Socket>;
pub(crate) type PendingUpgrade = handle::engine_session::PendingUpgrade<Socket>;
