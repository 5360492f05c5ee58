//! [`ServerRequest`]: a question to the other servers.

use std::fmt;
use std::future::IntoFuture;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use crate::hub::adapter::{BoxFuture, Packet, RequestError, ServerId};
use crate::hub::namespace::inner::NamespaceInner;
use crate::hub::selection::EmitError;
use crate::hub::socket::ack_future::AckError;
use crate::hub::socket::from_answer::FromAnswer;

/// A question to the other servers, from [`server_request`](crate::Namespace::server_request). It
/// is sent when it is awaited.
#[must_use = "the question is sent when it is awaited"]
pub struct ServerRequest<T> {
    namespace: Arc<NamespaceInner>,
    question: Result<Packet, EmitError>,
    timeout: Duration,
    answer: PhantomData<fn() -> T>,
}

impl<T> ServerRequest<T> {
    pub(crate) fn new(namespace: &Arc<NamespaceInner>, question: Result<Packet, EmitError>) -> Self {
        let timeout = namespace.ack_timeout();
        Self { namespace: Arc::clone(namespace), question, timeout, answer: PhantomData }
    }

    /// Sets how long to wait for answers. Default: the hub's
    /// [`ack_timeout`](crate::HubBuilder::ack_timeout).
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }
}

impl<T> fmt::Debug for ServerRequest<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ServerRequest").field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

impl<T: FromAnswer + Send + 'static> IntoFuture for ServerRequest<T> {
    type Output = Result<ServerAnswers<T>, RequestError>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let question = self.question.map_err(|error| RequestError::NotSent(error.to_string()))?;
            let asked = self.namespace.server_request(&question, self.timeout);
            // A packet is not `Sync`.
            drop(question);
            let replies = asked.await?;
            let mut answers = ServerAnswers { answers: Vec::new(), errors: Vec::new(), silent: replies.silent };
            for reply in replies.replies {
                match reply.answer.decode() {
                    Ok(answer) => answers.answers.push((reply.server, answer)),
                    Err(error) => answers.errors.push((reply.server, error)),
                }
            }
            Ok(answers)
        })
    }
}

/// The answers of other servers to a question.
#[derive(Debug)]
#[non_exhaustive]
pub struct ServerAnswers<T> {
    /// The answers with their servers, in the order of arrival. Servers on Node.js may not tell
    /// who they are.
    pub answers: Vec<(Option<ServerId>, T)>,
    /// The answers that do not decode as `T`, or that are errors.
    pub errors: Vec<(Option<ServerId>, AckError)>,
    /// The number of servers that did not answer in time.
    pub silent: usize,
}

impl<T> ServerAnswers<T> {
    /// Returns the answers without their servers.
    pub fn into_values(self) -> impl Iterator<Item = T> {
        self.answers.into_iter().map(|(_, answer)| answer)
    }
}
