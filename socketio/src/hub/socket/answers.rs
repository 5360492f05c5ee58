//! Asking several clients the same: their answers as they come, or all together.

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

/// Whose answer it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Answerer {
    /// The socket with this id, on whatever server.
    Id(SocketId),
    /// A socket of another server, which does not tell the id.
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
    /// Who answered what, in the order in which the answers came.
    pub answers: Vec<(Answerer, T)>,
    /// Who did not answer, or not what was asked for.
    pub missing: Missing,
}

impl<T> Answers<T> {
    /// Whether everyone who was asked has answered.
    pub fn is_complete(&self) -> bool {
        self.missing.is_none()
    }

    /// The answers alone.
    pub fn into_values(self) -> impl Iterator<Item = T> {
        self.answers.into_iter().map(|(_, answer)| answer)
    }
}

/// Who was asked and has not answered, or not what was asked for.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Missing {
    /// Those of whom it is known why: all of this server, and those of other servers that have told
    /// it.
    pub errors: Vec<(Answerer, AckError)>,
    /// How many sockets of other servers were asked besides, and have not answered.
    pub remote: usize,
    /// How many other servers have not told how many sockets they asked.
    pub silent_servers: usize,
}

impl Missing {
    /// Whether nobody is missing.
    pub fn is_none(&self) -> bool {
        self.sockets() == 0 && self.silent_servers == 0
    }

    /// How many sockets are known to be missing. [Silent servers](Self::silent_servers) may have
    /// asked more.
    pub fn sockets(&self) -> usize {
        self.errors.len() + self.remote
    }
}

/// Waits for the answers of several clients: with [`next`](Self::next) for one after the other, or
/// by `.await` for all of them. Dropping it forgets the question.
///
/// The question was sent when this was made, and the time runs from then on. It is over when each
/// client has answered or gone, or when the time is; who has not answered by then is
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
/// It is a `Stream` as well, for what `futures` does with those, and a future by
/// [`into_future`](Self::into_future).
#[must_use = "the question has been asked, but the answers are only decoded for one who waits for them"]
pub struct AckStream<T> {
    collector: Arc<Collector>,
    missing: Missing,
    /// Why nobody was asked.
    failed: Option<EmitError>,
    clock: Clock,
    answer: PhantomData<fn() -> T>,
}

impl<T> AckStream<T> {
    /// A stream and the sink that it gets its answers from, as
    /// [`Adapter::ask`](crate::adapter::Adapter::ask) takes one: for adapters that ask the sockets
    /// of their server what another server wants to know.
    pub fn channel(timeout: Duration) -> (AnswerSink, Self) {
        let (collector, sink) = Collector::new(timeout);
        let missing = Missing::default();
        (sink, Self { collector, missing, failed: None, clock: Clock::new(timeout), answer: PhantomData })
    }

    /// A question that could not be asked, with those of this server for whom it was meant.
    pub(crate) fn failed(error: EmitError, sockets: &[Socket]) -> Self {
        let (_, mut stream) = Self::channel(Duration::ZERO);
        let missing = sockets.iter().map(|socket| (socket.id().into(), error.clone().into()));
        stream.missing.errors.extend(missing);
        stream.failed = Some(error);
        stream
    }

    /// Waits as long as this for the answers, instead of the hub's
    /// [`ack_timeout`](crate::HubBuilder::ack_timeout). Other servers were told the time that was
    /// known when the question was asked: that of
    /// [`Selection::timeout`](crate::Selection::timeout).
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.clock.set(timeout);
        self.collector.set_timeout(timeout);
        self
    }

    /// Who did not answer, or not what was asked for, and why; a client that answers with an error
    /// is among them. Everyone who was asked is either here or has answered, once there is no
    /// [`next`](Self::next) answer.
    pub fn missing(&self) -> &Missing {
        &self.missing
    }

    /// Stops waiting. `why`: what has become of those of this server who have not answered.
    fn close(&mut self, why: fn() -> AckError) {
        let rest = self.collector.close();
        let late = rest.asked.iter().map(|registration| (registration.socket().id().into(), why()));
        self.missing.errors.extend(late);
        (self.missing.remote, self.missing.silent_servers) = (rest.remote, rest.silent_servers);
    }
}

impl<T: FromAnswer> AckStream<T> {
    /// Waits for all answers that were not taken before: what `.await` does, as a future. It is a
    /// method of its own, as `StreamExt` of the crate `futures` has one of the same name for
    /// another purpose.
    pub fn into_future(self) -> AllAnswers<T> {
        AllAnswers { stream: self, answers: Vec::new() }
    }

    /// The next answer, and whose it is. `None`: there will be no more.
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

    /// The answer of the one socket that was asked.
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

/// Waits for all answers that an [`AckStream`] has not given before.
#[must_use = "the question has been asked, but the answers are only decoded for one who waits for them"]
pub struct AllAnswers<T> {
    stream: AckStream<T>,
    /// Those that have come.
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
