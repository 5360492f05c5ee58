//! What other tasks hand to a connection's own task: frames to write, events to run, the request to end.
//!
//! The frames are in [`frames`]. One lock and one waker for all of it. The lock is held for a few assignments, never across
//! user code or an encode. While the task sleeps, what has been queued can be [flushed](ConnectionHandle::flush) without waking it:
//! then the lock is held for one write.

mod frames;

use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Waker;
use std::time::Instant;

use super::flush_scope;
use super::outbox::{Batch, Load, Outbox};
use super::polling::PollRequest;
use super::stream::Writer;
use super::timing::now;
use super::websocket::WebSocketTransport;
use crate::event::incoming::EventKind;
use crate::hub::config::OverflowPolicy;
use crate::hub::socket::Socket;
use crate::hub::socket::handshake::Request;
use crate::session::disconnect::Disconnect;
use crate::session::end::End;
use crate::session::limits::Bounds;
pub(super) use frames::Due;
pub(crate) use frames::Rejected;

/// What a connection's task is request to do, apart from writing.
#[derive(Debug)]
pub(crate) enum Command {
    /// Go on with what others have begun to write.
    Write(Box<Batch>),
    /// Run an event as if it had been received.
    Run(Socket, EventKind),
    /// A socket leaves, the connection stays.
    Leave(Socket, Disconnect),
    /// A request of a client that polls.
    PollRequest(PollRequest),
    /// The client tries a WebSocket.
    Probe(Box<WebSocketTransport>, Arc<Request>),
    End(End),
}

#[derive(Debug)]
struct State {
    outbox: Outbox,
    /// No more frames are taken; those that wait still go out.
    shut: bool,
    /// What waits is not wanted any more, nor what has been held back.
    discarded: bool,
    /// The task is gone: nothing is taken any more.
    abandoned: bool,
    /// What the task has taken and not yet written.
    in_flight: Load,
    /// Whether the kernel takes no more bytes now.
    blocked: bool,
    /// Whether frames are being dropped.
    overflowing: bool,
    commands: Vec<Command>,
    /// Until when handlers may run, once the hub shuts down; after that they are request for nothing more.
    handlers_until: Option<Instant>,
    waker: Option<Waker>,
    /// Whether the task waits to be woken; while it runs, it looks here by itself before it goes to sleep.
    asleep: bool,
    /// The last scope that is to flush what waits at its end.
    due: Option<flush_scope::Number>,
    /// What others can write to the client with.
    writer: Option<Writer>,
}

impl State {
    fn is_too_late(&self) -> bool {
        self.handlers_until.is_some_and(|until| until <= now())
    }

    fn waker(&mut self) -> Option<Waker> {
        if std::mem::take(&mut self.asleep) { self.waker.take() } else { None }
    }
}

/// The handle of one connection.
#[derive(Debug)]
pub(crate) struct ConnectionHandle {
    state: Mutex<State>,
    /// Whether this side has request for the end: what waits to be handled is dropped then.
    ending: AtomicBool,
    /// Whether there are commands: looked at after every message, so without the lock.
    posted: AtomicBool,
    /// Whether the outbox fills up although the kernel may take more: then it is time to write.
    crowded: AtomicBool,
    bounds: Bounds,
    policy: OverflowPolicy,
}

impl ConnectionHandle {
    pub(crate) fn new(bounds: Bounds, policy: OverflowPolicy) -> Self {
        let state = State {
            outbox: Outbox::default(),
            shut: false,
            discarded: false,
            abandoned: false,
            in_flight: Load::default(),
            blocked: false,
            overflowing: false,
            commands: Vec::new(),
            handlers_until: None,
            waker: None,
            asleep: false,
            due: None,
            writer: None,
        };
        Self {
            state: Mutex::new(state),
            ending: AtomicBool::new(false),
            posted: AtomicBool::new(false),
            crowded: AtomicBool::new(false),
            bounds,
            policy,
        }
    }

    /// Asks the task to do something. `false`: it is gone, or its handlers must not run any more.
    pub(crate) fn post(&self, commands: Command) -> bool {
        let mut state = self.state.lock();
        if state.abandoned || (matches!(commands, Command::Run(..)) && state.is_too_late()) {
            return false;
        }
        if let Command::End(end) = &commands {
            state.handlers_until = state.handlers_until.into_iter().chain(end.handlers_until).min();
            // When the hub shuts down, handlers that run may still answer.
            state.shut |= end.handlers_until.is_none();
            self.ending.store(true, Ordering::Release);
        }
        state.commands.push(commands);
        self.posted.store(true, Ordering::Release);
        let waker = state.waker();
        drop(state);
        wake(waker);
        true
    }

    pub(crate) fn is_shut(&self) -> bool {
        self.state.lock().shut
    }

    /// Whether this side has request for the end.
    pub(crate) fn is_ending(&self) -> bool {
        self.ending.load(Ordering::Acquire)
    }

    /// Takes no more frames; those that wait still go out.
    pub(crate) fn shut(&self) {
        self.state.lock().shut = true;
    }

    /// Takes no more frames and drops those that wait.
    pub(crate) fn discard(&self) {
        let mut state = self.state.lock();
        state.shut = true;
        state.discarded = true;
        state.writer = None;
        state.outbox.clear();
        self.crowded.store(false, Ordering::Release);
    }

    /// For the task, when it is done: takes nothing any more. What it was request to do meanwhile, and its waker, would keep
    /// it and its sockets in memory for as long as somebody has one of them.
    pub(crate) fn abandon(&self) {
        let mut state = self.state.lock();
        state.abandoned = true;
        state.discarded = true;
        state.shut = true;
        state.writer = None;
        state.outbox.clear();
        let left = (std::mem::take(&mut state.commands), state.waker.take());
        drop(state);
        drop(left);
    }

    /// Whether the task was request to do something.
    pub(crate) fn has_commands(&self) -> bool {
        self.posted.load(Ordering::Acquire)
    }

    /// Whether events are to wait until the task has written.
    pub(crate) fn is_crowded(&self) -> bool {
        self.crowded.load(Ordering::Acquire)
    }

    /// For the task, when it begins to run: what it was request to do.
    pub(crate) fn take_commands(&self) -> Vec<Command> {
        let mut state = self.state.lock();
        state.asleep = false;
        state.due = None;
        self.posted.store(false, Ordering::Release);
        let mut commands = std::mem::take(&mut state.commands);
        let is_too_late = state.is_too_late();
        drop(state);
        if is_too_late {
            commands.retain(|commands| !matches!(commands, Command::Run(..)));
        }
        commands
    }

    /// For the task, before it waits: `false` if there is something to do. `in_flight` is what the kernel has not taken; even
    /// if that is nothing, the client may not be able to take more.
    pub(crate) fn sleep(&self, waker: &Waker, in_flight: Load, can_take: bool) -> bool {
        let mut state = self.state.lock();
        state.in_flight = in_flight;
        state.blocked = !can_take || in_flight != Load::default();
        if !state.commands.is_empty() || !(state.blocked || state.outbox.is_empty()) {
            return false;
        }
        if !state.waker.as_ref().is_some_and(|known| known.will_wake(waker)) {
            state.waker = Some(waker.clone());
        }
        state.asleep = true;
        true
    }
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}
