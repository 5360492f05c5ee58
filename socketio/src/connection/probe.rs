//! The upgrade of a polling client: reads its probe, and replaces the transport with the WebSocket.

use std::sync::Arc;
use std::task::{Context, Poll};

use super::client_transport::ClientTransport;
use super::driver::Driver;
use super::timer::now;
use super::websocket::{ReadBuffer, WebSocketTransport};
use super::{Connection, Io};
use crate::connection_handle::ProbeStream;
use crate::connection_handle::poll_request::PollRequest;
use crate::connection_handle::request::Request;
use crate::session::upgrade::ProbeAction;
use crate::wire::engineio;
use crate::wire::frame::EncodedFrame;

/// The maximum number of messages that are read from the probed WebSocket at once.
const READ_BUDGET: usize = 16;

/// The WebSocket that a polling client probes.
pub(super) struct Probe {
    pub(super) websocket: Box<WebSocketTransport>,
    /// The request that opened the WebSocket.
    request: Arc<Request>,
}

impl Connection {
    /// Processes a GET or POST request of a polling client.
    pub(super) fn poll_request(&mut self, request: PollRequest, context: &mut Context<'_>) {
        // The upgrade packet may have arrived before this request.
        self.read_probe(context);
        if self.session.is_closed() {
            return;
        }
        if let Some(polling) = self.io.transport.polling()
            && let Err(cause) = polling.receive_request(request)
        {
            self.session.on_error(cause, &mut Driver { io: &mut self.io, context });
        }
        // Events that have arrived are handled before the poll is answered. What their handlers
        // emit goes into its response, volatile messages too.
        if self.io.transport.can_take() {
            self.io.peer.handle.unblock();
        }
    }

    /// Starts the probe of a WebSocket, or closes the WebSocket if the session permits no probe.
    pub(super) fn probe(&mut self, stream: ProbeStream, context: &mut Context<'_>) {
        let ProbeStream { stream, received, request } = stream;
        let websocket = Box::new(WebSocketTransport::new(stream, received, self.io.hub.config().max_payload));
        if self.session.probe(now()) {
            self.io.probe = Some(Box::new(Probe { websocket, request }));
        } else {
            close(websocket, context);
        }
    }

    /// Reads messages from the probed WebSocket. Returns `true` if the upgrade is complete, or if
    /// there is more to read.
    pub(super) fn read_probe(&mut self, context: &mut Context<'_>) -> bool {
        let Io { probe: Some(probe), transport: ClientTransport::Polling(polling), .. } = &mut self.io else {
            return false;
        };
        if self.session.is_probing() {
            // Messages are not read while earlier answers can't be written.
            let is_writable = probe.websocket.poll_write(context, None);
            let mut received = ReadBuffer::take();
            let mut budget = READ_BUDGET;
            let is_usable = loop {
                if is_writable.is_pending() || budget == 0 {
                    break true;
                }
                budget -= 1;
                let probed = match probe.websocket.poll_next(context, &mut received) {
                    Poll::Pending => break true,
                    Poll::Ready(Ok(message)) => self.session.receive_probe(&message),
                    Poll::Ready(Err(_)) => ProbeAction::Invalid,
                };
                match probed {
                    ProbeAction::Nothing => {}
                    ProbeAction::Answer => {
                        let mut answer = Vec::new();
                        EncodedFrame::text(engineio::PROBE_PONG).append_to(&mut answer);
                        probe.websocket.append(&answer);
                        polling.set_answers_immediately(true);
                    }
                    ProbeAction::Ready => break true,
                    ProbeAction::Invalid => break false,
                }
            };
            probe.websocket.store_unread(&mut received);
            if !is_usable || matches!(probe.websocket.poll_write(context, None), Poll::Ready(Err(_))) {
                self.session.cancel_probe(&mut Driver { io: &mut self.io, context });
                return false;
            }
            if budget == 0 {
                return true;
            }
        }
        self.complete_upgrade()
    }

    /// Replaces the transport with the WebSocket, if the client has sent the upgrade packet and all
    /// POSTs are read. Returns whether it did.
    pub(super) fn complete_upgrade(&mut self) -> bool {
        let Io { hub, peer, transport, probe, request, .. } = &mut self.io;
        let ClientTransport::Polling(polling) = transport else { return false };
        let session = &mut self.session;
        let Some(mut taken) = probe.take_if(|_| session.upgrade(!polling.is_reading_post())) else { return false };
        taken.websocket.append(&polling.upgrade());
        *transport = ClientTransport::WebSocket(*taken.websocket);
        peer.handle.set_writer(transport.take_writer());
        *request = Some(taken.request);
        peer.handle.unblock();
        if let Some(session) = &peer.session {
            session.set_upgraded();
        }
        hub.counters().stopped_polling();
        tracing::debug!("the client upgraded to a WebSocket");
        true
    }
}

/// Closes a WebSocket that is not used, without waiting.
pub(super) fn close(mut websocket: Box<WebSocketTransport>, context: &mut Context<'_>) {
    websocket.close(1000, "");
    let _ = websocket.poll_write(context, None);
    websocket.shut(context);
}
