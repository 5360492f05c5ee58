//! The reliable events of clients that are cut off: they are part of the kept sessions.

use std::sync::Arc;

use super::namespace::RecoveryOf;
use super::sessions::CutOff;
use crate::hub::Hub;
use crate::hub::socket::Socket;
use crate::hub::socket::reliable::queue::{ReliableQueue, Unresumed};

/// Where the reliable events of a session are.
pub(crate) enum QueueOf {
    /// The client is connected with this socket.
    Live(Socket),
    CutOff(Arc<ReliableQueue>),
}

impl RecoveryOf {
    /// Finds the queue of a session, by its token.
    pub(crate) fn reliable_queue(&self, token: &str, hub: &Hub) -> Option<QueueOf> {
        let found = self.order().with(|state| match state.sessions.live(token) {
            Some(socket) => Some(QueueOf::Live(socket.clone())),
            None => state.sessions.cut_off_mut(token).map(|session| QueueOf::CutOff(session.reliable_queue(hub))),
        });
        found.flatten()
    }

    /// Finds the queue of a client that is cut off, by the id of its socket.
    pub(crate) fn reliable_queue_of_id(&self, id: &str, hub: &Hub) -> Option<Arc<ReliableQueue>> {
        let found = self.order().with(|state| {
            let token = state.sessions.token_of(id)?;
            state.sessions.cut_off_mut(&token).map(|session| session.reliable_queue(hub))
        });
        found.flatten()
    }
}

impl CutOff {
    fn reliable_queue(&mut self, hub: &Hub) -> Arc<ReliableQueue> {
        let kept = self.reliable.get_or_insert_with(|| Unresumed::new(hub));
        kept.queue()
    }
}
