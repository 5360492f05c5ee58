//! Dispatch of an event: runs the table's handler, then the listeners of the socket, then those of
//! the namespace.

use std::any::Any;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;
use tokio_util::sync::ReusableBoxFuture;

use super::error::EventError;
use super::handler::{AsyncCall, Call, Handler, Lifecycle, call_async, call_blocking, call_sync};
use super::incoming::{EventKind, Incoming};
use super::listener::{List, Listener};
use super::middleware;
use super::reply::Outcome;
use super::slow_poll;
use super::time_limit::TimeLimit;
use super::trace::{self, EventTrace};
use crate::hooks::catch::{catch, catch_future};
use crate::hooks::guarded::Guarded;
use crate::hooks::nesting::Entered;
use crate::hub::namespace::inner::NamespaceInner;
use crate::hub::observed::{HandlerLabel, Timing};
use crate::hub::socket::Socket;
use crate::session::received::ReceivedEvent;
use crate::wire::shown::{Shown, shown};

/// An event whose handlers or listeners are still running.
pub(crate) struct Running {
    future: Guarded<ReusableBoxFuture<'static, ()>>,
    socket: Socket,
    event: &'static str,
    /// `true` for an `error` event.
    is_error: bool,
    limit: TimeLimit,
    /// When the time is up, once the event waits.
    until: Option<Instant>,
}

/// The box of a finished event's future. The next event reuses the allocation.
#[derive(Default)]
pub(crate) struct Spare(Option<ReusableBoxFuture<'static, ()>>);

impl Spare {
    /// Boxes the future of an event, which runs in the event's span, if there is one.
    fn hold(
        &mut self,
        future: impl Future<Output = ()> + Send + 'static,
        trace: &EventTrace,
    ) -> Guarded<ReusableBoxFuture<'static, ()>> {
        if trace.is_none() { self.hold_future(future) } else { self.hold_future(trace.run(future)) }
    }

    fn hold_future(
        &mut self,
        future: impl Future<Output = ()> + Send + 'static,
    ) -> Guarded<ReusableBoxFuture<'static, ()>> {
        Guarded::new(match self.0.take() {
            Some(mut held) => {
                held.set(future);
                held
            }
            None => ReusableBoxFuture::new(future),
        })
    }
}

/// The result of starting an event.
pub(crate) enum Start {
    /// The event is finished.
    Done,
    /// The event is running. Later events of the socket wait for it.
    Running(Running),
    /// The event is running. Later events of the socket don't wait for it.
    Concurrent(Running),
}

type Shared = Option<Arc<dyn Any + Send + Sync>>;

/// Starts an event and runs it until it first has to wait.
pub(crate) fn start(incoming: Incoming, spare: &mut Spare) -> Start {
    incoming.begin_trace();
    let trace = incoming.trace.clone();
    let Some(stack) = middleware::stack(&incoming) else {
        return start_after_middleware(incoming, spare, TimeLimit::of, &trace);
    };
    let socket = incoming.socket.clone();
    let handler = responsible(socket.namespace_inner(), &incoming).map(|(handler, _)| handler);
    let limit = TimeLimit::of(handler, &socket);
    let future = spare.hold(middleware::run(incoming, stack, limit), &trace);
    let running = Running { future, socket, event: "middleware", is_error: false, limit, until: None };
    if handler.is_some_and(|handler| handler.concurrent) { Start::Concurrent(running) } else { Start::Running(running) }
}

/// Runs the handlers and listeners of an event that passed all middleware. The event's time limit
/// includes the middleware, which keeps it.
pub(super) async fn run_handlers(incoming: Incoming) {
    // The middleware runs in the span.
    let inside = EventTrace::default();
    match start_after_middleware(incoming, &mut Spare::default(), |_, _| TimeLimit::NONE, &inside) {
        Start::Done => {}
        Start::Running(running) | Start::Concurrent(running) => running.await,
    }
}

fn start_after_middleware(
    mut incoming: Incoming,
    spare: &mut Spare,
    limit: impl Fn(Option<&Handler>, &Socket) -> TimeLimit,
    trace: &EventTrace,
) -> Start {
    let _in_span = trace.enter();
    let is_error = matches!(incoming.kind, EventKind::Error(_));
    let _entered = is_error.then(Entered::error);
    let namespace = incoming.socket.namespace_inner();
    let matching = MatchingListeners::find(namespace, &incoming);
    let found = handler(namespace, &incoming);
    if !matching.is_empty() {
        let socket = incoming.socket.clone();
        let found = if matching.has_named() { found } else { found.or_else(|| fallback(namespace, &incoming)) };
        let handler = found.as_ref().map(|(handler, _)| *handler);
        let limit = limit(handler, &socket);
        let future = spare.hold(run_handler_and_listeners(incoming, found, matching, limit), trace);
        let running = Running { future, socket, event: "listener", is_error, limit, until: None };
        let concurrent = handler.is_some_and(|handler| handler.concurrent);
        return if concurrent { Start::Concurrent(running) } else { Start::Running(running) };
    }
    let Some((handler, this)) = found.or_else(|| fallback(incoming.socket.namespace_inner(), &incoming)) else {
        unhandled(&incoming);
        return Start::Done;
    };
    incoming.this = this;
    match handler.call {
        Call::Sync(call) => {
            finish(&incoming, handler, || call_sync(call, &incoming));
            Start::Done
        }
        Call::Blocking(call) => {
            finish(&incoming, handler, || call_blocking(call, &incoming));
            Start::Done
        }
        Call::Async(call) => {
            let socket = incoming.socket.clone();
            let event = handler.key.as_str();
            let limit = limit(Some(handler), &socket);
            let future = spare.hold(run_async_handler(incoming, call, HandlerLabel::of(handler), limit), trace);
            let running = Running { future, socket, event, is_error, limit, until: None };
            if handler.concurrent { Start::Concurrent(running) } else { Start::Running(running) }
        }
    }
}

/// Returns `true` if a handler or listener is registered for this lifecycle event.
pub(crate) fn has_listener(socket: &Socket, lifecycle: Lifecycle) -> bool {
    socket.namespace_inner().lifecycle_handler(lifecycle).is_some() || has_closure(socket, lifecycle)
}

/// Returns `true` if a listener is registered for this lifecycle event, apart from its handler.
pub(super) fn has_closure(socket: &Socket, lifecycle: Lifecycle) -> bool {
    socket.namespace_inner().listeners().find(lifecycle.as_str()).is_some()
        || socket.listeners().is_some_and(|listeners| listeners.find(lifecycle.as_str()).is_some())
}

pub(super) fn handler(namespace: &NamespaceInner, incoming: &Incoming) -> Option<(&'static Handler, Shared)> {
    match &incoming.kind {
        EventKind::Event(event) if is_for_listeners(event) => None,
        EventKind::Event(event) => namespace.handler(event.name()),
        // The `connect` handler already ran and accepted the connection. Only listeners are left.
        EventKind::Connect => None,
        lifecycle => namespace.lifecycle_handler(lifecycle.lifecycle()?),
    }
}

/// Returns the handler that runs after the middleware, if there is one.
fn responsible(namespace: &NamespaceInner, incoming: &Incoming) -> Option<(&'static Handler, Shared)> {
    handler(namespace, incoming).or_else(|| match MatchingListeners::find(namespace, incoming).has_named() {
        true => None,
        false => fallback(namespace, incoming),
    })
}

fn fallback(namespace: &NamespaceInner, incoming: &Incoming) -> Option<(&'static Handler, Shared)> {
    match &incoming.kind {
        EventKind::Event(event) if !is_for_listeners(event) => namespace.fallback(),
        _ => None,
    }
}

/// Returns `true` if the server fired an event under the name of a lifecycle event.
fn is_for_listeners(event: &ReceivedEvent) -> bool {
    !event.from_client && Lifecycle::named(event.name()).is_some()
}

/// The listeners that match an event.
#[derive(Default)]
struct MatchingListeners {
    /// The socket's listeners for all events of its client.
    any: Option<List>,
    /// The socket's listeners for this name.
    own: Option<List>,
    /// The namespace's listeners for this name.
    shared: Option<List>,
}

impl MatchingListeners {
    fn find(namespace: &NamespaceInner, incoming: &Incoming) -> Self {
        // Listeners for `message` receive the event in this message instead.
        if let EventKind::Message { is_event: true, .. } = incoming.kind {
            return Self::default();
        }
        let name = incoming.name();
        let shared = namespace.listeners().find(name);
        let Some(listeners) = incoming.socket.listeners() else {
            return Self { shared, ..Self::default() };
        };
        let is_event = matches!(&incoming.kind, EventKind::Event(event) if event.from_client);
        Self { any: if is_event { listeners.any() } else { None }, own: listeners.find(name), shared }
    }

    fn is_empty(&self) -> bool {
        self.any.is_none() && !self.has_named()
    }

    /// Returns `true` if a listener is registered for the event's name.
    fn has_named(&self) -> bool {
        self.own.is_some() || self.shared.is_some()
    }
}

/// Calls a handler that is not async, and finishes its event.
fn finish(incoming: &Incoming, handler: &'static Handler, call: impl FnOnce() -> Outcome) {
    let finished = catch(|| {
        let timing = Timing::begin(incoming.socket.hub(), HandlerLabel::of(handler));
        let outcome = call();
        timing.end(&outcome);
        incoming.finish(outcome);
    });
    if finished.is_err() {
        incoming.trace.panicked();
        panicked(&incoming.socket, incoming.name());
        incoming.answer(Err(&EventError::internal()));
    }
}

/// The outcome of an event whose time is up.
fn timed_out() -> Outcome {
    Outcome::Failed(EventError::timeout())
}

/// Runs an event that has an async handler and no listeners.
async fn run_async_handler(incoming: Incoming, call: AsyncCall, label: HandlerLabel, limit: TimeLimit) {
    let timing = Timing::begin(incoming.socket.hub(), label);
    let outcome = {
        let work = pin!(call_async(call, &incoming));
        limit.run(work).await
    };
    let outcome = outcome.unwrap_or_else(timed_out);
    timing.end(&outcome);
    incoming.finish(outcome);
}

/// Runs the handler and all listeners of an event in order, as long as its time limit allows.
async fn run_handler_and_listeners(
    mut incoming: Incoming,
    handler: Option<(&'static Handler, Shared)>,
    matching: MatchingListeners,
    limit: TimeLimit,
) {
    let socket = incoming.socket.clone();
    let handler = handler.map(|(handler, this)| {
        incoming.this = this;
        handler
    });
    let finished = {
        let work = pin!(call_handler_and_listeners(&incoming, handler, &matching));
        limit.run(work).await
    };
    if finished.is_none() {
        incoming.finish(timed_out());
    }
    if let (Some(list), Some(listeners)) = (&matching.own, socket.listeners()) {
        listeners.remove_called_once(incoming.name(), list);
    }
}

/// Calls the handler and all listeners of an event in order. A panic ends only the handler or
/// listener that panicked.
async fn call_handler_and_listeners(
    incoming: &Incoming,
    handler: Option<&'static Handler>,
    matching: &MatchingListeners,
) {
    if let Some(list) = &matching.any {
        call_all(incoming, list).await;
    }
    match handler.map(|handler| (handler, handler.call)) {
        None if !matching.has_named() => return unhandled(incoming),
        None => {}
        Some((handler, Call::Sync(call))) => finish(incoming, handler, || call_sync(call, incoming)),
        Some((handler, Call::Blocking(call))) => finish(incoming, handler, || call_blocking(call, incoming)),
        Some((handler, Call::Async(call))) => {
            let finished = async {
                let timing = Timing::begin(incoming.socket.hub(), HandlerLabel::of(handler));
                let outcome = call_async(call, incoming).await;
                timing.end(&outcome);
                incoming.finish(outcome);
            };
            if catch_future(finished).await.is_err() {
                incoming.trace.panicked();
                panicked(&incoming.socket, handler.key.as_str());
                incoming.answer(Err(&EventError::internal()));
            }
        }
    }
    for list in [&matching.own, &matching.shared].into_iter().flatten() {
        call_all(incoming, list).await;
    }
    incoming.trace.set(|| trace::Outcome::Ok);
}

async fn call_all(incoming: &Incoming, list: &[Arc<Listener>]) {
    for listener in list {
        let (socket, event) = (&incoming.socket, incoming.name());
        let call = || slow_poll::call(socket, event, || listener.call(incoming));
        let finished = match catch(call) {
            Ok(Some(rest)) => catch_future(slow_poll::polls(socket, event, rest)).await,
            Ok(None) => Ok(()),
            Err(panicked) => Err(panicked),
        };
        if finished.is_err() {
            incoming.trace.panicked();
            panicked(&incoming.socket, incoming.name());
        }
    }
}

/// Counts, logs and answers an event that has neither handler nor listener.
pub(crate) fn unhandled(incoming: &Incoming) {
    if incoming.came_in() {
        incoming.trace_unhandled(|| trace::Outcome::Unhandled);
    }
    match &incoming.kind {
        EventKind::Event(event) if event.from_client => {
            let socket = &incoming.socket;
            socket.hub().counters().unknown_event();
            tracing::debug!(socket = %socket.shown_id(), event = &*shown(event.name()), "no handler for this event");
            if socket.hub().config().answer_unknown_events && incoming.wants_answer() {
                incoming.answer(Err(&EventError::unknown_event(event.name())));
            } else {
                incoming.forget();
            }
        }
        EventKind::Error(error) => {
            let event = error.event().map(shown);
            tracing::debug!(
                socket = %incoming.socket.shown_id(),
                error = %Shown(&error),
                event = event.as_deref(),
                "error on a connection"
            );
        }
        _ => {}
    }
}

fn panicked(socket: &Socket, event: &str) {
    tracing::error!(socket = %socket.shown_id(), event = &*shown(event), "a handler or listener panicked");
    socket.report(EventError::internal().with_event(event));
}

impl Running {
    /// Polls the event. A panic in user code is reported, and the event counts as finished.
    pub(crate) fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let _entered = self.is_error.then(Entered::error);
        let polled = catch(|| self.future.poll(context)).unwrap_or_else(|_panicked| {
            panicked(&self.socket, self.event);
            Poll::Ready(())
        });
        if polled.is_pending() && self.until.is_none() {
            self.until = self.limit.until();
        }
        polled
    }

    /// The time limit, from the first poll on.
    pub(crate) fn limit(&self) -> TimeLimit {
        self.limit
    }

    /// When the event must be polled again although nothing woke it, because its time is up.
    pub(crate) fn until(&self) -> Option<Instant> {
        self.until
    }

    /// Returns the box of the finished future for reuse.
    pub(crate) fn into_spare(self) -> Spare {
        // It has ended, so that nothing of the application is left in it.
        Spare(Some(self.future.into_inner()))
    }
}

impl Future for Running {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        Self::poll(&mut self, context)
    }
}
