//! [`WebSocketTransport`]: reads messages from a stream, and writes frames to it.
//!
//! A [`Reader`] makes messages of the bytes. Pings are answered here: pongs and close frames go
//! behind the frames that are being written. Everything else is written from the handle, in one
//! write for each time that the task wakes up.

use bytes::Bytes;
use std::io;
use std::task::{Context, Poll, ready};
pub(crate) use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::error::Error;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

pub(crate) use super::read_buffer::ReadBuffer;
use crate::connection_handle::outbox::{Batch, Load};
use crate::connection_handle::stream::{Stream, Writer};
use crate::hub::aliases::ConnectionHandle;
use crate::session::disconnect::{Disconnect, DisconnectReason};
use crate::wire::frame::{Opcode, control};
use crate::wire::message_reader::Reader;

/// How many bytes may wait for pongs to be still added.
const BATCH_BACKLOG: usize = 64 * 1024;

/// The WebSocket of one client.
pub(crate) struct WebSocketTransport {
    stream: Stream,
    reader: Reader,
    batch: Batch,
    /// The payload of the last ping whose pong found no room.
    unanswered: Option<Bytes>,
    /// Whether a close frame is written or waits to be. Nothing is written behind it.
    has_closed: bool,
    /// Whether what was written is still to be flushed.
    unflushed: bool,
    /// Whether the kernel took no more at the last try.
    blocked: bool,
    /// Whether the client has sent or taken bytes.
    alive: bool,
    /// Bytes that were received and not read yet.
    unread: Vec<u8>,
}

impl std::fmt::Debug for WebSocketTransport {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("WebSocketTransport").finish_non_exhaustive()
    }
}

impl WebSocketTransport {
    /// `received`: what the HTTP server has read beyond the handshake.
    pub(crate) fn new(stream: Stream, received: Vec<u8>, max_payload: usize) -> Self {
        Self {
            stream,
            reader: Reader::new(max_payload),
            batch: Batch::default(),
            unanswered: None,
            has_closed: false,
            unflushed: false,
            blocked: false,
            alive: false,
            unread: received,
        }
    }

    /// The writer for other tasks, if the stream has one.
    pub(super) fn take_writer(&mut self) -> Option<Writer> {
        self.stream.take_writer()
    }

    /// Goes on with what another task has begun to write.
    pub(super) fn go_on(&mut self, batch: Batch) {
        debug_assert!(self.batch.is_empty(), "others write only while nothing is being written");
        self.batch = batch;
    }

    /// The next message. An error ends the connection.
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
                        Message::Ping(payload) => self.pong(payload),
                        Message::Close(frame) => self.answer_close(frame.as_ref()),
                        _ => {}
                    }
                    return Poll::Ready(Ok(message));
                }
                Ok(None) => {}
                Err(error) => return Poll::Ready(Err(cause(&error))),
            }
            match self.stream.poll_read(context, &mut received.bytes) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(Disconnect::cut())),
                // Over TLS: the stream ended without a closing alert.
                Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    return Poll::Ready(Err(Disconnect::cut()));
                }
                Poll::Ready(Ok(length)) => {
                    self.alive = true;
                    (received.start, received.end) = (0, length);
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(cause(&Error::Io(error)))),
            }
        }
    }

    /// Answers a ping, behind what is being written. Of the pings that come while there is no room,
    /// the last one is answered.
    fn pong(&mut self, payload: &Bytes) {
        if self.has_closed {
            return;
        }
        if self.batch.load().bytes > BATCH_BACKLOG {
            self.unanswered = Some(payload.clone());
        } else {
            self.unanswered = None;
            self.batch.append(&control(Opcode::Pong, payload));
        }
    }

    /// Writes the pong that found no room.
    fn pong_at_last(&mut self) {
        if let Some(payload) = self.unanswered.take() {
            self.batch.append(&control(Opcode::Pong, &payload));
        }
    }

    /// Answers the client's close frame, behind what is being written.
    fn answer_close(&mut self, frame: Option<&CloseFrame>) {
        match frame {
            Some(frame) if frame.code.is_allowed() => self.close(frame.code.into(), &frame.reason),
            Some(_) => self.close(1002, "Protocol violation"),
            None => self.close_with(&[]),
        }
    }

    /// Keeps bytes that were received and not read yet.
    pub(crate) fn keep(&mut self, received: &mut ReadBuffer) {
        if !received.unread().is_empty() {
            self.unread.splice(..0, received.unread().iter().copied());
            received.start = received.end;
        }
    }

    /// Writes the frames of the handle, as far as the kernel takes them; without a handle, only
    /// control frames. `Ready`: all are written.
    pub(crate) fn poll_write(
        &mut self,
        context: &mut Context<'_>,
        handle: Option<&ConnectionHandle>,
    ) -> Poll<io::Result<()>> {
        let blocked = std::mem::take(&mut self.blocked);
        loop {
            if self.batch.is_empty() {
                self.pong_at_last();
            }
            if self.batch.is_empty() {
                if let Some(handle) = handle {
                    handle.take_frames(&mut self.batch);
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
                    // The kernel had been full: the client has taken something.
                    self.alive |= blocked;
                    self.batch.advance(length);
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
            }
            self.unflushed = true;
        }
        if self.unflushed {
            ready!(self.stream.poll_flush(context))?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }

    /// What the kernel has not taken yet.
    pub(crate) fn load(&self) -> Load {
        match self.batch.load() {
            // Over TLS something may wait that is not in the batch any more.
            load if load == Load::default() && self.unflushed => Load { messages: 1, bytes: 0 },
            load => load,
        }
    }

    /// Writes a control frame behind what is being written.
    pub(crate) fn append(&mut self, frame: &[u8]) {
        self.batch.append(frame);
    }

    /// Writes a close frame behind what is being written, unless there was one.
    pub(crate) fn close(&mut self, code: u16, reason: &str) {
        self.close_with(&[&code.to_be_bytes(), cut(reason, 123).as_bytes()].concat());
    }

    fn close_with(&mut self, payload: &[u8]) {
        if !self.has_closed {
            self.pong_at_last();
            self.batch.append(&control(Opcode::Close, payload));
            self.has_closed = true;
        }
    }

    /// Whether the client has sent or taken bytes since the last call. That counts for the
    /// heartbeat: a pong may wait behind a large message on either side.
    pub(crate) fn take_alive(&mut self) -> bool {
        std::mem::take(&mut self.alive)
    }

    /// Reads and drops what a client sends that has broken the protocol. If it were left unread,
    /// the kernel would reset the connection, and the close frame might not arrive. `Ready`: the
    /// client has closed its side.
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

    /// Closes the writing side, so that the client closes its own.
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

/// The part of `text` that fits into `length` bytes.
fn cut(text: &str, length: usize) -> &str {
    &text[..text.floor_char_boundary(length)]
}

fn cause(error: &Error) -> Disconnect {
    let (reason, code) = match error {
        Error::Capacity(_) => (DisconnectReason::TooLarge, 1009),
        Error::Utf8(_) => (DisconnectReason::ParseError, 1007),
        Error::Protocol(_) => (DisconnectReason::ParseError, 1002),
        Error::ConnectionClosed | Error::AlreadyClosed => return Disconnect::new(DisconnectReason::TransportClose),
        _ => return Disconnect::new(DisconnectReason::TransportError).with_message(error.to_string()),
    };
    Disconnect::new(reason).with_code(code).with_message(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection_handle::OverflowPolicy;
    use crate::session::limits::Bounds;
    use crate::wire::frame::{FrameWriter, Opcode};
    use parking_lot::Mutex;
    use std::pin::Pin;
    use std::sync::Arc;
    use std::task::Waker;
    use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

    /// A stream that, like TLS, takes bytes into a buffer of its own and sends them when it is
    /// flushed.
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
    fn a_flush_that_waits_is_gone_on_with() {
        let stream = Buffering::default();
        stream.0.lock().blocked = true;
        let mut websocket = WebSocketTransport::new(Stream::Other(Box::new(stream.clone())), Vec::new(), 1000);
        let handle = ConnectionHandle::new(Bounds { messages: 100, bytes: 10_000 }, OverflowPolicy::Disconnect);
        let mut writer = FrameWriter::new();
        writer.payload().extend_from_slice(b"hello");
        handle.queue(&writer.finish(Opcode::Text), false, None).expect("there is room");

        let mut context = Context::from_waker(Waker::noop());
        assert!(websocket.poll_write(&mut context, Some(&handle)).is_pending());
        assert_ne!(websocket.load(), Load::default());
        stream.0.lock().blocked = false;
        assert!(websocket.poll_write(&mut context, Some(&handle)).is_ready());
        assert_eq!(stream.0.lock().sent, 7);
        assert_eq!(websocket.load(), Load::default());
    }
}
