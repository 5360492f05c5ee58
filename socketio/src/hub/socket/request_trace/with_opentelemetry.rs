//! The span of a request begins with the question and ends with the answer.

use tracing::field::Empty;
use tracing::{Level, Span};

use crate::event::trace::{TARGET, opentelemetry};
use crate::hub::namespace::inner::NamespaceInner;
use crate::wire::mark::Mark;
use crate::wire::packet::Packet;
use crate::wire::shown::shown;

/// The span of a request. `None`: nobody wants it, or it has ended.
#[derive(Debug, Default)]
pub(crate) struct RequestTrace(Option<Span>);

impl RequestTrace {
    /// Begins the span as a child of the current one, and adds its context to the question. Both
    /// happen only if the hub wants it.
    pub(crate) fn begin(question: Packet, namespace: &NamespaceInner) -> (Packet, Self) {
        if !namespace.trace_requests() || !tracing::span_enabled!(target: TARGET, Level::DEBUG) {
            return (question, Self(None));
        }
        let name = shown(question.name().unwrap_or_default());
        let span = tracing::span!(
            target: TARGET,
            Level::DEBUG,
            "request",
            otel.name = &*name,
            otel.kind = "client",
            otel.status_code = Empty,
            event = &*name,
            namespace = &*shown(namespace.path()),
            outcome = Empty,
            error.type = Empty,
        );
        drop(name);
        match opentelemetry::context(&span) {
            Some(context) => (question.with_mark(Some(Mark::Trace(context))), Self(Some(span))),
            None => (question, Self(Some(span))),
        }
    }

    /// Ends the span.
    pub(crate) fn end(&mut self, outcome: &'static str) {
        let Some(span) = self.0.take() else { return };
        span.record("outcome", outcome);
        if !matches!(outcome, "ok" | "dropped") {
            span.record("error.type", outcome);
            span.record("otel.status_code", "ERROR");
        }
    }
}

impl Drop for RequestTrace {
    fn drop(&mut self) {
        self.end("dropped");
    }
}
