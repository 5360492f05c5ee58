//! [`Peer`]: what all sockets of one connection share.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::mailbox::{Due, Mailbox, Rejected};
use super::session::Session;
use super::turn;
use crate::socket::handshake::Request;
use crate::wire::encoding::Encoding;
use crate::wire::frame::Frame;

/// One client, as its sockets see it.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) mailbox: Mailbox,
    pub(crate) request: Request,
    /// How its messages are written.
    pub(crate) encoding: Encoding,
    /// What it is to Engine.IO. A plain WebSocket client is nothing to it.
    pub(crate) session: Option<Box<Session>>,
    /// How many answers from the client are being waited for: then its messages are read even when many wait.
    pub(crate) awaited: AtomicUsize,
}

impl Peer {
    pub(crate) fn new(mailbox: Mailbox, request: Request, encoding: Encoding, session: Option<Session>) -> Self {
        let session = session.map(Box::new);
        Self { mailbox, request, encoding, session, awaited: AtomicUsize::new(0) }
    }

    /// Queues a frame. A volatile one is dropped without an error while the client takes nothing.
    pub(crate) fn send(self: &Arc<Self>, frame: &Frame, volatile: bool) -> Result<(), Rejected> {
        match self.mailbox.queue(frame, volatile, turn::current())? {
            Due::Nothing => {}
            Due::Later => turn::flush_later(self),
            Due::Flush => self.mailbox.flush(),
            Due::Wake => self.mailbox.wake(),
        }
        Ok(())
    }

    pub(crate) fn is_awaited(&self) -> bool {
        self.awaited.load(Ordering::Relaxed) > 0
    }
}
