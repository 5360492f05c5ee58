//! The way from long-polling to a WebSocket: the client opens one beside its polls, tries it with a
//! probe, and goes over.
//!
//! Nothing is lost or overtaken on the way: what waits for the client waits until the one transport
//! or the other takes it, and what a POST has brought is read before anything that came by the
//! WebSocket.

use std::time::Instant;
use tokio_tungstenite::tungstenite::Message;

use super::Session;
use super::effects::{Effects, InNamespace};
use super::time::after;
use crate::wire::engineio::{self, EnginePacket};

/// What a connection travels by, and how far it is on its way to a WebSocket. All transitions are
/// in this file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Upgrade {
    Polling,
    /// The client tries a WebSocket, and is to go over to it by then.
    Probing {
        by: Instant,
    },
    /// The client wants to go over to it, as soon as everything is read that it has sent before.
    Ready,
    WebSocket,
}

/// What a message on a WebSocket that is being tried asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Probed {
    Nothing,
    /// An answer to the probe, and an end of the poll that waits.
    Answer,
    /// The end of polling, once [`upgrade`](Session::upgrade) agrees.
    Ready,
    /// Nothing that makes sense: the WebSocket is of no use.
    Invalid,
}

impl Upgrade {
    pub(super) fn polls(self) -> bool {
        self != Self::WebSocket
    }

    /// Until when the client is to have gone over.
    pub(super) fn complete_by(self) -> Option<Instant> {
        if let Self::Probing { by } = self { Some(by) } else { None }
    }
}

impl<S: InNamespace> Session<S> {
    /// Lets a polling client try a WebSocket, one at a time. `false`: it may not.
    pub(crate) fn probe(&mut self, now: Instant) -> bool {
        let may_probe = self.upgrade == Upgrade::Polling && self.is_open();
        if may_probe {
            self.upgrade = Upgrade::Probing { by: after(now, self.limits.upgrade_timeout) };
        }
        may_probe
    }

    /// Whether messages on the WebSocket that is being tried are to be read.
    pub(crate) fn is_probing(&self) -> bool {
        matches!(self.upgrade, Upgrade::Probing { .. })
    }

    /// Takes a message that came by the WebSocket that is being tried.
    pub(crate) fn receive_probe(&mut self, message: &Message) -> Probed {
        let packet = match message {
            Message::Ping(_) | Message::Pong(_) => return Probed::Nothing,
            Message::Text(text) => engineio::read(text),
            _ => return Probed::Invalid,
        };
        match packet {
            Ok(EnginePacket::Probe) => Probed::Answer,
            Ok(EnginePacket::Upgrade) => {
                self.upgrade = Upgrade::Ready;
                Probed::Ready
            }
            _ => Probed::Invalid,
        }
    }

    /// The client has not gone over: its polls go on.
    pub(crate) fn cancel_probe(&mut self, effects: &mut impl Effects<Socket = S>) {
        if self.upgrade.polls() {
            self.upgrade = Upgrade::Polling;
            effects.close_probe();
        }
    }

    /// Whether the WebSocket is the transport from now on. `all_read`: no POST is being read.
    pub(crate) fn upgrade(&mut self, all_read: bool) -> bool {
        let is_upgraded = self.upgrade == Upgrade::Ready && all_read;
        if is_upgraded {
            self.upgrade = Upgrade::WebSocket;
        }
        is_upgraded
    }
}
