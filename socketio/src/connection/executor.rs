//! [`Executor`]: runs the events of one socket. They run one after the other, in the order
//! received. Only `concurrent` handlers overlap.

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use std::collections::VecDeque;
use std::task::{Context, Poll};
use std::time::Instant;

use super::lifecycle::EndEvents;
use crate::event::dispatch::{self, Running, Spare, Start};
use crate::event::error::EventError;
use crate::event::incoming::Incoming;
use crate::session::time::earliest;

/// The maximum number of `concurrent` handlers of one socket that run at a time.
const MAX_CONCURRENT: usize = 32;
/// The maximum number of queued events that run before the connection does other work.
const EVENT_BUDGET: usize = 256;

/// The decision whether to accept a socket.
pub(crate) type ConnectDecision = BoxFuture<'static, Result<(), EventError>>;

/// The task that blocks the socket's queue.
enum Task {
    ConnectDecision(ConnectDecision),
    Event(Running),
    /// A `concurrent` handler that waits until fewer than [`MAX_CONCURRENT`] run.
    Parked(Running),
}

/// The events of the socket's end.
#[derive(Default)]
enum End {
    /// The socket has not ended.
    #[default]
    None,
    /// They run when all other events are done.
    Waiting(Box<EndEvents>),
    /// The first of them has begun.
    Begun(Box<EndEvents>),
    /// All of them have run.
    Over,
}

/// The `concurrent` handlers that run.
#[derive(Default)]
struct Concurrent {
    running: FuturesUnordered<Running>,
    /// The earliest time at which one of them may have used up its time.
    until: Option<Instant>,
}

#[derive(Default)]
pub(crate) struct Executor {
    task: Option<Task>,
    /// The allocation of the last event, reused for the next one.
    spare: Spare,
    queue: VecDeque<Incoming>,
    /// The number of received bytes that the queued events keep in memory. Events of one POST,
    /// which are queued one after the other, count it once.
    queued_bytes: usize,
    concurrent: Option<Box<Concurrent>>,
    end: End,
}

/// The result of [`Executor::poll`].
pub(crate) enum Progress {
    /// Nothing can make progress now.
    Waiting,
    /// There is more to run: the budget is used up, or the outbox must be written first.
    More,
    /// The application has decided whether to accept the socket.
    Decided(Result<(), EventError>),
}

/// Whether the outbox must be written before this event runs. Otherwise its own messages could
/// overflow the outbox, although the client receives fast enough.
fn is_crowded(incoming: &Incoming) -> bool {
    incoming.socket.peer().handle.is_crowded()
}

impl Executor {
    /// Queues all events until the decision whether to accept the socket.
    pub(crate) fn set_decision(&mut self, decision: ConnectDecision) {
        self.task = Some(Task::ConnectDecision(decision));
    }

    pub(crate) fn is_undecided(&self) -> bool {
        matches!(self.task, Some(Task::ConnectDecision(_)))
    }

    /// Runs an event now if no other event runs or waits, else queues it.
    pub(crate) fn submit(&mut self, incoming: Incoming, context: &mut Context<'_>) {
        if self.task.is_none() && self.queue.is_empty() && !is_crowded(&incoming) {
            self.begin(incoming, context);
        } else {
            self.queued_bytes = self.queued_bytes.saturating_add(incoming.size_beside(self.queue.back()));
            self.queue.push_back(incoming);
        }
    }

    /// Queues an event before all others.
    pub(crate) fn submit_first(&mut self, incoming: Incoming) {
        self.queued_bytes = self.queued_bytes.saturating_add(incoming.size_beside(self.queue.front()));
        self.queue.push_front(incoming);
    }

    fn begin(&mut self, mut incoming: Incoming, context: &mut Context<'_>) {
        incoming.release();
        if incoming.came_in() && incoming.socket.drops_events() {
            return;
        }
        // Listeners of raw messages run before the event. A raw message itself has no further
        // message.
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

    /// Polls a running event.
    fn poll_running(&mut self, mut running: Running, context: &mut Context<'_>) {
        if running.poll(context).is_pending() {
            self.task = Some(Task::Event(running));
        } else {
            self.spare = running.into_spare();
        }
    }

    fn begin_concurrent(&mut self, running: Running, context: &mut Context<'_>) {
        let others = self.concurrent.get_or_insert_default();
        if others.running.len() >= MAX_CONCURRENT {
            self.task = Some(Task::Parked(running));
            return;
        }
        others.until = earliest(others.until, running.limit().until());
        others.running.push(running);
        self.poll_concurrent(context);
    }

    fn poll_concurrent(&mut self, context: &mut Context<'_>) {
        if let Some(others) = &mut self.concurrent {
            while let Poll::Ready(Some(())) = others.running.poll_next_unpin(context) {}
            if others.running.is_empty() {
                self.concurrent = None;
            }
        }
    }

    /// Returns when [`on_deadline`](Self::on_deadline) must be called, if a running event has a
    /// time limit.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let task = match &self.task {
            Some(Task::Event(running)) => running.until(),
            _ => None,
        };
        earliest(task, self.concurrent.as_ref().and_then(|others| others.until))
    }

    /// Polls the events whose time is up at `now`, which ends them.
    pub(crate) fn on_deadline(&mut self, now: Instant, context: &mut Context<'_>) {
        let is_due = |until: Option<Instant>| until.is_some_and(|until| until <= now);
        let due = self.task.take_if(|task| matches!(task, Task::Event(running) if is_due(running.until())));
        if let Some(Task::Event(running)) = due {
            self.poll_running(running, context);
        }
        let Some(others) = self.concurrent.as_mut().filter(|others| is_due(others.until)) else { return };
        // Nothing woke these futures, and a set polls only those that were woken or are new to it.
        others.running = std::mem::take(&mut others.running).into_iter().collect();
        self.poll_concurrent(context);
        if let Some(others) = &mut self.concurrent {
            others.until = others.running.iter().filter_map(Running::until).min();
        }
    }

    /// Polls the running events, and starts queued ones.
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
                None if self.queue.front().is_some_and(is_crowded) => return Progress::More,
                None => match self.queue.pop_front() {
                    Some(incoming) => {
                        self.queued_bytes -= incoming.size_beside(self.queue.front());
                        self.begin(incoming, context);
                    }
                    // An error of the last handler fires before the events of the end.
                    None if matches!(&self.end, End::Waiting(end) if end.has_commands()) => return Progress::More,
                    None if self.can_end() => {
                        if let Some(incoming) = self.next_of_end() {
                            self.begin(incoming, context);
                        }
                    }
                    None => {
                        // Free the memory of a queue that was long once.
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

    /// The number of events that are queued or run concurrently.
    pub(crate) fn events(&self) -> usize {
        self.queue.len() + self.concurrent.as_ref().map_or(0, |others| others.running.len())
    }

    pub(crate) fn bytes(&self) -> usize {
        self.queued_bytes
    }

    /// Drops queued events of the client. Events of the connection stay, such as `connect` and
    /// `error`.
    pub(crate) fn drop_queued(&mut self) {
        self.queue.retain(|incoming| !incoming.came_in());
        let before = [None].into_iter().chain(self.queue.iter().map(Some));
        let sizes = self.queue.iter().zip(before).map(|(incoming, before)| incoming.size_beside(before));
        self.queued_bytes = sizes.fold(0, usize::saturating_add);
    }

    /// Sets the events of the end. They run when all other events are done.
    pub(crate) fn set_end(&mut self, end: EndEvents) {
        self.end = End::Waiting(Box::new(end));
    }

    /// Whether an event of the end may begin, once no other event runs or waits.
    fn can_end(&self) -> bool {
        matches!(self.end, End::Waiting(_) | End::Begun(_)) && self.concurrent.is_none()
    }

    /// Polls the events of the end. They no longer wait for errors of other handlers.
    pub(crate) fn poll_end(&mut self, context: &mut Context<'_>) {
        self.end = match std::mem::take(&mut self.end) {
            End::Waiting(events) => End::Begun(events),
            end => end,
        };
        self.poll(context);
    }

    fn next_of_end(&mut self) -> Option<Incoming> {
        let (End::Waiting(mut events) | End::Begun(mut events)) = std::mem::replace(&mut self.end, End::Over) else {
            return None;
        };
        let next = events.next();
        if next.is_some() {
            self.end = End::Begun(events);
        }
        next
    }

    /// Drops all running and queued events, except those of the end.
    pub(crate) fn abort(&mut self) {
        self.queue = VecDeque::new();
        self.queued_bytes = 0;
        self.concurrent = None;
        if !matches!(self.end, End::Begun(_)) {
            self.task = None;
        }
    }

    /// Drops all running and queued events, including those of the end.
    pub(crate) fn abort_all(&mut self) {
        self.end = End::Over;
        self.abort();
    }

    /// Whether a queued event can start now. The connection's task must not sleep then.
    pub(crate) fn is_ready(&self) -> bool {
        self.task.is_none() && (!self.queue.is_empty() || self.can_end())
    }

    /// Whether no event runs or waits.
    pub(crate) fn is_idle(&self) -> bool {
        self.task.is_none() && self.queue.is_empty() && self.concurrent.is_none()
    }

    /// Whether the events of the end have run, and no other event is left.
    pub(crate) fn is_finished(&self) -> bool {
        matches!(self.end, End::Over) && self.is_idle()
    }
}

impl std::fmt::Debug for Executor {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Executor").field("events", &self.events()).finish_non_exhaustive()
    }
}
