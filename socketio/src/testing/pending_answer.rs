//! [`PendingAnswer`]: waits for the answer to an event of a test client.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::timeout;

use futures_util::future::BoxFuture;

use super::client::Client;
use super::error::{Actual, TestError};
use super::inbox::Inbox;
use super::wire::Answer;
use crate::event::error::PayloadError;
use crate::hub::socket::from_answer::FromAnswer;

/// Waits for the answer to an event that a [`Client`] has sent. The client's
/// [`patience`](super::ClientBuilder::patience) begins when this is first polled.
///
/// It does not borrow the client. While it waits, the client can answer a question of the handler:
///
/// ```
/// # use socketio::{AckError, Hub, Socket, event, events};
/// #[event("delete")]
/// async fn delete(socket: &Socket, what: String) -> Result<String, AckError> {
///     let is_sure: bool = socket.emit_with_ack(("sure?", &what)).await?;
///     Ok(if is_sure { format!("{what} is deleted") } else { "kept".to_owned() })
/// }
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let hub = Hub::builder().events(events![delete]).build()?;
/// let mut client = hub.test_client().connect().await?;
/// let deleted = client.request::<String>("delete", "all");
/// client.expect_event("sure?").await?.answer(true)?;
/// assert_eq!(deleted.await?, "all is deleted");
/// # Ok(())
/// # }
/// ```
#[must_use = "the event is already sent, but its answer is only decoded when this is awaited"]
pub struct PendingAnswer<R>(BoxFuture<'static, Result<R, TestError>>);

impl<R: FromAnswer + 'static> PendingAnswer<R> {
    /// `sent`: the event's name, and the receiver of its answer.
    pub(super) fn new(sent: Result<(String, oneshot::Receiver<Answer>), TestError>, client: &Client) -> Self {
        let (inbox, patience) = (Arc::clone(&client.inbox), client.patience);
        Self(Box::pin(async move {
            let (name, answer) = sent?;
            await_answer(&name, answer, &inbox, patience).await
        }))
    }
}

async fn await_answer<R: FromAnswer>(
    name: &str,
    answer: oneshot::Receiver<Answer>,
    inbox: &Inbox,
    patience: Duration,
) -> Result<R, TestError> {
    let expected = format!("an answer to `{name}`");
    match timeout(patience, answer).await {
        Ok(Ok(Ok(contents))) => R::from_answer(contents.raw()).map_err(|error| {
            let actual = Actual::WrongContents { message: contents.to_string(), why: describe(&error) };
            inbox.unmet(&expected, actual)
        }),
        Ok(Ok(Err(error))) => Err(TestError::Failed(error.with_event(name))),
        Ok(Err(_)) => match inbox.ended() {
            Some(ended) => Err(inbox.unmet(&expected, Actual::End(ended))),
            None => Err(inbox.unmet(&expected, Actual::Timeout(patience))),
        },
        Err(_) => Err(inbox.unmet(&expected, Actual::Timeout(patience))),
    }
}

/// Returns the error's message, and the path of the field that it concerns.
pub(super) fn describe(error: &PayloadError) -> String {
    match error.path() {
        Some(path) => format!("{} at `{path}`", error.message()),
        None => error.message().to_owned(),
    }
}

impl<R> Future for PendingAnswer<R> {
    type Output = Result<R, TestError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(context)
    }
}

impl<R> fmt::Debug for PendingAnswer<R> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("PendingAnswer").finish_non_exhaustive()
    }
}
