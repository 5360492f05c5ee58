//! The protocol of one connection, as a state machine without I/O, clock or tasks.
//!
//! A driver feeds a [`Session`] with what happens: [messages](Session::receive),
//! [commands](Session::end) of the server, what the application [decides](Session::accept), and the
//! [time](Session::on_deadline). What is to be done comes back at once, as calls of the driver's
//! [`Effects`]: events to run, frames to send, sockets to open and to end. Nothing is queued or
//! allocated in between.
//!
//! [`state`] has the state of the connection with all its transitions, [`socket`] that of one
//! socket. Messages are read in [`plain`], [`engineio`] and [`socketio`]; a connection ends in
//! [`closing`]; [`upgrade`] is the way from long-polling to a WebSocket, [`heartbeat`] finds out
//! whether the client is there.

mod closing;
mod deadlines;
pub(crate) mod disconnect;
mod effects;
pub(crate) mod end;
pub(crate) mod engineio;
pub(crate) mod event;
mod heartbeat;
pub(crate) mod limits;
mod plain;
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
pub(crate) use effects::{Effects, InNamespace, Opened};
use engineio::EngineIo;
use event::Control;
use heartbeat::Heartbeat;
use limits::Limits;
use socket::SocketState;
pub(crate) use state::Reading;
use state::State;
use time::after;
use upgrade::Upgrade;

/// The protocol's side of one connection. `S` is what the driver keeps for each of its sockets.
pub(crate) struct Session<S> {
    protocol: Protocol,
    state: State,
    upgrade: Upgrade,
    heartbeat: Heartbeat,
    /// Until when handlers may run, once the hub shuts down.
    handlers_until: Option<Instant>,
    sockets: SmallVec<[Entry<S>; 1]>,
    limits: Arc<Limits>,
}

/// One socket.
struct Entry<S> {
    state: SocketState,
    socket: S,
}

/// What the client speaks.
pub(crate) enum Protocol {
    /// Envelopes, if texts can be events, and messages as they are.
    Plain { envelopes: bool },
    /// Engine.IO, with raw messages or with Socket.IO inside.
    EngineIo(Box<EngineIo>),
}

/// The events that wait for their handlers.
pub(crate) struct Inbox {
    pub(crate) events: usize,
    /// How many bytes of received messages they hold on to.
    pub(crate) bytes: usize,
    /// What each of them takes beside that.
    pub(crate) overhead: usize,
    /// Whether an answer of the client is awaited: it may be behind what else comes.
    pub(crate) awaits_answer: bool,
}

impl<S: InNamespace> Session<S> {
    /// A new connection over a WebSocket, or, where `polls`, over HTTP long-polling.
    pub(crate) fn new(protocol: Protocol, polls: bool, limits: Arc<Limits>, now: Instant) -> Self {
        let join_by = protocol.has_namespaces().then(|| after(now, limits.join_timeout));
        Self {
            protocol,
            state: State::open(join_by),
            upgrade: if polls { Upgrade::Polling } else { Upgrade::WebSocket },
            heartbeat: Heartbeat::new(limits.ping_interval, limits.ping_timeout, now),
            handlers_until: None,
            sockets: SmallVec::new(),
            limits,
        }
    }

    /// Whether events are taken: the connection has not begun to close.
    pub(crate) fn is_open(&self) -> bool {
        self.state.is_open()
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.state.is_closed()
    }

    /// How many sockets there are, those that are ending included.
    pub(crate) fn len(&self) -> usize {
        self.sockets.len()
    }

    pub(crate) fn sockets(&self) -> impl Iterator<Item = &S> {
        self.sockets.iter().map(|entry| &entry.socket)
    }

    pub(crate) fn socket_mut(&mut self, at: usize) -> Option<&mut S> {
        self.sockets.get_mut(at).map(|entry| &mut entry.socket)
    }

    /// Forgets a socket whose last event has run. How it ended, if it was accepted.
    pub(crate) fn remove(&mut self, at: usize) -> (S, Option<Disconnect>) {
        let Entry { state, socket } = self.sockets.remove(at);
        (socket, state.into_disconnect())
    }

    /// Adds a socket. The application decides whether it is accepted, if it wants to.
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

    /// What is to be read now.
    pub(crate) fn reading(&self) -> Reading {
        self.state.reading()
    }

    /// Whether another message may be read: not while many wait for their handlers, except that the
    /// answer which a handler waits for may be among what comes. A packet whose attachments have
    /// not all come waits for the client alone, and has a limit of its own.
    pub(crate) fn may_read(&mut self, inbox: &Inbox) -> bool {
        let Inbox { events, bytes, overhead, awaits_answer } = *inbox;
        let bounds = self.limits.inbox;
        let has_room = (events < bounds.messages && bytes < bounds.bytes)
            || (awaits_answer && bytes + events * overhead < self.limits.max_payload);
        if !has_room && self.is_open() {
            self.heartbeat.read_paused();
            return false;
        }
        true
    }

    /// Bytes have come or gone that were no message yet: the client is there.
    pub(crate) fn note_activity(&mut self) {
        self.heartbeat.received();
    }

    /// Takes a message that was read.
    pub(crate) fn receive(&mut self, message: Message, effects: &mut impl Effects<Socket = S>) {
        if let Message::Close(frame) = message {
            return self.receive_close_frame(frame, effects);
        }
        self.heartbeat.received();
        if !self.is_open() {
            return;
        }
        match (&self.protocol, message) {
            (Protocol::EngineIo(_), Message::Text(text)) => self.receive_packet(&text, effects),
            (Protocol::EngineIo(_), Message::Binary(bytes)) => self.receive_engine_binary(bytes, effects),
            (Protocol::Plain { envelopes }, Message::Text(text)) => self.receive_text(text, *envelopes, effects),
            (Protocol::Plain { .. }, Message::Binary(bytes)) => self.receive_binary(bytes, effects),
            (Protocol::Plain { .. }, Message::Ping(payload)) => self.receive_control(&Control::Ping(payload), effects),
            (Protocol::Plain { .. }, Message::Pong(payload)) => self.receive_control(&Control::Pong(payload), effects),
            // WebSocket control frames are not part of Engine.IO. Bare frames are only ever
            // written.
            (Protocol::EngineIo(_), Message::Ping(_) | Message::Pong(_))
            | (_, Message::Close(_) | Message::Frame(_)) => {}
        }
    }

    /// A control frame concerns all sockets.
    fn receive_control(&mut self, control: &Control, effects: &mut impl Effects<Socket = S>) {
        for entry in &mut self.sockets {
            effects.control(&mut entry.socket, control);
        }
    }
}
