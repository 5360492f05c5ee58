//! [`State`]: the state of a connection, from open to closed. This file contains all transitions.
//!
//! ```text
//! Open ──► Draining                          the hub shuts down or drains: handlers may complete
//!   │         │
//!   ├─────────┼──► Flushing ──► AwaitingClose    this server closes, or a polling client does
//!   ├─────────┼──► AwaitingClose                 the client sent an Engine.IO close packet
//!   ├─────────┼──► AnsweringClose                the client sent a close frame
//!   ├─────────┼──► Rejecting ──► Discarding      the client violated the protocol
//!   └─────────┴──► Closed
//! ```
//!
//! A close frame of the client also leads from `Flushing` and `AwaitingClose` to `AnsweringClose`.
//! Every state leads to `Closed`.

use std::time::Instant;

use super::end::End;

/// The state of a connection.
#[derive(Debug)]
pub(super) struct State(Phase);

#[derive(Debug)]
enum Phase {
    /// Messages are read and written.
    Open {
        /// The deadline for connecting to a namespace.
        join_by: Option<Instant>,
        /// The deadline for the rest of a message that has arrived in part.
        complete_by: Option<Instant>,
    },
    /// Like `Open`, but received events are dropped, unless the end handles them. The connection
    /// closes when no handler runs.
    Draining {
        end: Box<End>,
    },
    /// The queued messages are written, then the close frame.
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
    /// The client has violated the protocol, and the close frame is being written. Input is
    /// discarded.
    Rejecting {
        by: Instant,
    },
    /// Like `Rejecting`, with the close frame written. Waits for the client to close its side.
    Discarding {
        by: Instant,
    },
    Closed,
}

/// How the driver treats input from the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    Messages,
    /// Read bytes and drop them.
    Discard,
    Nothing,
}

/// What follows when the queue has been written.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum AfterWrite {
    Nothing,
    CloseFrame {
        code: u16,
        reason: String,
    },
    /// Close the writing side.
    Finish,
    /// Close the transport.
    Close,
}

impl State {
    pub(super) fn open(join_by: Option<Instant>) -> Self {
        Self(Phase::Open { join_by, complete_by: None })
    }

    /// Whether the connection is not closing or closed.
    pub(super) fn is_open(&self) -> bool {
        matches!(self.0, Phase::Open { .. } | Phase::Draining { .. })
    }

    pub(super) fn is_flushing(&self) -> bool {
        matches!(self.0, Phase::Flushing { .. })
    }

    pub(super) fn is_closed(&self) -> bool {
        matches!(self.0, Phase::Closed)
    }

    /// Returns how a draining connection ends.
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

    /// Returns the deadline for connecting to a namespace.
    pub(super) fn join_by(&self) -> Option<Instant> {
        if let Phase::Open { join_by, .. } = self.0 { join_by } else { None }
    }

    /// Returns the deadline for the rest of a message.
    pub(super) fn complete_by(&self) -> Option<Instant> {
        if let Phase::Open { complete_by, .. } = self.0 { complete_by } else { None }
    }

    /// Sets or removes the deadline for the rest of a message.
    pub(super) fn set_complete_by(&mut self, by: Option<Instant>) {
        if let Phase::Open { complete_by, .. } = &mut self.0 {
            *complete_by = by;
        }
    }

    /// Returns the deadline for closing.
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

    /// Records that the client is connected to a namespace.
    pub(super) fn join(&mut self) {
        if let Phase::Open { join_by, .. } = &mut self.0 {
            *join_by = None;
        }
    }

    /// Waits for running handlers, because the hub shuts down or drains.
    pub(super) fn drain(&mut self, end: End) {
        if self.is_open() {
            self.0 = Phase::Draining { end: Box::new(end) };
        }
    }

    /// Writes the queue and then closes. Either this server closes the connection, or a polling
    /// client closed its session.
    pub(super) fn flush(&mut self, by: Instant, code: u16, reason: String) {
        if self.is_open() {
            self.0 = Phase::Flushing { by, code, reason };
        }
    }

    /// Waits for the client's close frame. The server's own is queued already.
    pub(super) fn await_close(&mut self, by: Instant) {
        if self.is_open() {
            self.0 = Phase::AwaitingClose { by };
        }
    }

    /// Writes the answer to the client's close frame.
    pub(super) fn answer_close(&mut self, by: Instant) {
        if self.reading() == Reading::Messages {
            self.0 = Phase::AnsweringClose { by };
        }
    }

    /// Rejects the client, because it violated the protocol.
    pub(super) fn reject(&mut self, by: Instant) {
        if self.is_open() {
            self.0 = Phase::Rejecting { by };
        }
    }

    /// Shortens the deadline for closing.
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

    /// Continues after the queue was written. `polls`: the transport has no close frames.
    /// `is_undecided`: a socket that is not accepted yet may queue more.
    pub(super) fn on_written(&mut self, polls: bool, is_undecided: bool) -> AfterWrite {
        match &mut self.0 {
            Phase::Flushing { .. } if is_undecided => AfterWrite::Nothing,
            Phase::Flushing { .. } if polls => AfterWrite::Close,
            Phase::Flushing { by, code, reason } => {
                let (by, code, reason) = (*by, *code, std::mem::take(reason));
                self.0 = Phase::AwaitingClose { by };
                AfterWrite::CloseFrame { code, reason }
            }
            Phase::Rejecting { by } => {
                self.0 = Phase::Discarding { by: *by };
                AfterWrite::Finish
            }
            Phase::AnsweringClose { .. } => AfterWrite::Close,
            Phase::Open { .. }
            | Phase::Draining { .. }
            | Phase::AwaitingClose { .. }
            | Phase::Discarding { .. }
            | Phase::Closed => AfterWrite::Nothing,
        }
    }

    pub(super) fn close(&mut self) {
        self.0 = Phase::Closed;
    }
}
