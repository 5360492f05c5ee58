//! [`ConnectionHandle`]: the handle through which other tasks reach a connection. It has a queue of
//! frames for the client, and commands for the connection's task.
//!
//! One lock and one waker serve both. The lock is held for a few assignments, never across user
//! code or an encode. While the connection's task sleeps, another task can
//! [flush](ConnectionHandle::flush) the queue without waking it. The lock is then held for one
//! write.
//!
//! - [`queue`] queues and flushes frames; [`outbox`] stores them, and [`stream`] writes them.
//! - [`flush_scope`] batches the flushes that one task causes.
//! - [`peer`] is the state that all sockets of one client share.
//! - [`request`] is the HTTP request that opened the connection.
//! - [`shared`] is what the handles of a hub share, with its [counters](sharded).
//! - [`engine_session`] finds the peer of an Engine.IO request by its session id.
//! - [`poll_request`] is a long-polling request, as a command for the connection's task.

pub(crate) mod engine_session;
pub(crate) mod flush_scope;
pub(crate) mod outbox;
pub(crate) mod peer;
pub(crate) mod poll_request;
pub(crate) mod queue;
pub(crate) mod request;
pub(crate) mod sharded;
pub(crate) mod shared;
pub(crate) mod stream;

use parking_lot::Mutex;
use std::fmt::{self, Debug};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::task::Waker;
use std::time::Instant;

use crate::session::disconnect::Disconnect;
use crate::session::end::End;
use crate::session::limits::Bounds;
use outbox::{Batch, Load, Outbox};
use poll_request::PollRequest;
use queue::Rejected;
use request::Request;
use sharded::ShardedCounters;
use shared::Shared;
use stream::{Stream, Writer};

/// The socket type of commands. The hub implements it.
pub(crate) trait SocketHandle: Debug + PartialEq + Send + Sync + 'static {
    /// An event for a socket.
    type Event: Debug + Send;
}

/// What happens when a client reads too slowly and its outbox is full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OverflowPolicy {
    /// The client is disconnected, with the cause `overflow`. No message is lost while it stays
    /// connected. The default.
    #[default]
    Disconnect,
    /// New messages are dropped until the outbox has room again. The event `error` fires once, for
    /// the first of them.
    DropNewest,
}

/// A command for the connection's task.
#[derive(Debug)]
pub(crate) enum Command<S: SocketHandle> {
    /// Write the rest of a batch that another task has written in part.
    Write(Box<Batch>),
    /// Dispatch an event as if the client had sent it.
    Run(S::Event),
    /// Remove a socket from its namespace. The connection stays open.
    Leave(S, Disconnect),
    /// Handle a long-polling request.
    PollRequest(PollRequest),
    /// Probe a WebSocket that a polling client has opened.
    Probe(Box<ProbeStream>),
    /// Read on although the inbox is full, because an acknowledgement of the client is awaited. Or
    /// look whether a connection that is draining may close.
    ResumeReading,
    /// Set the timer again, because a socket has another deadline.
    ResetTimer,
    /// End the connection.
    End(End),
}

impl<S: SocketHandle> Command<S> {
    /// Whether this waiting command also does what a later one would. Of two ends, the earlier
    /// deadline for handlers applies.
    fn includes(&mut self, later: &Self) -> bool {
        match (self, later) {
            (Self::Leave(socket, _), Self::Leave(other, _)) => socket == other,
            (Self::ResetTimer, Self::ResetTimer) => true,
            (Self::End(end), Self::End(other)) if end.handlers_until.is_some() == other.handlers_until.is_some() => {
                end.handlers_until = end.handlers_until.min(other.handlers_until);
                end.handles_events &= other.handles_events;
                true
            }
            _ => false,
        }
    }
}

/// A WebSocket that a polling client has opened, to upgrade its session to it.
pub(crate) struct ProbeStream {
    pub(crate) stream: Stream,
    /// The bytes that were read after the HTTP request.
    pub(crate) received: Vec<u8>,
    /// The HTTP request that opened the WebSocket.
    pub(crate) request: Arc<Request>,
}

impl Debug for ProbeStream {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ProbeStream").finish_non_exhaustive()
    }
}

/// This server has ended the connection, and still handles events of the client.
const DRAINING: u8 = 1;
/// This server has ended the connection. Queued events are dropped.
const ENDING: u8 = 2;

/// The phase of a connection. It only advances.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    /// Everything is accepted.
    Open,
    /// New messages are rejected. Queued frames and protocol packets are still written.
    Closing,
    /// All frames are rejected or dropped. Commands are still accepted.
    Discarding,
    /// The connection's task has ended. Nothing is accepted.
    Closed,
}

#[derive(Debug)]
struct State<S: SocketHandle> {
    outbox: Outbox,
    phase: Phase,
    /// The load that the connection's task has taken from the outbox and not written yet.
    in_flight: Load,
    /// Whether the transport can take no more frames now: the kernel's buffer is full, or no poll
    /// is waiting.
    blocked: bool,
    /// Whether a frame was rejected since the outbox was last emptied.
    overflowing: bool,
    commands: Vec<Command<S>>,
    /// The load of the server's own events that wait for their handlers.
    events: Load,
    /// Whether an event was rejected since no event waited.
    events_overflowing: bool,
    /// The deadline for handlers once the hub shuts down. Events are rejected after it.
    handlers_until: Option<Instant>,
    waker: Option<Waker>,
    /// Whether the connection's task sleeps. A running task checks the state before it sleeps, so
    /// it needs no wake-up.
    asleep: bool,
    /// The last scope that has scheduled a flush.
    flushed_by: Option<flush_scope::Number>,
    /// The writer that other tasks use while the connection's task sleeps.
    writer: Option<Writer>,
}

impl<S: SocketHandle> State<S> {
    /// Whether the deadline for handlers has passed.
    fn is_past_deadline(&self) -> bool {
        self.handlers_until.is_some_and(|until| until <= tokio::time::Instant::now().into_std())
    }

    /// Returns the wake-up of the connection's task, if it sleeps.
    fn wakeup(&mut self) -> Wakeup {
        Wakeup(if std::mem::take(&mut self.asleep) { self.waker.take() } else { None })
    }

    /// Advances to a phase, unless a later one is reached. Returns the frames that are no longer
    /// sent. The caller drops them without the lock: they may have bytes of the application, whose
    /// owner is dropped with the last of them.
    #[must_use]
    fn advance_to(&mut self, phase: Phase) -> Outbox {
        self.phase = self.phase.max(phase);
        if self.phase < Phase::Discarding {
            return Outbox::default();
        }
        self.writer = None;
        std::mem::take(&mut self.outbox)
    }
}

/// The handle of one connection.
#[derive(Debug)]
pub(crate) struct ConnectionHandle<S: SocketHandle> {
    state: Mutex<State<S>>,
    /// [`DRAINING`] or [`ENDING`] if this server has ended the connection. Read for each event, so
    /// it is outside of the lock.
    ending: AtomicU8,
    /// Whether there are commands. Read after every message, so it is outside of the lock.
    has_commands: AtomicBool,
    /// Whether the outbox is more than half full and the kernel may accept more bytes. The task
    /// then writes before it handles more events.
    crowded: AtomicBool,
    /// Whether the connection's task does not read, because the inbox is full.
    reading_paused: AtomicBool,
    shared: Arc<Shared>,
}

impl<S: SocketHandle> ConnectionHandle<S> {
    pub(crate) fn new(shared: &Arc<Shared>) -> Self {
        let state = State {
            outbox: Outbox::default(),
            phase: Phase::Open,
            in_flight: Load::default(),
            blocked: false,
            overflowing: false,
            commands: Vec::new(),
            events: Load::default(),
            events_overflowing: false,
            handlers_until: None,
            waker: None,
            asleep: false,
            flushed_by: None,
            writer: None,
        };
        Self {
            state: Mutex::new(state),
            ending: AtomicU8::new(0),
            has_commands: AtomicBool::new(false),
            crowded: AtomicBool::new(false),
            reading_paused: AtomicBool::new(false),
            shared: Arc::clone(shared),
        }
    }

    /// The counters of the hub that change with each message.
    pub(crate) fn counters(&self) -> &ShardedCounters {
        &self.shared.counters
    }

    /// Sends a command to the connection's task. Returns `false` if the task has ended, or if the
    /// command is an event and the deadline for handlers has passed.
    ///
    /// A command that has the same effect as a waiting one is not queued again, so that commands
    /// don't pile up however often the application repeats them.
    pub(crate) fn post(&self, command: Command<S>) -> bool {
        let mut state = self.state.lock();
        if state.phase == Phase::Closed || (matches!(command, Command::Run(_)) && state.is_past_deadline()) {
            return false;
        }
        if let Command::End(end) = &command {
            state.handlers_until = state.handlers_until.into_iter().chain(end.handlers_until).min();
            // When the hub shuts down, running handlers may still answer.
            if end.handlers_until.is_none() {
                // Frames are only dropped in later phases.
                let _none = state.advance_to(Phase::Closing);
            }
            self.ending.fetch_max(if end.handles_events { DRAINING } else { ENDING }, Ordering::AcqRel);
        }
        if state.commands.iter_mut().any(|waiting| waiting.includes(&command)) {
            return true;
        }
        state.commands.push(command);
        self.has_commands.store(true, Ordering::Release);
        let wakeup = state.wakeup();
        drop(state);
        wakeup.wake();
        true
    }

    /// Counts an event of this size in bytes among the server's own events that wait, or rejects
    /// it. A single event may be larger than `bounds` if no other waits. The caller posts the event
    /// then, and [releases](Self::release_event) it once it runs or is dropped.
    pub(crate) fn reserve_event(&self, size: usize, bounds: Bounds) -> Result<(), Rejected> {
        let mut state = self.state.lock();
        if state.phase == Phase::Closed || state.is_past_deadline() {
            return Err(Rejected::Closed);
        }
        let State { events, events_overflowing, .. } = &mut *state;
        let with_this = *events + Load { messages: 1, bytes: size as u64 };
        if events.messages > 0 && (with_this.messages > bounds.messages || with_this.bytes > bounds.bytes as u64) {
            return Err(Rejected::Overflow { first: !std::mem::replace(events_overflowing, true) });
        }
        *events = with_this;
        Ok(())
    }

    /// Makes room for another event of the server, because one of this size runs or was dropped.
    pub(crate) fn release_event(&self, size: usize) {
        let mut state = self.state.lock();
        state.events.messages -= 1;
        state.events.bytes -= size as u64;
        if state.events.messages == 0 {
            state.events_overflowing = false;
        }
    }

    /// Records that the connection's task does not read. The task checks afterwards whether an
    /// acknowledgement is awaited.
    pub(crate) fn pause_reading(&self) {
        self.reading_paused.store(true, Ordering::SeqCst);
    }

    /// Makes the connection's task read on, because an acknowledgement is awaited.
    pub(crate) fn resume_reading(&self) {
        if self.reading_paused.load(Ordering::SeqCst) && self.reading_paused.swap(false, Ordering::SeqCst) {
            self.post(Command::ResumeReading);
        }
    }

    /// Whether new messages are rejected.
    pub(crate) fn is_shut(&self) -> bool {
        self.state.lock().phase > Phase::Open
    }

    /// Whether this server has ended the connection.
    pub(crate) fn is_ending(&self) -> bool {
        self.ending.load(Ordering::Acquire) >= DRAINING
    }

    /// Whether this server has ended the connection and drops queued events.
    pub(crate) fn drops_events(&self) -> bool {
        self.ending.load(Ordering::Acquire) >= ENDING
    }

    /// Makes a connection that is draining look whether it may close, because the client owes no
    /// more answers.
    pub(crate) fn all_answered(&self) {
        if self.is_ending() && !self.drops_events() {
            self.post(Command::ResumeReading);
        }
    }

    /// Rejects new messages. Queued frames are still written.
    pub(crate) fn shut(&self) {
        let dropped = self.state.lock().advance_to(Phase::Closing);
        drop(dropped);
    }

    /// Rejects all frames, and drops the queued ones.
    pub(crate) fn discard(&self) {
        let dropped = self.state.lock().advance_to(Phase::Discarding);
        drop(dropped);
        self.crowded.store(false, Ordering::Release);
    }

    /// Rejects everything from now on. The connection's task calls this when it ends.
    ///
    /// It drops the pending commands and the waker. They would keep the task and its sockets in
    /// memory for as long as the application keeps a socket.
    pub(crate) fn abandon(&self) {
        let mut state = self.state.lock();
        let dropped = state.advance_to(Phase::Closed);
        let left = (dropped, std::mem::take(&mut state.commands), state.waker.take());
        drop(state);
        drop(left);
    }

    /// Whether there are commands for the connection's task.
    pub(crate) fn has_commands(&self) -> bool {
        self.has_commands.load(Ordering::Acquire)
    }

    /// Whether the connection's task must write before it handles more events.
    pub(crate) fn is_crowded(&self) -> bool {
        self.crowded.load(Ordering::Acquire)
    }

    /// Takes the commands. The connection's task calls this when it starts to run.
    pub(crate) fn take_commands(&self) -> Vec<Command<S>> {
        let mut state = self.state.lock();
        state.asleep = false;
        state.flushed_by = None;
        self.has_commands.store(false, Ordering::Release);
        let mut commands = std::mem::take(&mut state.commands);
        let is_past_deadline = state.is_past_deadline();
        drop(state);
        if is_past_deadline {
            commands.retain(|command| !matches!(command, Command::Run(_)));
        }
        commands
    }

    /// Prepares the connection's task for sleep. Returns `false` if there are commands, or frames
    /// that can be written now.
    ///
    /// `in_flight` is the load that the kernel has not accepted. `can_take` is whether the
    /// transport can take more frames.
    pub(crate) fn sleep(&self, waker: &Waker, in_flight: Load, can_take: bool) -> bool {
        // A waker is foreign code. It is cloned and dropped without the lock.
        let mut cloned = None;
        loop {
            let mut state = self.state.lock();
            state.in_flight = in_flight;
            state.blocked = !can_take || in_flight != Load::default();
            if !state.commands.is_empty() || !(state.blocked || state.outbox.is_empty()) {
                return false;
            }
            let is_known = state.waker.as_ref().is_some_and(|known| known.will_wake(waker));
            if is_known || cloned.is_some() {
                let replaced = if is_known { None } else { std::mem::replace(&mut state.waker, cloned.take()) };
                state.asleep = true;
                drop(state);
                drop(replaced);
                return true;
            }
            drop(state);
            cloned = Some(waker.clone());
        }
    }
}

/// The wake-up of a connection's task. The caller wakes it once it holds no lock, because a waker
/// is foreign code.
#[must_use]
#[derive(Debug)]
pub(crate) struct Wakeup(Option<Waker>);

impl Wakeup {
    pub(crate) fn wake(self) {
        if let Some(waker) = self.0 {
            waker.wake();
        }
    }
}
