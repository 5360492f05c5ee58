//! HTTP long-polling: the client's GET takes what waits for it, its POSTs bring what it sends.
//!
//! The requests are answered by tasks of their own, which hand them over through the [mailbox](super::mailbox) and wait.

use bytes::Bytes;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::sync::oneshot;

use super::link::Message;
use super::mailbox::Mailbox;
use super::outbox::Batch;
use crate::event::disconnect::{Disconnect, DisconnectReason};
use crate::socket::handshake::Request;
use crate::wire::engine::{self, Body};

/// A request that has come in.
#[derive(Debug)]
pub(crate) enum Asked {
    /// A GET. The body of its answer; `None` if it is one too many.
    Poll(oneshot::Sender<Option<Bytes>>),
    /// A POST. Whether all of it was understood.
    Post(Post),
    /// One that was cut, or came while another of its kind was under way.
    Broken(&'static str),
}

/// What a POST brings.
#[derive(Debug)]
pub(crate) struct Post {
    pub(crate) body: Body,
    /// The request itself, for who wants to know its headers.
    pub(crate) request: Arc<Request>,
    pub(crate) done: oneshot::Sender<bool>,
}

#[derive(Default)]
pub(super) struct Polling {
    poll: Option<oneshot::Sender<Option<Bytes>>>,
    post: Option<Post>,
    batch: Batch,
    /// Whether polls are answered at once, so that the client can go on with its upgrade.
    hurried: bool,
    /// What the last poll is answered with.
    farewell: Option<&'static str>,
}

impl Polling {
    /// Takes a request. An error ends the session.
    pub(super) fn ask(&mut self, asked: Asked) -> Result<(), Disconnect> {
        match asked {
            // The one that waits learns of the end.
            Asked::Poll(second) if self.poll.is_some() => {
                let _ = second.send(None);
                Err(broken("two polls at once"))
            }
            Asked::Poll(poll) => {
                self.poll = Some(poll);
                Ok(())
            }
            Asked::Post(_) if self.post.is_some() => Err(broken("two requests with data at once")),
            Asked::Post(post) => {
                self.post = Some(post);
                Ok(())
            }
            Asked::Broken(why) => Err(broken(why)),
        }
    }

    /// The next packet of the POST that is being read.
    pub(super) fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Result<Message, Disconnect>> {
        if self.poll.as_mut().is_some_and(|poll| poll.poll_closed(context).is_ready()) {
            self.poll = None;
            return Poll::Ready(Err(broken("the poll was cut")));
        }
        let Some(post) = &mut self.post else { return Poll::Pending };
        if post.done.poll_closed(context).is_ready() {
            return Poll::Ready(Err(broken("the request with data was cut")));
        }
        match post.body.next() {
            Some(packet) => Poll::Ready(Ok(Message::Text(packet))),
            None => {
                self.finish_post(true);
                Poll::Pending
            }
        }
    }

    /// Whether a POST brings more than was wanted until now.
    pub(super) fn has_more(&self) -> bool {
        self.post.is_some()
    }

    /// The request that what is read now comes from.
    pub(super) fn request(&self) -> Option<&Arc<Request>> {
        self.post.as_ref().map(|post| &post.request)
    }

    fn finish_post(&mut self, understood: bool) {
        if let Some(post) = self.post.take() {
            // Who is not there any more does not want to know.
            let _ = post.done.send(understood);
        }
    }

    /// Answers the poll that waits, if there is something to say. `Ready`: all of it is said, and with `last` the end too.
    pub(super) fn poll_write(&mut self, mailbox: &Mailbox, last: bool) -> Poll<()> {
        if self.poll.is_none() {
            return Poll::Pending;
        }
        let mut waiting = Vec::new();
        self.flatten(&mut waiting);
        mailbox.take_frames(&mut self.batch);
        self.flatten(&mut waiting);
        let mut body = Vec::new();
        engine::write_body(&mut body, &waiting);
        if last {
            engine::add_packet(&mut body, engine::CLOSE);
        } else if body.is_empty() && self.hurried {
            engine::add_packet(&mut body, engine::NOOP);
        }
        if !body.is_empty() {
            self.answer(body.into());
        }
        Poll::Ready(())
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

    fn answer(&mut self, body: Bytes) {
        if let Some(poll) = self.poll.take() {
            // That it was cut shows when it is looked at next.
            let _ = poll.send(Some(body));
        }
    }

    /// Whether a poll waits: without one the client can't take anything.
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

    /// The client has closed the session: its poll is let go without a word of it.
    pub(super) fn closed_by_client(&mut self) {
        self.farewell = Some(engine::NOOP);
        self.finish_post(true);
    }

    /// Ends the session: a poll that waits is told.
    pub(super) fn shut(&mut self) {
        self.answer(Bytes::from_static(self.farewell.unwrap_or(engine::CLOSE).as_bytes()));
        self.finish_post(false);
    }

    /// Ends this way of travelling, because the client has taken another: a poll that waits is let go, and what was put
    /// behind the last one goes the other way.
    pub(super) fn hand_over(&mut self) -> Vec<u8> {
        self.answer(Bytes::from_static(engine::NOOP.as_bytes()));
        let mut left = Vec::new();
        self.flatten(&mut left);
        left
    }
}

fn broken(why: &'static str) -> Disconnect {
    Disconnect::new(DisconnectReason::TransportError).with_message(why)
}
