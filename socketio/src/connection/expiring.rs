//! Clients whose proof of identity runs out: asks them for a new one, and ends their sockets.

use std::task::Context;
use std::time::Instant;

use super::Connection;
use super::driver::Driver;
use crate::hub::reauthentication::AfterExpiry;
use crate::hub::socket::{Due, Socket};
use crate::session::disconnect::{Disconnect, DisconnectReason};
use crate::session::end::End;
use crate::session::time::earliest;

impl Connection {
    /// The next deadline of a client's proof of identity.
    pub(super) fn expiry_deadline(&self) -> Option<Instant> {
        if !self.session.is_open() {
            return None;
        }
        self.session.sockets().map(|entry| entry.socket.expiry_deadline()).fold(None, earliest)
    }

    /// Handles the proofs of identity of which a deadline has passed at `now`.
    pub(super) fn on_expiry_deadline(&mut self, now: Instant, context: &mut Context<'_>) {
        for at in 0..self.session.len() {
            let due = |socket: &Socket| socket.take_due(now).map(|due| (socket.clone(), due));
            match self.session.socket_mut(at).and_then(|entry| due(&entry.socket)) {
                None => {}
                Some((socket, Due::Ask)) => {
                    if let Err(error) = socket.ask_to_reauthenticate() {
                        tracing::debug!(socket = %socket.id(), %error, "the client was not asked to reauthenticate");
                    }
                }
                Some((socket, Due::Expired)) => self.expire(at, &socket, context),
            }
        }
    }

    fn expire(&mut self, at: usize, socket: &Socket, context: &mut Context<'_>) {
        tracing::debug!(socket = %socket.id(), "the client's proof of identity has run out");
        match socket.hub().config().reauthentication.expired(socket) {
            AfterExpiry::Keep => {}
            AfterExpiry::Disconnect => {
                let driver = &mut Driver { io: &mut self.io, context };
                match socket.peer().encoding.has_namespaces() {
                    true => self.session.leave(at, &Disconnect::new(DisconnectReason::Expired), driver),
                    false => self.session.end(End::expired(), driver),
                }
            }
        }
    }
}
