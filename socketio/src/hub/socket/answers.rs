//! Asking several clients the same: their answers as they come, or all together.

use futures_util::stream::FuturesUnordered;
use futures_util::{Stream, StreamExt};
use serde::ser::Error as _;
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use super::answer::FromAnswer;
use super::requests::{AckError, Asked, Clock};
use super::{Socket, SocketId};
use crate::hub::selection::EmitError;
use crate::session::event::ReceivedAnswer;
use crate::wire::packet::Packet;

/// The answers of several clients to one question.
#[derive(Debug)]
pub struct Answers<T> {
    /// Who answered what, in the order in which the answers came.
    pub answers: Vec<(SocketId, T)>,
    /// Who did not, or not what was expected, and why.
    pub missing: Vec<(SocketId, AckError)>,
}

impl<T> Answers<T> {
    /// Whether everyone who was asked has answered.
    pub fn is_complete(&self) -> bool {
        self.missing.is_empty()
    }

    /// The answers alone.
    pub fn into_values(self) -> impl Iterator<Item = T> {
        self.answers.into_iter().map(|(_, answer)| answer)
    }
}

/// Waits for the answers of several clients: with [`next`](Self::next) for one after the other, or by `.await` for all of them.
/// Dropping it forgets the question.
///
/// The question was sent when this was made, and the time runs from then on. It is over when each client has answered or gone, or
/// when the time is; who has not answered by then is [`missing`](Self::missing).
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
///     for (juror, error) in answers.missing() {
///         println!("nothing from {juror}: {error}");
///     }
/// }
/// ```
///
/// It is a `Stream` as well, for what `futures` does with those.
#[must_use = "the question has been asked, but the answers are only decoded for one who waits for them"]
pub struct AckStream<T> {
    waiting: FuturesUnordered<Waiting>,
    /// Those that came while all of them are waited for.
    answers: Vec<(SocketId, T)>,
    missing: Vec<(SocketId, AckError)>,
    /// Why nobody was asked.
    failed: Option<EmitError>,
    clock: Clock,
}

/// Nothing in it is pinned.
impl<T> Unpin for AckStream<T> {}

impl<T> AckStream<T> {
    /// Asks all of them, before the first answer is waited for.
    pub(crate) fn ask(sockets: &[Socket], question: Result<Packet, EmitError>, timeout: Option<Duration>) -> Self {
        let usual = || sockets.first().map(|socket| socket.hub().config().ack_timeout);
        let timeout = timeout.or_else(usual).unwrap_or_default();
        let mut stream = Self {
            waiting: FuturesUnordered::new(),
            answers: Vec::new(),
            missing: Vec::new(),
            failed: None,
            clock: Clock::new(timeout),
        };
        let Some(first) = sockets.first() else {
            return Self { failed: question.err(), ..stream };
        };
        match question {
            Ok(question) => {
                let question = question.asking(first.hub().next_shared_ack());
                for socket in sockets {
                    match socket.ask(&question) {
                        Ok(asked) => stream.waiting.push(Waiting { id: socket.id(), asked }),
                        Err(error) => stream.missing.push((socket.id(), error)),
                    }
                }
            }
            Err(error) => {
                stream.missing = sockets.iter().map(|socket| (socket.id(), copy(&error).into())).collect();
                stream.failed = Some(error);
            }
        }
        stream
    }

    /// Waits as long as this for the answers, instead of the hub's [`ack_timeout`](crate::HubBuilder::ack_timeout).
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.clock.set(timeout);
        self
    }

    /// Who did not answer, or not what was asked for, and why; a client that answers with an error is among them. Everyone who was
    /// asked is either here or has answered, once there is no [`next`](Self::next) answer.
    pub fn missing(&self) -> &[(SocketId, AckError)] {
        &self.missing
    }
}

impl<T: FromAnswer> AckStream<T> {
    /// The next answer, and whose it is. `None`: there will be no more.
    pub async fn next(&mut self) -> Option<(SocketId, T)> {
        poll_fn(|context| self.poll_answer(context)).await
    }

    fn poll_answer(&mut self, context: &mut Context<'_>) -> Poll<Option<(SocketId, T)>> {
        while let Poll::Ready(next) = self.waiting.poll_next_unpin(context) {
            let Some((id, answer)) = next else { return Poll::Ready(None) };
            match answer.and_then(|answer| answer.decode()) {
                Ok(answer) => return Poll::Ready(Some((id, answer))),
                Err(error) => self.missing.push((id, error)),
            }
        }
        ready!(self.clock.poll(context));
        let late = std::mem::take(&mut self.waiting).into_iter().map(|waiting| (waiting.id, AckError::Timeout));
        self.missing.extend(late);
        Poll::Ready(None)
    }
}

impl<T: FromAnswer> Stream for AckStream<T> {
    type Item = (SocketId, T);

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_answer(context)
    }
}

/// All answers that were not taken before.
impl<T: FromAnswer> Future for AckStream<T> {
    type Output = Result<Answers<T>, AckError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if let Some(error) = self.failed.take() {
            return Poll::Ready(Err(error.into()));
        }
        while let Some(answer) = ready!(self.poll_answer(context)) {
            self.answers.push(answer);
        }
        let (answers, missing) = (std::mem::take(&mut self.answers), std::mem::take(&mut self.missing));
        Poll::Ready(Ok(Answers { answers, missing }))
    }
}

impl<T> fmt::Debug for AckStream<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("AckStream").field("missing", &self.missing).finish_non_exhaustive()
    }
}

/// A client that was asked, and what it answers.
struct Waiting {
    id: SocketId,
    asked: Asked,
}

impl Future for Waiting {
    type Output = (SocketId, Result<ReceivedAnswer, AckError>);

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = ready!(self.asked.poll_answer(context));
        Poll::Ready((self.id.clone(), answer))
    }
}

/// Why a question was not sent, for one more of those whom it was meant for.
fn copy(error: &EmitError) -> EmitError {
    match error {
        EmitError::NotFound(id) => EmitError::NotFound(id.clone()),
        EmitError::Closed => EmitError::Closed,
        EmitError::Overflow => EmitError::Overflow,
        EmitError::Encode(error) => EmitError::Encode(serde_json::Error::custom(error)),
        EmitError::InvalidName(name) => EmitError::InvalidName(name.clone()),
    }
}
