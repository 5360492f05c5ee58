//! Transitions of a [`Session`]: accepts, refuses and ends sockets, and closes the connection.
//!
//! The server, the client or an error can close a connection. [`state`](super::state) defines the
//! states that it passes through.

use std::time::{Duration, Instant};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

use super::disconnect::{Disconnect, DisconnectReason};
use super::effects::{Effects, Fault, InNamespace};
use super::end::End;
use super::socket::{Ended, PendingEnd};
use super::state::AfterWrite;
use super::time::after;
use super::{Entry, Protocol, Session};
use crate::wire::shown::Shown;
use crate::wire::socketio::ConnectError;

/// The minimum time for the client to receive the close frame, even if handlers have used up the
/// time of a shutdown.
const MIN_CLOSE_TIME: Duration = Duration::from_millis(100);

impl<S: InNamespace> Session<S> {
    /// Accepts a socket, as the application decided.
    pub(crate) fn accept(&mut self, at: usize, effects: &mut impl Effects<Socket = S>) {
        let Some(Entry { state, socket }) = self.sockets.get_mut(at) else { return };
        let Some(end) = state.accept() else { return };
        self.state.join();
        effects.accept(socket);
        match end {
            None => {}
            Some(PendingEnd::Leave(disconnect)) => self.leave(at, &disconnect, effects),
            Some(PendingEnd::Connection { disconnect, on_purpose }) => {
                state.end(&disconnect, on_purpose);
                effects.end(socket, &disconnect, on_purpose);
            }
        }
    }

    /// Refuses a socket, as the application decided. The client receives the error, but no queued
    /// messages. With namespaces, the connection stays open.
    pub(crate) fn refuse(&mut self, at: usize, error: &ConnectError<'_>, effects: &mut impl Effects<Socket = S>) {
        let Some(Entry { state, socket }) = self.sockets.get_mut(at) else { return };
        if !state.refuse() {
            return;
        }
        effects.refuse(socket);
        let frame = self.protocol.encoding().and_then(|encoding| encoding.connect_error(socket.namespace(), error));
        if let Some(frame) = frame {
            return effects.send(frame);
        }
        effects.discard_queue();
        if self.is_open() {
            self.end(End::refusal(error.message), effects);
        }
    }

    /// Disconnects a socket from its namespace, as the server requested. The connection stays open
    /// for other sockets.
    pub(crate) fn leave(&mut self, at: usize, disconnect: &Disconnect, effects: &mut impl Effects<Socket = S>) {
        let Some(Entry { state, socket }) = self.sockets.get_mut(at) else { return };
        if state.leave(disconnect) != Ended::Now {
            return;
        }
        effects.drop_events(socket);
        let frame = self.protocol.encoding().and_then(|encoding| encoding.disconnect(socket.namespace()));
        if let Some(frame) = frame {
            effects.send(frame);
        }
        effects.end(socket, disconnect, true);
    }

    /// Begins to close the connection, as the server requested. If it is closing already, this can
    /// only shorten its deadline.
    pub(crate) fn end(&mut self, mut end: End, effects: &mut impl Effects<Socket = S>) {
        self.handlers_until = self.handlers_until.into_iter().chain(end.handlers_until).min();
        if end.handlers_until.is_some() {
            end.handlers_until = self.handlers_until;
        }
        if !self.is_open() {
            let by = self.close_by(effects.now(), end.handlers_until);
            return self.state.shorten_deadline(by);
        }
        if !end.handles_events {
            self.drop_events(effects);
        }
        if end.handlers_until.is_some() {
            self.sockets.iter_mut().for_each(|entry| effects.announce_end(&mut entry.socket));
            self.state.drain(end);
        } else {
            self.begin_close(end, effects);
        }
    }

    /// Whether the connection waits for running handlers and then closes.
    pub(crate) fn is_draining(&self) -> bool {
        self.state.draining().is_some()
    }

    /// Whether a connection that is draining handles the events that it receives.
    pub(crate) fn handles_events(&self) -> bool {
        self.state.draining().is_some_and(|end| end.handles_events)
    }

    /// Closes a draining connection, because no handler runs any more.
    pub(crate) fn on_drained(&mut self, effects: &mut impl Effects<Socket = S>) {
        if let Some(end) = self.state.draining().cloned() {
            self.begin_close(end, effects);
        }
    }

    fn begin_close(&mut self, mut end: End, effects: &mut impl Effects<Socket = S>) {
        if end.disconnect.reason() == DisconnectReason::ServerClose && end.on_purpose {
            self.send_disconnects(&mut end, effects);
        }
        self.end_sockets(&end.disconnect, end.on_purpose, effects);
        let by = self.close_by(effects.now(), end.handlers_until);
        self.state.flush(by, end.code, end.reason);
    }

    /// Sends a DISCONNECT packet for each namespace. Without it, a Socket.IO client would reconnect
    /// at once.
    fn send_disconnects(&self, end: &mut End, effects: &mut impl Effects<Socket = S>) {
        let Some(encoding) = self.protocol.encoding() else { return };
        for Entry { socket, .. } in self.sockets.iter().filter(|entry| entry.state.is_connected()) {
            if let Some(frame) = encoding.disconnect(socket.namespace()) {
                effects.send(frame);
                end.disconnect = Disconnect::new(DisconnectReason::ServerDisconnect);
            }
        }
    }

    /// Computes the deadline for closing. An earlier deadline is never extended. A shutdown's
    /// deadline also limits it, but leaves at least [`MIN_CLOSE_TIME`].
    fn close_by(&self, now: Instant, handlers_until: Option<Instant>) -> Instant {
        let mut by = after(now, self.limits.close_timeout);
        if let Some(until) = handlers_until.or(self.handlers_until) {
            by = by.min(until.max(now + MIN_CLOSE_TIME));
        }
        self.state.close_by().map_or(by, |given| by.min(given))
    }

    /// Ends all sockets. The events of their ends run after those that already run or wait.
    pub(super) fn end_sockets(
        &mut self,
        disconnect: &Disconnect,
        on_purpose: bool,
        effects: &mut impl Effects<Socket = S>,
    ) {
        effects.closing(disconnect);
        effects.shut_queue();
        for Entry { state, socket } in &mut self.sockets {
            match state.end(disconnect, on_purpose) {
                Ended::Now => effects.end(socket, disconnect, on_purpose),
                Ended::Later => effects.abandon_requests(socket),
                Ended::Already => {}
            }
        }
    }

    pub(super) fn drop_events(&mut self, effects: &mut impl Effects<Socket = S>) {
        self.sockets.iter_mut().for_each(|entry| effects.drop_events(&mut entry.socket));
    }

    /// Processes the client's close frame.
    pub(super) fn receive_close_frame(&mut self, frame: Option<CloseFrame>, effects: &mut impl Effects<Socket = S>) {
        let by = self.close_by(effects.now(), None);
        if self.is_open() {
            let mut disconnect = Disconnect::new(DisconnectReason::TransportClose);
            disconnect = match frame {
                Some(frame) => disconnect.with_code(frame.code.into()).with_message(frame.reason.to_string()),
                None => disconnect.with_code(1005),
            };
            self.end_sockets(&disconnect, false, effects);
        }
        effects.discard_queue();
        self.state.answer_close(by);
    }

    /// Processes the client's Engine.IO close packet.
    pub(super) fn receive_close_packet(&mut self, effects: &mut impl Effects<Socket = S>) {
        let now = effects.now();
        let by = self.close_by(now, None);
        self.end_sockets(&Disconnect::new(DisconnectReason::TransportClose).with_code(1005), false, effects);
        if !self.upgrade.polls() {
            effects.write_close(1000, "");
            effects.discard_queue();
            return self.state.await_close(by);
        }
        let is_polled = effects.release_poll();
        effects.discard_queue();
        if is_polled {
            self.close(effects);
        } else {
            self.state.flush(by.min(after(now, super::engineio::LATE_POLL_TIMEOUT)), 1005, String::new());
        }
    }

    /// Ends the connection after a transport error or a protocol violation of the client.
    pub(crate) fn on_error(&mut self, mut cause: Disconnect, effects: &mut impl Effects<Socket = S>) {
        if matches!(self.protocol, Protocol::EngineIo(_)) {
            cause = cause.into_engine();
        }
        if !self.is_open() {
            return self.close(effects);
        }
        let is_rejected = cause.code().is_some();
        if is_rejected {
            effects.count(Fault::Protocol);
            self.drop_events(effects);
        }
        self.end_sockets(&cause, false, effects);
        match cause.code() {
            Some(code) if !self.upgrade.polls() => {
                tracing::debug!(cause = %Shown(&cause), "the client violated the protocol");
                effects.write_close(code, "");
                effects.discard_queue();
                let by = self.close_by(effects.now(), None);
                self.state.reject(by);
            }
            _ => self.close(effects),
        }
    }

    /// Closes the connection, because the client closed its side after a protocol violation.
    pub(crate) fn on_input_closed(&mut self, effects: &mut impl Effects<Socket = S>) {
        self.close(effects);
    }

    /// Closes the transport.
    pub(super) fn close(&mut self, effects: &mut impl Effects<Socket = S>) {
        effects.discard_queue();
        effects.close();
        self.state.close();
    }

    /// Whether the queued messages are the last ones that are written.
    pub(crate) fn is_final_flush(&self) -> bool {
        self.state.is_flushing() && !self.is_undecided()
    }

    fn is_undecided(&self) -> bool {
        self.sockets.iter().any(|entry| entry.state.is_connecting())
    }

    /// Continues closing after the queue was written. Returns `true` if there is more to write.
    pub(crate) fn on_written(&mut self, effects: &mut impl Effects<Socket = S>) -> bool {
        if self.is_open() {
            return false;
        }
        match self.state.on_written(self.upgrade.polls(), self.is_undecided()) {
            AfterWrite::Nothing => return false,
            AfterWrite::CloseFrame { code, reason } => {
                effects.write_close(code, &reason);
                return true;
            }
            AfterWrite::Finish => effects.finish_writing(),
            AfterWrite::Close => self.close(effects),
        }
        false
    }
}
