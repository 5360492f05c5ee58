//! Deadlines of a session: [`Session::deadline`] returns the next one, and [`Session::on_deadline`]
//! handles those that have passed.
//!
//! They are the heartbeat, and the timeouts of connect handlers, namespace connects, messages,
//! upgrades and closes.

use std::time::Instant;

use super::disconnect::{Disconnect, DisconnectReason};
use super::effects::{Effects, Fault, InNamespace};
use super::end::End;
use super::heartbeat::HeartbeatAction;
use super::time::earliest;
use super::{Protocol, Session};
use crate::wire::shown::{Shown, shown};
use crate::wire::socketio::ConnectError;

/// The answer to a client whose connect handler exceeded its timeout.
const CONNECT_TIMEOUT_ERROR: ConnectError<'static> = ConnectError { message: "the server took too long", data: None };

/// Why a connection ends whose client does not complete a message.
const MESSAGE_TIMEOUT_ERROR: &str = "a message did not arrive completely in time";

impl<S: InNamespace> Session<S> {
    /// Returns the next deadline, if there is one.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let mut deadline = self.handlers_until;
        let mut add = |at| deadline = earliest(deadline, at);
        if self.is_open() {
            add(Some(self.heartbeat.deadline()));
            add(self.state.join_by());
            add(self.state.complete_by());
            add(self.upgrade.complete_by());
        } else {
            add(self.state.close_by());
        }
        self.sockets.iter().for_each(|entry| add(entry.state.decide_by()));
        deadline
    }

    /// Handles all deadlines that have passed at `now`.
    pub(crate) fn on_deadline(&mut self, now: Instant, effects: &mut impl Effects<Socket = S>) {
        while let Some(at) = self.sockets.iter().position(|entry| entry.state.decide_by().is_some_and(|by| by <= now)) {
            tracing::debug!(
                namespace = &*shown(self.sockets[at].socket.namespace()),
                "the connect handler took too long"
            );
            effects.count(Fault::Timeout);
            self.refuse(at, &CONNECT_TIMEOUT_ERROR, effects);
        }
        if self.handlers_until.is_some_and(|until| until <= now) {
            self.handlers_until = None;
            self.abort_handlers(effects);
        }
        if !self.is_open() {
            if self.state.close_by().is_some_and(|by| by <= now) {
                self.close(effects);
            }
            return;
        }
        let timed_out = Disconnect::new(DisconnectReason::PingTimeout);
        match self.heartbeat.on_deadline(now, self.limits.pause_timeout) {
            HeartbeatAction::Ping => effects.ping(self.protocol.ping()),
            HeartbeatAction::TimedOut => return self.time_out(&timed_out, effects),
            HeartbeatAction::PausedTooLong => {
                return self.time_out(&timed_out.with_message("its events waited too long"), effects);
            }
            HeartbeatAction::Wait => {}
        }
        if self.state.complete_by().is_some_and(|by| by <= now) {
            effects.count(Fault::Timeout);
            let cause = Disconnect::new(DisconnectReason::TransportError).with_code(1008);
            return self.on_error(cause.with_message(MESSAGE_TIMEOUT_ERROR), effects);
        }
        if self.upgrade.complete_by().is_some_and(|by| by <= now) {
            tracing::debug!("the client did not complete its upgrade");
            effects.count(Fault::Timeout);
            self.cancel_probe(effects);
        }
        if self.state.join_by().is_some_and(|by| by <= now) {
            tracing::debug!("the client did not connect to a namespace");
            effects.count(Fault::Timeout);
            self.state.join();
            self.end(End::client_misuse(), effects);
        }
    }

    /// Ends the connection of a client that shows no sign of life.
    fn time_out(&mut self, disconnect: &Disconnect, effects: &mut impl Effects<Socket = S>) {
        tracing::debug!(disconnect = %Shown(disconnect), "heartbeat timeout");
        effects.count(Fault::Timeout);
        self.drop_events(effects);
        self.end_sockets(disconnect, false, effects);
        self.close(effects);
    }

    /// Aborts all handlers, because the deadline of the shutdown has passed.
    fn abort_handlers(&mut self, effects: &mut impl Effects<Socket = S>) {
        self.sockets.iter_mut().for_each(|entry| effects.abort(&mut entry.socket));
        self.on_drained(effects);
        for entry in &mut self.sockets {
            if entry.state.refuse() {
                effects.refuse(&mut entry.socket);
            }
            effects.abort_end(&mut entry.socket);
        }
    }
}

impl Protocol {
    /// Returns the heartbeat's ping frame.
    fn ping(&self) -> &'static [u8] {
        match self {
            Self::Plain { .. } => &[0x89, 0],
            Self::EngineIo(_) => &[0x81, 1, b'2'],
        }
    }
}
