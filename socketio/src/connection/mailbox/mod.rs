//! What other tasks hand to a connection's own task: frames to write, events to run, the request to end.
//!
//! The frames are in [`frames`]. One lock and one waker for all of it. The lock is held for a few assignments, never across
//! user code or an encode. While the task sleeps, what has been queued can be [flushed](Mailbox::flush) without waking it:
//! then the lock is held for one write.

mod frames;

use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Waker;
use tokio::time::Instant;

use super::end::End;
use super::link::Link;
use super::outbox::{Batch, Bounds, Load, Outbox};
use super::polling::Asked;
use super::stream::Writer;
use super::turn;
use crate::event::disconnect::Disconnect;
use crate::event::incoming::Subject;
use crate::hub::config::OverflowPolicy;
use crate::socket::Socket;
use crate::socket::handshake::Request;
pub(super) use frames::Due;
pub(crate) use frames::Rejected;

/// What a connection's task is asked to do, apart from writing.
#[derive(Debug)]
pub(crate) enum Mail {
    /// Go on with what others have begun to write.
    Write(Box<Batch>),
    /// Run an event as if it had been received.
    Run(Socket, Subject),
    /// A socket leaves, the connection stays.
    Leave(Socket, Disconnect),
    /// A request of a client that polls.
    Asked(Asked),
    /// The client tries a WebSocket.
    Probe(Box<Link>, Arc<Request>),
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
    mail: Vec<Mail>,
    /// Until when handlers may run, once the hub shuts down; after that they are asked for nothing more.
    handlers_until: Option<Instant>,
    waker: Option<Waker>,
    /// Whether the task waits to be woken; while it runs, it looks here by itself before it goes to sleep.
    asleep: bool,
    /// The last turn that is to flush what waits at its end.
    due: Option<turn::Number>,
    /// What others can write to the client with.
    writer: Option<Writer>,
}

impl State {
    fn is_too_late(&self) -> bool {
        self.handlers_until.is_some_and(|until| until <= Instant::now())
    }

    fn waker(&mut self) -> Option<Waker> {
        if std::mem::take(&mut self.asleep) { self.waker.take() } else { None }
    }
}

/// The mailbox of one connection.
#[derive(Debug)]
pub(crate) struct Mailbox {
    state: Mutex<State>,
    /// Whether this side has asked for the end: what waits to be handled is dropped then.
    ending: AtomicBool,
    /// Whether there is mail: looked at after every message, so without the lock.
    posted: AtomicBool,
    /// Whether the outbox fills up although the kernel may take more: then it is time to write.
    crowded: AtomicBool,
    bounds: Bounds,
    policy: OverflowPolicy,
}

impl Mailbox {
    pub(crate) fn new(bounds: Bounds, policy: OverflowPolicy) -> Self {
        let state = State {
            outbox: Outbox::default(),
            shut: false,
            discarded: false,
            abandoned: false,
            in_flight: Load::default(),
            blocked: false,
            overflowing: false,
            mail: Vec::new(),
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
    pub(crate) fn post(&self, mail: Mail) -> bool {
        let mut state = self.state.lock();
        if state.abandoned || (matches!(mail, Mail::Run(..)) && state.is_too_late()) {
            return false;
        }
        if let Mail::End(end) = &mail {
            state.handlers_until = state.handlers_until.into_iter().chain(end.handlers_until).min();
            // When the hub shuts down, handlers that run may still answer.
            state.shut |= end.handlers_until.is_none();
            self.ending.store(true, Ordering::Release);
        }
        state.mail.push(mail);
        self.posted.store(true, Ordering::Release);
        let waker = state.waker();
        drop(state);
        wake(waker);
        true
    }

    pub(crate) fn is_shut(&self) -> bool {
        self.state.lock().shut
    }

    /// Whether this side has asked for the end.
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

    /// For the task, when it is done: takes nothing any more. What it was asked to do meanwhile, and its waker, would keep
    /// it and its sockets in memory for as long as somebody has one of them.
    pub(crate) fn abandon(&self) {
        let mut state = self.state.lock();
        state.abandoned = true;
        state.discarded = true;
        state.shut = true;
        state.writer = None;
        state.outbox.clear();
        let left = (std::mem::take(&mut state.mail), state.waker.take());
        drop(state);
        drop(left);
    }

    /// Whether the task was asked to do something.
    pub(crate) fn has_mail(&self) -> bool {
        self.posted.load(Ordering::Acquire)
    }

    /// Whether events are to wait until the task has written.
    pub(crate) fn is_crowded(&self) -> bool {
        self.crowded.load(Ordering::Acquire)
    }

    /// For the task, when it begins to run: what it was asked to do.
    pub(crate) fn take_mail(&self) -> Vec<Mail> {
        let mut state = self.state.lock();
        state.asleep = false;
        state.due = None;
        self.posted.store(false, Ordering::Release);
        let mut mail = std::mem::take(&mut state.mail);
        let is_too_late = state.is_too_late();
        drop(state);
        if is_too_late {
            mail.retain(|mail| !matches!(mail, Mail::Run(..)));
        }
        mail
    }

    /// For the task, before it waits: `false` if there is something to do. `in_flight` is what the kernel has not taken; even
    /// if that is nothing, the client may not be able to take more.
    pub(crate) fn sleep(&self, waker: &Waker, in_flight: Load, can_take: bool) -> bool {
        let mut state = self.state.lock();
        state.in_flight = in_flight;
        state.blocked = !can_take || in_flight != Load::default();
        if !state.mail.is_empty() || !(state.blocked || state.outbox.is_empty()) {
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
