//! One client's connection: one task that reads, runs events, writes and keeps time.
//!
//! Each time the task wakes up it reads all that has arrived, runs what it can, and then writes once. The [`link`] is the
//! client's side of it, the [`executor`] the application's; the [`mailbox`] is what all other tasks see.

pub(crate) mod executor;
pub(crate) mod heartbeat;
pub(crate) mod lifecycle;
pub(crate) mod link;
pub(crate) mod mailbox;
pub(crate) mod outbox;
pub(crate) mod peer;
pub(crate) mod stream;

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, Sleep, sleep_until};
use tokio_tungstenite::tungstenite::Utf8Bytes;

use crate::event::disconnect::{Disconnect, DisconnectReason};
use crate::event::dispatch::{is_heard, unheard};
use crate::event::error::EventError;
use crate::event::incoming::{Incoming, Message as RawMessage, Parts, ReceivedEvent, Subject};
use crate::event::table::Lifecycle;
use crate::event::table::is_reserved;
use crate::hub::Admission;
use crate::hub::config::Config;
use crate::socket::Socket;
use crate::socket::requests::Answer;
use crate::wire::envelope::{self, Args, Envelope};
use executor::{Executor, Progress};
use heartbeat::{Beat, Heartbeat};
use lifecycle::OnOpen;
use link::{Link, Message, Received};
use mailbox::{End, Mail};

/// How many messages are read before what they brought about is written.
const READ_BUDGET: usize = 256;
/// How often the task goes round before it lets others run.
const ROUNDS: usize = 8;

/// How long a client has at least to take the close frame when handlers have used up a shutdown's time.
const LAST_WORDS: Duration = Duration::from_millis(100);

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

/// Why no event can have a name.
enum RefusedName {
    Reserved,
    TooLong,
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
            open_by: Some(now + config.connect_timeout),
            handlers_until: None,
            end_after: None,
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
            more |= self.keep_time(context, timer.as_mut());
            if matches!(self.phase, Phase::Closed) && self.executor.is_finished() {
                if !self.socket.peer().mailbox.has_mail() {
                    return Poll::Ready(());
                }
                // The last handlers have failed, and somebody wants to know.
                more = true;
            }
            more |= self.is_done();
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

    /// The client is told that it is not wanted, and nothing of what was queued for it.
    fn refuse(&mut self, refusal: &EventError) {
        tracing::debug!(socket = %self.socket.id(), %refusal, "connection refused");
        self.open_by = None;
        self.socket.peer().mailbox.discard();
        self.executor.abort();
        if self.is_open() {
            let end = End {
                disconnect: Disconnect::new(DisconnectReason::ServerDisconnect),
                code: 1008,
                reason: refusal.message().to_owned(),
                on_purpose: false,
                handlers_until: None,
            };
            self.end(end);
        }
    }

    /// Begins the end that this side wants.
    fn end(&mut self, end: End) {
        self.handlers_until = end.handlers_until.or(self.handlers_until);
        if !self.is_open() {
            return;
        }
        self.executor.drop_queued();
        if end.handlers_until.is_some() {
            self.socket.tell_ending();
            self.end_after = Some(Box::new(end));
        } else {
            self.end_now(end);
        }
    }

    /// Whether the handlers are done that the end waits for.
    fn is_done(&self) -> bool {
        self.end_after.is_some() && self.executor.is_idle()
    }

    fn end_if_done(&mut self) {
        if self.is_done()
            && let Some(end) = self.end_after.take()
        {
            self.end_now(*end);
        }
    }

    fn end_now(&mut self, end: End) {
        self.conclude(end.disconnect, end.on_purpose);
        let now = Instant::now();
        let by = now + self.config().close_timeout;
        let by = end.handlers_until.map_or(by, |until| until.min(by).max(now + LAST_WORDS));
        self.phase = Phase::Closing { by, code: end.code, reason: end.reason };
    }

    /// Sets off what the socket's end brings about, behind the events that run.
    fn conclude(&mut self, disconnect: Disconnect, on_purpose: bool) {
        self.end_after = None;
        self.socket.peer().mailbox.shut();
        self.socket.tell_waiting();
        self.executor.finish_with(lifecycle::farewell(self.socket.clone(), disconnect, on_purpose));
    }

    /// Whether another message may be read: not while many wait for their handlers, except that the answer which a
    /// handler waits for may be among what comes.
    fn has_room(&self) -> bool {
        let bounds = self.config().inbox;
        let (events, bytes) = (self.executor.events(), self.executor.bytes());
        (events < bounds.messages && bytes < bounds.bytes)
            || (self.socket.peer().is_awaited() && bytes < self.config().max_payload)
    }

    fn read(&mut self, context: &mut Context<'_>) -> bool {
        match self.phase {
            Phase::Lingering { how: Linger::Rejecting | Linger::Discarding, .. } => {
                if self.link.poll_discard(context).is_ready() {
                    self.close(context);
                }
                return false;
            }
            // Nothing comes after the client's close frame.
            Phase::Lingering { how: Linger::Answering, .. } | Phase::Closed => return false,
            _ => {}
        }
        let mut received = Received::take();
        let mut more = true;
        let mut had_mail = false;
        for _ in 0..READ_BUDGET {
            if self.is_open() && !self.has_room() {
                self.heartbeat.deaf();
                more = false;
                break;
            }
            match self.link.poll_next(context, &mut received) {
                Poll::Pending => {
                    more = false;
                    break;
                }
                Poll::Ready(Ok(Message::Close(frame))) => {
                    self.closed_by_client(frame);
                    break;
                }
                Poll::Ready(Ok(message)) => {
                    self.receive(message, context);
                    // What its handler fired comes before what is read next, and what it ended is over.
                    if self.socket.peer().mailbox.has_mail() {
                        self.read_mail(context);
                        had_mail = true;
                    }
                }
                Poll::Ready(Err(cause)) => {
                    self.broken(cause, context);
                    break;
                }
            }
        }
        self.link.keep(&mut received);
        more || had_mail
    }

    fn receive(&mut self, message: Message, context: &mut Context<'_>) {
        self.heartbeat.heard();
        if !self.is_open() {
            return;
        }
        let subject = match message {
            Message::Text(text) => return self.receive_text(text, context),
            Message::Binary(bytes) => Subject::Message { message: RawMessage::Binary(bytes), is_event: false },
            Message::Ping(payload) => Subject::Ping(payload),
            Message::Pong(payload) => Subject::Pong(payload),
            // The one is dealt with where it is read, the other only ever written.
            Message::Close(_) | Message::Frame(_) => return,
        };
        self.submit(subject, context);
    }

    fn submit(&mut self, subject: Subject, context: &mut Context<'_>) {
        self.executor.submit(Incoming::new(self.socket.clone(), subject), context);
    }

    fn receive_text(&mut self, text: Utf8Bytes, context: &mut Context<'_>) {
        let envelope = if self.envelopes { envelope::read(&text) } else { None };
        let (parts, refused) = match envelope {
            Some(Envelope::Event { name, args, id }) => (Parts::of(&text, &name, args, id), self.refusal_of(&name)),
            Some(Envelope::Answer { id, answer }) if self.socket.answered(id, owned(answer)) => return,
            _ => return self.submit(Subject::text_message(text), context),
        };
        let Some(refused) = refused else {
            return self.submit(Subject::Event(ReceivedEvent::received(text, parts)), context);
        };
        self.submit(Subject::text_message(text.clone()), context);
        let event = Subject::Event(ReceivedEvent::received(text, parts));
        let incoming = Incoming::new(self.socket.clone(), event);
        match refused {
            RefusedName::TooLong => unheard(&incoming),
            RefusedName::Reserved => {
                let error = EventError::reserved_event(incoming.name());
                incoming.answer(Err(&error));
                incoming.report(error);
            }
        }
    }

    /// Why no event can have this name, if that is so.
    fn refusal_of(&self, name: &str) -> Option<RefusedName> {
        if is_reserved(name) {
            return Some(RefusedName::Reserved);
        }
        (name.len() > self.config().max_event_name).then_some(RefusedName::TooLong)
    }

    fn closed_by_client(&mut self, frame: Option<tokio_tungstenite::tungstenite::protocol::CloseFrame>) {
        let by = Instant::now() + self.config().close_timeout;
        if self.is_open() {
            let mut disconnect = Disconnect::new(DisconnectReason::TransportClose);
            disconnect = match frame {
                Some(frame) => disconnect.with_code(frame.code.into()).with_message(frame.reason.to_string()),
                None => disconnect.with_code(1005),
            };
            self.conclude(disconnect, false);
        }
        self.socket.peer().mailbox.discard();
        self.link.answer_close();
        self.phase = Phase::Lingering { by, how: Linger::Answering };
    }

    /// The connection broke, or the client broke its protocol.
    fn broken(&mut self, cause: Disconnect, context: &mut Context<'_>) {
        match cause.code() {
            Some(code) if self.is_open() => {
                tracing::debug!(socket = %self.socket.id(), %cause, "the client broke the protocol");
                let by = Instant::now() + self.config().close_timeout;
                self.executor.drop_queued();
                self.conclude(cause, false);
                self.socket.peer().mailbox.discard();
                self.link.close(code, "");
                self.phase = Phase::Lingering { by, how: Linger::Rejecting };
            }
            _ => {
                if self.is_open() {
                    self.conclude(cause, false);
                }
                self.close(context);
            }
        }
    }

    /// The transport is done with.
    fn close(&mut self, context: &mut Context<'_>) {
        self.socket.peer().mailbox.discard();
        self.link.shut(context);
        self.phase = Phase::Closed;
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
                    self.link.ping();
                    self.link.shrink();
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
        lifecycle::abandoned(&self.socket, &Disconnect::new(DisconnectReason::Aborted));
        self.socket.peer().mailbox.abandon();
    }
}

/// A deadline that never comes.
fn far_away() -> Instant {
    Instant::now() + Duration::from_secs(86_400 * 365)
}

fn owned(answer: Result<Args<'_>, &str>) -> Answer {
    match answer {
        Ok(Args::One(text)) => Answer::One(text.to_owned()),
        Ok(Args::Many(text)) => Answer::Many(text.to_owned()),
        Err(error) => Answer::Failed(error.to_owned()),
    }
}

impl End {
    /// The end of a client whose outbox is full.
    pub(crate) fn overflow() -> Self {
        Self {
            disconnect: Disconnect::new(DisconnectReason::Overflow).with_code(1013),
            code: 1013,
            reason: "overflow".to_owned(),
            on_purpose: false,
            handlers_until: None,
        }
    }

    /// The end of everyone when the server shuts down.
    pub(crate) fn shutdown(handlers_until: Instant) -> Self {
        Self {
            disconnect: Disconnect::new(DisconnectReason::Shutdown).with_code(1001),
            code: 1001,
            reason: "server shutting down".to_owned(),
            on_purpose: true,
            handlers_until: Some(handlers_until),
        }
    }
}
