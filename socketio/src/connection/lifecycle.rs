//! The `connect` handler of a socket, and the events of its end.

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use std::sync::Arc;

use super::executor::ConnectDecision;
use crate::event::dispatch::{self, Spare, Start};
use crate::event::error::EventError;
use crate::event::handler::{Call, Lifecycle, call_async, call_blocking, call_sync};
use crate::event::incoming::{EventKind, Incoming};
use crate::event::reply::Outcome;
use crate::event::slow_poll;
use crate::event::trace::{self, EventTrace};
use crate::hooks::catch::{catch, catch_future};
use crate::hub::recovery::resuming::Claim;
use crate::hub::socket::Socket;
use crate::session::disconnect::Disconnect;
use crate::wire::shown::Shown;

/// A callback of the route for each new socket.
pub(crate) type OnOpen = Arc<dyn Fn(Socket) -> Option<BoxFuture<'static, ()>> + Send + Sync>;

/// Returns the decision whether to accept a socket. `None`: the socket is accepted without one.
pub(crate) fn connect_decision(socket: &Socket, on_open: Option<&OnOpen>) -> Option<ConnectDecision> {
    let namespace = socket.namespace_inner();
    let opened = namespace.opened();
    let (previous, claim) = (socket.take_previous(), socket.take_claim());
    let is_decided = opened.is_some()
        || previous.is_some()
        || claim.is_some()
        || on_open.is_some()
        || namespace.has_middleware()
        || namespace.lifecycle_handler(Lifecycle::Connect).is_some();
    if !is_decided {
        return None;
    }
    let (socket, on_open) = (socket.clone(), on_open.cloned());
    let trace = EventTrace::of_decision(&socket, Lifecycle::Connect.as_str());
    let decision = catch_future(trace.run(decide(socket.clone(), opened, previous, claim, on_open)));
    Some(Box::pin(decision.map(move |decision| {
        let decision = decision.unwrap_or_else(|_panicked| {
            trace.panicked();
            tracing::error!(socket = %socket.shown_id(), "a connect handler panicked");
            socket.report(EventError::internal().with_event(Lifecycle::Connect.as_str()));
            Err(EventError::internal())
        });
        trace.set(|| decision.as_ref().map_or_else(trace::Outcome::refused, |()| trace::Outcome::Ok));
        decision
    })))
}

async fn decide(
    socket: Socket,
    opened: Option<BoxFuture<'static, ()>>,
    previous: Option<Socket>,
    claim: Option<Box<Claim<'static>>>,
    on_open: Option<OnOpen>,
) -> Result<(), EventError> {
    if let Some(opened) = opened {
        opened.await;
    }
    if let (Some(claim), Some(recovery)) = (claim, socket.namespace_inner().recovery())
        && let Some(shared) = recovery.shared()
    {
        shared.restore(recovery, &socket, &claim).await;
    }
    if let Some(previous) = previous {
        socket.follow(&previous).await;
    }
    let event = Lifecycle::Connect.as_str();
    if let Some(rest) = on_open.and_then(|on_open| slow_poll::call(&socket, event, || on_open(socket.clone()))) {
        slow_poll::polls(&socket, event, rest).await;
    }
    let skips = socket.recovered() && socket.namespace_inner().recovery().is_some_and(|it| it.skips_middleware());
    for middleware in socket.namespace_inner().middleware().iter().filter(|_| !skips) {
        let future = slow_poll::call(&socket, event, || middleware(socket.clone()));
        slow_poll::polls(&socket, event, future).await?;
    }
    let Some((handler, this)) = socket.namespace_inner().lifecycle_handler(Lifecycle::Connect) else {
        return Ok(());
    };
    let mut incoming = Incoming::new(socket, EventKind::Connect);
    incoming.this = this;
    let outcome = match handler.call {
        Call::Sync(call) => call_sync(call, &incoming),
        Call::Blocking(call) => call_blocking(call, &incoming),
        Call::Async(call) => call_async(call, &incoming).await,
    };
    match outcome {
        Outcome::Failed(error) => Err(error),
        Outcome::Done | Outcome::Value(_) => Ok(()),
    }
}

/// The events of an accepted socket's end, in order. The socket has left the hub.
pub(crate) struct EndEvents {
    socket: Socket,
    disconnect: Disconnect,
    next: Step,
}

/// The next event of an end.
enum Step {
    Close,
    Disconnecting,
    Disconnect,
    Error,
    Over,
}

impl EndEvents {
    /// They begin with `close` if this server ended the socket `on_purpose`.
    pub(super) fn new(socket: Socket, disconnect: Disconnect, on_purpose: bool) -> Self {
        Self { socket, disconnect, next: if on_purpose { Step::Close } else { Step::Disconnecting } }
    }

    /// Whether there are commands for the connection's task.
    pub(super) fn has_commands(&self) -> bool {
        self.socket.peer().handle.has_commands()
    }

    /// Returns the next event, which runs when the one before has ended.
    pub(super) fn next(&mut self) -> Option<Incoming> {
        let (kind, next) = match self.next {
            Step::Close => (EventKind::Close, Step::Disconnecting),
            Step::Disconnecting => (EventKind::Disconnecting(self.disconnect.clone()), Step::Disconnect),
            Step::Disconnect if !self.socket.finish() => return None,
            Step::Disconnect => {
                tracing::debug!(
                    socket = %self.socket.shown_id(),
                    disconnect = %Shown(&self.disconnect),
                    "disconnected"
                );
                let next = if self.disconnect.is_clean() { Step::Over } else { Step::Error };
                (EventKind::Disconnect(self.disconnect.clone()), next)
            }
            Step::Error => {
                let error = EventError::from(&self.disconnect);
                self.socket.hub().counters().error(error.code());
                (EventKind::Error(error), Step::Over)
            }
            Step::Over => return None,
        };
        self.next = next;
        Some(Incoming::new(self.socket.clone(), kind))
    }
}

impl Drop for EndEvents {
    fn drop(&mut self) {
        self.socket.tell_ended();
    }
}

async fn run(socket: &Socket, kind: EventKind) {
    match dispatch::start(Incoming::new(socket.clone(), kind), &mut Spare::default()) {
        Start::Done => {}
        Start::Running(running) | Start::Concurrent(running) => running.await,
    }
}

/// Fires `disconnect`, and `error` unless the end was clean, when the connection's task is dropped.
/// Asynchronous handlers are polled only once.
pub(crate) fn poll_disconnect_handlers_once(socket: &Socket, disconnect: &Disconnect) {
    socket.tell_disconnect(disconnect);
    socket.depart(false);
    if socket.finish() {
        let error = (!disconnect.is_clean()).then(|| EventKind::Error(disconnect.into()));
        for kind in [EventKind::Disconnect(disconnect.clone())].into_iter().chain(error) {
            let _ = catch(|| run(socket, kind).now_or_never());
        }
    }
}
