//! [`SocketEntry`]: one socket of a connection, with the events that run for it.
//!
//! A plain WebSocket client has one entry for as long as it is connected, a Socket.IO client one for each namespace that it
//! has connected to.

use tokio::time::Instant;

use super::executor::Executor;
use super::lifecycle;
use crate::hub::socket::Socket;
use crate::session::disconnect::Disconnect;

pub(super) struct SocketEntry {
    pub(super) socket: Socket,
    pub(super) executor: Executor,
    /// Until when the socket is to be accepted.
    pub(super) open_by: Option<Instant>,
    /// How the socket is to leave as soon as it is accepted.
    pub(super) leave: Option<Box<Disconnect>>,
    /// How it ended, once it has: for a task that is dropped before everybody could be told.
    ended: Option<Box<Disconnect>>,
}

impl SocketEntry {
    pub(super) fn new(socket: Socket, open_by: Instant) -> Self {
        Self { socket, executor: Executor::default(), open_by: Some(open_by), leave: None, ended: None }
    }

    /// Sets off what the socket's end brings about, behind the events that run. Only the first end counts.
    pub(super) fn conclude(&mut self, disconnect: &Disconnect, on_purpose: bool) {
        if self.ended.is_some() {
            return;
        }
        self.socket.leaving();
        self.socket.tell_waiting();
        self.ended = Some(Box::new(disconnect.clone()));
        self.executor.finish_with(lifecycle::farewell(self.socket.clone(), disconnect.clone(), on_purpose));
    }

    /// Whether the socket has begun to end.
    pub(super) fn is_concluded(&self) -> bool {
        self.ended.is_some()
    }
}

impl Drop for SocketEntry {
    fn drop(&mut self) {
        let aborted = || Disconnect::new(crate::session::disconnect::DisconnectReason::Aborted);
        let ended = self.ended.take().map_or_else(aborted, |ended| *ended);
        lifecycle::abandoned(&self.socket, &ended);
        self.socket.forget_listeners();
    }
}
