//! Running an event: the table's handler, then the socket's listeners, then the hub's.

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use super::error::{EventError, shortened};
use super::handler::{Call, Handler, Lifecycle};
use super::incoming::{Incoming, ReceivedEvent, Subject};
use super::listener::List;
use super::reply::Outcome;
use crate::namespace::space::Space;
use crate::socket::Socket;

/// An event that could not be finished at once.
pub(crate) struct Running {
    state: State,
    socket: Socket,
    event: &'static str,
    /// Whether it is about an error.
    reports: bool,
}

enum State {
    Handler(BoxFuture<'static, (Incoming, Outcome)>),
    Chain(BoxFuture<'static, ()>),
}

/// How a handler is to be run.
pub(crate) enum Start {
    /// It is done.
    Done,
    /// It goes on, in order.
    Running(Running),
    /// It goes on, and does not hold back what comes after it.
    Concurrent(Running),
}

type Shared = Option<Arc<dyn Any + Send + Sync>>;

thread_local! {
    /// The socket whose `error` handlers and listeners run on this thread now.
    static REPORTING: Cell<Option<usize>> = const { Cell::new(None) };
}

/// As long as it lives, the socket's errors are those of its own `error` handlers.
struct Reporting {
    before: Option<usize>,
}

impl Reporting {
    fn on(socket: &Socket) -> Self {
        Self { before: REPORTING.replace(Some(socket.address())) }
    }
}

impl Drop for Reporting {
    fn drop(&mut self) {
        REPORTING.set(self.before);
    }
}

/// Whether an `error` handler or listener of this socket runs on this thread: were its errors to fire `error` as well,
/// there would be no end to it.
pub(crate) fn is_reporting(socket: &Socket) -> bool {
    REPORTING.get() == Some(socket.address())
}

/// Runs an event as far as it goes without waiting.
pub(crate) fn start(mut incoming: Incoming) -> Start {
    let reports = matches!(incoming.subject, Subject::Error(_));
    let _reporting = reports.then(|| Reporting::on(&incoming.socket));
    let space = incoming.socket.space();
    let (own, shared) = listeners(space, &incoming);
    let found = handler(space, &incoming);
    if own.is_some() || shared.is_some() {
        let socket = incoming.socket.clone();
        let concurrent = found.as_ref().is_some_and(|(handler, _)| handler.concurrent);
        let state = State::Chain(Box::pin(chain(incoming, found, own, shared)));
        let running = Running { state, socket, event: "listener", reports };
        return if concurrent { Start::Concurrent(running) } else { Start::Running(running) };
    }
    let Some((handler, this)) = found.or_else(|| fallback(incoming.socket.space(), &incoming)) else {
        unheard(&incoming);
        return Start::Done;
    };
    incoming.this = this;
    match handler.call {
        Call::Sync(call) => {
            call_sync(call, &incoming);
            Start::Done
        }
        Call::Async(call) => {
            let socket = incoming.socket.clone();
            let event = handler.key.as_str();
            let running = Running { state: State::Handler(call(incoming)), socket, event, reports };
            if handler.concurrent { Start::Concurrent(running) } else { Start::Running(running) }
        }
    }
}

/// Whether anything would be called for this lifecycle event.
pub(crate) fn is_heard(socket: &Socket, lifecycle: Lifecycle) -> bool {
    let space = socket.space();
    space.lifecycle_handler(lifecycle).is_some()
        || space.listeners().find(lifecycle.as_str()).is_some()
        || socket.listeners().is_some_and(|listeners| listeners.find(lifecycle.as_str()).is_some())
}

fn handler(space: &Space, incoming: &Incoming) -> Option<(&'static Handler, Shared)> {
    match &incoming.subject {
        Subject::Event(event) if is_for_listeners(event) => None,
        Subject::Event(event) => space.handler(event.name()),
        // Its handler has decided that the connection is accepted; now it is the listeners' turn.
        Subject::Connect => None,
        lifecycle => space.lifecycle_handler(lifecycle.lifecycle()?),
    }
}

fn fallback(space: &Space, incoming: &Incoming) -> Option<(&'static Handler, Shared)> {
    match &incoming.subject {
        Subject::Event(event) if !is_for_listeners(event) => space.fallback(),
        _ => None,
    }
}

/// Whether the server has fired it under a lifecycle event's name.
fn is_for_listeners(event: &ReceivedEvent) -> bool {
    !event.from_client && Lifecycle::named(event.name()).is_some()
}

fn listeners(space: &Space, incoming: &Incoming) -> (Option<List>, Option<List>) {
    if let Subject::Message { is_event: true, .. } = incoming.subject {
        return (None, None);
    }
    let name = incoming.name();
    let own = incoming.socket.listeners().and_then(|listeners| listeners.find(name));
    (own, space.listeners().find(name))
}

fn call_sync(call: fn(&Incoming) -> Outcome, incoming: &Incoming) {
    let finished = catch_unwind(AssertUnwindSafe(|| incoming.finish(call(incoming))));
    if finished.is_err() {
        panicked(&incoming.socket, incoming.name());
        incoming.answer(Err(&EventError::internal()));
    }
}

/// Everything that hears an event, one after the other. A panic ends only what panicked.
async fn chain(
    mut incoming: Incoming,
    handler: Option<(&'static Handler, Shared)>,
    own: Option<List>,
    shared: Option<List>,
) {
    let socket = incoming.socket.clone();
    if let Some((handler, this)) = handler {
        incoming.this = this;
        match handler.call {
            Call::Sync(call) => call_sync(call, &incoming),
            Call::Async(call) => {
                // A handler that panics takes its event along: listeners hear a twin of it.
                let twin = incoming.twin();
                let finished = AssertUnwindSafe(call(std::mem::replace(&mut incoming, twin)))
                    .map(|(handled, outcome)| handled.finish(outcome))
                    .catch_unwind();
                if finished.await.is_err() {
                    panicked(&socket, handler.key.as_str());
                }
            }
        }
    }
    for list in [&own, &shared].into_iter().flatten() {
        for listener in list.iter() {
            let called = catch_unwind(AssertUnwindSafe(|| listener.call(&incoming)));
            let finished = match called {
                Ok(Some(rest)) => AssertUnwindSafe(rest).catch_unwind().await,
                Ok(None) => Ok(()),
                Err(panic) => Err(panic),
            };
            if finished.is_err() {
                panicked(&socket, incoming.name());
            }
        }
    }
    if let (Some(list), Some(listeners)) = (&own, socket.listeners()) {
        listeners.forget_spent(incoming.name(), list);
    }
}

/// An event that nothing was registered for.
pub(crate) fn unheard(incoming: &Incoming) {
    match &incoming.subject {
        Subject::Event(event) if event.from_client => {
            let socket = &incoming.socket;
            socket.hub().counters().unknown_event();
            tracing::debug!(socket = %socket.id(), event = shortened(event.name()), "nobody handles this event");
            if socket.hub().config().answer_unknown_events && incoming.wants_answer() {
                incoming.answer(Err(&EventError::unknown_event(event.name())));
            } else {
                incoming.forget();
            }
        }
        Subject::Error(error) => {
            let event = error.event().map(shortened);
            tracing::warn!(socket = %incoming.socket.id(), %error, event, "error on a connection");
        }
        _ => {}
    }
}

fn panicked(socket: &Socket, event: &str) {
    tracing::error!(socket = %socket.id(), event = shortened(event), "a handler or listener panicked");
    socket.report(EventError::internal().with_event(event));
}

impl Running {
    /// Goes on with it. A panic of user code ends it like a return.
    pub(crate) fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let _reporting = self.reports.then(|| Reporting::on(&self.socket));
        let state = &mut self.state;
        let polled = catch_unwind(AssertUnwindSafe(|| match state {
            State::Handler(future) => {
                let (incoming, outcome) = ready!(Pin::new(future).poll(context));
                incoming.finish(outcome);
                Poll::Ready(())
            }
            State::Chain(future) => Pin::new(future).poll(context),
        }));
        polled.unwrap_or_else(|_| {
            panicked(&self.socket, self.event);
            Poll::Ready(())
        })
    }
}

impl Future for Running {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        Self::poll(&mut self, context)
    }
}
