//! [`EmitterError`], and [`Published`], by which an emit tells it.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::sync::oneshot;

use crate::hub::selection::EmitError;

/// The error of what an [`Emitter`](crate::Emitter) did not publish.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EmitterError {
    /// The message can't be sent: its payload does not serialize, or no event can have its name.
    #[error(transparent)]
    Invalid(#[from] EmitError),
    /// The message is larger than the engine can carry.
    #[error("the message has {bytes} bytes, and the engine carries at most {max}")]
    TooLarge {
        /// The length of the message in the format of the cluster.
        bytes: usize,
        /// The most that the engine carries.
        max: usize,
    },
    /// Too many messages wait to be published.
    #[error("too many messages wait to be published")]
    Full,
    /// The engine has not been connected for longer than the emitter
    /// [waits](crate::Emitter::patience). The message was not published. Contains the reason.
    #[error("the cluster can't be reached: {0}")]
    Unreachable(Arc<str>),
    /// The engine failed while it published. The message may have been published. Contains the
    /// reason.
    #[error("it is not known whether the message was published: {0}")]
    Unconfirmed(Arc<str>),
    /// The emitter was first used outside of a tokio runtime.
    #[error("an emitter must be used on a tokio runtime")]
    NoRuntime,
    /// The emitter was [closed](crate::Emitter::close), or its runtime has ended.
    #[error("the emitter is closed")]
    Closed,
}

/// The result of an emit of an [`Emitter`](crate::Emitter): a future that completes when the broker
/// has taken the message. The message is published even if the future is dropped. Then an error is
/// logged.
#[must_use = "it tells whether the message was published"]
pub struct Published(State);

enum State {
    Failed(Option<EmitterError>),
    Waiting(oneshot::Receiver<Result<(), EmitterError>>),
}

impl Published {
    pub(super) fn failed(error: EmitterError) -> Self {
        Self(State::Failed(Some(error)))
    }

    pub(super) fn waiting(receiver: oneshot::Receiver<Result<(), EmitterError>>) -> Self {
        Self(State::Waiting(receiver))
    }
}

impl Future for Published {
    type Output = Result<(), EmitterError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            State::Failed(error) => Poll::Ready(Err(error.take().unwrap_or(EmitterError::Closed))),
            // The publisher is gone if its runtime has ended.
            State::Waiting(receiver) => {
                Poll::Ready(ready!(Pin::new(receiver).poll(context)).unwrap_or(Err(EmitterError::Closed)))
            }
        }
    }
}

impl fmt::Debug for Published {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Published").finish_non_exhaustive()
    }
}
