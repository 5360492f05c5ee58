//! [`Delivery`] and [`DeliveryError`]: how a reliable event ends.

use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::sync::oneshot;

use crate::event::error::EventError;
use crate::hub::selection::EmitError;
use crate::wire::delivery_id::DeliveryId;

/// A [reliable](crate::Socket::reliable) event on its way. Await it to learn whether the client has
/// acked the event.
///
/// Dropping it does not cancel the delivery. If the delivery then fails, `error` fires on the
/// socket, with the code `undelivered` and the name of the event.
#[derive(Debug)]
pub struct Delivery {
    id: DeliveryId,
    outcome: oneshot::Receiver<Result<(), DeliveryError>>,
}

/// Why a reliable event was not acked.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeliveryError {
    /// Nothing was sent or kept. [`emit`](crate::Reliable::emit) returns this error by itself; this
    /// variant lets `?` convert it.
    #[error(transparent)]
    Emit(#[from] EmitError),
    /// The client did not ack the event in time. It may have received it.
    #[error("the client did not ack the event in time")]
    Timeout,
    /// The connection ended, and the client can't resume its session. It may have received the
    /// event.
    #[error("the connection ended before the client acked the event")]
    Closed,
    /// The connection was cut, and the client did not resume its session: it did not come back in
    /// time, its session was dropped because there were too many, or the server shut down. It may
    /// have received the event.
    #[error("the client did not resume its session")]
    Expired,
    /// The connection was cut, and the event is stored with the client's session in a cluster whose
    /// engine has a log. The server at which the client resumes its session goes on with it.
    #[error("the event is stored with the session of the client, which was cut off")]
    Moved,
    /// The client received the event and answered with an error.
    #[error("the client answered with the error `{code}`: {0}", code = .0.code())]
    Refused(EventError),
}

impl Delivery {
    pub(super) fn new(id: DeliveryId) -> (oneshot::Sender<Result<(), DeliveryError>>, Self) {
        let (waiter, outcome) = oneshot::channel();
        (waiter, Self { id, outcome })
    }

    /// The id that all repetitions of the event have.
    pub fn id(&self) -> DeliveryId {
        self.id
    }
}

impl Future for Delivery {
    type Output = Result<(), DeliveryError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        // Without a waiter, the server is gone.
        Pin::new(&mut self.outcome).poll(context).map(|outcome| outcome.unwrap_or(Err(DeliveryError::Closed)))
    }
}
