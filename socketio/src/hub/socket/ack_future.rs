//! [`AckFuture`] and [`AckError`]: emits to one client that wait for its answer.

use serde::Serialize;
use std::collections::HashMap;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::{Instant, Sleep, sleep_until};

use super::Socket;
use super::ack_stream::AckStream;
use super::from_answer::FromAnswer;
use super::remote::RemoteSocket;
use super::request_trace::RequestTrace;
use crate::connection_handle::sharded::Count;
use crate::event::error::{EventError, PayloadError};
use crate::event::message::{IntoEvent, Request, question};
use crate::hub::adapter::sink::PendingAnswer;
use crate::hub::selection::EmitError;
use crate::session::received::ReceivedAnswer;
use crate::session::time::after;
use crate::wire::packet::Packet;

/// The error of a question without a valid answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AckError {
    /// The message was not sent.
    #[error(transparent)]
    Emit(#[from] EmitError),
    /// The client did not answer in time. A later answer is ignored.
    #[error("the client did not answer in time")]
    Timeout,
    /// The socket closed before the client answered.
    #[error("the socket closed before the client answered")]
    Closed,
    /// The number of pending answers exceeds
    /// [`max_pending_acks`](crate::HubBuilder::max_pending_acks).
    #[error("too many answers are pending")]
    TooMany,
    /// The client answered with an error. Contains its code and message, and its path and data if
    /// it has any.
    #[error("the client answered with the error `{code}`: {0}", code = .0.code())]
    Failed(EventError),
    /// The answer does not decode as the expected type.
    #[error("unexpected answer: {0}")]
    Payload(#[from] PayloadError),
}

/// The pending answers of a socket.
#[derive(Debug, Default)]
pub(crate) struct Requests {
    waiting: HashMap<u64, Waiter>,
}

impl Requests {
    /// Removes all waiters. The caller must tell them that the socket is closed.
    pub(super) fn abandon(&mut self) -> impl Iterator<Item = Waiter> + use<> {
        std::mem::take(&mut self.waiting).into_values()
    }
}

/// The receiver of an answer.
#[derive(Debug)]
pub(crate) enum Waiter {
    /// The question was sent to this socket alone.
    One(oneshot::Sender<ReceivedAnswer>),
    /// The question was sent to several sockets.
    Several(PendingAnswer),
}

impl Waiter {
    fn answer(self, socket: &Socket, answer: ReceivedAnswer) {
        match self {
            // The asker may have stopped waiting.
            Self::One(waiting) => drop(waiting.send(answer)),
            Self::Several(pending) => pending.settle(socket, Ok(answer)),
        }
    }

    /// Reports that the socket closed before the client answered.
    pub(super) fn close(self, socket: &Socket) {
        match self {
            Self::One(waiting) => drop(waiting),
            Self::Several(pending) => pending.settle(socket, Err(AckError::Closed)),
        }
    }
}

/// A socket of any server, with a timeout for the answer of its client.
///
/// ```
/// # async fn example(socket: &socketio::Socket) -> Result<(), socketio::AckError> {
/// use std::time::Duration;
///
/// let age: u8 = socket.timeout(Duration::from_secs(5)).emit_with_ack(("age?",)).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
#[must_use = "nothing is sent before `emit_with_ack` or `request`"]
pub struct Timed<'a> {
    socket: AnySocket<'a>,
    timeout: Duration,
}

#[derive(Clone, Copy, Debug)]
enum AnySocket<'a> {
    Local(&'a Socket),
    Remote(&'a RemoteSocket),
}

impl<'a> Timed<'a> {
    pub(super) fn remote(socket: &'a RemoteSocket, timeout: Duration) -> Self {
        Self { socket: AnySocket::Remote(socket), timeout }
    }
}

impl Timed<'_> {
    /// Emits to the socket's client and waits for its answer, decoded as a `T`. The message is sent
    /// at once, and the timeout starts then.
    ///
    /// # Errors
    ///
    /// See [`Socket::emit_with_ack`].
    pub fn emit_with_ack<T: FromAnswer>(self, event: impl IntoEvent) -> AckFuture<T> {
        match self.socket {
            AnySocket::Local(socket) => socket.emit_with_ack(event).timeout(self.timeout),
            AnySocket::Remote(socket) => socket.ask(event, Some(self.timeout)),
        }
    }

    /// Asks the socket's client and waits for its answer, whose type the payload type declares. The
    /// question is sent at once, and the timeout starts then.
    ///
    /// # Errors
    ///
    /// See [`Socket::emit_with_ack`].
    pub fn request<Q>(self, question: &Q) -> AckFuture<Q::Answer>
    where
        Q: Request<Answer: FromAnswer> + Serialize,
    {
        self.emit_with_ack(question)
    }
}

/// Waits for a client's answer. Dropping it cancels the wait.
///
/// The question was sent when the future was created, and the timeout started then.
#[must_use = "the question is already sent, but its answer is only decoded when it is awaited"]
pub struct AckFuture<T> {
    question: Question<T>,
    clock: Clock,
}

enum Question<T> {
    /// A socket of this server was asked.
    Asked(Asked),
    /// A socket that may be on another server was asked. The stream has the timeout.
    Remote(Box<AckStream<T>>),
    /// The question could not be sent, for this reason. `None` if the future is finished.
    Over(Option<AckError>),
}

impl<T> AckFuture<T> {
    fn new(asked: Result<Asked, AckError>, timeout: Duration) -> Self {
        let question = asked.map_or_else(|error| Question::Over(Some(error)), Question::Asked);
        Self { question, clock: Clock::new(timeout) }
    }

    pub(super) fn remote(stream: AckStream<T>) -> Self {
        Self { question: Question::Remote(Box::new(stream)), clock: Clock::new(Duration::ZERO) }
    }

    /// Sets how long to wait for the answer, instead of the hub's
    /// [`ack_timeout`](crate::HubBuilder::ack_timeout).
    pub fn timeout(mut self, timeout: Duration) -> Self {
        match self.question {
            Question::Remote(stream) => self.question = Question::Remote(Box::new(stream.timeout(timeout))),
            Question::Asked(_) | Question::Over(_) => self.clock.set(timeout),
        }
        self
    }
}

impl<T: FromAnswer> Future for AckFuture<T> {
    type Output = Result<T, AckError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let answer = match &mut this.question {
            Question::Asked(asked) => {
                let answer = match asked.poll_answer(context) {
                    Poll::Ready(answer) => answer.and_then(|answer| answer.decode()),
                    Poll::Pending => {
                        ready!(this.clock.poll(context));
                        asked.registration.count_timeout();
                        Err(AckError::Timeout)
                    }
                };
                asked.trace.end_one(&answer);
                answer
            }
            Question::Remote(stream) => ready!(stream.poll_only(context)),
            Question::Over(error) => Err(error.take().unwrap_or(AckError::Closed)),
        };
        this.question = Question::Over(None);
        Poll::Ready(answer)
    }
}

impl<T> fmt::Debug for AckFuture<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("AckFuture").finish_non_exhaustive()
    }
}

/// The timeout for answers. The timer is created on the first poll.
pub(super) struct Clock {
    start: Instant,
    until: Instant,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Clock {
    pub(super) fn new(timeout: Duration) -> Self {
        let start = Instant::now();
        Self { start, until: after(start, timeout), timer: None }
    }

    /// Changes the timeout, which still counts from the start.
    pub(super) fn set(&mut self, timeout: Duration) {
        self.until = after(self.start, timeout);
        self.timer = None;
    }

    /// Ready when the timeout has passed.
    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let until = self.until;
        self.timer.get_or_insert_with(|| Box::pin(sleep_until(until))).as_mut().poll(context)
    }
}

/// An entry in a socket's pending answers. Dropping it removes the entry.
#[derive(Debug)]
pub(crate) struct Registration {
    socket: Socket,
    id: u64,
}

impl Registration {
    pub(crate) fn socket(&self) -> &Socket {
        &self.socket
    }

    /// Counts that the answer did not come in time.
    pub(super) fn count_timeout(&self) {
        self.socket.hub().counters().ack_timeout();
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        let waiter = self.socket.0.side.lock().as_mut().and_then(|side| side.requests.waiting.remove(&self.id));
        drop(waiter);
        self.socket.peer().end_wait();
        self.socket.peer().handle.counters().add(Count::AcksSettled, 1);
    }
}

/// A question that was sent to one socket. Dropping it cancels the wait.
pub(super) struct Asked {
    registration: Registration,
    answer: oneshot::Receiver<ReceivedAnswer>,
    trace: RequestTrace,
}

impl Asked {
    /// Ready when the client has answered or can no longer answer.
    pub(super) fn poll_answer(&mut self, context: &mut Context<'_>) -> Poll<Result<ReceivedAnswer, AckError>> {
        Pin::new(&mut self.answer).poll(context).map_err(|_| AckError::Closed)
    }
}

impl Socket {
    /// Emits to this socket's client and waits for its answer, decoded as a `T`. The timeout is the
    /// hub's [`ack_timeout`](crate::HubBuilder::ack_timeout). The message is sent at once, not when
    /// the future is polled.
    ///
    /// # Errors
    ///
    /// - The message was not sent.
    /// - The client did not answer in time, or the socket closed first.
    /// - The client answered with an error, or its answer does not decode as `T`.
    pub fn emit_with_ack<T: FromAnswer>(&self, event: impl IntoEvent) -> AckFuture<T> {
        AckFuture::new(self.ask_alone(event), self.hub().config().ack_timeout)
    }

    /// Asks this socket's client and waits for its answer. It is
    /// [`emit_with_ack`](Self::emit_with_ack) for payload types that declare the type of their
    /// answer.
    ///
    /// ```
    /// use socketio::{AckError, Socket, event};
    /// use std::time::Duration;
    ///
    /// #[event("question", ack = Answer)]
    /// #[derive(serde::Serialize)]
    /// struct Question<'a> {
    ///     text: &'a str,
    /// }
    ///
    /// #[derive(serde::Deserialize)]
    /// struct Answer {
    ///     yes: bool,
    /// }
    ///
    /// async fn is_ready(socket: &Socket) -> Result<bool, AckError> {
    ///     let question = Question { text: "ready?" };
    ///     let answer = socket.request(&question).timeout(Duration::from_secs(5)).await?;
    ///     Ok(answer.yes)
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// See [`emit_with_ack`](Self::emit_with_ack).
    pub fn request<Q>(&self, question: &Q) -> AckFuture<Q::Answer>
    where
        Q: Request<Answer: FromAnswer> + Serialize,
    {
        self.emit_with_ack(question)
    }

    /// Sets a timeout for [`emit_with_ack`](Timed::emit_with_ack) and [`request`](Timed::request),
    /// instead of the hub's.
    pub fn timeout(&self, timeout: Duration) -> Timed<'_> {
        Timed { socket: AnySocket::Local(self), timeout }
    }

    fn ask_alone(&self, event: impl IntoEvent) -> Result<Asked, AckError> {
        let (packet, mut trace) = RequestTrace::begin(question(event)?, self.namespace_inner());
        let asked = self.send_question(packet);
        if asked.is_err() {
            trace.end_one(&asked);
        }
        asked.map(|(registration, answer)| Asked { registration, answer, trace })
    }

    fn send_question(&self, packet: Packet) -> Result<(Registration, oneshot::Receiver<ReceivedAnswer>), AckError> {
        let id = self.hub().ack_ids().next();
        let (sender, answer) = oneshot::channel();
        let registration = self.register_answer(id, Waiter::One(sender))?;
        match self.namespace_inner().emit_to_socket(&packet.asking(id), self) {
            Ok(()) => Ok((registration, answer)),
            Err(EmitError::Closed) => Err(AckError::Closed),
            Err(error) => Err(error.into()),
        }
    }

    /// Registers a waiter for the answer to the question with this id.
    pub(crate) fn register_answer(&self, id: u64, waiter: Waiter) -> Result<Registration, AckError> {
        let limit = self.hub().config().max_pending_acks;
        // A waiter that is not registered is dropped after the lock is released.
        let mut waiter = Some(waiter);
        self.with_side(|side| {
            let requests = &mut side.requests;
            if self.is_gone() {
                return Err(AckError::Closed);
            }
            if requests.waiting.len() >= limit {
                return Err(AckError::TooMany);
            }
            requests.waiting.extend(waiter.take().map(|waiter| (id, waiter)));
            Ok(())
        })?;
        self.peer().await_answer();
        self.peer().handle.counters().add(Count::AckRequests, 1);
        Ok(Registration { socket: self.clone(), id })
    }

    /// Passes an answer to its waiter, if it still waits. Returns `false` if no question of the hub
    /// ever had this id.
    pub(crate) fn answered(&self, id: u64, answer: ReceivedAnswer) -> bool {
        let mut side = self.0.side.lock();
        let waiter = side.as_mut().and_then(|side| side.requests.waiting.remove(&id));
        let reliable = side.as_ref().filter(|_| waiter.is_none()).and_then(|side| side.reliable.clone());
        drop(side);
        match waiter {
            Some(waiter) => {
                waiter.answer(self, answer);
                true
            }
            None if reliable.is_some_and(|queue| queue.answered(id, &answer)) => {
                self.tell_changed();
                true
            }
            None => self.hub().ack_ids().contains(id),
        }
    }
}
