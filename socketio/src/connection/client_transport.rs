//! [`ClientTransport`]: the transport of a connection, a WebSocket or HTTP long-polling.

use std::io;
use std::task::{Context, Poll};

use super::polling::Polling;
use super::websocket::{Message, ReadBuffer, WebSocketTransport};
use crate::connection_handle::outbox::{Batch, Load};
use crate::connection_handle::stream::Writer;
use crate::hub::aliases::ConnectionHandle;
use crate::session::disconnect::Disconnect;

#[allow(clippy::large_enum_variant, reason = "nearly all connections have the large one")]
pub(super) enum ClientTransport {
    WebSocket(WebSocketTransport),
    Polling(Box<Polling>),
}

impl ClientTransport {
    pub(super) fn polling(&mut self) -> Option<&mut Polling> {
        match self {
            Self::Polling(polling) => Some(polling),
            Self::WebSocket(_) => None,
        }
    }

    /// Polls for the next message. An error ends the connection.
    pub(super) fn poll_next(
        &mut self,
        context: &mut Context<'_>,
        received: &mut ReadBuffer,
    ) -> Poll<Result<Message, Disconnect>> {
        match self {
            Self::WebSocket(websocket) => websocket.poll_next(context, received),
            Self::Polling(polling) => polling.poll_next(&mut received.read).map(Ok),
        }
    }

    /// Whether a part of a message has arrived. The body of a POST arrives as a whole.
    pub(super) fn has_partial_message(&self) -> bool {
        match self {
            Self::WebSocket(websocket) => websocket.has_partial_message(),
            Self::Polling(_) => false,
        }
    }

    /// Stores received bytes that are not parsed yet, until the next read.
    pub(super) fn store_unread(&mut self, received: &mut ReadBuffer) {
        if let Self::WebSocket(websocket) = self {
            websocket.store_unread(received);
        }
    }

    /// Writes the handle's frames as far as the transport accepts them. `Ready`: all frames are
    /// written. `last`: no frames follow.
    pub(super) fn poll_write(
        &mut self,
        context: &mut Context<'_>,
        handle: &ConnectionHandle,
        last: bool,
    ) -> Poll<io::Result<()>> {
        match self {
            Self::WebSocket(websocket) => websocket.poll_write(context, Some(handle)),
            Self::Polling(polling) => polling.poll_write(context, handle, last),
        }
    }

    /// Takes the stream's writer for other tasks, if it has one.
    pub(super) fn take_writer(&mut self) -> Option<Writer> {
        match self {
            Self::WebSocket(websocket) => websocket.take_writer(),
            Self::Polling(_) => None,
        }
    }

    /// Resumes writing a batch that another task has started to write. No other batch is being
    /// written.
    pub(super) fn resume_batch(&mut self, batch: Batch) {
        if let Self::WebSocket(websocket) = self {
            websocket.resume_batch(batch);
        }
    }

    /// Returns the size of the batch that is not written yet.
    pub(super) fn load(&self) -> Load {
        match self {
            Self::WebSocket(websocket) => websocket.load(),
            // Frames that are taken from the handle go into a response at once.
            Self::Polling(_) => Load::default(),
        }
    }

    /// Whether frames can be written. A polling client needs a waiting poll.
    pub(super) fn can_take(&self) -> bool {
        match self {
            Self::WebSocket(_) => true,
            Self::Polling(polling) => polling.is_polled(),
        }
    }

    /// Returns whether bytes were read or written since the last call, even for an incomplete
    /// message.
    pub(super) fn take_activity(&mut self) -> bool {
        match self {
            Self::WebSocket(websocket) => websocket.take_activity(),
            Self::Polling(_) => false,
        }
    }

    /// Appends a control frame to the batch.
    pub(super) fn append(&mut self, frame: &[u8]) {
        match self {
            Self::WebSocket(websocket) => websocket.append(frame),
            Self::Polling(polling) => polling.append(frame),
        }
    }

    /// Reads and drops input. `Ready`: the client has closed its side.
    pub(super) fn poll_discard(&mut self, context: &mut Context<'_>) -> Poll<()> {
        match self {
            Self::WebSocket(websocket) => websocket.poll_discard(context),
            Self::Polling(_) => Poll::Ready(()),
        }
    }

    /// Frees memory that an idle connection does not need.
    pub(super) fn shrink(&mut self) {
        if let Self::WebSocket(websocket) = self {
            websocket.shrink();
        }
    }

    pub(super) fn shut(&mut self, context: &mut Context<'_>) {
        match self {
            Self::WebSocket(websocket) => websocket.shut(context),
            Self::Polling(polling) => polling.shut(),
        }
    }
}
