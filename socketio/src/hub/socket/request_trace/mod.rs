//! [`RequestTrace`]: the span of a request to clients, which tells them its context.

#[cfg(not(feature = "opentelemetry-traces"))]
mod none;
#[cfg(feature = "opentelemetry-traces")]
mod with_opentelemetry;

#[cfg(not(feature = "opentelemetry-traces"))]
pub(crate) use none::RequestTrace;
#[cfg(feature = "opentelemetry-traces")]
pub(crate) use with_opentelemetry::RequestTrace;

use super::ack_future::AckError;

impl RequestTrace {
    /// Ends the span of a request to one client.
    pub(super) fn end_one<T>(&mut self, answer: &Result<T, AckError>) {
        self.end(match answer {
            Ok(_) => "ok",
            Err(AckError::Timeout) => "timeout",
            Err(AckError::Closed) => "closed",
            Err(AckError::Failed(_)) => "failed",
            Err(AckError::Payload(_)) => "invalid_payload",
            Err(AckError::Emit(_) | AckError::TooMany) => "not_sent",
        });
    }
}
