//! [`State`]: how far a connection is on its way from open to closed. All transitions are here.
//!
//! ```text
//! Open ──────► Draining                 the hub shuts down: handlers that run may end first
//!   │             │
//!   ├─────────────┼──► Flushing ──► AwaitingClose      this server closes
//!   ├─────────────┼──► AnsweringClose                  the client closes
//!   ├─────────────┼──► Rejecting ──► Discarding        the client breaks the protocol
//!   └─────────────┴──────────────────────────────────► Closed, from everywhere
//! ```

use std::time::Instant;

use super::end::End;

/// The state of a connection.
#[derive(Debug)]
pub(super) struct State(Phase);

#[derive(Debug)]
enum Phase {
    /// Messages go both ways. `join_by`: until when the client is to be connected to a namespace.
    Open {
        join_by: Option<Instant>,
    },
    /// The same, but no more events are handled. It closes as soon as the handlers that run have
    /// ended.
    Draining {
        end: Box<End>,
    },
    /// What is queued still goes out, then the close frame.
    Flushing {
        by: Instant,
        code: u16,
        reason: String,
    },
    /// This server has sent a close frame and waits for the client's.
    AwaitingClose {
        by: Instant,
    },
    /// The client has sent a close frame, and the answer is being written.
    AnsweringClose {
        by: Instant,
    },
    /// The client has broken the protocol, and the close frame is being written. What it sends is
    /// not looked at.
    Rejecting {
        by: Instant,
    },
    /// The same, and the close frame is written. The client is to close its side.
    Discarding {
        by: Instant,
    },
    Closed,
}

/// What is to be done with what the client sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    Messages,
    /// Bytes are read and dropped.
    Discard,
    Nothing,
}

/// What comes next when all is written.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Written {
    Nothing,
    CloseFrame {
        code: u16,
        reason: String,
    },
    /// The end of the writing side.
    Finish,
    /// The end of the transport.
    Close,
}

impl State {
    pub(super) fn open(join_by: Option<Instant>) -> Self {
        Self(Phase::Open { join_by })
    }

    /// Whether it has not begun to close.
    pub(super) fn is_open(&self) -> bool {
        matches!(self.0, Phase::Open { .. } | Phase::Draining { .. })
    }

    pub(super) fn is_flushing(&self) -> bool {
        matches!(self.0, Phase::Flushing { .. })
    }

    pub(super) fn is_closed(&self) -> bool {
        matches!(self.0, Phase::Closed)
    }

    /// How it ends when the handlers have.
    pub(super) fn draining(&self) -> Option<&End> {
        if let Phase::Draining { end } = &self.0 { Some(end) } else { None }
    }

    pub(super) fn reading(&self) -> Reading {
        match self.0 {
            Phase::Open { .. } | Phase::Draining { .. } | Phase::Flushing { .. } | Phase::AwaitingClose { .. } => {
                Reading::Messages
            }
            Phase::Rejecting { .. } | Phase::Discarding { .. } => Reading::Discard,
            Phase::AnsweringClose { .. } | Phase::Closed => Reading::Nothing,
        }
    }

    /// Until when the client is to be connected to a namespace.
    pub(super) fn join_by(&self) -> Option<Instant> {
        if let Phase::Open { join_by } = self.0 { join_by } else { None }
    }

    /// Until when a connection that closes has time for it.
    pub(super) fn close_by(&self) -> Option<Instant> {
        match self.0 {
            Phase::Flushing { by, .. }
            | Phase::AwaitingClose { by }
            | Phase::AnsweringClose { by }
            | Phase::Rejecting { by }
            | Phase::Discarding { by } => Some(by),
            Phase::Open { .. } | Phase::Draining { .. } | Phase::Closed => None,
        }
    }

    /// The client is connected to a namespace.
    pub(super) fn join(&mut self) {
        if let Phase::Open { join_by } = &mut self.0 {
            *join_by = None;
        }
    }

    /// The hub shuts down.
    pub(super) fn drain(&mut self, end: End) {
        if self.is_open() {
            self.0 = Phase::Draining { end: Box::new(end) };
        }
    }

    /// This server closes, or the client has closed its session and what answers it is to go out.
    pub(super) fn flush(&mut self, by: Instant, code: u16, reason: String) {
        if self.is_open() {
            self.0 = Phase::Flushing { by, code, reason };
        }
    }

    /// A close frame is written before anything else.
    pub(super) fn await_close(&mut self, by: Instant) {
        if self.is_open() {
            self.0 = Phase::AwaitingClose { by };
        }
    }

    /// The client has sent a close frame.
    pub(super) fn answer_close(&mut self, by: Instant) {
        if self.reading() == Reading::Messages {
            self.0 = Phase::AnsweringClose { by };
        }
    }

    /// The client has broken the protocol.
    pub(super) fn reject(&mut self, by: Instant) {
        if self.is_open() {
            self.0 = Phase::Rejecting { by };
        }
    }

    /// A connection that closes has less time for it than it had.
    pub(super) fn shorten_deadline(&mut self, earlier: Instant) {
        match &mut self.0 {
            Phase::Flushing { by, .. }
            | Phase::AwaitingClose { by }
            | Phase::AnsweringClose { by }
            | Phase::Rejecting { by }
            | Phase::Discarding { by } => *by = earlier.min(*by),
            Phase::Open { .. } | Phase::Draining { .. } | Phase::Closed => {}
        }
    }

    /// All that was queued is written. `polls`: there are no close frames. `is_undecided`: more may
    /// be queued by a socket that is not accepted yet.
    pub(super) fn written(&mut self, polls: bool, is_undecided: bool) -> Written {
        match &mut self.0 {
            Phase::Flushing { .. } if is_undecided => Written::Nothing,
            Phase::Flushing { .. } if polls => Written::Close,
            Phase::Flushing { by, code, reason } => {
                let (by, code, reason) = (*by, *code, std::mem::take(reason));
                self.0 = Phase::AwaitingClose { by };
                Written::CloseFrame { code, reason }
            }
            Phase::Rejecting { by } => {
                self.0 = Phase::Discarding { by: *by };
                Written::Finish
            }
            Phase::AnsweringClose { .. } => Written::Close,
            Phase::Open { .. }
            | Phase::Draining { .. }
            | Phase::AwaitingClose { .. }
            | Phase::Discarding { .. }
            | Phase::Closed => Written::Nothing,
        }
    }

    pub(super) fn close(&mut self) {
        self.0 = Phase::Closed;
    }
}
