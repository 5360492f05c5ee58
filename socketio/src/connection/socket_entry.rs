//! [`SocketEntry`]: what a connection keeps of one of its sockets.
//!
//! A plain WebSocket client has one entry for as long as it is connected, a Socket.IO client one
//! for each namespace that it has connected to.

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
    /// A new socket, and what decides whether it is accepted.
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

    /// Lets go of a socket that has ended, or whose task is dropped before everybody could be told.
    pub(super) fn forget(self, disconnect: Option<Disconnect>) {
        let disconnect = disconnect.unwrap_or_else(|| Disconnect::new(DisconnectReason::Aborted));
        lifecycle::poll_disconnect_handlers_once(&self.socket, &disconnect);
        self.socket.forget_listeners();
    }
}

impl InNamespace for SocketEntry {
    fn namespace(&self) -> &str {
        self.socket.namespace()
    }
}
