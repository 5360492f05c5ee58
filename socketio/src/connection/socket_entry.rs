//! [`SocketEntry`]: a connection's data of one of its sockets.
//!
//! A plain WebSocket client has one entry. A Socket.IO client has one for each namespace to which
//! it is connected.

use super::executor::Executor;
use super::lifecycle::{self, OnOpen};
use crate::hub::socket::Socket;
use crate::session::disconnect::{Disconnect, DisconnectReason};
use crate::session::{InNamespace, Opened};

/// A socket, with the executor of its events.
pub(crate) struct SocketEntry {
    pub(super) socket: Socket,
    pub(super) executor: Executor,
}

impl SocketEntry {
    /// Creates the entry of a new socket. It stays undecided if the application must accept it
    /// first.
    pub(super) fn open(socket: Socket, on_open: Option<&OnOpen>) -> Opened<Self> {
        let decision = lifecycle::connect_decision(&socket, on_open);
        let mut entry = Self { socket, executor: Executor::default() };
        match decision {
            None => Opened::Accepted(entry),
            Some(decision) => {
                entry.executor.set_decision(decision);
                Opened::Undecided(entry)
            }
        }
    }

    /// Releases a socket that has ended, or whose connection's task is dropped.
    pub(super) fn forget(self, disconnect: Option<Disconnect>) {
        let disconnect = disconnect.unwrap_or_else(|| Disconnect::new(DisconnectReason::Aborted));
        lifecycle::poll_disconnect_handlers_once(&self.socket, &disconnect);
        self.socket.forget_listeners();
        self.socket.end_trace(disconnect.reason().as_str(), !disconnect.is_clean());
    }
}

impl InNamespace for SocketEntry {
    fn namespace(&self) -> &str {
        self.socket.namespace()
    }
}
