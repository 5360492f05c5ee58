//! [`ClientTransport`]: how a connection's bytes travel, by WebSocket or by HTTP long-polling.

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

    /// The next message. An error ends the connection.
    pub(super) fn poll_next(
        &mut self,
        context: &mut Context<'_>,
        received: &mut ReadBuffer,
    ) -> Poll<Result<Message, Disconnect>> {
        match self {
            Self::WebSocket(websocket) => websocket.poll_next(context, received),
            Self::Polling(polling) => polling.poll_next().map(Ok),
        }
    }

    /// Keeps bytes that were received and not read yet.
    pub(super) fn store_unread(&mut self, received: &mut ReadBuffer) {
        if let Self::WebSocket(websocket) = self {
            websocket.store_unread(received);
        }
    }

    /// Writes what the handle has, as far as the client takes it. `Ready`: all of it is written.
    /// `last`: nothing comes after it.
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

    /// The writer for other tasks, if the stream has one.
    pub(super) fn take_writer(&mut self) -> Option<Writer> {
        match self {
            Self::WebSocket(websocket) => websocket.take_writer(),
            Self::Polling(_) => None,
        }
    }

    /// Goes on with what another task has begun to write. Nothing else is being written.
    pub(super) fn resume_batch(&mut self, batch: Batch) {
        if let Self::WebSocket(websocket) = self {
            websocket.resume_batch(batch);
        }
    }

    /// What the client has not taken yet.
    pub(super) fn load(&self) -> Load {
        match self {
            Self::WebSocket(websocket) => websocket.load(),
            // What is taken out of the handle goes into the answer of a poll.
            Self::Polling(_) => Load::default(),
        }
    }

    /// Whether the client can take something: a polling client can't without a poll.
    pub(super) fn can_take(&self) -> bool {
        match self {
            Self::WebSocket(_) => true,
            Self::Polling(polling) => polling.is_polled(),
        }
    }

    /// Whether bytes came or went since the last call, even if no message was complete.
    pub(super) fn take_activity(&mut self) -> bool {
        match self {
            Self::WebSocket(websocket) => websocket.take_activity(),
            Self::Polling(_) => false,
        }
    }

    /// Writes a control frame behind what is being written.
    pub(super) fn append(&mut self, frame: &[u8]) {
        match self {
            Self::WebSocket(websocket) => websocket.append(frame),
            Self::Polling(polling) => polling.append(frame),
        }
    }

    /// Reads and drops bytes. `Ready`: the client has closed its side.
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
