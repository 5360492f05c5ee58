//! [`Peer`]: the state that all sockets of one client share.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::engine_session::EngineSession;
use super::flush_scope;
use super::queue::{AfterQueue, Queued, Rejected};
use super::request::Request;
use super::{ConnectionHandle, SocketHandle};
use crate::wire::encoding::Encoding;
use crate::wire::frame::EncodedFrame;
use crate::wire::policy::Policy;

/// One client: the handle of its connection, and data that is fixed for the connection's lifetime.
#[derive(Debug)]
pub(crate) struct Peer<S: SocketHandle> {
    pub(crate) handle: ConnectionHandle<S>,
    /// The HTTP request that opened the connection.
    pub(crate) request: Request,
    /// The encoding of the client's messages.
    pub(crate) encoding: Encoding,
    /// The Engine.IO session, or `None` for a plain WebSocket.
    pub(crate) session: Option<Box<EngineSession<S>>>,
    /// The number of acknowledgements that the server awaits from the client. If there are any, the
    /// connection reads on even when many received messages are queued.
    pub(crate) awaited: AtomicUsize,
}

impl<S: SocketHandle> Peer<S> {
    pub(crate) fn new(
        handle: ConnectionHandle<S>,
        request: Request,
        encoding: Encoding,
        session: Option<EngineSession<S>>,
    ) -> Self {
        let session = session.map(Box::new);
        Self { handle, request, encoding, session, awaited: AtomicUsize::new(0) }
    }

    /// Queues a frame, and has it flushed. See [`ConnectionHandle::queue`]. Returns whether the
    /// frame took the place of an earlier one.
    pub(crate) fn send(self: &Arc<Self>, frame: &EncodedFrame, policy: Policy) -> Result<bool, Rejected> {
        let Queued { then, has_replaced } = self.handle.queue(frame, policy, flush_scope::current())?;
        match then {
            AfterQueue::Nothing => {}
            AfterQueue::FlushAtScopeEnd => flush_scope::flush_later(self),
            AfterQueue::FlushNow => self.handle.flush(),
            AfterQueue::Wake => self.handle.wake(),
        }
        Ok(has_replaced)
    }

    /// Queues a frame that the client may have received already, if there is room.
    pub(crate) fn repeat(self: &Arc<Self>, frame: &EncodedFrame) {
        if self.handle.queue_repeated(frame) {
            self.handle.wake();
        }
    }

    /// Counts an acknowledgement that the server awaits from the client.
    pub(crate) fn await_answer(&self) {
        // Either this sees that reading is paused, or the connection's task sees the new count.
        self.awaited.fetch_add(1, Ordering::SeqCst);
        self.handle.resume_reading();
    }

    /// An acknowledgement is no longer awaited. The caller holds no lock.
    pub(crate) fn end_wait(&self) {
        if self.awaited.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.handle.all_answered();
        }
    }

    /// Whether the server awaits an acknowledgement from the client.
    pub(crate) fn is_awaited(&self) -> bool {
        self.awaited.load(Ordering::SeqCst) > 0
    }
}

impl<S: SocketHandle> flush_scope::Flush for Peer<S> {
    fn flush(&self) {
        self.handle.flush();
    }
}
