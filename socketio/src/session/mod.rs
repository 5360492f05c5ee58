//! [`Session`]: the protocol of one connection, as a state machine without I/O, clock or tasks.
//!
//! A driver passes inputs to a [`Session`]: [messages](Session::receive) of the client,
//! [ends](Session::end) that the server requests, [decisions](Session::accept) of the application,
//! and [deadlines](Session::on_deadline). The session reacts at once by calling methods of the
//! driver's [`Effects`]: run an event, send a frame, open or end a socket. It queues and allocates
//! nothing in between.
//!
//! [`state`] contains the connection's states and transitions, [`socket`] those of one socket.
//! [`plain`], [`engineio`] and [`socketio`] parse messages. [`closing`] ends sockets and closes the
//! connection. [`upgrade`] switches from long-polling to a WebSocket. [`heartbeat`] detects clients
//! that no longer respond.

mod closing;
mod deadlines;
pub(crate) mod disconnect;
mod effects;
pub(crate) mod end;
pub(crate) mod engineio;
mod heartbeat;
pub(crate) mod limits;
mod plain;
pub(crate) mod received;
mod socket;
mod socketio;
mod state;
#[cfg(test)]
mod tests;
pub(crate) mod time;
pub(crate) mod upgrade;

use smallvec::SmallVec;
use std::sync::Arc;
use std::time::Instant;
use tokio_tungstenite::tungstenite::Message;

use disconnect::Disconnect;
pub(crate) use effects::{Effects, Fault, InNamespace, Opened};
use engineio::EngineIo;
use heartbeat::Heartbeat;
use limits::Limits;
use received::Control;
use socket::SocketState;
pub(crate) use state::Reading;
use state::State;
use time::after;
use upgrade::Upgrade;

/// The protocol state of one connection. `S` is the driver's data for each socket.
pub(crate) struct Session<S> {
    protocol: Protocol,
    state: State,
    upgrade: Upgrade,
    heartbeat: Heartbeat,
    /// The deadline for running handlers during a shutdown.
    handlers_until: Option<Instant>,
    sockets: SmallVec<[Entry<S>; 1]>,
    limits: Arc<Limits>,
    /// See [`take_received`](Self::take_received).
    received: u32,
}

/// A socket's state, with the driver's data.
struct Entry<S> {
    state: SocketState,
    socket: S,
}

/// The client's protocol.
pub(crate) enum Protocol {
    /// A plain WebSocket. Text messages are parsed as envelopes if `envelopes` is set. All other
    /// messages are raw. `resumes`: the first message says which session the client resumes.
    Plain { envelopes: bool, resumes: bool },
    /// Engine.IO, whose messages are raw messages or Socket.IO packets.
    EngineIo(Box<EngineIo>),
}

/// The size of the queue of received events that wait for their handlers.
pub(crate) struct Inbox {
    pub(crate) events: usize,
    /// The number of bytes of received messages that the events keep in memory.
    pub(crate) bytes: usize,
    /// The number of bytes that each event takes in addition.
    pub(crate) overhead: usize,
    /// Whether the server waits for an acknowledgement of the client. It may be behind other
    /// messages.
    pub(crate) awaits_answer: bool,
}

impl<S: InNamespace> Session<S> {
    /// Creates the session of a new connection: over HTTP long-polling if `polls`, else over a
    /// WebSocket.
    pub(crate) fn new(protocol: Protocol, polls: bool, limits: Arc<Limits>, now: Instant) -> Self {
        let awaits_socket = protocol.has_namespaces() || matches!(protocol, Protocol::Plain { resumes: true, .. });
        let join_by = awaits_socket.then(|| after(now, limits.join_timeout));
        Self {
            protocol,
            state: State::open(join_by),
            upgrade: if polls { Upgrade::Polling } else { Upgrade::WebSocket },
            heartbeat: Heartbeat::new(limits.ping_interval, limits.ping_timeout, now),
            handlers_until: None,
            sockets: SmallVec::new(),
            limits,
            received: 0,
        }
    }

    /// Whether events are accepted: the connection is not closing or closed.
    pub(crate) fn is_open(&self) -> bool {
        self.state.is_open()
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.state.is_closed()
    }

    /// The number of sockets, including those that are ending.
    pub(crate) fn len(&self) -> usize {
        self.sockets.len()
    }

    pub(crate) fn sockets(&self) -> impl Iterator<Item = &S> {
        self.sockets.iter().map(|entry| &entry.socket)
    }

    pub(crate) fn socket_mut(&mut self, at: usize) -> Option<&mut S> {
        self.sockets.get_mut(at).map(|entry| &mut entry.socket)
    }

    /// Removes a socket whose last event has run. Also returns how it ended, if it was accepted.
    pub(crate) fn remove(&mut self, at: usize) -> (S, Option<Disconnect>) {
        let Entry { state, socket } = self.sockets.remove(at);
        (socket, state.into_disconnect())
    }

    /// Adds a socket, and accepts it unless the application decides about it.
    pub(crate) fn add(&mut self, opened: Opened<S>, effects: &mut impl Effects<Socket = S>) {
        let (socket, is_accepted) = match opened {
            Opened::Accepted(socket) => (socket, true),
            Opened::Undecided(socket) => (socket, false),
        };
        let by = after(effects.now(), self.limits.connect_timeout);
        self.sockets.push(Entry { state: SocketState::connecting(by), socket });
        if is_accepted {
            self.accept(self.sockets.len() - 1, effects);
        }
    }

    /// How the driver must treat input now.
    pub(crate) fn reading(&self) -> Reading {
        self.state.reading()
    }

    /// Whether another message may be read. Reading pauses while the inbox is full.
    ///
    /// It also pauses while many sockets are ending, so that a client can't join and leave
    /// namespaces faster than their handlers run.
    ///
    /// Reading continues nevertheless while the server waits for an acknowledgement, because the
    /// next message may be that one. Incomplete packets do not count. They have a limit of their
    /// own.
    pub(crate) fn may_read(&mut self, inbox: &Inbox) -> bool {
        let Inbox { events, bytes, overhead, awaits_answer } = *inbox;
        let bounds = self.limits.inbox;
        let has_room = (events < bounds.messages && bytes < bounds.bytes && !self.has_many_ending())
            || (awaits_answer && bytes.saturating_add(events.saturating_mul(overhead)) < self.limits.max_payload);
        if !has_room && self.is_open() {
            self.heartbeat.read_paused();
            self.state.set_complete_by(None);
            return false;
        }
        true
    }

    /// Limits the time for the rest of a message if a part of it has arrived. The driver calls this
    /// when it has read everything; not while reading is paused, as the rest may have arrived.
    /// `is_partial`: the transport has a part of a message.
    pub(crate) fn on_all_read(&mut self, is_partial: bool, effects: &impl Effects<Socket = S>) {
        if (is_partial || self.protocol.has_partial_packet()) && self.state.complete_by().is_none() {
            self.state.set_complete_by(Some(after(effects.now(), self.limits.message_timeout)));
        }
    }

    /// Whether as many sockets are ending as may be connected.
    fn has_many_ending(&self) -> bool {
        let most = self.limits.max_namespaces;
        self.sockets.len() >= most && self.sockets.len() - self.present() >= most
    }

    /// The number of sockets that have not ended.
    fn present(&self) -> usize {
        self.sockets.iter().filter(|entry| entry.state.is_present()).count()
    }

    /// Counts partial input or output as activity of the client, for the heartbeat.
    pub(crate) fn note_activity(&mut self) {
        self.heartbeat.received();
    }

    /// Returns how many messages were received since the last call: the packets, and what plain
    /// clients have sent. Heartbeats and other packets of the transport don't count.
    pub(crate) fn take_received(&mut self) -> u32 {
        std::mem::take(&mut self.received)
    }

    /// Counts a message, unless it is an attachment of a packet.
    fn count_received(&mut self) {
        self.received += u32::from(!self.protocol.has_partial_packet());
    }

    /// Processes a message.
    pub(crate) fn receive(&mut self, message: Message, effects: &mut impl Effects<Socket = S>) {
        if let Message::Close(frame) = message {
            return self.receive_close_frame(frame, effects);
        }
        self.heartbeat.received();
        if !self.is_open() {
            return;
        }
        if matches!((&self.protocol, &message), (Protocol::Plain { .. }, Message::Text(_) | Message::Binary(_))) {
            self.count_received();
        }
        match (&self.protocol, message) {
            (Protocol::Plain { .. }, Message::Ping(payload)) => {
                return self.receive_control(&Control::Ping(payload), effects);
            }
            (Protocol::Plain { .. }, Message::Pong(payload)) => {
                return self.receive_control(&Control::Pong(payload), effects);
            }
            (Protocol::EngineIo(_), Message::Text(text)) => self.receive_packet(&text, effects),
            (Protocol::EngineIo(_), Message::Binary(bytes)) => self.receive_engine_binary(bytes, effects),
            (Protocol::Plain { resumes: true, .. }, Message::Text(text)) if self.sockets.is_empty() => {
                self.receive_claim(text, effects);
            }
            (Protocol::Plain { resumes: true, .. }, Message::Binary(bytes)) if self.sockets.is_empty() => {
                self.open_claimed("", effects);
                self.receive_binary(bytes, effects);
            }
            (Protocol::Plain { envelopes, .. }, Message::Text(text)) => self.receive_text(text, *envelopes, effects),
            (Protocol::Plain { .. }, Message::Binary(bytes)) => self.receive_binary(bytes, effects),
            // WebSocket control frames are not part of Engine.IO. Raw frames are never read.
            (Protocol::EngineIo(_), Message::Ping(_) | Message::Pong(_))
            | (_, Message::Close(_) | Message::Frame(_)) => return,
        }
        if self.state.complete_by().is_some() && !self.protocol.has_partial_packet() {
            self.state.set_complete_by(None);
        }
    }

    /// Passes a control frame to all sockets that have not ended.
    fn receive_control(&mut self, control: &Control, effects: &mut impl Effects<Socket = S>) {
        for entry in self.sockets.iter_mut().filter(|entry| entry.state.is_present()) {
            effects.control(&mut entry.socket, control);
        }
    }
}
