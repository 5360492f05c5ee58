//! [`EventTrace`]: the span of one event, from its first handler, listener or middleware to its
//! last.
//!
//! Spans have the target [`TARGET`] and the level `DEBUG`. An event that no subscriber wants a span
//! of has an empty [`EventTrace`], which costs a comparison where a span would be used.

#[cfg(feature = "opentelemetry-traces")]
#[path = "with_opentelemetry.rs"]
pub(crate) mod opentelemetry;
#[cfg(not(feature = "opentelemetry-traces"))]
#[path = "without_opentelemetry.rs"]
pub(crate) mod opentelemetry;
mod outcome;

use parking_lot::Mutex;
use std::sync::{Arc, OnceLock};
use tokio::time::Instant;
use tracing::field::Empty;
use tracing::level_filters::LevelFilter;
use tracing::span::Entered;
use tracing::{Instrument, Level, Span};

use super::dispatch::{handler, has_closure, has_listener};
use super::handler::Lifecycle;
use super::incoming::{EventKind, Incoming};
use super::reply;
use crate::hub::socket::Socket;
use crate::wire::shown::shown;
use crate::wire::trace_context::TraceContext;
pub(crate) use outcome::Outcome;

/// The target of all spans.
pub(crate) const TARGET: &str = "socketio::traces";
/// The name of events that no handler of the table names.
const OTHER: &str = "_other";

/// The span of an event, or nothing if nobody wants one. Clones share the span, which ends with the
/// last of them.
#[derive(Clone, Debug, Default)]
pub(crate) struct EventTrace(Option<Arc<Traced>>);

#[derive(Debug)]
struct Traced {
    received: Instant,
    /// Set when the event begins to run.
    span: OnceLock<Span>,
    outcome: Mutex<Option<Outcome>>,
}

impl EventTrace {
    /// Notes the time at which an event was received.
    #[inline]
    pub(super) fn received() -> Self {
        // The usual level of a program, or no subscriber: nothing else is asked.
        if LevelFilter::current() < LevelFilter::DEBUG {
            return Self(None);
        }
        Self::received_if_enabled()
    }

    #[cold]
    fn received_if_enabled() -> Self {
        if !tracing::span_enabled!(target: TARGET, Level::DEBUG) {
            return Self(None);
        }
        let received = Instant::now();
        Self(Some(Arc::new(Traced { received, span: OnceLock::new(), outcome: Mutex::new(None) })))
    }

    /// Creates the span of the decision whether to accept a socket.
    pub(crate) fn of_decision(socket: &Socket, name: &'static str) -> Self {
        let trace = Self::received();
        if let Some(traced) = &trace.0 {
            traced.begin(socket, name, None);
        }
        trace
    }

    /// Begins the span of an event, whose handler in the table has this name.
    fn begin(&self, incoming: &Incoming, name: impl FnOnce() -> Option<&'static str>) {
        if let Some(traced) = &self.0
            && traced.span.get().is_none()
        {
            traced.begin(&incoming.socket, name().unwrap_or(OTHER), incoming.trace_context());
        }
    }

    fn span(&self) -> Option<&Span> {
        self.0.as_ref()?.span.get()
    }

    /// Enters the span, so that records of the application are part of it.
    pub(super) fn enter(&self) -> Option<Entered<'_>> {
        self.span().map(Span::enter)
    }

    /// Runs a future in the span.
    pub(crate) fn run<F: Future>(&self, future: F) -> impl Future<Output = F::Output> + use<F> {
        // The span must end with the future, although the finished future is kept for its memory.
        let span = self.span().cloned().unwrap_or_else(Span::none);
        async move { future.instrument(span).await }
    }

    /// Whether there is a span to run in.
    pub(super) fn is_none(&self) -> bool {
        self.0.is_none()
    }

    /// Sets how the event ended. The first outcome counts, except that a panic replaces it.
    pub(crate) fn set(&self, outcome: impl FnOnce() -> Outcome) {
        let Some(traced) = &self.0 else { return };
        let mut known = traced.outcome.lock();
        if known.is_none() {
            *known = Some(outcome());
        }
    }

    /// Sets that a handler, listener or middleware panicked.
    pub(crate) fn panicked(&self) {
        if let Some(traced) = &self.0 {
            *traced.outcome.lock() = Some(Outcome::Panic);
        }
    }

    pub(super) fn finished(&self, outcome: &reply::Outcome) {
        self.set(|| match outcome {
            reply::Outcome::Failed(error) => Outcome::of(error),
            reply::Outcome::Done | reply::Outcome::Value(_) => Outcome::Ok,
        });
    }
}

impl Traced {
    fn begin(&self, socket: &Socket, name: &'static str, context: Option<TraceContext>) {
        let span = tracing::span!(
            target: TARGET,
            parent: None,
            Level::DEBUG,
            "event",
            otel.name = name,
            otel.kind = "consumer",
            otel.status_code = Empty,
            event = name,
            namespace = &*shown(socket.namespace()),
            socket = %socket.shown_id(),
            waited_ms = self.received.elapsed().as_secs_f64() * 1e3,
            outcome = Empty,
            error.type = Empty,
            traceparent = Empty,
        );
        socket.link_to_connection(&span);
        if let Some(context) = context {
            set_parent(&span, context);
        }
        let _ = self.span.set(span);
    }
}

/// Puts a span into the trace of a client.
pub(crate) fn set_parent(span: &Span, context: TraceContext) {
    if !span.is_disabled() {
        span.record("traceparent", tracing::field::display(context));
        opentelemetry::set_parent(span, context);
    }
}

impl Drop for Traced {
    fn drop(&mut self) {
        let Some(span) = self.span.get() else { return };
        // An event without an outcome was not run to its end.
        let outcome = self.outcome.get_mut().take().unwrap_or(Outcome::Dropped);
        outcome.record(span);
    }
}

impl Incoming {
    /// Whether the event has a span.
    fn is_traced(&self) -> bool {
        match &self.kind {
            EventKind::Event(_) | EventKind::Message { .. } => true,
            // The handler has run, in the span of the decision whether to accept the socket.
            EventKind::Connect => has_closure(&self.socket, Lifecycle::Connect),
            lifecycle => lifecycle.lifecycle().is_some_and(|lifecycle| has_listener(&self.socket, lifecycle)),
        }
    }

    /// The name in the table of handlers, or that of a lifecycle event.
    fn static_name(&self) -> Option<&'static str> {
        match self.kind.lifecycle() {
            Some(lifecycle) => Some(lifecycle.as_str()),
            None => handler(self.socket.namespace_inner(), self).map(|(handler, _)| handler.key.as_str()),
        }
    }

    /// Begins the span of an event that a client sent, or that has a handler or listener.
    #[inline]
    pub(super) fn begin_trace(&self) {
        if !self.trace.is_none() {
            self.begin_span();
        }
    }

    #[cold]
    fn begin_span(&self) {
        if self.is_traced() {
            self.trace.begin(self, || self.static_name());
        }
    }

    /// Sets the outcome of an event that reaches no handler.
    pub(crate) fn trace_unhandled(&self, outcome: impl FnOnce() -> Outcome) {
        self.begin_trace();
        self.trace.set(outcome);
    }

    /// Sets the outcome of an event that is dropped.
    #[inline]
    pub(super) fn end_trace(&self) {
        if !self.trace.is_none() {
            self.end_span();
        }
    }

    #[cold]
    fn end_span(&self) {
        if std::thread::panicking() {
            self.trace.panicked();
        }
        if self.came_in() {
            self.begin_trace();
        }
    }
}
