//! [`Connection`]: one client's connection, and the task that drives its [session](crate::session).
//!
//! Each time the task wakes up, it reads all input, polls handlers, and then writes all output at
//! once. It passes input to the session. The session calls the [`driver`] for each resulting
//! action.
//!
//! The [`client_transport`] is a [`websocket`] or [`polling`]. Each socket of the client has a
//! [`socket_entry`], whose [`executor`] runs its events.
//!
//! Other tasks access the connection through its [handle](crate::connection_handle). Their messages
//! are written at the end of their own [flush scope](crate::connection_handle::flush_scope), or by
//! the connection's task.

mod client_transport;
mod driver;
pub(crate) mod executor;
mod expiring;
pub(crate) mod lifecycle;
mod polling;
mod probe;
mod read_buffer;
mod reading;
mod refusing;
mod socket_entry;
mod timer;
pub(crate) mod websocket;

use http::Extensions;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use tokio::time::Sleep;

use crate::connection_handle::flush_scope::FlushScope;
use crate::connection_handle::request::Request;
use crate::event::dispatch::unhandled;
use crate::event::incoming::EventKind;
use crate::hub::Hub;
use crate::hub::aliases::{Command, Peer};
use crate::hub::connections::ConnectionPermit;
use crate::hub::namespace::inner::NamespaceInner;
use crate::hub::observed::Begun;
use crate::hub::socket::Socket;
use crate::session::disconnect::{Disconnect, DisconnectReason};
use crate::session::engineio::Flavour;
use crate::session::{Protocol, Session};
use crate::wire::shown::Shown;
use crate::wire::socketio::ConnectError;
use client_transport::ClientTransport;
use driver::Driver;
use executor::Progress;
use lifecycle::OnOpen;
use polling::Polling;
use probe::Probe;
use socket_entry::SocketEntry;
use timer::now;
use websocket::WebSocketTransport;

/// The maximum number of iterations before the task yields to other tasks.
const MAX_ROUNDS: usize = 8;

/// A client's session, with the I/O that drives it.
pub(crate) struct Connection {
    session: Session<SocketEntry>,
    io: Io,
}

/// The I/O of a connection. The [`Driver`] applies the session's actions to it.
struct Io {
    hub: Hub,
    peer: Arc<Peer>,
    transport: ClientTransport,
    /// The extensions that axum layers set on the first request of an Engine.IO session.
    extensions: Extensions,
    /// The request of the WebSocket to which the client upgraded.
    request: Option<Arc<Request>>,
    /// The WebSocket that a polling client probes.
    probe: Option<Box<Probe>>,
    /// What is needed for the socket of a plain client whose first message is not there yet.
    claim: Option<Box<Awaited>>,
    begun: Begun,
    _permit: ConnectionPermit,
}

/// The route of a plain client that wants to resume its session.
pub(crate) struct Awaited {
    pub(crate) namespace: Arc<NamespaceInner>,
    pub(crate) on_open: Option<OnOpen>,
}

impl Connection {
    /// Creates the connection of a plain WebSocket client, with its one socket.
    pub(crate) fn plain(
        websocket: WebSocketTransport,
        socket: Socket,
        envelopes: bool,
        on_open: Option<&OnOpen>,
        permit: ConnectionPermit,
    ) -> Self {
        let (hub, peer) = (socket.hub().clone(), Arc::clone(socket.peer()));
        let transport = ClientTransport::WebSocket(websocket);
        let mut connection =
            Self::new(hub, peer, transport, Protocol::Plain { envelopes, resumes: false }, Extensions::new(), permit);
        connection.add_socket(socket, on_open);
        connection
    }

    /// Creates the connection of a plain WebSocket client that wants to resume its session. It has
    /// no socket before its first message.
    pub(crate) fn resuming(
        websocket: WebSocketTransport,
        hub: Hub,
        peer: Arc<Peer>,
        awaited: Awaited,
        extensions: Extensions,
        permit: ConnectionPermit,
    ) -> Self {
        let transport = ClientTransport::WebSocket(websocket);
        let protocol = Protocol::Plain { envelopes: true, resumes: true };
        let mut connection = Self::new(hub, peer, transport, protocol, extensions, permit);
        connection.io.claim = Some(Box::new(awaited));
        connection
    }

    /// Creates the connection of an Engine.IO client. Without a WebSocket it uses long-polling.
    pub(crate) fn engine(
        hub: Hub,
        peer: Arc<Peer>,
        websocket: Option<WebSocketTransport>,
        flavour: Flavour,
        extensions: Extensions,
        permit: ConnectionPermit,
    ) -> Self {
        let transport =
            websocket.map_or_else(|| ClientTransport::Polling(Box::<Polling>::default()), ClientTransport::WebSocket);
        let protocol = Protocol::engine_io(flavour, &peer.encoding);
        Self::new(hub, peer, transport, protocol, extensions, permit)
    }

    fn new(
        hub: Hub,
        peer: Arc<Peer>,
        mut transport: ClientTransport,
        protocol: Protocol,
        extensions: Extensions,
        permit: ConnectionPermit,
    ) -> Self {
        peer.handle.set_writer(transport.take_writer());
        let polls = transport.polling().is_some();
        hub.counters().opened(polls);
        let begun = hub.observers().begin();
        let session = Session::new(protocol, polls, Arc::clone(hub.limits()), now());
        Self {
            session,
            io: Io {
                hub,
                peer,
                transport,
                extensions,
                request: None,
                probe: None,
                claim: None,
                begun,
                _permit: permit,
            },
        }
    }

    /// Adds the first socket of the connection.
    pub(crate) fn add_socket(&mut self, socket: Socket, on_open: Option<&OnOpen>) {
        let opened = SocketEntry::open(socket, on_open);
        let mut context = Context::from_waker(Waker::noop());
        self.session.add(opened, &mut Driver { io: &mut self.io, context: &mut context });
    }

    /// Runs the connection until it has ended.
    #[allow(
        clippy::manual_async_fn,
        reason = "an `async fn` would keep its argument twice, as long as the connection lives"
    )]
    pub(crate) fn run(mut self) -> impl Future<Output = ()> + Send {
        async move {
            let mut timer = pin!(self.timer());
            poll_fn(|context| self.poll(context, timer.as_mut())).await;
        }
    }

    fn poll(&mut self, context: &mut Context<'_>, mut timer: Pin<&mut Sleep>) -> Poll<()> {
        let _scope = FlushScope::begin();
        for _ in 0..MAX_ROUNDS {
            self.check_polling_deadline(context);
            self.run_commands(context);
            if self.is_drained(false) {
                self.session.on_drained(&mut Driver { io: &mut self.io, context });
            }
            let mut more = self.run_events(context);
            let is_unread = self.read(context);
            more |= is_unread;
            if self.is_drained(!is_unread) {
                self.session.on_drained(&mut Driver { io: &mut self.io, context });
            }
            self.write(context);
            if self.io.transport.take_activity() {
                self.session.note_activity();
            }
            more |= self.poll_deadlines(context, timer.as_mut());
            if self.session.is_closed() && self.session.sockets().all(|entry| entry.executor.is_finished()) {
                if !self.io.peer.handle.has_commands() {
                    return Poll::Ready(());
                }
                // The last handlers failed, and the error listeners have not run yet.
                more = true;
            }
            more |= self.is_drained(false) || self.session.sockets().any(|entry| entry.executor.is_ready());
            let (in_flight, can_take) = (self.io.transport.load(), self.io.transport.can_take());
            if !more && self.io.peer.handle.sleep(context.waker(), in_flight, can_take) {
                return Poll::Pending;
            }
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }

    /// Whether all handlers have ended that a shutdown waits for. If events are still handled, also
    /// whether the client has sent nothing more and owes no answer. `is_all_read`: everything that
    /// has arrived was read.
    fn is_drained(&self, is_all_read: bool) -> bool {
        self.session.is_draining()
            && (!self.session.handles_events() || (is_all_read && !self.io.peer.is_awaited()))
            && self.session.sockets().all(|entry| entry.executor.is_idle())
    }

    fn run_commands(&mut self, context: &mut Context<'_>) {
        for command in self.io.peer.handle.take_commands() {
            let position = |socket: &Socket| self.session.sockets().position(|entry| entry.socket == *socket);
            match command {
                Command::Run(incoming) if self.session.is_open() || matches!(incoming.kind, EventKind::Error(_)) => {
                    let at = position(&incoming.socket);
                    match at.and_then(|at| self.session.socket_mut(at)) {
                        Some(entry) => entry.executor.submit(incoming, context),
                        // The socket has left, so its listeners are no longer called.
                        None => unhandled(&incoming),
                    }
                }
                Command::Run(_) => {}
                Command::Write(batch) => self.io.transport.resume_batch(*batch),
                Command::Leave(socket, disconnect) => {
                    if let Some(at) = position(&socket) {
                        self.session.leave(at, &disconnect, &mut Driver { io: &mut self.io, context });
                    }
                }
                Command::PollRequest(request) => self.poll_request(request, context),
                Command::Probe(stream) => self.probe(*stream, context),
                // The task reads on and sets its timer when it has run its commands.
                Command::ResumeReading | Command::ResetTimer => {}
                Command::End(end) => self.session.end(end, &mut Driver { io: &mut self.io, context }),
            }
        }
    }

    fn run_events(&mut self, context: &mut Context<'_>) -> bool {
        let mut more = false;
        let mut at = 0;
        while let Some(entry) = self.session.socket_mut(at) {
            match entry.executor.poll(context) {
                Progress::Waiting => {}
                Progress::More => more = true,
                Progress::Decided(decision) => {
                    more = true;
                    let driver = &mut Driver { io: &mut self.io, context };
                    match decision {
                        Ok(()) => self.session.accept(at, driver),
                        Err(error) => {
                            tracing::debug!(
                                socket = %entry.socket.shown_id(),
                                refusal = %Shown(&error),
                                "connection refused"
                            );
                            let error = ConnectError { message: error.message(), data: error.data() };
                            self.session.refuse(at, &error, driver);
                        }
                    }
                }
            }
            let is_finished = self.session.socket_mut(at).is_some_and(|entry| entry.executor.is_finished());
            // An open connection removes sockets that have ended.
            if is_finished && self.session.is_open() && !self.io.peer.handle.has_commands() {
                let (entry, disconnect) = self.session.remove(at);
                entry.forget(disconnect);
            } else {
                at += 1;
            }
        }
        more
    }

    fn write(&mut self, context: &mut Context<'_>) {
        while !self.session.is_closed() {
            let is_final_flush = self.session.is_final_flush();
            match self.io.transport.poll_write(context, &self.io.peer.handle, is_final_flush) {
                Poll::Pending => return,
                Poll::Ready(Ok(())) => {
                    if !self.session.on_written(&mut Driver { io: &mut self.io, context }) {
                        return;
                    }
                }
                Poll::Ready(Err(error)) => {
                    let cause = Disconnect::new(DisconnectReason::TransportError).with_message(error.to_string());
                    return self.session.on_error(cause, &mut Driver { io: &mut self.io, context });
                }
            }
        }
    }
}

impl Io {
    /// Counts that the connection begins to close.
    fn count_closing(&self, reason: DisconnectReason) {
        self.hub.counters().closed(reason);
        self.hub.observers().closing(&self.begun, reason, self.polls());
    }

    fn polls(&self) -> bool {
        matches!(self.transport, ClientTransport::Polling(_))
    }

    /// Removes the Engine.IO session from the hub, and drops a WebSocket that is being probed.
    fn forget_session(&mut self) {
        if let Some(session) = &self.peer.session {
            session.remove();
        }
        self.probe = None;
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // Run remaining `disconnect` handlers while the handle still accepts commands.
        while self.session.len() > 0 {
            let (entry, disconnect) = self.session.remove(0);
            entry.forget(disconnect);
        }
        if self.session.is_open() {
            self.io.count_closing(DisconnectReason::Aborted);
        }
        if self.io.polls() {
            self.io.hub.counters().stopped_polling();
        }
        self.io.peer.handle.abandon();
        self.io.forget_session();
    }
}
