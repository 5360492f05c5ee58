//! A WebSocket that a polling client tries, and how it becomes the connection's transport.

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
use crate::session::upgrade::Probed;
use crate::wire::engineio;
use crate::wire::frame::EncodedFrame;

/// How many messages of a WebSocket that is being tried are read at once.
const READ_BUDGET: usize = 16;

/// A WebSocket that a polling client tries.
pub(super) struct Probe {
    pub(super) websocket: Box<WebSocketTransport>,
    /// The request that it began with.
    request: Arc<Request>,
}

impl Connection {
    /// Takes a request of a client that polls.
    pub(super) fn poll_request(&mut self, request: PollRequest, context: &mut Context<'_>) {
        // A client that has gone over and polls all the same has gone over first.
        self.read_probe(context);
        if self.session.is_closed() {
            return;
        }
        if let Some(polling) = self.io.transport.polling()
            && let Err(cause) = polling.ask(request)
        {
            self.session.broken(cause, &mut Driver { io: &mut self.io, context });
        }
    }

    /// Lets a polling client try a WebSocket.
    pub(super) fn probe(&mut self, stream: ProbeStream, context: &mut Context<'_>) {
        let ProbeStream { stream, received, request } = stream;
        let websocket = Box::new(WebSocketTransport::new(stream, received, self.io.hub.config().max_payload));
        if self.session.probe(now()) {
            self.io.probe = Some(Box::new(Probe { websocket, request }));
        } else {
            close(websocket, context);
        }
    }

    /// Reads what comes by the WebSocket that is being tried. `true`: the client has gone over to
    /// it, or there is more.
    pub(super) fn read_probe(&mut self, context: &mut Context<'_>) -> bool {
        let Io { probe: Some(probe), transport: ClientTransport::Polling(polling), .. } = &mut self.io else {
            return false;
        };
        if self.session.is_probing() {
            // Who does not take the answers is not heard.
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
                    Poll::Ready(Err(_)) => Probed::Invalid,
                };
                match probed {
                    Probed::Nothing => {}
                    Probed::Answer => {
                        let mut answer = Vec::new();
                        EncodedFrame::text(engineio::PROBE_PONG).append_to(&mut answer);
                        probe.websocket.append(&answer);
                        polling.hurry(true);
                    }
                    Probed::Ready => break true,
                    Probed::Invalid => break false,
                }
            };
            probe.websocket.keep(&mut received);
            if !is_usable || matches!(probe.websocket.poll_write(context, None), Poll::Ready(Err(_))) {
                self.session.lose_probe(&mut Driver { io: &mut self.io, context });
                return false;
            }
            if budget == 0 {
                return true;
            }
        }
        self.go_over()
    }

    /// Takes the client's WebSocket for its transport, once it wants that and everything that it
    /// sent before is read.
    pub(super) fn go_over(&mut self) -> bool {
        let Io { peer, transport, probe, request, .. } = &mut self.io;
        let ClientTransport::Polling(polling) = transport else { return false };
        let session = &mut self.session;
        let Some(mut taken) = probe.take_if(|_| session.upgrade(!polling.has_more())) else { return false };
        taken.websocket.append(&polling.hand_over());
        *transport = ClientTransport::WebSocket(*taken.websocket);
        peer.handle.set_writer(transport.take_writer());
        *request = Some(taken.request);
        peer.handle.unblock();
        if let Some(session) = &peer.session {
            session.set_upgraded();
        }
        tracing::debug!("a client has upgraded to a WebSocket");
        true
    }
}

/// Closes a WebSocket that is of no use, without waiting for anything.
pub(super) fn close(mut websocket: Box<WebSocketTransport>, context: &mut Context<'_>) {
    websocket.close(1000, "");
    let _ = websocket.poll_write(context, None);
    websocket.shut(context);
}
