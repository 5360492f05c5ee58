//! How sockets are accepted, refused and ended, and how a connection closes: by this server, by its
//! client, or by itself.

use std::time::{Duration, Instant};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

use super::disconnect::{Disconnect, DisconnectReason};
use super::effects::{Effects, InNamespace};
use super::end::End;
use super::socket::{Ended, PendingEnd};
use super::state::Written;
use super::time::after;
use super::{Entry, Protocol, Session};
use crate::wire::socketio::ConnectError;

/// How long a client has at least to take the close frame when handlers have used up the time of a
/// shutdown.
const MIN_CLOSE_TIME: Duration = Duration::from_millis(100);

impl<S: InNamespace> Session<S> {
    /// The application accepts a socket.
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

    /// The application does not accept a socket. The client is told so, and nothing of what was
    /// queued for it. Where there are namespaces, the connection goes on.
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

    /// A socket leaves because this server wants it. The connection, which has other sockets or may
    /// have, goes on.
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

    /// Begins the end that this server wants. One that has begun already is only hastened.
    pub(crate) fn end(&mut self, mut end: End, effects: &mut impl Effects<Socket = S>) {
        self.handlers_until = self.handlers_until.into_iter().chain(end.handlers_until).min();
        if end.handlers_until.is_some() {
            end.handlers_until = self.handlers_until;
        }
        if !self.is_open() {
            let by = self.close_by(effects.now(), end.handlers_until);
            return self.state.shorten_deadline(by);
        }
        self.drop_events(effects);
        if end.handlers_until.is_some() {
            self.sockets.iter_mut().for_each(|entry| effects.announce_end(&mut entry.socket));
            self.state.drain(end);
        } else {
            self.end_now(end, effects);
        }
    }

    /// Whether the connection closes as soon as no handler runs.
    pub(crate) fn is_draining(&self) -> bool {
        self.state.draining().is_some()
    }

    /// No handler runs any more.
    pub(crate) fn drained(&mut self, effects: &mut impl Effects<Socket = S>) {
        if let Some(end) = self.state.draining().cloned() {
            self.end_now(end, effects);
        }
    }

    fn end_now(&mut self, mut end: End, effects: &mut impl Effects<Socket = S>) {
        if end.disconnect.reason() == DisconnectReason::ServerClose && end.on_purpose {
            self.disconnect_all(&mut end, effects);
        }
        self.end_sockets(&end.disconnect, end.on_purpose, effects);
        let by = self.close_by(effects.now(), end.handlers_until);
        self.state.flush(by, end.code, end.reason);
    }

    /// Where there are namespaces, the client is told that it is disconnected from each, or it
    /// would come back at once.
    fn disconnect_all(&self, end: &mut End, effects: &mut impl Effects<Socket = S>) {
        let Some(encoding) = self.protocol.encoding() else { return };
        for Entry { socket, .. } in self.sockets.iter().filter(|entry| entry.state.is_connected()) {
            if let Some(frame) = encoding.disconnect(socket.namespace()) {
                effects.send(frame);
                end.disconnect = Disconnect::new(DisconnectReason::ServerDisconnect);
            }
        }
    }

    /// Until when the connection may take to close. Neither a shutdown's deadline nor the time that
    /// a close has been given already is put off by what happens later.
    fn close_by(&self, now: Instant, handlers_until: Option<Instant>) -> Instant {
        let mut by = after(now, self.limits.close_timeout);
        if let Some(until) = handlers_until.or(self.handlers_until) {
            by = by.min(until.max(now + MIN_CLOSE_TIME));
        }
        self.state.close_by().map_or(by, |given| by.min(given))
    }

    /// Sets off what the end of all sockets brings about, behind the events that run.
    pub(super) fn end_sockets(
        &mut self,
        disconnect: &Disconnect,
        on_purpose: bool,
        effects: &mut impl Effects<Socket = S>,
    ) {
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

    /// The client has sent a close frame.
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

    /// The client has closed the session with a packet of Engine.IO.
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

    /// The connection broke, or the client broke its protocol.
    pub(crate) fn on_error(&mut self, mut cause: Disconnect, effects: &mut impl Effects<Socket = S>) {
        if matches!(self.protocol, Protocol::EngineIo(_)) {
            cause = cause.into_engine();
        }
        if !self.is_open() {
            return self.close(effects);
        }
        let is_rejected = cause.code().is_some();
        if is_rejected {
            self.drop_events(effects);
        }
        self.end_sockets(&cause, false, effects);
        match cause.code() {
            Some(code) if !self.upgrade.polls() => {
                tracing::debug!(%cause, "the client broke the protocol");
                effects.write_close(code, "");
                effects.discard_queue();
                let by = self.close_by(effects.now(), None);
                self.state.reject(by);
            }
            _ => self.close(effects),
        }
    }

    /// The client has closed its side, after it had broken the protocol.
    pub(crate) fn discarded(&mut self, effects: &mut impl Effects<Socket = S>) {
        self.close(effects);
    }

    /// The transport is done with.
    pub(super) fn close(&mut self, effects: &mut impl Effects<Socket = S>) {
        effects.discard_queue();
        effects.close();
        self.state.close();
    }

    /// Whether what is queued is the last that is written.
    pub(crate) fn is_final_flush(&self) -> bool {
        self.state.is_flushing() && !self.is_undecided()
    }

    fn is_undecided(&self) -> bool {
        self.sockets.iter().any(|entry| entry.state.is_connecting())
    }

    /// All that was queued is written. `true`: there is more now.
    pub(crate) fn written(&mut self, effects: &mut impl Effects<Socket = S>) -> bool {
        if self.is_open() {
            return false;
        }
        match self.state.written(self.upgrade.polls(), self.is_undecided()) {
            Written::Nothing => return false,
            Written::CloseFrame { code, reason } => {
                effects.write_close(code, &reason);
                return true;
            }
            Written::Finish => effects.finish_writing(),
            Written::Close => self.close(effects),
        }
        false
    }
}
