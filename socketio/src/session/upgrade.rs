//! The upgrade from long-polling to a WebSocket. The client opens a WebSocket in addition to its
//! polls, tests it with a probe, and then switches to it.
//!
//! Messages are neither lost nor reordered. Queued messages stay queued until either transport
//! takes them. Packets of a POST are read before messages of the WebSocket.

use std::time::Instant;
use tokio_tungstenite::tungstenite::Message;

use super::Session;
use super::effects::{Effects, InNamespace};
use super::time::after;
use crate::wire::engineio::{self, EnginePacket};

/// The transport of a connection, and the progress of its upgrade. This file contains all
/// transitions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Upgrade {
    Polling,
    /// The client probes a WebSocket. `by` is the deadline for completing the upgrade.
    Probing {
        by: Instant,
    },
    /// The client has sent the upgrade packet. The upgrade completes once the last POST has been
    /// read.
    Ready,
    WebSocket,
}

/// The reaction to a message on the probed WebSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ProbeAction {
    Nothing,
    /// Answer the probe, and release the waiting poll.
    Answer,
    /// Complete the upgrade once [`upgrade`](Session::upgrade) returns `true`.
    Ready,
    /// Close the WebSocket, because the message is invalid.
    Invalid,
}

impl Upgrade {
    pub(super) fn polls(self) -> bool {
        self != Self::WebSocket
    }

    /// Returns the deadline for completing the upgrade.
    pub(super) fn complete_by(self) -> Option<Instant> {
        if let Self::Probing { by } = self { Some(by) } else { None }
    }
}

impl<S: InNamespace> Session<S> {
    /// Starts the probe of a WebSocket. Returns `false` if the connection does not poll, another
    /// probe is running, or the connection is closing.
    pub(crate) fn probe(&mut self, now: Instant) -> bool {
        let may_probe = self.upgrade == Upgrade::Polling && self.is_open();
        if may_probe {
            self.upgrade = Upgrade::Probing { by: after(now, self.limits.upgrade_timeout) };
        }
        may_probe
    }

    /// Whether messages on the probed WebSocket must be read.
    pub(crate) fn is_probing(&self) -> bool {
        matches!(self.upgrade, Upgrade::Probing { .. })
    }

    /// Processes a message on the probed WebSocket.
    pub(crate) fn receive_probe(&mut self, message: &Message) -> ProbeAction {
        let packet = match message {
            Message::Ping(_) | Message::Pong(_) => return ProbeAction::Nothing,
            Message::Text(text) => engineio::read(text),
            _ => return ProbeAction::Invalid,
        };
        match packet {
            Ok(EnginePacket::Probe) => ProbeAction::Answer,
            Ok(EnginePacket::Upgrade) => {
                self.upgrade = Upgrade::Ready;
                ProbeAction::Ready
            }
            _ => ProbeAction::Invalid,
        }
    }

    /// Cancels an upgrade that has not completed. The client keeps polling.
    pub(crate) fn cancel_probe(&mut self, effects: &mut impl Effects<Socket = S>) {
        if self.upgrade.polls() {
            self.upgrade = Upgrade::Polling;
            effects.close_probe();
        }
    }

    /// Completes the upgrade if the client has sent the upgrade packet. `all_read`: no POST is
    /// being read. Returns whether the WebSocket is now the transport.
    pub(crate) fn upgrade(&mut self, all_read: bool) -> bool {
        let is_upgraded = self.upgrade == Upgrade::Ready && all_read;
        if is_upgraded {
            self.upgrade = Upgrade::WebSocket;
        }
        is_upgraded
    }
}
