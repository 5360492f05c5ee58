//! [`AckStream`] and [`Answers`]: the answers of several clients to one question.

use futures_util::Stream;
use std::fmt;
use std::future::poll_fn;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use super::ack_future::{AckError, Clock, Registration};
use super::from_answer::FromAnswer;
use super::request_trace::RequestTrace;
use super::{Socket, SocketId};
use crate::hub::adapter::AnswerSink;
use crate::hub::adapter::sink::Collector;
use crate::hub::selection::EmitError;

/// The sender of an answer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Answerer {
    /// The socket with this id, on any server.
    Id(SocketId),
    /// A socket of another server whose id is unknown.
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
    /// The answers with their senders, in the order of arrival.
    pub answers: Vec<(Answerer, T)>,
    /// The sockets without a valid answer.
    pub missing: Missing,
}

impl<T> Answers<T> {
    /// Returns `true` if every asked socket has answered.
    pub fn is_complete(&self) -> bool {
        self.missing.is_none()
    }

    /// Returns the answers without their senders.
    pub fn into_values(self) -> impl Iterator<Item = T> {
        self.answers.into_iter().map(|(_, answer)| answer)
    }
}

/// The sockets that were asked but gave no valid answer.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Missing {
    /// The errors with the sockets that they concern: all sockets of this server, and those of
    /// other servers that reported a reason.
    pub errors: Vec<(Answerer, AckError)>,
    /// The number of other sockets of other servers that were asked and have not answered.
    pub remote: usize,
    /// The number of other servers that did not report how many sockets they asked.
    pub silent_servers: usize,
}

impl Missing {
    /// Returns `true` if no socket and no server is missing.
    pub fn is_none(&self) -> bool {
        self.sockets() == 0 && self.silent_servers == 0
    }

    /// The number of sockets known to be missing. [Silent servers](Self::silent_servers) may have
    /// asked more.
    pub fn sockets(&self) -> usize {
        self.errors.len().saturating_add(self.remote)
    }
}

/// The answers of several clients to one question. Get them one by one with [`next`](Self::next),
/// or all with `.await`. Dropping the stream cancels the wait.
///
/// The question is sent when the stream is created, and the timeout starts then. The stream ends
/// when each client has answered or closed, or after the timeout. Sockets without an answer are
/// [`missing`](Self::missing).
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
///     let question = Points { act: "the third" };
///     let mut answers = hub.to("jury").request(&question).timeout(Duration::from_secs(10));
///     while let Some((juror, points)) = answers.next().await {
///         println!("{juror} gives {points}");
///     }
///     for (juror, error) in &answers.missing().errors {
///         println!("nothing from {juror}: {error}");
///     }
/// }
/// ```
///
/// It implements `Stream` for use with the `futures` crate. [`into_future`](Self::into_future)
/// turns it into a future.
#[must_use = "the question is already sent, but its answers are only decoded when they are awaited"]
pub struct AckStream<T> {
    collector: Arc<Collector>,
    missing: Missing,
    /// The error, if the question could not be sent.
    failed: Option<EmitError>,
    clock: Clock,
    trace: RequestTrace,
    answer: PhantomData<fn() -> T>,
}

impl<T> AckStream<T> {
    /// Creates a stream and the sink for its answers, as
    /// [`Adapter::ask`](crate::adapter::Adapter::ask) takes it. Adapters use it to ask this
    /// server's sockets on behalf of another server.
    pub fn channel(timeout: Duration) -> (AnswerSink, Self) {
        let (collector, sink) = Collector::new(timeout);
        let missing = Missing::default();
        (
            sink,
            Self {
                collector,
                missing,
                failed: None,
                clock: Clock::new(timeout),
                trace: RequestTrace::default(),
                answer: PhantomData,
            },
        )
    }

    /// Creates the stream of a question that could not be sent to these sockets of this server.
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

    /// The sockets that gave no valid answer, with the reasons. This includes clients that answered
    /// with an error. Once [`next`](Self::next) returned `None`, every asked socket either answered
    /// or is listed here.
    pub fn missing(&self) -> &Missing {
        &self.missing
    }

    /// Sets the span of the request, which ends when all sockets have answered, or the time is up.
    pub(crate) fn with_trace(mut self, trace: RequestTrace) -> Self {
        self.trace = trace;
        self
    }

    /// Stops waiting. `why` creates the error for the sockets of this server that have not
    /// answered.
    fn close(&mut self, why: fn() -> AckError) {
        let rest = self.collector.close();
        if matches!(why(), AckError::Timeout) {
            rest.asked.iter().for_each(Registration::count_timeout);
        }
        let waiting = rest.asked.iter().map(|registration| (registration.socket().id().into(), why()));
        self.missing.errors.extend(waiting);
        self.missing.errors.extend(rest.late.into_iter().map(|(from, _)| (from, why())));
        (self.missing.remote, self.missing.silent_servers) = (rest.remote, rest.silent_servers);
        self.trace.end(if self.missing.is_none() { "ok" } else { "incomplete" });
    }
}

impl<T: FromAnswer> AckStream<T> {
    /// Waits for all answers that [`next`](Self::next) has not returned. `.await` does the same.
    /// This inherent method hides `StreamExt::into_future` of the `futures` crate, which does
    /// something else.
    pub fn into_future(self) -> AllAnswers<T> {
        AllAnswers { stream: self, answers: Vec::new() }
    }

    /// Returns the next answer and its sender, or `None` if there will be no more.
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

    /// Returns the answer of the only socket that was asked.
    pub(super) fn poll_only(&mut self, context: &mut Context<'_>) -> Poll<Result<T, AckError>> {
        if let Some(error) = self.failed.take() {
            return Poll::Ready(Err(error.into()));
        }
        Poll::Ready(match ready!(self.poll_answer(context)) {
            Some((_, answer)) => Ok(answer),
            // Without any information about the socket, it was not found.
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

/// Waits for all answers that an [`AckStream`] has not returned yet.
#[must_use = "the question is already sent, but its answers are only decoded when they are awaited"]
pub struct AllAnswers<T> {
    stream: AckStream<T>,
    /// The answers received so far.
    answers: Vec<(Answerer, T)>,
}

/// No field is pinned.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_arrives_at_the_timeout_is_listed_as_missing() {
        let (sink, mut answers) = AckStream::<u32>::channel(Duration::ZERO);
        sink.answer(Answerer::Elsewhere, "7", &[]).expect("a JSON text");
        answers.close(|| AckError::Timeout);
        assert!(matches!(*answers.missing().errors, [(Answerer::Elsewhere, AckError::Timeout)]));
    }
}
