//! One client's connection: one task that reads, runs events, writes and keeps time.
//!
//! Each time the task wakes up it reads all that has arrived, runs what it can, and then writes once. The [`link`] is the
//! client's side of it, the [`executor`] the application's; the [`mailbox`] is what all other tasks see.

pub(crate) mod end;
mod ending;
pub(crate) mod executor;
pub(crate) mod heartbeat;
pub(crate) mod lifecycle;
pub(crate) mod link;
pub(crate) mod mailbox;
pub(crate) mod outbox;
pub(crate) mod peer;
mod reading;
pub(crate) mod stream;

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::event::disconnect::{Disconnect, DisconnectReason};
use crate::event::dispatch::is_heard;
use crate::event::error::EventError;
use crate::event::handler::Lifecycle;
use crate::event::incoming::{Incoming, Subject};
use crate::hub::config::Config;
use crate::hub::connections::Admission;
use crate::socket::Socket;
use end::End;
use executor::{Executor, Progress};
use heartbeat::{Beat, Heartbeat};
use lifecycle::OnOpen;
use link::Link;
use mailbox::Mail;

/// How often the task goes round before it lets others run.
const ROUNDS: usize = 8;

pub(crate) struct Connection {
    link: Link,
    socket: Socket,
    executor: Executor,
    heartbeat: Heartbeat,
    phase: Phase,
    /// Until when the connection is to be accepted.
    open_by: Option<Instant>,
    /// Until when handlers may run, once the hub shuts down.
    handlers_until: Option<Instant>,
    /// How the connection is to end when they are done.
    end_after: Option<Box<End>>,
    /// How it ended, once it has: for a task that is dropped before everybody could be told.
    ended: Option<Box<Disconnect>>,
    /// Whether texts can be events.
    envelopes: bool,
    _admission: Admission,
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
    pub(crate) fn new(link: Link, socket: Socket, envelopes: bool, admission: Admission) -> Self {
        let config = socket.hub().config();
        let now = Instant::now();
        Self {
            link,
            heartbeat: Heartbeat::new(config.ping_interval, config.ping_timeout, now),
            executor: Executor::default(),
            phase: Phase::Open,
            open_by: Some(after(now, config.connect_timeout)),
            handlers_until: None,
            end_after: None,
            ended: None,
            envelopes,
            socket,
            _admission: admission,
        }
    }

    /// Runs the connection to its end.
    ///
    /// Not an `async fn`: that would keep its arguments twice, for as long as the connection lives.
    pub(crate) fn run(mut self, on_open: Option<OnOpen>) -> impl Future<Output = ()> + Send {
        match lifecycle::opening(&self.socket, on_open) {
            Some(opening) => self.executor.open(opening),
            None => self.accept(),
        }
        async move {
            let mut timer = pin!(sleep_until(self.deadline()));
            poll_fn(|context| self.poll(context, timer.as_mut())).await;
        }
    }

    fn config(&self) -> &Config {
        self.socket.hub().config()
    }

    fn poll(&mut self, context: &mut Context<'_>, mut timer: Pin<&mut Sleep>) -> Poll<()> {
        for _ in 0..ROUNDS {
            self.read_mail(context);
            self.end_if_done();
            let mut more = self.run_events(context);
            more |= self.read(context);
            self.write(context);
            if self.link.take_alive() {
                self.heartbeat.heard();
            }
            more |= self.keep_time(context, timer.as_mut());
            if matches!(self.phase, Phase::Closed) && self.executor.is_finished() {
                if !self.socket.peer().mailbox.has_mail() {
                    return Poll::Ready(());
                }
                // The last handlers have failed, and somebody wants to know.
                more = true;
            }
            more |= self.is_done() || self.executor.is_ready();
            if !more && self.socket.peer().mailbox.sleep(context.waker(), self.link.load()) {
                return Poll::Pending;
            }
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }

    fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Open)
    }

    fn read_mail(&mut self, context: &mut Context<'_>) {
        for mail in self.socket.peer().mailbox.take_mail() {
            match mail {
                Mail::Run(socket, subject) if self.is_open() || matches!(subject, Subject::Error(_)) => {
                    self.executor.submit(Incoming::new(socket, subject), context);
                }
                Mail::Run(..) => {}
                Mail::End(end) => self.end(end),
            }
        }
    }

    fn run_events(&mut self, context: &mut Context<'_>) -> bool {
        match self.executor.poll(context) {
            Progress::Waiting => false,
            Progress::More => true,
            Progress::Opened(Ok(())) => {
                self.accept();
                true
            }
            Progress::Opened(Err(refusal)) => {
                self.refuse(&refusal);
                true
            }
        }
    }

    fn accept(&mut self) {
        self.open_by = None;
        self.socket.connected();
        self.socket.peer().mailbox.release();
        tracing::debug!(socket = %self.socket.id(), namespace = self.socket.namespace(), "connected");
        if is_heard(&self.socket, Lifecycle::Connect) {
            self.executor.submit_first(Incoming::new(self.socket.clone(), Subject::Connect));
        }
    }

    fn write(&mut self, context: &mut Context<'_>) {
        loop {
            if matches!(self.phase, Phase::Closed) {
                return;
            }
            match self.link.poll_write(context, &self.socket.peer().mailbox) {
                Poll::Pending => return,
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => {
                    let cause = Disconnect::new(DisconnectReason::TransportError).with_message(error.to_string());
                    return self.broken(cause, context);
                }
            }
            match &self.phase {
                // Everything that was queued has gone out, but what is held back must not.
                Phase::Closing { .. } if self.executor.is_opening() => return,
                Phase::Closing { by, code, reason } => {
                    let (by, code) = (*by, *code);
                    self.link.close(code, reason);
                    self.phase = Phase::Lingering { by, how: Linger::Expecting };
                }
                Phase::Lingering { how: Linger::Answering, .. } => return self.close(context),
                Phase::Lingering { by, how: Linger::Rejecting } => {
                    self.phase = Phase::Lingering { by: *by, how: Linger::Discarding };
                    return self.link.finish(context);
                }
                _ => return,
            }
        }
    }

    fn deadline(&self) -> Instant {
        let phase = match &self.phase {
            Phase::Open => Some(self.heartbeat.deadline()),
            Phase::Closing { by, .. } | Phase::Lingering { by, .. } => Some(*by),
            Phase::Closed => None,
        };
        let deadlines = [phase, self.open_by, self.handlers_until];
        deadlines.into_iter().flatten().min().unwrap_or_else(far_away)
    }

    /// Does what is due. `true`: something was.
    fn keep_time(&mut self, context: &mut Context<'_>, mut timer: Pin<&mut Sleep>) -> bool {
        let mut due = false;
        loop {
            let deadline = self.deadline();
            if timer.deadline() != deadline {
                timer.as_mut().reset(deadline);
            }
            if timer.as_mut().poll(context).is_pending() {
                return due;
            }
            due = true;
            self.on_deadline(Instant::now(), context);
            if matches!(self.phase, Phase::Closed) && self.deadline() > Instant::now() {
                return due;
            }
        }
    }

    fn on_deadline(&mut self, now: Instant, context: &mut Context<'_>) {
        if self.open_by.is_some_and(|by| by <= now) {
            tracing::warn!(socket = %self.socket.id(), "the connect handler took too long");
            self.refuse(&EventError::new("timeout", "the server took too long"));
        }
        if self.handlers_until.is_some_and(|until| until <= now) {
            self.handlers_until = None;
            self.executor.abort();
            self.end_if_done();
            self.executor.poll(context);
            if !self.executor.is_finished() {
                self.executor.give_up();
            }
        }
        match &self.phase {
            Phase::Open => match self.heartbeat.beat(now) {
                Beat::Wait => {}
                Beat::Ping => {
                    self.link.shrink();
                    self.socket.peer().mailbox.shrink();
                    self.link.ping();
                }
                Beat::Dead => {
                    tracing::debug!(socket = %self.socket.id(), "heartbeat timeout");
                    self.executor.drop_queued();
                    self.conclude(Disconnect::new(DisconnectReason::PingTimeout), false);
                    self.close(context);
                }
            },
            Phase::Closing { by, .. } | Phase::Lingering { by, .. } if *by <= now => self.close(context),
            _ => {}
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let ended = self.ended.take().map_or_else(|| Disconnect::new(DisconnectReason::Aborted), |ended| *ended);
        lifecycle::abandoned(&self.socket, &ended);
        self.socket.peer().mailbox.abandon();
        self.socket.forget_listeners();
    }
}

/// A deadline that never comes.
fn far_away() -> Instant {
    Instant::now() + Duration::from_secs(86_400 * 365)
}

/// A time from now; one that is longer than a clock can tell never comes.
pub(crate) fn after(now: Instant, time: Duration) -> Instant {
    now.checked_add(time).unwrap_or_else(far_away)
}
