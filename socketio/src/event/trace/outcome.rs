//! [`Outcome`]: how an event ended, as its span tells it.

use tracing::Span;

use crate::event::error::EventError;
use crate::wire::shown::shown;

/// How an event ended.
#[derive(Debug)]
pub(crate) enum Outcome {
    Ok,
    /// A handler or middleware returned an error, which has this code.
    Error(String),
    Panic,
    Timeout,
    InvalidPayload,
    RateLimited,
    /// The event exceeds a limit of the protocol, or has a reserved name; a `connect` handler or
    /// middleware refused the client. The text is the code of the error.
    Refused(String),
    /// The event has neither handler nor listener.
    Unhandled,
    /// The event was not run to its end, because its connection ended.
    Dropped,
}

impl Outcome {
    /// The outcome of an event that failed.
    pub(crate) fn of(error: &EventError) -> Self {
        match error.code() {
            "timeout" => Self::Timeout,
            "invalid_payload" => Self::InvalidPayload,
            code => Self::Error(shown(code).into_owned()),
        }
    }

    /// The outcome of a client or an event that is refused.
    pub(crate) fn refused(error: &EventError) -> Self {
        match Self::of(error) {
            Self::Error(code) => Self::Refused(code),
            outcome => outcome,
        }
    }

    fn as_str(&self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Error(_) => "error",
            Self::Panic => "panic",
            Self::Timeout => "timeout",
            Self::InvalidPayload => "invalid_payload",
            Self::RateLimited => "rate_limited",
            Self::Refused(_) => "refused",
            Self::Unhandled => "unhandled",
            Self::Dropped => "dropped",
        }
    }

    /// Records the outcome. The status of a span is an error if the server failed, and not if its
    /// client did.
    pub(super) fn record(&self, span: &Span) {
        span.record("outcome", self.as_str());
        match self {
            Self::Ok | Self::Dropped => {}
            Self::Error(code) | Self::Refused(code) => {
                span.record("error.type", code.as_str());
            }
            _ => {
                span.record("error.type", self.as_str());
            }
        }
        if matches!(self, Self::Error(_) | Self::Panic | Self::Timeout) {
            span.record("otel.status_code", "ERROR");
        }
    }
}
