//! [`Peer`]: what all sockets of one connection share.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::flush_scope;
use super::handle::{ConnectionHandle, Due, Rejected};
use super::session::Session;
use crate::hub::socket::handshake::Request;
use crate::wire::encoding::Encoding;
use crate::wire::frame::EncodedFrame;

/// One client, as its sockets see it.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) handle: ConnectionHandle,
    pub(crate) request: Request,
    /// How its messages are written.
    pub(crate) encoding: Encoding,
    /// What it is to Engine.IO. A plain WebSocket client is nothing to it.
    pub(crate) session: Option<Box<Session>>,
    /// How many answers from the client are being waited for: then its messages are read even when many wait.
    pub(crate) awaited: AtomicUsize,
}

impl Peer {
    pub(crate) fn new(
        handle: ConnectionHandle,
        request: Request,
        encoding: Encoding,
        session: Option<Session>,
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
