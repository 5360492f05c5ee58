//! [`Polling`]: the HTTP long-polling transport. The client's GET receives queued packets, and its
//! POSTs send packets.
//!
//! Each request has a task of its own. It passes the request to the connection through the
//! [handle](crate::connection_handle), and waits for the response.

use bytes::Bytes;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::sync::oneshot;

use super::websocket::Message;
use crate::connection_handle::outbox::{Batch, Load};
use crate::connection_handle::poll_request::{PollRequest, Post};
use crate::connection_handle::request::Request;
use crate::hub::aliases::ConnectionHandle;
use crate::session::disconnect::{Disconnect, DisconnectReason};
use crate::wire::engineio;

pub(super) struct Polling {
    poll: Option<oneshot::Sender<Option<Bytes>>>,
    post: Option<Post>,
    batch: Batch,
    /// Whether polls are answered immediately, so that the client can complete its upgrade.
    answers_immediately: bool,
    /// The response to the last poll.
    last_packet: &'static str,
    /// The POST with the client's close packet. It is answered when the session ends.
    close_post: Option<oneshot::Sender<bool>>,
}

impl Default for Polling {
    fn default() -> Self {
        Self {
            poll: None,
            post: None,
            batch: Batch::default(),
            answers_immediately: false,
            last_packet: engineio::CLOSE,
            close_post: None,
        }
    }
}

impl Polling {
    /// Accepts a request of the client. An error ends the session.
    pub(super) fn receive_request(&mut self, request: PollRequest) -> Result<(), Disconnect> {
        match request {
            // The first poll is answered when the session ends.
            PollRequest::Poll(second) if self.poll.is_some() => {
                let _ = second.send(None);
                Err(transport_error("two polls at once"))
            }
            PollRequest::Poll(poll) => {
                self.poll = Some(poll);
                Ok(())
            }
            PollRequest::Post(_) if self.post.is_some() => Err(transport_error("two POST requests at once")),
            PollRequest::Post(post) => {
                self.post = Some(post);
                Ok(())
            }
            PollRequest::Broken(why) => Err(transport_error(why)),
        }
    }

    /// Polls for the next packet of the current POST, and adds its size to `read`.
    pub(super) fn poll_next(&mut self, read: &mut usize) -> Poll<Message> {
        let Some(post) = &mut self.post else { return Poll::Pending };
        // The body is complete, even if the request was dropped since.
        match post.body.next() {
            Some(packet) => {
                *read += packet.len();
                Poll::Ready(Message::Text(packet))
            }
            None => {
                self.finish_post(true);
                Poll::Pending
            }
        }
    }

    /// Whether a POST is being read.
    pub(super) fn is_reading_post(&self) -> bool {
        self.post.is_some()
    }

    /// Returns the request of the current POST.
    pub(super) fn request(&self) -> Option<&Arc<Request>> {
        self.post.as_ref().map(|post| &post.request)
    }

    fn finish_post(&mut self, understood: bool) {
        if let Some(post) = self.post.take() {
            // The request may have been dropped.
            let _ = post.done.send(understood);
        }
    }

    /// Answers the waiting poll, if there are packets. `Ready`: all packets are written, and with
    /// `last` also the end of the session. An error: the poll was dropped.
    pub(super) fn poll_write(
        &mut self,
        context: &mut Context<'_>,
        handle: &ConnectionHandle,
        last: bool,
    ) -> Poll<io::Result<()>> {
        let Some(poll) = &mut self.poll else {
            // Nothing can be written without a poll. The handle then queues frames without waking
            // the task.
            handle.mark_blocked(Load::default());
            return Poll::Pending;
        };
        if poll.poll_closed(context).is_ready() {
            return Poll::Ready(Err(poll_dropped()));
        }
        let mut waiting = Vec::new();
        self.drain_batch_into(&mut waiting);
        let messages = handle.take_frames(&mut self.batch);
        self.drain_batch_into(&mut waiting);
        let mut body = Vec::new();
        engineio::write_body(&mut body, &waiting);
        if !body.is_empty() {
            handle.counters().add_sent(messages as u64, body.len() as u64);
            self.answer(body.into())?;
            // The client takes nothing more before its next poll, and the response counts no longer
            // as what waits for it.
            handle.mark_blocked(Load::default());
            // The close packet has a body of its own. Clients process it before messages in the
            // same body.
            return if last { Poll::Pending } else { Poll::Ready(Ok(())) };
        }
        if last {
            self.answer(Bytes::from_static(self.last_packet.as_bytes()))?;
        } else if self.answers_immediately {
            self.answer(Bytes::from_static(engineio::NOOP.as_bytes()))?;
        }
        Poll::Ready(Ok(()))
    }

    /// Moves the content of the batch to `out`.
    fn drain_batch_into(&mut self, out: &mut Vec<u8>) {
        while !self.batch.is_empty() {
            let length = self.batch.with_slices(|slices| {
                slices.iter().for_each(|slice| out.extend_from_slice(slice));
                slices.iter().map(|slice| slice.len()).sum()
            });
            self.batch.advance(length);
        }
    }

    fn answer(&mut self, body: Bytes) -> io::Result<()> {
        match self.poll.take() {
            Some(poll) => poll.send(Some(body)).map_err(|_| poll_dropped()),
            None => Ok(()),
        }
    }

    /// Whether a poll waits.
    pub(super) fn is_polled(&self) -> bool {
        self.poll.is_some()
    }

    pub(super) fn append(&mut self, frame: &[u8]) {
        self.batch.append(frame);
    }

    /// Sets whether polls are answered immediately.
    pub(super) fn set_answers_immediately(&mut self, answers_immediately: bool) {
        self.answers_immediately = answers_immediately;
    }

    /// Records that the client closed the session. Its poll is answered with a noop packet, and the
    /// rest of the POST is ignored.
    pub(super) fn closed_by_client(&mut self) {
        self.last_packet = engineio::NOOP;
        self.close_post = self.post.take().map(|post| post.done);
    }

    /// Ends the session, and answers a waiting poll.
    pub(super) fn shut(&mut self) {
        // The poll may have been dropped.
        let _ = self.answer(Bytes::from_static(self.last_packet.as_bytes()));
        self.finish_post(false);
        if let Some(done) = self.close_post.take() {
            let _ = done.send(true);
        }
    }

    /// Ends polling after an upgrade, and answers a waiting poll with a noop packet. Returns the
    /// unsent bytes for the WebSocket.
    pub(super) fn upgrade(&mut self) -> Vec<u8> {
        // If the poll was dropped, only a noop packet is lost.
        let _ = self.answer(Bytes::from_static(engineio::NOOP.as_bytes()));
        let mut left = Vec::new();
        self.drain_batch_into(&mut left);
        left
    }
}

fn poll_dropped() -> io::Error {
    io::Error::other("the poll was cut")
}

fn transport_error(why: &'static str) -> Disconnect {
    Disconnect::new(DisconnectReason::TransportError).with_message(why)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection_handle::OverflowPolicy;
    use crate::connection_handle::shared::Shared;
    use crate::session::limits::Bounds;
    use crate::wire::frame::EncodedFrame;
    use crate::wire::policy::{LatestKey, Policy};
    use std::task::Waker;

    #[test]
    fn what_an_answered_poll_took_does_not_wait_any_more() {
        let bounds = Bounds { messages: 100, bytes: 1_000 };
        let handle = ConnectionHandle::new(&Arc::new(Shared::new(bounds, OverflowPolicy::Disconnect)));
        let mut polling = Polling::default();
        let mut context = Context::from_waker(Waker::noop());
        let (waiting, mut body) = oneshot::channel();
        polling.receive_request(PollRequest::Poll(waiting)).expect("the first poll");
        let queue = |policy| {
            let queued = handle.queue(&EncodedFrame::text(&"x".repeat(700)), policy, None);
            queued.map(|queued| queued.has_replaced)
        };
        assert_eq!(queue(Policy::Wait), Ok(false));
        assert!(polling.poll_write(&mut context, &handle, false).is_ready());
        assert_eq!(body.try_recv().expect("an answer").expect("a body").len(), 700);
        // The client takes nothing more before its next poll.
        let latest = Policy::Latest(LatestKey::new(String::new()).id("/", None));
        assert_eq!([latest, latest].map(queue), [Ok(false), Ok(true)]);
    }
}
