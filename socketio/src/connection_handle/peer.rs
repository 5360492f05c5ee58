//! [`Peer`]: what all sockets of one client share.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::engine_session::EngineSession;
use super::flush_scope;
use super::queue::{Due, Rejected};
use super::request::Request;
use super::{ConnectionHandle, SocketHandle};
use crate::wire::encoding::Encoding;
use crate::wire::frame::EncodedFrame;

/// One client, as its sockets see it: how to reach its connection's task, and what does not change
/// while that lives.
#[derive(Debug)]
pub(crate) struct Peer<S: SocketHandle> {
    pub(crate) handle: ConnectionHandle<S>,
    /// The request that the connection began with.
    pub(crate) request: Request,
    /// How its messages are written.
    pub(crate) encoding: Encoding,
    /// The Engine.IO session. `None` for plain WebSockets.
    pub(crate) session: Option<Box<EngineSession<S>>>,
    /// How many answers of the client are being waited for. Its messages are read then even when
    /// many wait.
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

    /// Queues a frame. A volatile one is dropped without an error while the client takes nothing.
    pub(crate) fn send(self: &Arc<Self>, frame: &EncodedFrame, volatile: bool) -> Result<(), Rejected> {
        match self.handle.queue(frame, volatile, flush_scope::current())? {
            Due::Nothing => {}
            Due::Later => flush_scope::flush_later(self),
            Due::Flush => self.handle.flush(),
            Due::Wake => self.handle.wake(),
        }
        Ok(())
    }

    pub(crate) fn is_awaited(&self) -> bool {
        self.awaited.load(Ordering::Relaxed) > 0
    }
}

impl<S: SocketHandle> flush_scope::Flush for Peer<S> {
    fn flush(&self) {
        self.handle.flush();
    }
}
