//! Asking clients: emits that wait for an answer.

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use serde::de::DeserializeOwned;
use std::collections::HashMap;
use std::fmt;
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::{Socket, SocketId};
use crate::connection::after;
use crate::event::decode::Remaining;
use crate::event::error::PayloadError;
use crate::event::message::IntoMessage;
use crate::selection::EmitError;
use crate::wire::binary::Attachments;
use crate::wire::envelope::Args;
use crate::wire::packet::Packet;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AckError {
    /// The message was not sent.
    #[error(transparent)]
    Emit(#[from] EmitError),
    /// The answer did not come in time. One that comes later is ignored.
    #[error("the client did not answer in time")]
    Timeout,
    /// The socket closed before the answer came.
    #[error("the socket closed before the client answered")]
    Closed,
    /// More answers are waited for than [`max_pending_acks`](crate::Builder::max_pending_acks) allows.
    #[error("too many answers are being waited for")]
    TooMany,
    /// The client answered with an error: its JSON.
    #[error("the client answered with an error: {0}")]
    Failed(serde_json::Value),
    /// The answer is not what was expected.
    #[error("unexpected answer: {0}")]
    Payload(#[from] PayloadError),
}

/// An answer, apart from the text that it came in.
#[derive(Debug)]
pub(crate) enum Answer {
    One(String),
    Many(String, Option<Attachments>),
    Failed(String),
    /// One that is nested too deeply to be looked at.
    TooDeep,
}

/// Where the ids of questions to several clients begin, so that they are none of a socket's own.
pub(crate) const SHARED_ACKS: u64 = 1 << 32;

/// The answers that a socket waits for.
#[derive(Debug, Default)]
pub(crate) struct Requests {
    next: u64,
    waiting: HashMap<u64, oneshot::Sender<Answer>>,
}

impl Requests {
    /// Forgets everyone who waits; dropping what comes back tells them.
    #[must_use]
    pub(crate) fn abandon(&mut self) -> impl Sized + use<> {
        std::mem::take(&mut self.waiting)
    }
}

/// A socket whose client is to be asked, with a timeout of its own.
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
#[must_use = "nothing is sent before `emit_with_ack`"]
pub struct Timed<'a> {
    socket: &'a Socket,
    timeout: Duration,
}

impl<'a> Timed<'a> {
    pub(crate) fn new(socket: &'a Socket, timeout: Duration) -> Self {
        Self { socket, timeout }
    }

    /// Emits to the socket's client and waits for its answer, decoded as a `T`. The message is sent at once, and the time
    /// runs from then on.
    ///
    /// # Errors
    ///
    /// The message was not sent, the answer did not come in time or before the socket closed, it was an error, or it is no
    /// `T`.
    pub fn emit_with_ack<T: DeserializeOwned + 'static>(self, message: impl IntoMessage) -> AckFuture<T> {
        let asked = self.socket.ask_alone(message);
        let until = after(Instant::now(), self.timeout);
        AckFuture(Box::pin(async move {
            let mut asked = asked?;
            asked.answer(until).await
        }))
    }
}

/// Waits for a client's answer. Dropping it forgets the question.
#[must_use = "the question has been asked, but the answer is only decoded for one who awaits it"]
pub struct AckFuture<T>(BoxFuture<'static, Result<T, AckError>>);

impl<T: Send + 'static> AckFuture<T> {
    pub(crate) fn failed(error: EmitError) -> Self {
        Self(Box::pin(std::future::ready(Err(error.into()))))
    }
}

impl<T> Future for AckFuture<T> {
    type Output = Result<T, AckError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(context)
    }
}

impl<T> fmt::Debug for AckFuture<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("AckFuture").finish_non_exhaustive()
    }
}

fn decode<T: DeserializeOwned>(answer: &Answer) -> Result<T, AckError> {
    let (args, attachments) = match answer {
        Answer::One(text) => (Args::One(text), None),
        Answer::Many(text, attachments) => (Args::Many(text), attachments.as_ref()),
        Answer::Failed(error) => return Err(AckError::Failed(serde_json::from_str(error).unwrap_or_default())),
        Answer::TooDeep => return Err(PayloadError::too_deep().into()),
    };
    // An answer without arguments is what a handler of `()` gives.
    if args == Args::Many("")
        && let Ok(nothing) = serde_json::from_str("null")
    {
        return Ok(nothing);
    }
    Ok(Remaining::new(args).with_attachments(attachments).next()?)
}

/// A question that was sent. Dropping it forgets it.
struct Asked {
    socket: Socket,
    id: u64,
    answer: oneshot::Receiver<Answer>,
}

impl Drop for Asked {
    fn drop(&mut self) {
        self.socket.with_side(|side| side.requests.waiting.remove(&self.id));
        self.socket.peer().awaited.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Asked {
    async fn answer<T: DeserializeOwned>(&mut self, until: Instant) -> Result<T, AckError> {
        match tokio::time::timeout_at(until, &mut self.answer).await {
            Ok(Ok(answer)) => decode(&answer),
            Ok(Err(_)) => Err(AckError::Closed),
            Err(_) => Err(AckError::Timeout),
        }
    }
}

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

/// Asks several clients the same, all of them before the first answer is waited for.
pub(crate) fn ask_all<T>(sockets: &[Socket], packet: Packet, timeout: Option<Duration>) -> AckFuture<Answers<T>>
where
    T: DeserializeOwned + Send + 'static,
{
    let mut answers = Answers { answers: Vec::new(), missing: Vec::new() };
    let waiting = FuturesUnordered::new();
    if let Some(first) = sockets.first() {
        let packet = packet.asking(first.hub().next_shared_ack());
        let until = after(Instant::now(), timeout.unwrap_or(first.hub().config().ack_timeout));
        for socket in sockets {
            let id = socket.id();
            match socket.ask(&packet) {
                Ok(mut asked) => waiting.push(async move { (id, asked.answer(until).await) }),
                Err(error) => answers.missing.push((id, error)),
            }
        }
    }
    AckFuture(Box::pin(async move {
        let mut waiting = waiting;
        while let Some((id, answer)) = waiting.next().await {
            match answer {
                Ok(answer) => answers.answers.push((id, answer)),
                Err(error) => answers.missing.push((id, error)),
            }
        }
        Ok(answers)
    }))
}

impl Socket {
    /// Sends a question that has its id already, or gives it one.
    fn ask_alone(&self, message: impl IntoMessage) -> Result<Asked, AckError> {
        let packet = message.into_packet()?;
        let id = self.with_side(|side| {
            side.requests.next += 1;
            side.requests.next - 1
        });
        self.ask(&packet.asking(id))
    }

    fn ask(&self, packet: &Packet) -> Result<Asked, AckError> {
        let (Some(_), Some(id)) = (packet.name(), packet.ack()) else {
            return Err(EmitError::InvalidName(String::new()).into());
        };
        let limit = self.hub().config().max_pending_acks;
        let (sender, answer) = oneshot::channel();
        self.with_side(|side| {
            let requests = &mut side.requests;
            if self.is_gone() {
                return Err(AckError::Closed);
            }
            if requests.waiting.len() >= limit {
                return Err(AckError::TooMany);
            }
            requests.waiting.insert(id, sender);
            Ok(())
        })?;
        self.peer().awaited.fetch_add(1, Ordering::Relaxed);
        let asked = Asked { socket: self.clone(), id, answer };
        match self.space().adapter().emit_to_socket(packet, self) {
            Ok(()) => Ok(asked),
            Err(EmitError::Closed) => Err(AckError::Closed),
            Err(error) => Err(error.into()),
        }
    }

    /// Hands an answer to whoever waits for it, if somebody still does. `false`: nobody ever has.
    pub(crate) fn answered(&self, id: u64, answer: Answer) -> bool {
        let mut side = self.0.side.lock();
        let Some(requests) = side.as_mut().map(|side| &mut side.requests) else { return false };
        let waiting = requests.waiting.remove(&id);
        let asked = id < requests.next || (id >= SHARED_ACKS && waiting.is_some());
        drop(side);
        if let Some(waiting) = waiting {
            let _ = waiting.send(answer);
        }
        asked
    }
}
