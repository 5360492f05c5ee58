//! How a connection ends: by this server, by its client, or by itself; and how a socket leaves one that goes on.

use std::task::Context;
use std::time::Duration;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

use super::end::End;
use super::outbox::Outbox;
use super::{ClientTransport, Connection, Linger, Phase, Protocol, after};
use crate::event::error::EventError;
use crate::hub::socket::Socket;
use crate::session::disconnect::{Disconnect, DisconnectReason};
use crate::wire::socketio::ConnectError;

/// How long a client has at least to take the close frame when handlers have used up a shutdown's time.
const LAST_WORDS: Duration = Duration::from_millis(100);

impl Connection {
    /// The client is told that it is not wanted, and nothing of what was queued for it. Where there are namespaces, the
    /// connection goes on; the entry stays until it is known what went wrong.
    pub(super) fn refuse(&mut self, at: usize, refusal: &EventError) {
        let entry = &mut self.entries[at];
        tracing::debug!(socket = %entry.socket.id(), %refusal, "connection refused");
        entry.open_by = None;
        entry.executor.abort();
        let error = ConnectError { message: refusal.message(), data: refusal.data() };
        if let Some(frame) = self.peer.encoding.connect_error(entry.socket.namespace(), &error) {
            entry.socket.depart();
            entry.conclude(&End::refusal(refusal.message()).disconnect, false);
            self.peer.handle.send_always(Some(&frame), Outbox::default());
            return;
        }
        self.peer.handle.discard();
        if self.is_open() {
            self.end(End::refusal(refusal.message()));
        }
    }

    /// A socket leaves; the connection, where it has others or may have, goes on.
    pub(super) fn leave(&mut self, socket: &Socket, disconnect: Disconnect) {
        let Some(at) = self.place_of(socket) else { return };
        let entry = &mut self.entries[at];
        if entry.executor.is_opening() {
            entry.leave = Some(Box::new(disconnect));
            return;
        }
        if !entry.is_concluded() {
            entry.executor.drop_queued();
            if let Some(frame) = self.peer.encoding.disconnect(socket.namespace()) {
                self.peer.handle.send_always(Some(&frame), Outbox::default());
            }
        }
        entry.conclude(&disconnect, true);
    }

    /// Begins the end that this side wants. One that has begun already is only hastened.
    pub(super) fn end(&mut self, mut end: End) {
        if let Some(until) = end.handlers_until {
            let until = self.handlers_until.map_or(until, |known| known.min(until));
            self.handlers_until = Some(until);
            end.handlers_until = Some(until);
        }
        let hastened = self.close_by(end.handlers_until);
        match &mut self.phase {
            Phase::Open => {}
            Phase::Closing { by, .. } | Phase::Lingering { by, .. } => {
                *by = hastened;
                return;
            }
            Phase::Closed => return,
        }
        self.entries.iter_mut().for_each(|entry| entry.executor.drop_queued());
        if end.handlers_until.is_some() {
            self.entries.iter().for_each(|entry| entry.socket.tell_ending());
            self.end_after = Some(Box::new(end));
        } else {
            self.end_now(end);
        }
    }

    /// Whether the handlers are done that the end waits for.
    pub(super) fn is_done(&self) -> bool {
        self.end_after.is_some() && self.entries.iter().all(|entry| entry.executor.is_idle())
    }

    pub(super) fn end_if_done(&mut self) {
        if self.is_done()
            && let Some(end) = self.end_after.take()
        {
            self.end_now(*end);
        }
    }

    pub(super) fn end_now(&mut self, mut end: End) {
        if end.disconnect.reason() == DisconnectReason::ServerClose && end.on_purpose {
            self.send_away(&mut end);
        }
        self.conclude(&end.disconnect, end.on_purpose);
        let by = self.close_by(end.handlers_until);
        self.phase = Phase::Closing { by, code: end.code, reason: end.reason };
    }

    /// Where there are namespaces, the client is told that it is disconnected from each, or it would come back at once.
    fn send_away(&mut self, end: &mut End) {
        for entry in &self.entries {
            if let Some(frame) = self.peer.encoding.disconnect(entry.socket.namespace())
                && entry.socket.connected()
                && !entry.is_concluded()
            {
                self.peer.handle.send_always(Some(&frame), Outbox::default());
                end.disconnect = Disconnect::new(DisconnectReason::ServerDisconnect);
            }
        }
    }

    /// Until when the connection may take to close. Neither a shutdown's deadline nor the time that a close has been given
    /// already is put off by what happens later.
    pub(super) fn close_by(&self, handlers_until: Option<Instant>) -> Instant {
        let now = Instant::now();
        let mut by = after(now, self.config().close_timeout);
        if let Some(until) = handlers_until.or(self.handlers_until) {
            by = by.min(until.max(now + LAST_WORDS));
        }
        match &self.phase {
            Phase::Closing { by: given, .. } | Phase::Lingering { by: given, .. } => by.min(*given),
            Phase::Open | Phase::Closed => by,
        }
    }

    /// Sets off what the end of all sockets brings about, behind the events that run.
    pub(super) fn conclude(&mut self, disconnect: &Disconnect, on_purpose: bool) {
        self.end_after = None;
        self.peer.handle.shut();
        self.entries.iter_mut().for_each(|entry| entry.conclude(disconnect, on_purpose));
    }

    pub(super) fn closed_by_client(&mut self, frame: Option<CloseFrame>) {
        let by = self.close_by(None);
        if self.is_open() {
            let mut disconnect = Disconnect::new(DisconnectReason::TransportClose);
            disconnect = match frame {
                Some(frame) => disconnect.with_code(frame.code.into()).with_message(frame.reason.to_string()),
                None => disconnect.with_code(1005),
            };
            self.conclude(&disconnect, false);
        }
        self.peer.handle.discard();
        self.phase = Phase::Lingering { by, how: Linger::Answering };
    }

    /// The connection broke, or the client broke its protocol.
    pub(super) fn broken(&mut self, mut cause: Disconnect, context: &mut Context<'_>) {
        if matches!(self.protocol, Protocol::Engine(_)) {
            cause = cause.into_engine();
        }
        let by = self.close_by(None);
        match (cause.code(), &mut self.transport) {
            (Some(code), ClientTransport::WebSocket(websocket)) if matches!(self.phase, Phase::Open) => {
                tracing::debug!(%cause, "the client broke the protocol");
                websocket.close(code, "");
                self.entries.iter_mut().for_each(|entry| entry.executor.drop_queued());
                self.conclude(&cause, false);
                self.peer.handle.discard();
                self.phase = Phase::Lingering { by, how: Linger::Rejecting };
            }
            (code, _) => {
                if self.is_open() {
                    if code.is_some() {
                        self.entries.iter_mut().for_each(|entry| entry.executor.drop_queued());
                    }
                    self.conclude(&cause, false);
                }
                self.close(context);
            }
        }
    }

    /// The transport is done with.
    pub(super) fn close(&mut self, context: &mut Context<'_>) {
        self.peer.handle.discard();
        self.transport.shut(context);
        self.forget_session();
        self.phase = Phase::Closed;
    }

    /// Lets requests find the session no more, nor a WebSocket that was being tried go on.
    pub(super) fn forget_session(&mut self) {
        if let Some(session) = &self.peer.session {
            session.forget();
        }
        if let Protocol::Engine(engine) = &mut self.protocol {
            engine.forget_probe();
        }
    }
}
