//! Spans of `tracing` become parts of the traces of OpenTelemetry.

use opentelemetry::Context;
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

use crate::wire::trace_context::TraceContext;

/// Makes a span of another process the parent of `span`, which has not begun yet.
pub(crate) fn set_parent(span: &Span, parent: TraceContext) {
    let flags = if parent.is_sampled() { TraceFlags::SAMPLED } else { TraceFlags::default() };
    let (trace_id, span_id) = (TraceId::from_bytes(parent.trace_id()), SpanId::from_bytes(parent.span_id()));
    let parent = SpanContext::new(trace_id, span_id, flags, true, TraceState::default());
    // It fails if the subscriber has no layer of OpenTelemetry, or it does not want the span.
    let _ = span.set_parent(Context::new().with_remote_span_context(parent));
}

/// Returns the span as a parent for others. `None`: OpenTelemetry does not know it.
pub(crate) fn context(span: &Span) -> Option<TraceContext> {
    let context = span.context();
    let span = context.span();
    let span = span.span_context();
    TraceContext::new(span.trace_id().to_bytes(), span.span_id().to_bytes(), span.is_sampled())
}
