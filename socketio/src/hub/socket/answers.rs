//! Questions to several clients, with the answers one by one or all together.

use futures_util::Stream;
use std::fmt;
use std::future::poll_fn;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use super::answer::FromAnswer;
use super::requests::{AckError, Clock};
use super::{Socket, SocketId};
use crate::hub::adapter::AnswerSink;
use crate::hub::adapter::sink::Collector;
use crate::hub::selection::EmitError;

/// The socket that gave an answer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Answerer {
    /// The socket with this id, on whatever server.
    Id(SocketId),
    /// A socket of another server that does not report the id.
    Elsewhere,
}

impl Answerer {
    /// The id of the socket, if it is known.
    pub fn id(&self) -> Option<&SocketId> {
        match self {
            Self::Id(id) => Some(id),
            Self::Elsewhere => None,
        }
    }
}

impl From<SocketId> for Answerer {
    fn from(id: SocketId) -> Self {
        Self::Id(id)
    }
}

impl PartialEq<SocketId> for Answerer {
    fn eq(&self, id: &SocketId) -> bool {
        self.id() == Some(id)
    }
}

impl fmt::Display for Answerer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => id.fmt(formatter),
            Self::Elsewhere => formatter.write_str("a socket of another server"),
        }
    }
}

/// The answers of several clients to one question.
#[derive(Debug)]
#[non_exhaustive]
pub struct Answers<T> {
    /// The answers in the order of arrival, each with its socket.
    pub answers: Vec<(Answerer, T)>,
    /// The sockets without an answer.
    pub missing: Missing,
}

impl<T> Answers<T> {
    /// Whether every socket that was asked has answered.
    pub fn is_complete(&self) -> bool {
        self.missing.is_none()
    }

    /// The answers without their sockets.
    pub fn into_values(self) -> impl Iterator<Item = T> {
        self.answers.into_iter().map(|(_, answer)| answer)
    }
}

/// The sockets that were asked and have not answered, or whose answer does not decode.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Missing {
    /// The sockets whose error is known: all of this server, and those of other servers that report
    /// it.
    pub errors: Vec<(Answerer, AckError)>,
    /// How many sockets of other servers have not answered, beside those in `errors`.
    pub remote: usize,
    /// How many other servers have not reported how many sockets they asked.
    pub silent_servers: usize,
}

impl Missing {
    /// Whether no answer is missing.
    pub fn is_none(&self) -> bool {
        self.sockets() == 0 && self.silent_servers == 0
    }

    /// How many sockets are known to be missing. [Silent servers](Self::silent_servers) may have
    /// asked more.
    pub fn sockets(&self) -> usize {
        self.errors.len() + self.remote
    }
}

/// The answers of several clients to one question: one by one with [`next`](Self::next), or all
/// together with `.await`. Dropping it ends the wait.
///
/// The question was sent when the stream was created, and the timeout counts from then. The stream
/// ends when each client has answered or disconnected, or with the timeout. The sockets without an
/// answer are [`missing`](Self::missing).
///
/// ```
/// use socketio::{Hub, event};
/// use std::time::Duration;
///
/// #[event("points?", ack = u8)]
/// #[derive(serde::Serialize)]
/// struct Points<'a> {
///     act: &'a str,
/// }
///
/// async fn ask(hub: &Hub) {
///     let mut answers = hub.to("jury").request(&Points { act: "the third" }).timeout(Duration::from_secs(10));
///     while let Some((juror, points)) = answers.next().await {
///         println!("{juror} gives {points}");
///     }
///     for (juror, error) in &answers.missing().errors {
///         println!("nothing from {juror}: {error}");
///     }
/// }
/// ```
///
/// It implements `Stream`. [`into_future`](Self::into_future) converts it into a future of all
/// answers.
#[must_use = "the question has been asked, but the answers are only decoded for one who waits for them"]
pub struct AckStream<T> {
    collector: Arc<Collector>,
    missing: Missing,
    /// Why the question was not sent.
    failed: Option<EmitError>,
    clock: Clock,
    answer: PhantomData<fn() -> T>,
}

impl<T> AckStream<T> {
    /// A stream and its sink, which [`Adapter::ask`](crate::adapter::Adapter::ask) takes. Adapters
    /// use it to ask the sockets of their server on behalf of another server.
    pub fn channel(timeout: Duration) -> (AnswerSink, Self) {
        let (collector, sink) = Collector::new(timeout);
        let missing = Missing::default();
        (sink, Self { collector, missing, failed: None, clock: Clock::new(timeout), answer: PhantomData })
    }

    /// A question that was not sent, with the sockets of this server that it was meant for.
    pub(crate) fn failed(error: EmitError, sockets: &[Socket]) -> Self {
        let (_, mut stream) = Self::channel(Duration::ZERO);
        let missing = sockets.iter().map(|socket| (socket.id().into(), error.clone().into()));
        stream.missing.errors.extend(missing);
        stream.failed = Some(error);
        stream
    }

    /// Sets the timeout, instead of the hub's [`ack_timeout`](crate::HubBuilder::ack_timeout). An
    /// adapter may have sent the earlier timeout to other servers with the question. For these set
    /// it with [`Selection::timeout`](crate::Selection::timeout).
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.clock.set(timeout);
        self.collector.set_timeout(timeout);
        self
    }

    /// The sockets without an answer so far, with the error of each. A client that answers with an
    /// error is among them. When the stream has ended, every socket that was asked has answered or
    /// is counted here.
    pub fn missing(&self) -> &Missing {
        &self.missing
    }

    /// Ends the wait. `why`: the error of the sockets of this server that have not answered.
    fn close(&mut self, why: fn() -> AckError) {
        let rest = self.collector.close();
        let late = rest.asked.iter().map(|registration| (registration.socket().id().into(), why()));
        self.missing.errors.extend(late);
        (self.missing.remote, self.missing.silent_servers) = (rest.remote, rest.silent_servers);
    }
}

impl<T: FromAnswer> AckStream<T> {
    /// A future of all answers that were not taken before, as `.await` uses. The method is
    /// inherent, because `futures::StreamExt` has another one of this name.
    pub fn into_future(self) -> AllAnswers<T> {
        AllAnswers { stream: self, answers: Vec::new() }
    }

    /// The next answer, with its socket. `None`: the stream has ended.
    pub async fn next(&mut self) -> Option<(Answerer, T)> {
        poll_fn(|context| self.poll_answer(context)).await
    }

    pub(super) fn poll_answer(&mut self, context: &mut Context<'_>) -> Poll<Option<(Answerer, T)>> {
        while let Poll::Ready(next) = self.collector.poll_next(context) {
            let Some((from, answer)) = next else {
                self.close(|| AckError::Closed);
                return Poll::Ready(None);
            };
            match answer.and_then(|answer| answer.decode()) {
                Ok(answer) => return Poll::Ready(Some((from, answer))),
                Err(error) => self.missing.errors.push((from, error)),
            }
        }
        ready!(self.clock.poll(context));
        self.close(|| AckError::Timeout);
        Poll::Ready(None)
    }

    /// The answer to a question that was sent to one socket.
    pub(super) fn poll_only(&mut self, context: &mut Context<'_>) -> Poll<Result<T, AckError>> {
        if let Some(error) = self.failed.take() {
            return Poll::Ready(Err(error.into()));
        }
        Poll::Ready(match ready!(self.poll_answer(context)) {
            Some((_, answer)) => Ok(answer),
            // Where nothing is known of the socket, it was not found.
            None => Err(match self.missing.errors.pop() {
                Some((_, error)) => error,
                None if self.missing.is_none() => AckError::Closed,
                None => AckError::Timeout,
            }),
        })
    }
}

impl<T> Drop for AckStream<T> {
    fn drop(&mut self) {
        drop(self.collector.close());
    }
}

impl<T: FromAnswer> Stream for AckStream<T> {
    type Item = (Answerer, T);

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_answer(context)
    }
}

impl<T: FromAnswer> IntoFuture for AckStream<T> {
    type Output = Result<Answers<T>, AckError>;
    type IntoFuture = AllAnswers<T>;

    fn into_future(self) -> AllAnswers<T> {
        Self::into_future(self)
    }
}

impl<T> fmt::Debug for AckStream<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("AckStream").field("missing", &self.missing).finish_non_exhaustive()
    }
}

/// The future of all answers that were not taken from an [`AckStream`] before.
#[must_use = "the question has been asked, but the answers are only decoded for one who waits for them"]
pub struct AllAnswers<T> {
    stream: AckStream<T>,
    /// The answers so far.
    answers: Vec<(Answerer, T)>,
}

/// Nothing in it is pinned.
impl<T> Unpin for AllAnswers<T> {}

impl<T: FromAnswer> Future for AllAnswers<T> {
    type Output = Result<Answers<T>, AckError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if let Some(error) = this.stream.failed.take() {
            return Poll::Ready(Err(error.into()));
        }
        while let Some(answer) = ready!(this.stream.poll_answer(context)) {
            this.answers.push(answer);
        }
        let (answers, missing) = (std::mem::take(&mut this.answers), std::mem::take(&mut this.stream.missing));
        Poll::Ready(Ok(Answers { answers, missing }))
    }
}

impl<T> fmt::Debug for AllAnswers<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("AllAnswers").field("stream", &self.stream).finish_non_exhaustive()
    }
}
