//! Event middleware, which runs around the handlers and listeners of an event: [`IncomingEvent`]
//! and [`Next`].

use futures_util::future::BoxFuture;
use std::pin::pin;
use std::sync::Arc;

use super::ack::{Ack, Args};
use super::context::RawArgs;
use super::dispatch;
use super::error::{EventError, PayloadError};
use super::incoming::{EventKind, Incoming};
use super::reply::Encode;
use super::slow_poll;
use super::time_limit::TimeLimit;
use super::trace;
use super::unscanned;
use crate::hooks::guarded::Guarded;
use crate::hub::selection::EmitError;
use crate::hub::socket::Socket;
use crate::session::limits::MAX_DEPTH;
use crate::wire::envelope::ArgumentText;
use crate::wire::payload::Payload;

/// A boxed event middleware.
pub(crate) type EventMiddleware =
    Arc<dyn Fn(IncomingEvent, Next) -> BoxFuture<'static, Result<(), EventError>> + Send + Sync>;

/// Boxes a middleware function of the application.
pub(crate) fn event_middleware<F, R, E>(middleware: F) -> EventMiddleware
where
    F: Fn(IncomingEvent, Next) -> R + Send + Sync + 'static,
    R: Future<Output = Result<(), E>> + Send + 'static,
    E: Into<EventError>,
{
    let middleware = Arc::new(Guarded::new(middleware));
    Arc::new(move |event, next| {
        let middleware = Arc::clone(&middleware);
        Box::pin(async move { middleware(event, next).await.map_err(Into::into) })
    })
}

/// An event that has not reached its handler yet, as event middleware receives it. See
/// [`NamespaceBuilder::event_middleware`](crate::NamespaceBuilder::event_middleware).
#[derive(Debug)]
pub struct IncomingEvent(Incoming);

impl IncomingEvent {
    /// The socket that received the event.
    pub fn socket(&self) -> &Socket {
        &self.0.socket
    }

    /// The event's name.
    pub fn name(&self) -> &str {
        self.0.name()
    }

    /// The event's arguments.
    pub fn args(&self) -> RawArgs<'_> {
        RawArgs::new(self.0.args(), self.0.attachments())
    }

    /// Decodes the first argument.
    ///
    /// # Errors
    ///
    /// The argument is missing or does not decode as `T`.
    pub fn json<'a, T: serde::Deserialize<'a>>(&'a self) -> Result<T, PayloadError> {
        self.args().first()
    }

    /// Replaces the event's arguments.
    ///
    /// # Errors
    ///
    /// The arguments do not serialize, are nested more than 127 levels deep, or have a [reserved
    /// key](crate::from_json). The event then keeps its arguments.
    pub fn set_args<T: Encode>(&mut self, Args(values): Args<T>) -> Result<(), EmitError> {
        let mut payload = Payload::new();
        values.encode(&mut payload)?;
        if let EventKind::Event(event) = &mut self.0.kind {
            let mut json = Vec::new();
            payload.write_placeholders(&mut json);
            let json = String::from_utf8(json).map_err(|_| PayloadError::new(0, "invalid UTF-8"));
            let json = json.map_err(EmitError::undecodable)?;
            unscanned::check(ArgumentText::Many(&json), MAX_DEPTH).map_err(EmitError::undecodable)?;
            event.set_args(&json, payload.attachments());
        }
        Ok(())
    }

    /// A handle to answer the event. Once it is used, the handler's return value is not the answer.
    pub fn ack(&self) -> Ack {
        self.0.ack()
    }
}

/// The rest of an event's path: the remaining middleware, then handlers and listeners.
#[derive(Clone)]
pub struct Next {
    stack: Arc<[EventMiddleware]>,
    at: usize,
}

impl Next {
    /// Passes the event on and waits until it is handled.
    ///
    /// An event that is not passed on does not reach its handler. If the client asked for an answer
    /// and none was given, it receives the error `unanswered`.
    ///
    /// # Errors
    ///
    /// A later middleware rejected the event. A handler's error is not returned, because it was
    /// already sent as the answer.
    pub async fn run(self, event: IncomingEvent) -> Result<(), EventError> {
        match self.stack.get(self.at) {
            Some(middleware) => middleware(event, Self { stack: Arc::clone(&self.stack), at: self.at + 1 }).await,
            None => {
                dispatch::run_handlers(event.0).await;
                Ok(())
            }
        }
    }
}

impl std::fmt::Debug for Next {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Next").field("left", &(self.stack.len() - self.at)).finish()
    }
}

/// Returns the middleware for an event, that of the namespace first, or `None` if there is none.
pub(super) fn stack(incoming: &Incoming) -> Option<Arc<[EventMiddleware]>> {
    let EventKind::Event(event) = &incoming.kind else { return None };
    if !event.from_client {
        return None;
    }
    let namespace = incoming.socket.namespace_inner().event_middleware();
    match (namespace.is_empty(), incoming.socket.own_middleware()) {
        (true, None) => None,
        (false, None) => Some(Arc::clone(namespace)),
        (_, Some(own)) => Some(namespace.iter().cloned().chain(own).collect()),
    }
}

/// Passes an event through its middleware. A middleware's error becomes the answer.
pub(super) async fn run(incoming: Incoming, stack: Arc<[EventMiddleware]>, limit: TimeLimit) {
    let (socket, ack) = (incoming.socket.clone(), incoming.ack());
    let (event, trace) = (incoming.name().to_owned(), incoming.trace.clone());
    let passed = {
        let passed = (Next { stack, at: 0 }).run(IncomingEvent(incoming));
        let work = pin!(slow_poll::polls(&socket, &event, passed));
        limit.run(work).await.unwrap_or_else(|| Err(EventError::timeout()))
    };
    trace.set(|| passed.as_ref().map_or_else(trace::Outcome::of, |()| trace::Outcome::Ok));
    if let Err(error) = passed {
        ack.fail(error.clone());
        socket.report(error.with_event(&event));
    }
}
