//! One client's connection: one task that reads, runs events, writes and keeps time.
//!
//! Each time the task wakes up it reads all that has arrived, runs what it can, and then writes once. The [`transport`] is
//! the client's side of it: a [`websocket`], or [`polling`]. What is read becomes events in [`reading`], for Engine.IO
//! clients by way of [`engineio`] and [`packets`]. Each of the client's sockets has a [`socket_entry`] with an [`executor`]; the
//! [`handle`] is what all other tasks see. What they queue there for a client goes out at the end of their own [`flush_scope`], or
//! when its task runs.

mod client_transport;
pub(crate) mod end;
mod ending;
pub(crate) mod engineio;
pub(crate) mod executor;
mod flush_scope;
pub(crate) mod handle;
pub(crate) mod heartbeat;
pub(crate) mod lifecycle;
pub(crate) mod outbox;
mod packets;
pub(crate) mod peer;
pub(crate) mod polling;
mod read_buffer;
mod reading;
pub(crate) mod session;
mod socket_entry;
pub(crate) mod stream;
mod timing;
mod upgrading;
pub(crate) mod websocket;

use smallvec::SmallVec;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::event::dispatch::{has_listener, unhandled};
use crate::event::handler::Lifecycle;
use crate::event::incoming::{EventKind, Incoming};
use crate::hub::Hub;
use crate::hub::config::Config;
use crate::hub::connections::ConnectionPermit;
use crate::hub::socket::Socket;
use crate::session::disconnect::{Disconnect, DisconnectReason};
use client_transport::ClientTransport;
use end::End;
use engineio::Engine;
use executor::Progress;
use flush_scope::FlushScope;
use handle::Command;
use heartbeat::Heartbeat;
use lifecycle::OnOpen;
use peer::Peer;
use polling::Polling;
use socket_entry::SocketEntry;
pub(crate) use timing::after;
use websocket::WebSocketTransport;

/// How often the task goes round before it lets others run.
const ROUNDS: usize = 8;

pub(crate) struct Connection {
    hub: Hub,
    peer: Arc<Peer>,
    transport: ClientTransport,
    protocol: Protocol,
    entries: SmallVec<[SocketEntry; 1]>,
    heartbeat: Heartbeat,
    phase: Phase,
    /// Until when handlers may run, once the hub shuts down.
    handlers_until: Option<Instant>,
    /// How the connection is to end when they are done.
    end_after: Option<Box<End>>,
    _admission: ConnectionPermit,
}

/// What the client speaks.
enum Protocol {
    /// Envelopes, if texts can be events, and messages as they are.
    Plain { envelopes: bool },
    /// Engine.IO, bare or with Socket.IO inside.
    Engine(Box<Engine>),
}

enum Phase {
    Open,
    /// What is queued still goes out, then the close frame.
    Closing {
        by: Instant,
        code: u16,
        reason: String,
    },
    /// The close frame is on its way, or the client's answer to it.
    Lingering {
        by: Instant,
        how: Linger,
    },
    Closed,
}

#[derive(Clone, Copy, PartialEq)]
enum Linger {
    /// This side has sent a close frame and waits for the client's.
    Expecting,
    /// The client has sent a close frame; the answer is to be written.
    Answering,
    /// The client broke the protocol: whatever else it sends means nothing. The close frame is to be written.
    Rejecting,
    /// It is written, and the client is to close its side.
    Discarding,
}

impl Connection {
    /// The connection of a plain WebSocket client, with its one socket.
    pub(crate) fn plain(
        websocket: WebSocketTransport,
        socket: Socket,
        envelopes: bool,
        on_open: Option<&OnOpen>,
        place: ConnectionPermit,
    ) -> Self {
        let (hub, peer) = (socket.hub().clone(), Arc::clone(socket.peer()));
        let mut connection =
            Self::new(hub, peer, ClientTransport::WebSocket(websocket), Protocol::Plain { envelopes }, place);
        connection.add_socket(socket, on_open);
        connection
    }

    /// The connection of an Engine.IO client. Without a websocket it polls.
    pub(crate) fn engine(
        hub: Hub,
        peer: Arc<Peer>,
        websocket: Option<WebSocketTransport>,
        engine: Engine,
        place: ConnectionPermit,
    ) -> Self {
        let transport =
            websocket.map_or_else(|| ClientTransport::Polling(Box::<Polling>::default()), ClientTransport::WebSocket);
        Self::new(hub, peer, transport, Protocol::Engine(Box::new(engine)), place)
    }

    fn new(
        hub: Hub,
        peer: Arc<Peer>,
        mut transport: ClientTransport,
        protocol: Protocol,
        permit: ConnectionPermit,
    ) -> Self {
        peer.handle.write_with(transport.take_writer());
        let config = hub.config();
        let heartbeat = Heartbeat::new(config.ping_interval, config.ping_timeout, Instant::now());
        Self {
            hub,
            peer,
            transport,
            protocol,
            entries: SmallVec::new(),
            heartbeat,
            phase: Phase::Open,
            handlers_until: None,
            end_after: None,
            _admission: permit,
        }
    }

    /// Gives a new socket its place, and lets the application decide whether it is accepted.
    pub(crate) fn add_socket(&mut self, socket: Socket, on_open: Option<&OnOpen>) {
        let mut entry = SocketEntry::new(socket, after(Instant::now(), self.config().connect_timeout));
        let opening = lifecycle::opening(&entry.socket, on_open);
        let is_accepted = opening.is_none();
        if let Some(opening) = opening {
            entry.executor.open(opening);
        }
        self.entries.push(entry);
        if is_accepted {
            self.accept(self.entries.len() - 1);
        }
    }

    /// Runs the connection to its end.
    #[allow(
        clippy::manual_async_fn,
        reason = "an `async fn` would keep its argument twice, as long as the connection lives"
    )]
    pub(crate) fn run(mut self) -> impl Future<Output = ()> + Send {
        async move {
            let mut timer = pin!(sleep_until(self.deadline()));
            poll_fn(|context| self.poll(context, timer.as_mut())).await;
        }
    }

    fn config(&self) -> &Config {
        self.hub.config()
    }

    fn poll(&mut self, context: &mut Context<'_>, mut timer: Pin<&mut Sleep>) -> Poll<()> {
        let _turn = FlushScope::begin();
        for _ in 0..ROUNDS {
            self.keep_exact_time(context);
            self.run_commands(context);
            self.end_if_done();
            let mut more = self.run_events(context);
            more |= self.read(context);
            self.write(context);
            if self.transport.take_alive() {
                self.heartbeat.received();
            }
            more |= self.keep_time(context, timer.as_mut());
            if matches!(self.phase, Phase::Closed) && self.entries.iter().all(|entry| entry.executor.is_finished()) {
                if !self.peer.handle.has_commands() {
                    return Poll::Ready(());
                }
                // The last handlers have failed, and somebody wants to know.
                more = true;
            }
            more |= self.is_done() || self.entries.iter().any(|entry| entry.executor.is_ready());
            let (in_flight, can_take) = (self.transport.load(), self.transport.can_take());
            if !more && self.peer.handle.sleep(context.waker(), in_flight, can_take) {
                return Poll::Pending;
            }
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }

    fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Open)
    }

    fn place_of(&self, socket: &Socket) -> Option<usize> {
        self.entries.iter().position(|entry| entry.socket == *socket)
    }

    fn run_commands(&mut self, context: &mut Context<'_>) {
        for commands in self.peer.handle.take_commands() {
            match commands {
                Command::Run(socket, kind) if self.is_open() || matches!(kind, EventKind::Error(_)) => {
                    let entry = self.place_of(&socket);
                    let incoming = Incoming::new(socket, kind);
                    match entry {
                        Some(entry) => self.entries[entry].executor.submit(incoming, context),
                        // A socket that has left does not hear of it any more.
                        None => unhandled(&incoming),
                    }
                }
                Command::Run(..) => {}
                Command::Write(batch) => self.transport.go_on(*batch),
                Command::Leave(socket, disconnect) => self.leave(&socket, disconnect),
                Command::PollRequest(request) => self.poll_request(request, context),
                Command::Probe(websocket, request) => self.probe(websocket, request, context),
                Command::End(end) => self.end(end),
            }
        }
    }

    fn run_events(&mut self, context: &mut Context<'_>) -> bool {
        let mut more = false;
        let mut at = 0;
        while at < self.entries.len() {
            match self.entries[at].executor.poll(context) {
                Progress::Waiting => {}
                Progress::More => more = true,
                Progress::Opened(decision) => {
                    more = true;
                    match decision {
                        Ok(()) => self.accept(at),
                        Err(refusal) => self.refuse(at, &refusal),
                    }
                }
            }
            // Where the connection outlives its sockets, their places become free.
            if self.entries[at].executor.is_finished() && self.is_open() && !self.peer.handle.has_commands() {
                self.entries.remove(at);
            } else {
                at += 1;
            }
        }
        more
    }

    fn accept(&mut self, entry: usize) {
        let entry = &mut self.entries[entry];
        entry.open_by = None;
        entry.socket.accepted();
        if let Protocol::Engine(engine) = &mut self.protocol {
            engine.join_by = None;
        }
        tracing::debug!(socket = %entry.socket.id(), namespace = entry.socket.namespace(), "connected");
        if has_listener(&entry.socket, Lifecycle::Connect) {
            entry.executor.submit_first(Incoming::new(entry.socket.clone(), EventKind::Connect));
        }
        if let Some(disconnect) = entry.leave.take() {
            let socket = entry.socket.clone();
            self.leave(&socket, *disconnect);
        }
    }

    fn write(&mut self, context: &mut Context<'_>) {
        loop {
            if matches!(self.phase, Phase::Closed) {
                return;
            }
            let is_opening = self.entries.iter().any(|entry| entry.executor.is_opening());
            let last = matches!(self.phase, Phase::Closing { .. }) && !is_opening;
            match self.transport.poll_write(context, &self.peer.handle, last) {
                Poll::Pending => return,
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => {
                    let cause = Disconnect::new(DisconnectReason::TransportError).with_message(error.to_string());
                    return self.broken(cause, context);
                }
            }
            match (&self.phase, &mut self.transport) {
                // Everything that was queued has gone out, but what is held back must not.
                (Phase::Closing { .. }, _) if is_opening => return,
                (Phase::Closing { .. }, ClientTransport::Polling(_)) => return self.close(context),
                (Phase::Closing { by, code, reason }, ClientTransport::WebSocket(websocket)) => {
                    let (by, code) = (*by, *code);
                    websocket.close(code, reason);
                    self.phase = Phase::Lingering { by, how: Linger::Expecting };
                }
                (Phase::Lingering { how: Linger::Answering, .. }, _) => return self.close(context),
                (Phase::Lingering { by, how: Linger::Rejecting }, ClientTransport::WebSocket(websocket)) => {
                    self.phase = Phase::Lingering { by: *by, how: Linger::Discarding };
                    return websocket.finish(context);
                }
                _ => return,
            }
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // Whoever has not heard of the end hears of it while the handle still takes what they have to say.
        self.entries.clear();
        self.peer.handle.abandon();
        self.forget_session();
    }
}
