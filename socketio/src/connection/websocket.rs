//! [`WebSocketTransport`]: reads WebSocket messages from a stream, and writes frames to it.
//!
//! A [`Reader`] parses the received bytes. The transport itself answers pings and close frames.
//! These answers, and the pings of the [driver](super::driver), are appended to the batch that is
//! being written. Messages come from the connection's handle. The transport writes them in one
//! batch each time the task wakes up.

use bytes::Bytes;
use std::io;
use std::task::{Context, Poll, ready};
pub(crate) use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

pub(crate) use super::read_buffer::ReadBuffer;
use crate::connection_handle::outbox::{Batch, Load};
use crate::connection_handle::stream::{Stream, Writer};
use crate::hub::aliases::ConnectionHandle;
use crate::session::disconnect::{Disconnect, DisconnectReason};
use crate::wire::frame::{Opcode, control};
use crate::wire::message_reader::{ReadError, Reader};

/// The maximum size of the batch, in bytes, for further pongs to be appended.
const MAX_PONG_BACKLOG: u64 = 64 * 1024;

/// The WebSocket of a client.
pub(crate) struct WebSocketTransport {
    stream: Stream,
    reader: Reader,
    batch: Batch,
    /// The payload of the last ping, if the batch was too long for its pong.
    deferred_pong: Option<Bytes>,
    /// Whether a close frame was written or queued. Nothing is written after it.
    has_closed: bool,
    /// Whether written bytes have not been flushed.
    needs_flush: bool,
    /// Whether the last write was incomplete, because the kernel's buffer was full.
    blocked: bool,
    /// Whether the client has sent or received bytes.
    had_activity: bool,
    /// Received bytes that are not parsed yet.
    unread: Vec<u8>,
}

impl std::fmt::Debug for WebSocketTransport {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("WebSocketTransport").finish_non_exhaustive()
    }
}

impl WebSocketTransport {
    /// Creates the transport. `received`: bytes that the HTTP server read after the handshake.
    pub(crate) fn new(stream: Stream, received: Vec<u8>, max_payload: usize) -> Self {
        Self {
            stream,
            reader: Reader::new(max_payload),
            batch: Batch::default(),
            deferred_pong: None,
            has_closed: false,
            needs_flush: false,
            blocked: false,
            had_activity: false,
            unread: received,
        }
    }

    /// Takes the stream's writer for other tasks, if it has one.
    pub(super) fn take_writer(&mut self) -> Option<Writer> {
        self.stream.take_writer()
    }

    /// Resumes writing a batch that another task has started to write.
    pub(super) fn resume_batch(&mut self, batch: Batch) {
        debug_assert!(self.batch.is_empty(), "other tasks write only while no batch is being written");
        self.batch = batch;
    }

    /// Polls for the next message. An error ends the connection.
    pub(crate) fn poll_next(
        &mut self,
        context: &mut Context<'_>,
        received: &mut ReadBuffer,
    ) -> Poll<Result<Message, Disconnect>> {
        loop {
            if received.unread().is_empty() && !self.unread.is_empty() {
                let length = self.unread.len().min(received.bytes.len());
                received.bytes[..length].copy_from_slice(&self.unread[..length]);
                (received.start, received.end) = (0, length);
                self.unread.drain(..length);
                self.unread.shrink_to_fit();
            }
            let mut unread = received.unread();
            let read = self.reader.read(&mut unread);
            received.start = received.end - unread.len();
            match read {
                Ok(Some(message)) => {
                    match &message {
                        Message::Ping(payload) => self.answer_ping(payload),
                        Message::Close(frame) => self.answer_close(frame.as_ref()),
                        _ => {}
                    }
                    return Poll::Ready(Ok(message));
                }
                Ok(None) => {}
                Err(error) => return Poll::Ready(Err(disconnect_for(&error))),
            }
            match self.stream.poll_read(context, &mut received.bytes) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(Disconnect::cut())),
                // A TLS stream that ended without a `close_notify` alert.
                Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    return Poll::Ready(Err(Disconnect::cut()));
                }
                Poll::Ready(Ok(length)) => {
                    self.had_activity = true;
                    received.read += length;
                    (received.start, received.end) = (0, length);
                }
                Poll::Ready(Err(error)) => {
                    let cause = Disconnect::new(DisconnectReason::TransportError);
                    return Poll::Ready(Err(cause.with_message(error.to_string())));
                }
            }
        }
    }

    /// Whether a part of a message has arrived.
    pub(super) fn has_partial_message(&self) -> bool {
        self.reader.is_incomplete()
    }

    /// Appends the pong for a ping. If the batch is too long, only the last ping is answered,
    /// later.
    fn answer_ping(&mut self, payload: &Bytes) {
        if self.has_closed {
            return;
        }
        if self.batch.load().bytes > MAX_PONG_BACKLOG {
            self.deferred_pong = Some(payload.clone());
        } else {
            self.deferred_pong = None;
            self.batch.append(&control(Opcode::Pong, payload));
        }
    }

    /// Appends the deferred pong, if there is one.
    fn append_deferred_pong(&mut self) {
        if let Some(payload) = self.deferred_pong.take() {
            self.batch.append(&control(Opcode::Pong, &payload));
        }
    }

    /// Appends the answer to the client's close frame.
    fn answer_close(&mut self, frame: Option<&CloseFrame>) {
        match frame {
            Some(frame) => self.close(frame.code.into(), &frame.reason),
            None => self.close_with(&[]),
        }
    }

    /// Stores received bytes that are not parsed yet, until the next read.
    pub(crate) fn store_unread(&mut self, received: &mut ReadBuffer) {
        if !received.unread().is_empty() {
            self.unread.splice(..0, received.unread().iter().copied());
            received.start = received.end;
        }
    }

    /// Writes the handle's frames until the kernel's buffer is full. Without a handle, only control
    /// frames are written. `Ready`: all frames are written.
    pub(crate) fn poll_write(
        &mut self,
        context: &mut Context<'_>,
        handle: Option<&ConnectionHandle>,
    ) -> Poll<io::Result<()>> {
        let mut sent = Load::default();
        let polled = self.poll_write_all(context, handle, &mut sent);
        if let Some(handle) = handle {
            handle.counters().add_sent(sent.messages as u64, sent.bytes);
        }
        polled
    }

    /// Adds what it takes from the handle, and the bytes that it writes, to `sent`.
    fn poll_write_all(
        &mut self,
        context: &mut Context<'_>,
        handle: Option<&ConnectionHandle>,
        sent: &mut Load,
    ) -> Poll<io::Result<()>> {
        let blocked = std::mem::take(&mut self.blocked);
        loop {
            if self.batch.is_empty() {
                self.append_deferred_pong();
            }
            if self.batch.is_empty() {
                if let Some(handle) = handle {
                    sent.messages += handle.take_frames(&mut self.batch);
                }
                if self.batch.is_empty() {
                    break;
                }
            }
            let stream = &mut self.stream;
            match self.batch.with_slices(|slices| stream.poll_write(context, slices)) {
                Poll::Pending => {
                    self.blocked = true;
                    if let Some(handle) = handle {
                        handle.mark_blocked(self.batch.load());
                    }
                    return Poll::Pending;
                }
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(length)) => {
                    // The kernel's buffer was full, so the client has received bytes since.
                    self.had_activity |= blocked;
                    sent.bytes += length as u64;
                    self.batch.advance(length);
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
            }
            self.needs_flush = true;
        }
        if self.needs_flush {
            ready!(self.stream.poll_flush(context))?;
            self.needs_flush = false;
        }
        Poll::Ready(Ok(()))
    }

    /// Returns the size of the batch that is not written yet.
    pub(crate) fn load(&self) -> Load {
        match self.batch.load() {
            // The TLS layer may buffer bytes that the batch no longer contains.
            load if load == Load::default() && self.needs_flush => Load { messages: 1, bytes: 0 },
            load => load,
        }
    }

    /// Appends a control frame to the batch.
    pub(crate) fn append(&mut self, frame: &[u8]) {
        self.batch.append(frame);
    }

    /// Appends a close frame to the batch, unless there was one before.
    pub(crate) fn close(&mut self, code: u16, reason: &str) {
        self.close_with(&[&code.to_be_bytes(), truncate(reason, 123).as_bytes()].concat());
    }

    fn close_with(&mut self, payload: &[u8]) {
        if !self.has_closed {
            self.append_deferred_pong();
            self.batch.append(&control(Opcode::Close, payload));
            self.has_closed = true;
        }
    }

    /// Returns whether the client has sent or received bytes since the last call. They count for
    /// the heartbeat, because a large message in either direction can delay a pong.
    pub(crate) fn take_activity(&mut self) -> bool {
        std::mem::take(&mut self.had_activity)
    }

    /// Reads and drops input after a protocol violation. Unread input would make the kernel reset
    /// the connection, and the close frame might be lost. `Ready`: the client has closed its side.
    pub(crate) fn poll_discard(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let mut received = ReadBuffer::take();
        loop {
            match self.stream.poll_read(context, &mut received.bytes) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(()),
                Poll::Ready(Ok(_)) => {}
            }
        }
    }

    /// Closes the writing side, so that the client closes its side too.
    pub(crate) fn finish(&mut self, context: &mut Context<'_>) {
        self.stream.finish(context);
    }

    pub(crate) fn shut(&mut self, context: &mut Context<'_>) {
        self.stream.close(context);
        self.batch = Batch::default();
        self.unread = Vec::new();
    }

    /// Frees memory that an idle connection does not need.
    pub(crate) fn shrink(&mut self) {
        self.batch.shrink();
    }
}

/// Returns the longest prefix of `text` with at most `length` bytes.
fn truncate(text: &str, length: usize) -> &str {
    &text[..text.floor_char_boundary(length)]
}

fn disconnect_for(error: &ReadError) -> Disconnect {
    let (reason, code) = match error {
        ReadError::TooLong { .. } => (DisconnectReason::TooLarge, 1009),
        ReadError::NotUtf8 => (DisconnectReason::ParseError, 1007),
        ReadError::Violation(_) => (DisconnectReason::ParseError, 1002),
    };
    Disconnect::new(reason).with_code(code).with_message(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection_handle::OverflowPolicy;
    use crate::connection_handle::shared::Shared;
    use crate::session::limits::Bounds;
    use crate::wire::frame::{FrameWriter, Opcode};
    use parking_lot::Mutex;
    use std::pin::Pin;
    use std::sync::Arc;
    use std::task::Waker;
    use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

    /// A stream that buffers written bytes until it is flushed, like TLS.
    #[derive(Clone, Default)]
    struct Buffering(Arc<Mutex<State>>);

    #[derive(Default)]
    struct State {
        buffered: usize,
        sent: usize,
        blocked: bool,
    }

    impl AsyncRead for Buffering {
        fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
            Poll::Pending
        }
    }

    impl AsyncWrite for Buffering {
        fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
            self.0.lock().buffered += bytes.len();
            Poll::Ready(Ok(bytes.len()))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            let mut state = self.0.lock();
            if state.blocked {
                return Poll::Pending;
            }
            state.sent += std::mem::take(&mut state.buffered);
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    #[test]
    fn a_pending_flush_is_resumed() {
        let stream = Buffering::default();
        stream.0.lock().blocked = true;
        let mut websocket = WebSocketTransport::new(Stream::Other(Box::new(stream.clone())), Vec::new(), 1000);
        let bounds = Bounds { messages: 100, bytes: 10_000 };
        let handle = ConnectionHandle::new(&Arc::new(Shared::new(bounds, OverflowPolicy::Disconnect)));
        let mut writer = FrameWriter::new();
        writer.payload().extend_from_slice(b"hello");
        handle.queue(&writer.finish(Opcode::Text), false, None).expect("the outbox has room");

        let mut context = Context::from_waker(Waker::noop());
        assert!(websocket.poll_write(&mut context, Some(&handle)).is_pending());
        assert_ne!(websocket.load(), Load::default());
        stream.0.lock().blocked = false;
        assert!(websocket.poll_write(&mut context, Some(&handle)).is_ready());
        assert_eq!(stream.0.lock().sent, 7);
        assert_eq!(websocket.load(), Load::default());
    }
}
