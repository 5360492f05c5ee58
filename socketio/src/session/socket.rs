//! [`SocketState`]: the state of a socket, from CONNECT to its end. This file contains all
//! transitions.
//!
//! ```text
//! Connecting ──► Connected ──► Ending      `connect` has fired, and `disconnect` will
//!      └───────► Refused                   neither does
//! ```

use std::time::Instant;

use super::disconnect::Disconnect;

/// The state of a socket.
#[derive(Debug)]
pub(super) struct SocketState(Phase);

#[derive(Debug)]
enum Phase {
    /// The application decides whether to accept the socket. `end` is how it ends once accepted.
    Connecting {
        by: Instant,
        end: Option<Box<PendingEnd>>,
    },
    Connected,
    /// Input of the client is ignored. The events of the end run or wait.
    Ending(Box<Disconnect>),
    /// The application did not accept the socket. Errors of its handlers are still reported.
    Refused,
}

/// An end that was requested before the socket was accepted.
#[derive(Debug)]
pub(super) enum PendingEnd {
    /// The socket leaves its namespace.
    Leave(Disconnect),
    /// The socket's connection ends.
    Connection { disconnect: Disconnect, on_purpose: bool },
}

/// The effect of ending a socket.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// The socket ends now.
    Now,
    /// The socket ends when the application has decided.
    Later,
    /// The socket had ended before.
    Already,
}

impl SocketState {
    pub(super) fn connecting(by: Instant) -> Self {
        Self(Phase::Connecting { by, end: None })
    }

    pub(super) fn is_connecting(&self) -> bool {
        matches!(self.0, Phase::Connecting { .. })
    }

    pub(super) fn is_connected(&self) -> bool {
        matches!(self.0, Phase::Connected)
    }

    /// Whether the socket receives packets of the client.
    pub(super) fn is_present(&self) -> bool {
        self.is_connecting() || self.is_connected()
    }

    /// Returns the deadline for the application's decision.
    pub(super) fn decide_by(&self) -> Option<Instant> {
        if let Phase::Connecting { by, .. } = self.0 { Some(by) } else { None }
    }

    /// Returns how the socket ended, if it was accepted and has ended.
    pub(super) fn into_disconnect(self) -> Option<Disconnect> {
        if let Phase::Ending(disconnect) = self.0 { Some(*disconnect) } else { None }
    }

    /// Accepts the socket, as the application decided. Returns `None` if the decision was made
    /// before. `Some(Some(end))`: the socket must end at once.
    pub(super) fn accept(&mut self) -> Option<Option<PendingEnd>> {
        let Phase::Connecting { end, .. } = &mut self.0 else { return None };
        let end = end.take().map(|end| *end);
        self.0 = Phase::Connected;
        Some(end)
    }

    /// Refuses the socket, as the application decided or because of the timeout. Returns `false` if
    /// the decision was made before.
    pub(super) fn refuse(&mut self) -> bool {
        let is_refused = self.is_connecting();
        if is_refused {
            self.0 = Phase::Refused;
        }
        is_refused
    }

    /// Removes the socket from its namespace, as the server requested.
    pub(super) fn leave(&mut self, disconnect: &Disconnect) -> Ended {
        match &mut self.0 {
            Phase::Connecting { end, .. } => {
                end.get_or_insert_with(|| Box::new(PendingEnd::Leave(disconnect.clone())));
                Ended::Later
            }
            _ => self.end(disconnect, true),
        }
    }

    /// Ends the socket, with its connection or because its client left.
    pub(super) fn end(&mut self, disconnect: &Disconnect, on_purpose: bool) -> Ended {
        match &mut self.0 {
            Phase::Connecting { end: Some(end), .. } if matches!(**end, PendingEnd::Connection { .. }) => {
                Ended::Already
            }
            Phase::Connecting { end, .. } => {
                *end = Some(Box::new(PendingEnd::Connection { disconnect: disconnect.clone(), on_purpose }));
                Ended::Later
            }
            Phase::Connected => {
                self.0 = Phase::Ending(Box::new(disconnect.clone()));
                Ended::Now
            }
            Phase::Ending(_) | Phase::Refused => Ended::Already,
        }
    }
}
