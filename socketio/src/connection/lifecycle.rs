//! Runs the `connect` and `disconnect` handlers of a socket.

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::executor::ConnectDecision;
use crate::event::dispatch::{self, Spare, Start};
use crate::event::error::EventError;
use crate::event::handler::{Call, Lifecycle, call_async, call_blocking};
use crate::event::incoming::{EventKind, Incoming};
use crate::event::reply::Outcome;
use crate::event::slow_poll;
use crate::hub::socket::Socket;
use crate::session::disconnect::Disconnect;

/// A callback of the route for each new socket.
pub(crate) type OnOpen = Arc<dyn Fn(Socket) -> Option<BoxFuture<'static, ()>> + Send + Sync>;

/// Returns the decision whether to accept a socket. `None`: the socket is accepted without one.
pub(crate) fn connect_decision(socket: &Socket, on_open: Option<&OnOpen>) -> Option<ConnectDecision> {
    let namespace = socket.namespace_inner();
    let is_decided =
        on_open.is_some() || namespace.has_middleware() || namespace.lifecycle_handler(Lifecycle::Connect).is_some();
    if !is_decided {
        return None;
    }
    let (socket, on_open) = (socket.clone(), on_open.cloned());
    let decision = AssertUnwindSafe(decide(socket.clone(), on_open)).catch_unwind();
    Some(Box::pin(decision.map(move |decision| {
        decision.unwrap_or_else(|_| {
            tracing::error!(socket = %socket.id(), "a connect handler panicked");
            socket.report(EventError::internal().with_event(Lifecycle::Connect.as_str()));
            Err(EventError::internal())
        })
    })))
}

async fn decide(socket: Socket, on_open: Option<OnOpen>) -> Result<(), EventError> {
    let event = Lifecycle::Connect.as_str();
    if let Some(rest) = on_open.and_then(|on_open| slow_poll::call(&socket, event, || on_open(socket.clone()))) {
        slow_poll::polls(&socket, event, rest).await;
    }
    for middleware in socket.namespace_inner().middleware() {
        let future = slow_poll::call(&socket, event, || middleware(socket.clone()));
        slow_poll::polls(&socket, event, future).await?;
    }
    let Some((handler, this)) = socket.namespace_inner().lifecycle_handler(Lifecycle::Connect) else {
        return Ok(());
    };
    let mut incoming = Incoming::new(socket, EventKind::Connect);
    incoming.this = this;
    let outcome = match handler.call {
        Call::Sync(call) => slow_poll::call(&incoming.socket, event, || call(&incoming)),
        Call::Blocking(call) => call_blocking(call, &incoming),
        Call::Async(call) => slow_poll::polls(&incoming.socket, event, call_async(call, &incoming)).await,
    };
    match outcome {
        Outcome::Failed(error) => Err(error),
        Outcome::Done | Outcome::Value(_) => Ok(()),
    }
}

/// Runs the events of an accepted socket's end in order, and removes the socket from the hub. A
/// socket that was never accepted has no such events.
pub(crate) async fn run_disconnect_handlers(socket: Socket, disconnect: Disconnect, on_purpose: bool) {
    if !socket.is_connected() {
        socket.depart();
        return;
    }
    if on_purpose {
        run(&socket, EventKind::Close).await;
    }
    run(&socket, EventKind::Disconnecting(disconnect.clone())).await;
    if socket.depart().is_none() {
        return;
    }
    tracing::debug!(socket = %socket.id(), %disconnect, "disconnected");
    run(&socket, EventKind::Disconnect(disconnect.clone())).await;
    if !disconnect.is_clean() {
        run(&socket, EventKind::Error(EventError::from(&disconnect))).await;
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
    if socket.depart() == Some(true) {
        let error = (!disconnect.is_clean()).then(|| EventKind::Error(disconnect.into()));
        for kind in [EventKind::Disconnect(disconnect.clone())].into_iter().chain(error) {
            let _ = catch_unwind(AssertUnwindSafe(|| run(socket, kind).now_or_never()));
        }
    }
}
