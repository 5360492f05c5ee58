//! The span of a socket, from its registration to its end. The spans of its events link to it.

use std::sync::Arc;
use tracing::field::Empty;
use tracing::{Level, Span};

use super::Socket;
use crate::connection_handle::engine_session::Transport;
use crate::event::trace::{TARGET, set_parent};
use crate::wire::shown::shown;
use crate::wire::trace_context::TraceContext;

/// The span of a socket.
#[derive(Debug)]
pub(crate) struct SocketTrace {
    span: Span,
    /// The context of a Socket.IO client's auth payload. Its events belong to that trace too.
    auth: Option<TraceContext>,
}

impl Socket {
    /// Begins the span, if somebody wants it.
    pub(super) fn begin_trace(&self) {
        if !tracing::span_enabled!(target: TARGET, Level::DEBUG) {
            return;
        }
        let span = tracing::span!(
            target: TARGET,
            parent: None,
            Level::DEBUG,
            "connection",
            otel.kind = "server",
            otel.status_code = Empty,
            namespace = &*shown(self.namespace()),
            socket = %self.shown_id(),
            transport = match self.transport() {
                Transport::Polling => "polling",
                Transport::WebSocket => "websocket",
            },
            outcome = Empty,
            traceparent = Empty,
        );
        if span.is_disabled() {
            return;
        }
        // A span that another process shows as a parent has begun.
        if let Some(context) = self.trace_context() {
            set_parent(&span, context);
        }
        let trace = SocketTrace { span, auth: self.auth_trace() };
        self.with_side(|side| side.trace = Some(Arc::new(trace)));
    }

    /// The trace that the client takes part in, as it said when it connected: in the field
    /// `traceparent` of a Socket.IO client's auth payload, or else in the header `traceparent`, if
    /// it is [kept](crate::HubBuilder::keep_headers). Invalid values are ignored.
    ///
    /// See [the guide](crate::guide::traces).
    ///
    /// ```
    /// use socketio::{Socket, event};
    ///
    /// #[event(connect)]
    /// fn connected(socket: &Socket) {
    ///     if let Some(context) = socket.trace_context() {
    ///         println!("{} is part of {context}", socket.id());
    ///     }
    /// }
    /// ```
    pub fn trace_context(&self) -> Option<TraceContext> {
        self.auth_trace().or_else(|| self.peer().request.trace_context())
    }

    fn auth_trace(&self) -> Option<TraceContext> {
        TraceContext::of_json(&self.connect_info()?.auth)
    }

    fn trace(&self) -> Option<Arc<SocketTrace>> {
        self.0.side.lock().as_ref()?.trace.clone()
    }

    /// Links the span of an event to the socket's span.
    pub(crate) fn link_to_connection(&self, span: &Span) {
        if let Some(trace) = self.trace() {
            span.follows_from(&trace.span);
        }
    }

    /// The trace that the client's events belong to, unless they name another.
    pub(crate) fn trace_of_events(&self) -> Option<TraceContext> {
        self.trace()?.auth
    }

    /// Ends the span. Tasks of the application may keep the socket longer.
    pub(crate) fn end_trace(&self, outcome: &'static str, is_failure: bool) {
        let ended = self.0.side.lock().as_mut().and_then(|side| side.trace.take());
        let Some(SocketTrace { span, .. }) = ended.as_deref() else { return };
        span.record("outcome", outcome);
        if is_failure {
            span.record("otel.status_code", "ERROR");
        }
    }
}
