//! [`Driver`]: implements the session's [`Effects`] on a connection.

use std::sync::Arc;
use std::task::Context;
use std::time::Instant;

use super::client_transport::ClientTransport;
use super::lifecycle::EndEvents;
use super::refusing::{refuse_rate_limited, refuse_violation};
use super::socket_entry::SocketEntry;
use super::timer::now;
use super::{Io, probe};
use crate::connection_handle::outbox::Outbox;
use crate::connection_handle::request::Request;
use crate::event::dispatch::has_listener;
use crate::event::handler::Lifecycle;
use crate::event::incoming::{EventKind, Incoming};
use crate::event::rate_limit::Limited;
use crate::event::trace::EventTrace;
use crate::hooks::catch::catch;
use crate::hub::recovery::resuming::Claim;
use crate::hub::socket::{Identity, Socket};
use crate::session::disconnect::Disconnect;
use crate::session::limits::Violation;
use crate::session::received::{Control, RawMessage, ReceivedAnswer, ReceivedEvent};
use crate::session::{Effects, Fault, Opened};
use crate::wire::frame::EncodedFrame;
use crate::wire::shown::shown;

/// The connection's I/O, with the context of its task.
pub(super) struct Driver<'a, 'context> {
    pub(super) io: &'a mut Io,
    pub(super) context: &'a mut Context<'context>,
}

impl Driver<'_, '_> {
    /// Creates an event. It carries the request of its POST or of the upgrade, if there is one.
    fn incoming(&self, entry: &SocketEntry, kind: EventKind) -> Incoming {
        Incoming::carried_by(self.request(), entry.socket.clone(), kind, false)
    }

    fn request(&self) -> Option<Arc<Request>> {
        match &self.io.transport {
            ClientTransport::WebSocket(_) => self.io.request.clone(),
            ClientTransport::Polling(polling) => polling.request().cloned(),
        }
    }

    /// Refuses an event. Its message is still received, unless a rate limit has refused it.
    #[cold]
    fn refuse_event(
        &mut self,
        entry: &mut SocketEntry,
        event: ReceivedEvent,
        limited: Option<Limited>,
        violation: Option<Violation>,
    ) {
        if let (None, Some(message)) = (limited, event.message()) {
            let mut incoming = self.incoming(entry, EventKind::message(message));
            if !has_listener(&entry.socket, Lifecycle::Message) {
                // The event itself has the span.
                incoming.trace = EventTrace::default();
            }
            entry.executor.submit(incoming, self.context);
        }
        let incoming = Incoming::new(entry.socket.clone(), EventKind::Event(event));
        match (limited, violation) {
            (Some(limited), _) => refuse_rate_limited(&incoming, limited),
            (None, Some(violation)) => refuse_violation(&incoming, violation),
            (None, None) => {}
        }
    }
}

impl Effects for Driver<'_, '_> {
    type Socket = SocketEntry;

    fn now(&self) -> Instant {
        now()
    }

    fn open(&mut self, namespace: &str, auth: &str) -> Option<Opened<SocketEntry>> {
        let Io { hub, peer, extensions, .. } = &*self.io;
        // Values of the application are cloned, and its closure makes the adapter of a dynamic
        // namespace.
        let entered = catch(|| {
            let extensions = extensions.clone();
            hub.enter(namespace).map(|namespace| (namespace, extensions))
        });
        let (namespace, extensions) = entered.unwrap_or_else(|_panicked| {
            tracing::error!(
                namespace = &*shown(namespace),
                "the extensions of a request or the adapter of a namespace panicked"
            );
            None
        })?;
        let identity = Identity::Generated { auth };
        let socket = Socket::register(hub.clone(), namespace, Arc::clone(peer), extensions, identity);
        Some(SocketEntry::open(socket, None))
    }

    fn resume(&mut self, message: &str) -> (Opened<SocketEntry>, bool) {
        let Io { hub, peer, extensions, claim, .. } = &mut *self.io;
        let (namespace, on_open) = claim
            .take()
            .map_or_else(|| (Arc::clone(hub.root().namespace_inner()), None), |claim| (claim.namespace, claim.on_open));
        hub.acquire(&namespace);
        let is_claim = Claim::of_message(message).is_some();
        let (peer, extensions) = (Arc::clone(peer), std::mem::take(extensions));
        let socket = Socket::register(hub.clone(), namespace, peer, extensions, Identity::Claimed(message));
        (SocketEntry::open(socket, on_open.as_ref()), is_claim)
    }

    fn accept(&mut self, entry: &mut SocketEntry) {
        entry.socket.accepted();
        tracing::debug!(socket = %entry.socket.shown_id(), namespace = &*shown(entry.socket.namespace()), "connected");
        if has_listener(&entry.socket, Lifecycle::Connect) {
            entry.executor.submit_first(Incoming::new(entry.socket.clone(), EventKind::Connect));
        }
    }

    fn refuse(&mut self, entry: &mut SocketEntry) {
        entry.executor.abort_all();
        entry.socket.depart(false);
        entry.socket.end_trace("refused", false);
    }

    fn event(&mut self, entry: &mut SocketEntry, event: ReceivedEvent, violation: Option<Violation>) {
        let name = event.name();
        let mut limited = entry.socket.admit(name).err();
        let is_proof = limited.is_none() && violation.is_none() && entry.socket.takes_proof(name);
        if is_proof {
            limited = entry.socket.begin_deciding().err();
        }
        if limited.is_none() && violation.is_none() {
            let (request, socket) = (self.request(), entry.socket.clone());
            let incoming = Incoming::carried_by(request, socket, EventKind::Event(event), is_proof);
            return entry.executor.submit(incoming, self.context);
        }
        self.refuse_event(entry, event, limited, violation);
    }

    fn message(&mut self, entry: &mut SocketEntry, message: RawMessage) {
        let incoming = self.incoming(entry, EventKind::message(message));
        match entry.socket.admit(Lifecycle::Message.as_str()) {
            Ok(()) => entry.executor.submit(incoming, self.context),
            Err(limited) => refuse_rate_limited(&incoming, limited),
        }
    }

    /// Control frames without a listener are not queued, so that they never pause reading.
    fn control(&mut self, entry: &mut SocketEntry, control: &Control) {
        let (lifecycle, kind) = match control {
            Control::Ping(payload) => (Lifecycle::Ping, EventKind::Ping(payload.clone())),
            Control::Pong(payload) => (Lifecycle::Pong, EventKind::Pong(payload.clone())),
        };
        if entry.executor.is_undecided() || has_listener(&entry.socket, lifecycle) {
            let incoming = self.incoming(entry, kind);
            entry.executor.submit(incoming, self.context);
        }
    }

    fn answer(&mut self, entry: &mut SocketEntry, id: u64, answer: ReceivedAnswer) -> bool {
        entry.socket.answered(id, answer)
    }

    fn drop_events(&mut self, entry: &mut SocketEntry) {
        entry.executor.drop_queued();
    }

    fn announce_end(&mut self, entry: &mut SocketEntry) {
        entry.socket.tell_ending();
    }

    fn abandon_requests(&mut self, entry: &mut SocketEntry) {
        entry.socket.tell_waiting();
    }

    fn end(&mut self, entry: &mut SocketEntry, disconnect: &Disconnect, on_purpose: bool) {
        let is_plain = !entry.socket.peer().encoding.has_namespaces();
        entry.socket.tell_disconnect(disconnect);
        entry.socket.depart(disconnect.is_recoverable(is_plain));
        entry.executor.set_end(EndEvents::new(entry.socket.clone(), disconnect.clone(), on_purpose));
    }

    fn abort(&mut self, entry: &mut SocketEntry) {
        entry.executor.abort();
    }

    fn abort_end(&mut self, entry: &mut SocketEntry) {
        entry.executor.poll_end(self.context);
        if !entry.executor.is_finished() {
            entry.executor.abort_all();
        }
    }

    fn send(&mut self, frame: EncodedFrame) {
        if !frame.is_nothing() {
            self.io.peer.handle.queue_protocol_packet(Some(&frame), None, &mut Outbox::default()).wake();
        }
    }

    fn ping(&mut self, frame: &'static [u8]) {
        self.io.transport.shrink();
        self.io.peer.handle.shrink();
        self.io.transport.append(frame);
    }

    fn shut_queue(&mut self) {
        self.io.peer.handle.shut();
    }

    fn discard_queue(&mut self) {
        self.io.peer.handle.discard();
    }

    fn closing(&mut self, disconnect: &Disconnect) {
        self.io.count_closing(disconnect.reason());
    }

    fn count(&mut self, fault: Fault) {
        self.io.hub.counters().fault(fault);
    }

    fn write_close(&mut self, code: u16, reason: &str) {
        if let ClientTransport::WebSocket(websocket) = &mut self.io.transport {
            websocket.close(code, reason);
        }
    }

    fn finish_writing(&mut self) {
        if let ClientTransport::WebSocket(websocket) = &mut self.io.transport {
            websocket.finish(self.context);
        }
    }

    fn release_poll(&mut self) -> bool {
        let Some(polling) = self.io.transport.polling() else { return false };
        polling.closed_by_client();
        polling.is_polled()
    }

    fn close(&mut self) {
        self.io.transport.shut(self.context);
        self.io.forget_session();
    }

    fn close_probe(&mut self) {
        if let Some(probe) = self.io.probe.take() {
            probe::close(probe.websocket, self.context);
        }
        if let Some(polling) = self.io.transport.polling() {
            polling.set_answers_immediately(false);
        }
    }
}
