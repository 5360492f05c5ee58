//! The way from long-polling to a WebSocket: the client opens one beside its polls, tries it with a probe, and goes over.
//!
//! Nothing is lost or overtaken on the way: what waits for the client waits in the handle until the one transport or the
//! other takes it, and what a POST has brought is read before anything that came by the WebSocket.

use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::time::Instant;

use super::polling::PollRequest;
use super::websocket::{Message, ReadBuffer, WebSocketTransport};
use super::{ClientTransport, Connection, Phase, Protocol, after};
use crate::hub::socket::handshake::Request;
use crate::wire::engineio::{self, EnginePacket};
use crate::wire::frame::EncodedFrame;

/// How many messages of a WebSocket that is being tried are read at once.
const READ_BUDGET: usize = 16;

/// A WebSocket that a polling client tries.
pub(super) struct Probe {
    websocket: Box<WebSocketTransport>,
    /// The request that it began with.
    request: Arc<Request>,
    /// Until when the client is to have gone over. `None`: it has, and only waits for this side.
    pub(super) by: Option<Instant>,
    /// Whether the client wants to go over, as soon as everything is read that it has sent before.
    is_ready: bool,
}

impl super::engineio::Engine {
    pub(super) fn forget_probe(&mut self) {
        self.probe = None;
    }
}

impl Connection {
    /// Deals with a request of a client that polls.
    pub(super) fn poll_request(&mut self, request: PollRequest, context: &mut Context<'_>) {
        // A client that has gone over and polls all the same has gone over first.
        self.read_probe(context);
        if matches!(self.phase, Phase::Closed) {
            return;
        }
        if let Some(polling) = self.transport.polling()
            && let Err(cause) = polling.ask(request)
        {
            self.broken(cause, context);
        }
    }

    /// Lets a polling client try a WebSocket, one at a time.
    pub(super) fn probe(
        &mut self,
        websocket: Box<WebSocketTransport>,
        request: Arc<Request>,
        context: &mut Context<'_>,
    ) {
        let by = Some(after(Instant::now(), self.config().upgrade_timeout));
        match (&mut self.protocol, &self.transport) {
            (Protocol::Engine(engine), ClientTransport::Polling(_))
                if engine.probe.is_none() && matches!(self.phase, Phase::Open) =>
            {
                engine.probe = Some(Box::new(Probe { websocket, request, by, is_ready: false }));
            }
            _ => close(websocket, context),
        }
    }

    /// Reads what comes by the WebSocket that is being tried. `true`: the client has gone over to it, or there is more.
    pub(super) fn read_probe(&mut self, context: &mut Context<'_>) -> bool {
        let (Protocol::Engine(engine), Some(polling)) = (&mut self.protocol, self.transport.polling()) else {
            return false;
        };
        let Some(probe) = &mut engine.probe else { return false };
        if !probe.is_ready {
            // Who does not take the answers is not heard.
            let is_writable = probe.websocket.poll_write(context, None);
            let mut received = ReadBuffer::take();
            let mut budget = READ_BUDGET;
            let is_usable = loop {
                if is_writable.is_pending() || budget == 0 {
                    break true;
                }
                budget -= 1;
                match probe.websocket.poll_next(context, &mut received) {
                    Poll::Pending => break true,
                    Poll::Ready(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                    Poll::Ready(Ok(Message::Text(text))) => match engineio::read(&text) {
                        Ok(EnginePacket::Probe) => {
                            let mut answer = Vec::new();
                            EncodedFrame::text(engineio::PROBE_PONG).append_to(&mut answer);
                            probe.websocket.append(&answer);
                            polling.hurry(true);
                        }
                        Ok(EnginePacket::Upgrade) => {
                            probe.is_ready = true;
                            probe.by = None;
                            break true;
                        }
                        _ => break false,
                    },
                    Poll::Ready(_) => break false,
                }
            };
            probe.websocket.keep(&mut received);
            if !is_usable || matches!(probe.websocket.poll_write(context, None), Poll::Ready(Err(_))) {
                self.give_up_probe(context);
                return false;
            }
            if budget == 0 {
                return true;
            }
        }
        self.go_over()
    }

    /// Takes the client's WebSocket for its transport, once it wants that and everything that it sent before is read.
    pub(super) fn go_over(&mut self) -> bool {
        let (Protocol::Engine(engine), ClientTransport::Polling(polling)) = (&mut self.protocol, &mut self.transport)
        else {
            return false;
        };
        let Some(mut probe) = engine.probe.take_if(|probe| probe.is_ready && !polling.has_more()) else {
            return false;
        };
        probe.websocket.append(&polling.hand_over());
        self.transport = ClientTransport::WebSocket(*probe.websocket);
        self.peer.handle.write_with(self.transport.take_writer());
        engine.request = Some(probe.request);
        self.peer.handle.unblock();
        if let Some(session) = &self.peer.session {
            session.upgraded();
        }
        tracing::debug!("a client has upgraded to a WebSocket");
        true
    }

    /// The client has not gone over: its polls go on.
    pub(super) fn give_up_probe(&mut self, context: &mut Context<'_>) {
        if let Protocol::Engine(engine) = &mut self.protocol
            && let Some(probe) = engine.probe.take()
        {
            close(probe.websocket, context);
        }
        if let Some(polling) = self.transport.polling() {
            polling.hurry(false);
        }
    }
}

/// Closes a WebSocket that is of no use, without waiting for anything.
fn close(mut websocket: Box<WebSocketTransport>, context: &mut Context<'_>) {
    websocket.close(1000, "");
    let _ = websocket.poll_write(context, None);
    websocket.shut(context);
}
