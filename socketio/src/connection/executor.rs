//! [`Executor`]: runs the events of one socket, one after the other in the order received, except
//! those of `concurrent` handlers.

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use std::collections::VecDeque;
use std::task::{Context, Poll};

use crate::event::dispatch::{self, Running, Spare, Start};
use crate::event::error::EventError;
use crate::event::incoming::Incoming;

/// How many `concurrent` handlers of one socket run at a time.
const MAX_CONCURRENT: usize = 32;
/// How many waiting events run before the connection looks at everything else again.
const EVENT_BUDGET: usize = 256;

/// Decides whether a socket is accepted.
pub(crate) type ConnectDecision = BoxFuture<'static, Result<(), EventError>>;

/// What everything else of a socket waits for.
enum Task {
    ConnectDecision(ConnectDecision),
    Event(Running),
    /// A `concurrent` handler that has to wait for another one to end.
    Parked(Running),
    /// The events of the socket's end.
    End(BoxFuture<'static, ()>),
}

/// The events of the socket's end.
#[derive(Default)]
enum End {
    /// The socket has not ended.
    #[default]
    None,
    /// They run when everything else is done.
    Waiting(BoxFuture<'static, ()>),
    /// They run, or have run.
    Begun,
}

#[derive(Default)]
pub(crate) struct Executor {
    task: Option<Task>,
    /// The box of the event that ran last, reused for the next one.
    spare: Spare,
    queue: VecDeque<Incoming>,
    /// How many received bytes the queued events keep in memory.
    queued_bytes: usize,
    concurrent: Option<Box<FuturesUnordered<Running>>>,
    end: End,
}

/// How far the executor has come.
pub(crate) enum Progress {
    /// Nothing can go on now.
    Waiting,
    /// The budget is used up.
    More,
    /// The application has decided about the socket.
    Decided(Result<(), EventError>),
}

/// Whether what was emitted is to be written before this event runs. Else its own messages might
/// find no room, although the client takes all that it gets.
fn is_crowded(incoming: &Incoming) -> bool {
    incoming.socket.peer().handle.is_crowded()
}

impl Executor {
    /// Lets everything else wait for the decision whether the socket is accepted.
    pub(crate) fn set_decision(&mut self, decision: ConnectDecision) {
        self.task = Some(Task::ConnectDecision(decision));
    }

    pub(crate) fn is_undecided(&self) -> bool {
        matches!(self.task, Some(Task::ConnectDecision(_)))
    }

    /// Runs an event now if nothing is before it, else later.
    pub(crate) fn submit(&mut self, incoming: Incoming, context: &mut Context<'_>) {
        if self.task.is_none() && self.queue.is_empty() && !is_crowded(&incoming) {
            self.begin(incoming, context);
        } else {
            self.queued_bytes += incoming.size();
            self.queue.push_back(incoming);
        }
    }

    /// Runs an event before those that wait.
    pub(crate) fn submit_first(&mut self, incoming: Incoming) {
        self.queued_bytes += incoming.size();
        self.queue.push_front(incoming);
    }

    fn begin(&mut self, mut incoming: Incoming, context: &mut Context<'_>) {
        if incoming.came_in() && incoming.socket.is_ending() {
            return;
        }
        // A raw message has none itself.
        if let Some(message) = incoming.raw_message() {
            self.begin(message, context);
            if self.task.is_some() {
                return self.submit_first(incoming);
            }
        }
        match dispatch::start(incoming, &mut self.spare) {
            Start::Done => {}
            Start::Running(running) => self.poll_running(running, context),
            Start::Concurrent(running) => self.begin_concurrent(running, context),
        }
    }

    /// Runs an event as far as it goes now.
    fn poll_running(&mut self, mut running: Running, context: &mut Context<'_>) {
        if running.poll(context).is_pending() {
            self.task = Some(Task::Event(running));
        } else {
            self.spare = running.into_spare();
        }
    }

    fn begin_concurrent(&mut self, running: Running, context: &mut Context<'_>) {
        let others = self.concurrent.get_or_insert_default();
        if others.len() >= MAX_CONCURRENT {
            self.task = Some(Task::Parked(running));
            return;
        }
        others.push(running);
        self.poll_concurrent(context);
    }

    fn poll_concurrent(&mut self, context: &mut Context<'_>) {
        if let Some(others) = &mut self.concurrent {
            while let Poll::Ready(Some(())) = others.poll_next_unpin(context) {}
            if others.is_empty() {
                self.concurrent = None;
            }
        }
    }

    /// Runs everything as far as it goes now.
    pub(crate) fn poll(&mut self, context: &mut Context<'_>) -> Progress {
        self.poll_concurrent(context);
        for _ in 0..EVENT_BUDGET {
            match self.task.take() {
                Some(Task::ConnectDecision(mut decision)) => match decision.as_mut().poll(context) {
                    Poll::Ready(decision) => return Progress::Decided(decision),
                    Poll::Pending => {
                        self.task = Some(Task::ConnectDecision(decision));
                        return Progress::Waiting;
                    }
                },
                Some(Task::Event(running)) => {
                    self.poll_running(running, context);
                    if self.task.is_some() {
                        return Progress::Waiting;
                    }
                }
                Some(Task::Parked(running)) => {
                    self.begin_concurrent(running, context);
                    if self.task.is_some() {
                        return Progress::Waiting;
                    }
                }
                Some(Task::End(mut end)) => {
                    if end.as_mut().poll(context).is_pending() {
                        self.task = Some(Task::End(end));
                        return Progress::Waiting;
                    }
                }
                None if self.queue.front().is_some_and(is_crowded) => return Progress::More,
                None => match self.queue.pop_front() {
                    Some(incoming) => {
                        self.queued_bytes -= incoming.size();
                        self.begin(incoming, context);
                    }
                    None if matches!(self.end, End::Waiting(_)) && self.concurrent.is_none() => {
                        if let End::Waiting(end) = std::mem::replace(&mut self.end, End::Begun) {
                            self.task = Some(Task::End(end));
                        }
                    }
                    None => {
                        // The memory of a queue that was long once is freed.
                        if self.queue.capacity() > 0 {
                            self.queue = VecDeque::new();
                        }
                        return Progress::Waiting;
                    }
                },
            }
        }
        Progress::More
    }

    /// How many events wait or run concurrently.
    pub(crate) fn events(&self) -> usize {
        self.queue.len() + self.concurrent.as_ref().map_or(0, |others| others.len())
    }

    pub(crate) fn bytes(&self) -> usize {
        self.queued_bytes
    }

    /// Drops the events that were received and wait. What the connection itself has brought about
    /// stays: that the socket was accepted, or that something failed.
    pub(crate) fn drop_queued(&mut self) {
        self.queue.retain(|incoming| !incoming.came_in());
        self.queued_bytes = self.queue.iter().map(Incoming::size).sum();
    }

    /// Runs the events of the end when everything else is done.
    pub(crate) fn set_end(&mut self, end: impl Future<Output = ()> + Send + 'static) {
        self.end = End::Waiting(Box::pin(end));
    }

    /// Drops everything that runs or waits, except the events of the end.
    pub(crate) fn abort(&mut self) {
        self.queue = VecDeque::new();
        self.queued_bytes = 0;
        self.concurrent = None;
        self.task.take_if(|task| !matches!(task, Task::End(_)));
    }

    /// Drops the events of the end as well.
    pub(crate) fn abort_all(&mut self) {
        self.abort();
        self.task = None;
        self.end = End::Begun;
    }

    /// Whether something could go on at once: then the connection must not go to sleep.
    pub(crate) fn is_ready(&self) -> bool {
        self.task.is_none()
            && (!self.queue.is_empty() || (matches!(self.end, End::Waiting(_)) && self.concurrent.is_none()))
    }

    /// Whether nothing runs and nothing waits.
    pub(crate) fn is_idle(&self) -> bool {
        self.task.is_none() && self.queue.is_empty() && self.concurrent.is_none()
    }

    /// Whether the events of the end have run, and nothing else is left.
    pub(crate) fn is_finished(&self) -> bool {
        matches!(self.end, End::Begun) && self.task.is_none() && self.queue.is_empty()
    }
}

impl std::fmt::Debug for Executor {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Executor").field("events", &self.events()).finish_non_exhaustive()
    }
}
