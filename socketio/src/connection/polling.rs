//! HTTP long-polling: the client's GET takes what waits for it, its POSTs bring what it sends.
//!
//! The requests are answered by tasks of their own, which hand them over through the
//! [handle](crate::connection_handle) and wait.

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
    /// Whether polls are answered at once, so that the client can go on with its upgrade.
    hurried: bool,
    /// The answer to the last poll.
    last_packet: &'static str,
    /// The POST with which the client has closed the session, to be answered at its end.
    last_post: Option<oneshot::Sender<bool>>,
}

impl Default for Polling {
    fn default() -> Self {
        Self {
            poll: None,
            post: None,
            batch: Batch::default(),
            hurried: false,
            last_packet: engineio::CLOSE,
            last_post: None,
        }
    }
}

impl Polling {
    /// Takes a request. An error ends the session.
    pub(super) fn ask(&mut self, request: PollRequest) -> Result<(), Disconnect> {
        match request {
            // The poll that waits is answered when the session ends.
            PollRequest::Poll(second) if self.poll.is_some() => {
                let _ = second.send(None);
                Err(broken("two polls at once"))
            }
            PollRequest::Poll(poll) => {
                self.poll = Some(poll);
                Ok(())
            }
            PollRequest::Post(_) if self.post.is_some() => Err(broken("two POST requests at once")),
            PollRequest::Post(post) => {
                self.post = Some(post);
                Ok(())
            }
            PollRequest::Broken(why) => Err(broken(why)),
        }
    }

    /// The next packet of the POST that is being read.
    pub(super) fn poll_next(&mut self) -> Poll<Message> {
        let Some(post) = &mut self.post else { return Poll::Pending };
        // The whole body has come, even if the request was dropped meanwhile.
        match post.body.next() {
            Some(packet) => Poll::Ready(Message::Text(packet)),
            None => {
                self.finish_post(true);
                Poll::Pending
            }
        }
    }

    /// Whether a POST is being read.
    pub(super) fn has_more(&self) -> bool {
        self.post.is_some()
    }

    /// The request of the POST that is being read.
    pub(super) fn request(&self) -> Option<&Arc<Request>> {
        self.post.as_ref().map(|post| &post.request)
    }

    fn finish_post(&mut self, understood: bool) {
        if let Some(post) = self.post.take() {
            // The request may have been dropped.
            let _ = post.done.send(understood);
        }
    }

    /// Answers the poll that waits, if there are packets for it. `Ready`: all are written, with
    /// `last` the end of the session too. An error: the poll was dropped.
    pub(super) fn poll_write(
        &mut self,
        context: &mut Context<'_>,
        handle: &ConnectionHandle,
        last: bool,
    ) -> Poll<io::Result<()>> {
        let Some(poll) = &mut self.poll else {
            // Without a poll nothing can be written: the handle queues without waking the task.
            handle.mark_blocked(Load::default());
            return Poll::Pending;
        };
        if poll.poll_closed(context).is_ready() {
            return Poll::Ready(Err(cut()));
        }
        let mut waiting = Vec::new();
        self.flatten(&mut waiting);
        handle.take_frames(&mut self.batch);
        self.flatten(&mut waiting);
        let mut body = Vec::new();
        engineio::write_body(&mut body, &waiting);
        if !body.is_empty() {
            self.answer(body.into())?;
            // The end has a body of its own: clients read it before messages in the same body.
            return if last { Poll::Pending } else { Poll::Ready(Ok(())) };
        }
        if last {
            self.answer(Bytes::from_static(self.last_packet.as_bytes()))?;
        } else if self.hurried {
            self.answer(Bytes::from_static(engineio::NOOP.as_bytes()))?;
        }
        Poll::Ready(Ok(()))
    }

    /// Empties the batch.
    fn flatten(&mut self, out: &mut Vec<u8>) {
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
            Some(poll) => poll.send(Some(body)).map_err(|_| cut()),
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

    /// Answers polls at once from now on, or not any more.
    pub(super) fn hurry(&mut self, hurried: bool) {
        self.hurried = hurried;
    }

    /// The client has closed the session: its poll is answered with a noop packet. The rest of the
    /// POST is ignored.
    pub(super) fn closed_by_client(&mut self) {
        self.last_packet = engineio::NOOP;
        self.last_post = self.post.take().map(|post| post.done);
    }

    /// Ends the session: a poll that waits is told.
    pub(super) fn shut(&mut self) {
        // The poll may have been dropped.
        let _ = self.answer(Bytes::from_static(self.last_packet.as_bytes()));
        self.finish_post(false);
        if let Some(done) = self.last_post.take() {
            let _ = done.send(true);
        }
    }

    /// Ends polling, because the client has upgraded. A poll that waits is answered with a noop
    /// packet; what was not written yet is returned, for the WebSocket.
    pub(super) fn hand_over(&mut self) -> Vec<u8> {
        // The poll may have been dropped: it would have carried nothing.
        let _ = self.answer(Bytes::from_static(engineio::NOOP.as_bytes()));
        let mut left = Vec::new();
        self.flatten(&mut left);
        left
    }
}

fn cut() -> io::Error {
    io::Error::other("the poll was cut")
}

fn broken(why: &'static str) -> Disconnect {
    Disconnect::new(DisconnectReason::TransportError).with_message(why)
}
