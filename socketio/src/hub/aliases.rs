//! The types of [`connection_handle`], with the hub's [`Socket`] as the socket type.

use super::socket::Socket;
use crate::connection_handle::{self, SocketHandle};
use crate::event::incoming::Incoming;

impl SocketHandle for Socket {
    type Event = Incoming;
}

/// One client, shared by all its sockets.
pub(crate) type Peer = connection_handle::peer::Peer<Socket>;
pub(crate) type ConnectionHandle = connection_handle::ConnectionHandle<Socket>;
pub(crate) type Command = connection_handle::Command<Socket>;
pub(crate) type EngineSession = connection_handle::engine_session::EngineSession<Socket>;
pub(crate) type EngineSessions = connection_handle::engine_session::EngineSessions<Socket>;
pub(crate) type PendingUpgrade = connection_handle::engine_session::PendingUpgrade<Socket>;
