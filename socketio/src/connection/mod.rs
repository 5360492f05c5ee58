//! One client's connection: one task that reads, runs events, writes and keeps time.
//!
//! Each time the task wakes up it reads all that has arrived, runs what it can, and then writes once. The [`transport`] is
//! the client's side of it: a WebSocket [`link`], or [`polling`]. What is read becomes events in [`reading`], for Engine.IO
//! clients by way of [`engine`] and [`packets`]. Each of the client's sockets has a [`seat`] with an [`executor`]; the
//! [`mailbox`] is what all other tasks see. What they queue there for a client goes out at the end of their own [`turn`], or
//! when its task runs.

pub(crate) mod end;
mod ending;
pub(crate) mod engine;
pub(crate) mod executor;
pub(crate) mod heartbeat;
pub(crate) mod lifecycle;
pub(crate) mod link;
pub(crate) mod mailbox;
pub(crate) mod outbox;
mod packets;
pub(crate) mod peer;
pub(crate) mod polling;
mod reading;
mod received;
mod seat;
pub(crate) mod session;
pub(crate) mod stream;
mod timing;
mod transport;
mod turn;
mod upgrading;

use smallvec::SmallVec;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::event::disconnect::{Disconnect, DisconnectReason};
use crate::event::dispatch::{is_heard, unheard};
use crate::event::handler::Lifecycle;
use crate::event::incoming::{Incoming, Subject};
use crate::hub::Hub;
use crate::hub::config::Config;
use crate::hub::connections::Admission;
use crate::socket::Socket;
use end::End;
use engine::Engine;
use executor::Progress;
use heartbeat::Heartbeat;
use lifecycle::OnOpen;
use link::Link;
use mailbox::Mail;
use peer::Peer;
use polling::Polling;
use seat::Seat;
pub(crate) use timing::after;
use transport::Transport;
use turn::Turn;

/// How often the task goes round before it lets others run.
const ROUNDS: usize = 8;

pub(crate) struct Connection {
    hub: Hub,
    peer: Arc<Peer>,
    transport: Transport,
    protocol: Protocol,
    seats: SmallVec<[Seat; 1]>,
    heartbeat: Heartbeat,
    phase: Phase,
    /// Until when handlers may run, once the hub shuts down.
    handlers_until: Option<Instant>,
    /// How the connection is to end when they are done.
    end_after: Option<Box<End>>,
    _admission: Admission,
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
        link: Link,
        socket: Socket,
        envelopes: bool,
        on_open: Option<&OnOpen>,
        place: Admission,
    ) -> Self {
        let (hub, peer) = (socket.hub().clone(), Arc::clone(socket.peer()));
        let mut connection = Self::new(hub, peer, Transport::WebSocket(link), Protocol::Plain { envelopes }, place);
        connection.seat(socket, on_open);
        connection
    }

    /// The connection of an Engine.IO client. Without a link it polls.
    pub(crate) fn engine(hub: Hub, peer: Arc<Peer>, link: Option<Link>, engine: Engine, place: Admission) -> Self {
        let transport = link.map_or_else(|| Transport::Polling(Box::<Polling>::default()), Transport::WebSocket);
        Self::new(hub, peer, transport, Protocol::Engine(Box::new(engine)), place)
    }

    fn new(hub: Hub, peer: Arc<Peer>, mut transport: Transport, protocol: Protocol, admission: Admission) -> Self {
        peer.mailbox.write_with(transport.take_writer());
        let config = hub.config();
        let heartbeat = Heartbeat::new(config.ping_interval, config.ping_timeout, Instant::now());
        Self {
            hub,
            peer,
            transport,
            protocol,
            seats: SmallVec::new(),
            heartbeat,
            phase: Phase::Open,
            handlers_until: None,
            end_after: None,
            _admission: admission,
        }
    }

    /// Gives a new socket its place, and lets the application decide whether it is accepted.
    pub(crate) fn seat(&mut self, socket: Socket, on_open: Option<&OnOpen>) {
        let mut seat = Seat::new(socket, after(Instant::now(), self.config().connect_timeout));
        let opening = lifecycle::opening(&seat.socket, on_open);
        let is_accepted = opening.is_none();
        if let Some(opening) = opening {
            seat.executor.open(opening);
        }
        self.seats.push(seat);
        if is_accepted {
            self.accept(self.seats.len() - 1);
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
        let _turn = Turn::begin();
        for _ in 0..ROUNDS {
            self.keep_exact_time(context);
            self.read_mail(context);
            self.end_if_done();
            let mut more = self.run_events(context);
            more |= self.read(context);
            self.write(context);
            if self.transport.take_alive() {
                self.heartbeat.heard();
            }
            more |= self.keep_time(context, timer.as_mut());
            if matches!(self.phase, Phase::Closed) && self.seats.iter().all(|seat| seat.executor.is_finished()) {
                if !self.peer.mailbox.has_mail() {
                    return Poll::Ready(());
                }
                // The last handlers have failed, and somebody wants to know.
                more = true;
            }
            more |= self.is_done() || self.seats.iter().any(|seat| seat.executor.is_ready());
            let (in_flight, can_take) = (self.transport.load(), self.transport.can_take());
            if !more && self.peer.mailbox.sleep(context.waker(), in_flight, can_take) {
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
        self.seats.iter().position(|seat| seat.socket == *socket)
    }

    fn read_mail(&mut self, context: &mut Context<'_>) {
        for mail in self.peer.mailbox.take_mail() {
            match mail {
                Mail::Run(socket, subject) if self.is_open() || matches!(subject, Subject::Error(_)) => {
                    let seat = self.place_of(&socket);
                    let incoming = Incoming::new(socket, subject);
                    match seat {
                        Some(seat) => self.seats[seat].executor.submit(incoming, context),
                        // A socket that has left does not hear of it any more.
                        None => unheard(&incoming),
                    }
                }
                Mail::Run(..) => {}
                Mail::Write(batch) => self.transport.go_on(*batch),
                Mail::Leave(socket, disconnect) => self.leave(&socket, disconnect),
                Mail::Asked(asked) => self.asked(asked, context),
                Mail::Probe(link, request) => self.probe(link, request, context),
                Mail::End(end) => self.end(end),
            }
        }
    }

    fn run_events(&mut self, context: &mut Context<'_>) -> bool {
        let mut more = false;
        let mut at = 0;
        while at < self.seats.len() {
            match self.seats[at].executor.poll(context) {
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
            if self.seats[at].executor.is_finished() && self.is_open() && !self.peer.mailbox.has_mail() {
                self.seats.remove(at);
            } else {
                at += 1;
            }
        }
        more
    }

    fn accept(&mut self, seat: usize) {
        let seat = &mut self.seats[seat];
        seat.open_by = None;
        seat.socket.accepted();
        if let Protocol::Engine(engine) = &mut self.protocol {
            engine.join_by = None;
        }
        tracing::debug!(socket = %seat.socket.id(), namespace = seat.socket.namespace(), "connected");
        if is_heard(&seat.socket, Lifecycle::Connect) {
            seat.executor.submit_first(Incoming::new(seat.socket.clone(), Subject::Connect));
        }
        if let Some(disconnect) = seat.leave.take() {
            let socket = seat.socket.clone();
            self.leave(&socket, *disconnect);
        }
    }

    fn write(&mut self, context: &mut Context<'_>) {
        loop {
            if matches!(self.phase, Phase::Closed) {
                return;
            }
            let is_opening = self.seats.iter().any(|seat| seat.executor.is_opening());
            let last = matches!(self.phase, Phase::Closing { .. }) && !is_opening;
            match self.transport.poll_write(context, &self.peer.mailbox, last) {
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
                (Phase::Closing { .. }, Transport::Polling(_)) => return self.close(context),
                (Phase::Closing { by, code, reason }, Transport::WebSocket(link)) => {
                    let (by, code) = (*by, *code);
                    link.close(code, reason);
                    self.phase = Phase::Lingering { by, how: Linger::Expecting };
                }
                (Phase::Lingering { how: Linger::Answering, .. }, _) => return self.close(context),
                (Phase::Lingering { by, how: Linger::Rejecting }, Transport::WebSocket(link)) => {
                    self.phase = Phase::Lingering { by: *by, how: Linger::Discarding };
                    return link.finish(context);
                }
                _ => return,
            }
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // Whoever has not heard of the end hears of it while the mailbox still takes what they have to say.
        self.seats.clear();
        self.peer.mailbox.abandon();
        self.forget_session();
    }
}
