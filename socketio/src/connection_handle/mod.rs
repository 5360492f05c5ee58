//! What other tasks hold of a connection: the queue of frames for its client, and commands for its
//! task.
//!
//! A [`ConnectionHandle`] has one lock and one waker for both. The lock is held for a few
//! assignments, never across user code or an encode. While the task sleeps, what was queued can be
//! [flushed](ConnectionHandle::flush) without waking it: then the lock is held for one write. The
//! queue is in [`queue`], with [`outbox`] for its contents and [`stream`] to write to;
//! [`flush_scope`] collects what a task has queued for others. A [`peer`] is what all sockets of
//! one client share. The requests of polling clients find theirs by its [`engine_session`], and
//! arrive as a [`poll_request`].

pub(crate) mod engine_session;
pub(crate) mod flush_scope;
pub(crate) mod outbox;
pub(crate) mod peer;
pub(crate) mod poll_request;
pub(crate) mod queue;
pub(crate) mod request;
pub(crate) mod stream;

use parking_lot::Mutex;
use std::fmt::{self, Debug};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Waker;
use std::time::Instant;

use crate::session::disconnect::Disconnect;
use crate::session::end::End;
use crate::session::limits::Bounds;
use outbox::{Batch, Load, Outbox};
use poll_request::PollRequest;
use request::Request;
use stream::{Stream, Writer};

/// A socket that commands are about. The layer above has the type.
pub(crate) trait SocketHandle: Debug + Send + Sync + 'static {
    /// What can be run for it.
    type Event: Debug + Send;
}

/// What happens when a client takes its messages too slowly and its outbox is full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OverflowPolicy {
    /// The client is disconnected, with the cause `overflow`. It never misses a message
    /// unknowingly.
    #[default]
    Disconnect,
    /// The newest message is dropped, and `error` fires once until there is room again.
    DropNewest,
}

/// What a connection's task is to do, apart from writing what is queued.
#[derive(Debug)]
pub(crate) enum Command<S: SocketHandle> {
    /// Go on with what another task has begun to write.
    Write(Box<Batch>),
    /// Run an event as if it had been received.
    Run(S, S::Event),
    /// A socket leaves its namespace, the connection stays.
    Leave(S, Disconnect),
    /// A request of a client that polls.
    PollRequest(PollRequest),
    /// The client tries a WebSocket.
    Probe(Box<ProbeStream>),
    End(End),
}

/// The stream of a WebSocket that a polling client tries.
pub(crate) struct ProbeStream {
    pub(crate) stream: Stream,
    /// What was read beyond the handshake.
    pub(crate) received: Vec<u8>,
    /// The request that it began with.
    pub(crate) request: Arc<Request>,
}

impl Debug for ProbeStream {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ProbeStream").finish_non_exhaustive()
    }
}

/// What a handle still takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Taking {
    Everything,
    /// No more messages. Those that wait still go out, and so does what the client has to know.
    LastWords,
    /// No frames at all.
    Commands,
    /// Nothing: the task is gone.
    Nothing,
}

#[derive(Debug)]
struct State<S: SocketHandle> {
    outbox: Outbox,
    taking: Taking,
    /// What the task has taken and not yet written.
    in_flight: Load,
    /// Whether the kernel takes no more bytes now.
    blocked: bool,
    /// Whether frames are being dropped.
    overflowing: bool,
    commands: Vec<Command<S>>,
    /// Until when handlers may run, once the hub shuts down. Events are not taken after that.
    handlers_until: Option<Instant>,
    waker: Option<Waker>,
    /// Whether the task waits to be woken. While it runs, it looks here by itself before it goes to
    /// sleep.
    asleep: bool,
    /// The last scope that is to flush what waits at its end.
    due: Option<flush_scope::Number>,
    /// What other tasks can write to the client with.
    writer: Option<Writer>,
}

impl<S: SocketHandle> State<S> {
    fn is_too_late(&self) -> bool {
        self.handlers_until.is_some_and(|until| until <= tokio::time::Instant::now().into_std())
    }

    fn waker(&mut self) -> Option<Waker> {
        if std::mem::take(&mut self.asleep) { self.waker.take() } else { None }
    }

    /// Takes less than before. Never takes more again.
    fn take_only(&mut self, taking: Taking) {
        self.taking = self.taking.max(taking);
        if self.taking >= Taking::Commands {
            self.writer = None;
            self.outbox.clear();
        }
    }
}

/// The handle of one connection.
#[derive(Debug)]
pub(crate) struct ConnectionHandle<S: SocketHandle> {
    state: Mutex<State<S>>,
    /// Whether this server has asked for the end: events that wait are dropped from then on. Looked
    /// at for each event, so without the lock.
    ending: AtomicBool,
    /// Whether there are commands: looked at after every message, so without the lock.
    posted: AtomicBool,
    /// Whether the outbox fills up although the kernel may take more: then it is time to write.
    crowded: AtomicBool,
    bounds: Bounds,
    policy: OverflowPolicy,
}

impl<S: SocketHandle> ConnectionHandle<S> {
    pub(crate) fn new(bounds: Bounds, policy: OverflowPolicy) -> Self {
        let state = State {
            outbox: Outbox::default(),
            taking: Taking::Everything,
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
    pub(crate) fn post(&self, command: Command<S>) -> bool {
        let mut state = self.state.lock();
        if state.taking == Taking::Nothing || (matches!(command, Command::Run(..)) && state.is_too_late()) {
            return false;
        }
        if let Command::End(end) = &command {
            state.handlers_until = state.handlers_until.into_iter().chain(end.handlers_until).min();
            // When the hub shuts down, handlers that run may still answer.
            if end.handlers_until.is_none() {
                state.take_only(Taking::LastWords);
            }
            self.ending.store(true, Ordering::Release);
        }
        state.commands.push(command);
        self.posted.store(true, Ordering::Release);
        let waker = state.waker();
        drop(state);
        wake(waker);
        true
    }

    pub(crate) fn is_shut(&self) -> bool {
        self.state.lock().taking > Taking::Everything
    }

    /// Whether this server has asked for the end.
    pub(crate) fn is_ending(&self) -> bool {
        self.ending.load(Ordering::Acquire)
    }

    /// Takes no more messages. Those that wait still go out.
    pub(crate) fn shut(&self) {
        self.state.lock().take_only(Taking::LastWords);
    }

    /// Takes no more frames and drops those that wait.
    pub(crate) fn discard(&self) {
        self.state.lock().take_only(Taking::Commands);
        self.crowded.store(false, Ordering::Release);
    }

    /// For the task, when it is done: takes nothing any more. The commands that wait, and the
    /// waker, would keep the task and its sockets in memory for as long as somebody has one of
    /// them.
    pub(crate) fn abandon(&self) {
        let mut state = self.state.lock();
        state.take_only(Taking::Nothing);
        let left = (std::mem::take(&mut state.commands), state.waker.take());
        drop(state);
        drop(left);
    }

    /// Whether the task was asked to do something.
    pub(crate) fn has_commands(&self) -> bool {
        self.posted.load(Ordering::Acquire)
    }

    /// Whether events are to wait until the task has written.
    pub(crate) fn is_crowded(&self) -> bool {
        self.crowded.load(Ordering::Acquire)
    }

    /// For the task, when it begins to run: what it was asked to do.
    pub(crate) fn take_commands(&self) -> Vec<Command<S>> {
        let mut state = self.state.lock();
        state.asleep = false;
        state.due = None;
        self.posted.store(false, Ordering::Release);
        let mut commands = std::mem::take(&mut state.commands);
        let is_too_late = state.is_too_late();
        drop(state);
        if is_too_late {
            commands.retain(|command| !matches!(command, Command::Run(..)));
        }
        commands
    }

    /// For the task, before it waits: `false` if there is something to do. `in_flight` is what the
    /// kernel has not taken; even if that is nothing, the client may not be able to take more.
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
