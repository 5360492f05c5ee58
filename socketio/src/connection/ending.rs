//! How a connection ends: by this server, by its client, or by itself.

use std::task::Context;
use std::time::Duration;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

use super::end::End;
use super::{Connection, Linger, Phase, after, lifecycle};
use crate::event::disconnect::{Disconnect, DisconnectReason};
use crate::event::error::EventError;

/// How long a client has at least to take the close frame when handlers have used up a shutdown's time.
const LAST_WORDS: Duration = Duration::from_millis(100);

impl Connection {
    /// The client is told that it is not wanted, and nothing of what was queued for it.
    pub(super) fn refuse(&mut self, refusal: &EventError) {
        tracing::debug!(socket = %self.socket.id(), %refusal, "connection refused");
        self.open_by = None;
        self.socket.peer().mailbox.discard();
        self.executor.abort();
        if self.is_open() {
            self.end(End::refusal(refusal.message()));
        }
    }

    /// Begins the end that this side wants. One that has begun already is only hastened.
    pub(super) fn end(&mut self, mut end: End) {
        if let Some(until) = end.handlers_until {
            let until = self.handlers_until.map_or(until, |known| known.min(until));
            self.handlers_until = Some(until);
            end.handlers_until = Some(until);
        }
        let hastened = self.close_by(end.handlers_until);
        match &mut self.phase {
            Phase::Open => {}
            Phase::Closing { by, .. } | Phase::Lingering { by, .. } => {
                *by = hastened;
                return;
            }
            Phase::Closed => return,
        }
        self.executor.drop_queued();
        if end.handlers_until.is_some() {
            self.socket.tell_ending();
            self.end_after = Some(Box::new(end));
        } else {
            self.end_now(end);
        }
    }

    /// Whether the handlers are done that the end waits for.
    pub(super) fn is_done(&self) -> bool {
        self.end_after.is_some() && self.executor.is_idle()
    }

    pub(super) fn end_if_done(&mut self) {
        if self.is_done()
            && let Some(end) = self.end_after.take()
        {
            self.end_now(*end);
        }
    }

    pub(super) fn end_now(&mut self, end: End) {
        self.conclude(end.disconnect, end.on_purpose);
        let by = self.close_by(end.handlers_until);
        self.phase = Phase::Closing { by, code: end.code, reason: end.reason };
    }

    /// Until when the connection may take to close. Neither a shutdown's deadline nor the time that a close has been given
    /// already is put off by what happens later.
    fn close_by(&self, handlers_until: Option<Instant>) -> Instant {
        let now = Instant::now();
        let mut by = after(now, self.config().close_timeout);
        if let Some(until) = handlers_until.or(self.handlers_until) {
            by = by.min(until.max(now + LAST_WORDS));
        }
        match &self.phase {
            Phase::Closing { by: given, .. } | Phase::Lingering { by: given, .. } => by.min(*given),
            Phase::Open | Phase::Closed => by,
        }
    }

    /// Sets off what the socket's end brings about, behind the events that run.
    pub(super) fn conclude(&mut self, disconnect: Disconnect, on_purpose: bool) {
        self.end_after = None;
        self.socket.peer().mailbox.shut();
        self.socket.tell_waiting();
        self.ended = Some(Box::new(disconnect.clone()));
        self.executor.finish_with(lifecycle::farewell(self.socket.clone(), disconnect, on_purpose));
    }

    pub(super) fn closed_by_client(&mut self, frame: Option<CloseFrame>) {
        let by = self.close_by(None);
        if self.is_open() {
            let mut disconnect = Disconnect::new(DisconnectReason::TransportClose);
            disconnect = match frame {
                Some(frame) => disconnect.with_code(frame.code.into()).with_message(frame.reason.to_string()),
                None => disconnect.with_code(1005),
            };
            self.conclude(disconnect, false);
        }
        self.socket.peer().mailbox.discard();
        self.link.answer_close();
        self.phase = Phase::Lingering { by, how: Linger::Answering };
    }

    /// The connection broke, or the client broke its protocol.
    pub(super) fn broken(&mut self, cause: Disconnect, context: &mut Context<'_>) {
        match cause.code() {
            Some(code) if self.is_open() => {
                tracing::debug!(socket = %self.socket.id(), %cause, "the client broke the protocol");
                let by = self.close_by(None);
                self.executor.drop_queued();
                self.conclude(cause, false);
                self.socket.peer().mailbox.discard();
                self.link.close(code, "");
                self.phase = Phase::Lingering { by, how: Linger::Rejecting };
            }
            _ => {
                if self.is_open() {
                    self.conclude(cause, false);
                }
                self.close(context);
            }
        }
    }

    /// The transport is done with.
    pub(super) fn close(&mut self, context: &mut Context<'_>) {
        self.socket.peer().mailbox.discard();
        self.link.shut(context);
        self.phase = Phase::Closed;
    }
}
