//! [`Peer`]: what all sockets of one connection share.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::mailbox::Mailbox;
use crate::socket::handshake::Request;

/// One client, as its sockets see it.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) mailbox: Mailbox,
    pub(crate) request: Request,
    /// How many answers from the client are being waited for: then its messages are read even when many wait.
    pub(crate) awaited: AtomicUsize,
}

impl Peer {
    pub(crate) fn new(mailbox: Mailbox, request: Request) -> Self {
        Self { mailbox, request, awaited: AtomicUsize::new(0) }
    }

    pub(crate) fn is_awaited(&self) -> bool {
        self.awaited.load(Ordering::Relaxed) > 0
    }
}
