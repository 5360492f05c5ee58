//! [`SocketState`]: how far a socket is on its way from its connection's CONNECT to its end. All transitions are here.
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
    /// The application decides whether it is accepted. `end`: how it ends as soon as it is.
    Connecting {
        by: Instant,
        end: Option<Box<PendingEnd>>,
    },
    Connected,
    /// Nothing more comes from the client. The events of the end run or wait.
    Ending(Box<Disconnect>),
    /// It was not accepted. What went wrong is still reported.
    Refused,
}

/// The end of a socket that is not accepted yet.
#[derive(Debug)]
pub(super) enum PendingEnd {
    /// It leaves its namespace.
    Leave(Disconnect),
    /// Its connection ends.
    Connection { disconnect: Disconnect, on_purpose: bool },
}

/// What becomes of a socket that is to end.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// It ends.
    Now,
    /// It ends when the application has decided.
    Later,
    /// It has ended before.
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

    /// Whether packets of the client are for it.
    pub(super) fn is_present(&self) -> bool {
        self.is_connecting() || self.is_connected()
    }

    /// Until when the application is to decide.
    pub(super) fn decide_by(&self) -> Option<Instant> {
        if let Phase::Connecting { by, .. } = self.0 { Some(by) } else { None }
    }

    /// How it ended, if it was accepted and has.
    pub(super) fn into_disconnect(self) -> Option<Disconnect> {
        if let Phase::Ending(disconnect) = self.0 { Some(*disconnect) } else { None }
    }

    /// The application accepts it. `None`: it has no longer anything to decide. Else how it ends at once, if it does.
    pub(super) fn accept(&mut self) -> Option<Option<PendingEnd>> {
        let Phase::Connecting { end, .. } = &mut self.0 else { return None };
        let end = end.take().map(|end| *end);
        self.0 = Phase::Connected;
        Some(end)
    }

    /// The application does not accept it, or does not decide in time. `false`: it has no longer anything to decide.
    pub(super) fn refuse(&mut self) -> bool {
        let is_refused = self.is_connecting();
        if is_refused {
            self.0 = Phase::Refused;
        }
        is_refused
    }

    /// It leaves its namespace, because this server wants it.
    pub(super) fn leave(&mut self, disconnect: &Disconnect) -> Ended {
        match &mut self.0 {
            Phase::Connecting { end, .. } => {
                end.get_or_insert_with(|| Box::new(PendingEnd::Leave(disconnect.clone())));
                Ended::Later
            }
            _ => self.end(disconnect, true),
        }
    }

    /// It ends with its connection, or its client has left.
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
