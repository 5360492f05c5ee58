//! Reads a client's messages, and passes them to the session.

use std::task::{Context, Poll};

use super::Connection;
use super::driver::Driver;
use super::websocket::ReadBuffer;
use crate::event::incoming::Incoming;
use crate::session::{Inbox, Reading};

/// The maximum number of messages that are read before output is written.
const READ_BUDGET: usize = 256;

impl Connection {
    /// Reads messages until none is left or the budget is used. Returns `true` if there is more to
    /// do.
    pub(super) fn read(&mut self, context: &mut Context<'_>) -> bool {
        match self.session.reading() {
            Reading::Messages => {}
            Reading::Nothing => return false,
            Reading::Discard => {
                if self.io.transport.poll_discard(context).is_ready() {
                    self.session.on_input_closed(&mut Driver { io: &mut self.io, context });
                }
                return false;
            }
        }
        let mut had_commands = self.read_probe(context);
        let mut received = ReadBuffer::take();
        let mut more = true;
        for _ in 0..READ_BUDGET {
            if self.session.is_open() && self.must_pause() {
                more = false;
                break;
            }
            match self.io.transport.poll_next(context, &mut received) {
                Poll::Pending => {
                    let is_partial = self.io.transport.has_partial_message();
                    self.session.on_all_read(is_partial, &Driver { io: &mut self.io, context });
                    more = false;
                    break;
                }
                Poll::Ready(Ok(message)) => {
                    let sockets = self.session.len();
                    self.session.receive(message, &mut Driver { io: &mut self.io, context });
                    // Poll the decision about a new socket once, so that it registers its waker.
                    if self.session.len() > sockets {
                        self.run_events(context);
                    }
                }
                Poll::Ready(Err(cause)) => self.session.on_error(cause, &mut Driver { io: &mut self.io, context }),
            }
            // Commands of the handler are processed before the next message. They may end the
            // connection.
            if self.io.peer.handle.has_commands() {
                self.run_commands(context);
                had_commands = true;
            }
            if self.session.reading() != Reading::Messages {
                break;
            }
        }
        self.io.transport.store_unread(&mut received);
        self.io.peer.handle.counters().add_received(self.session.take_received().into(), received.read as u64);
        // The end of a POST can complete an upgrade.
        more || had_commands || self.complete_upgrade()
    }

    /// Whether the inbox is full. From then on, a question to the client resumes reading.
    fn must_pause(&mut self) -> bool {
        if self.session.may_read(&self.inbox()) {
            return false;
        }
        self.io.peer.handle.pause_reading();
        // Another task may have asked the client in the meantime.
        !self.session.may_read(&self.inbox())
    }

    /// Returns the size of the queue of received events.
    fn inbox(&self) -> Inbox {
        let (events, bytes) = self.session.sockets().fold((0_usize, 0_usize), |(events, bytes), entry| {
            (events.saturating_add(entry.executor.events()), bytes.saturating_add(entry.executor.bytes()))
        });
        Inbox { events, bytes, overhead: size_of::<Incoming>(), awaits_answer: self.io.peer.is_awaited() }
    }
}
