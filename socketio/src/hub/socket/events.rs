//! Listeners of a single [`Socket`], and events that the server fires.

use bytes::Bytes;
use serde::Serialize;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::Socket;
use crate::connection_handle::queue::Rejected;
use crate::event::context::RawArgs;
use crate::event::error::EventError;
use crate::event::incoming::{EventKind, Incoming};
use crate::event::listener::{EventPayload, ListenerHandle, ListenerOutput, Listeners};
use crate::event::message::check_name;
use crate::event::middleware::{self, EventMiddleware, IncomingEvent, Next};
use crate::event::unscanned;
use crate::hooks::catch::catch;
use crate::hooks::guarded::Guarded;
use crate::hooks::nesting::{self, Entered};
use crate::hub::aliases::Command;
use crate::hub::selection::EmitError;
use crate::session::limits::MAX_DEPTH;
use crate::session::received::ReceivedEvent;
use crate::wire::envelope::ArgumentText;
use crate::wire::packet::Packet;
use crate::wire::payload::Payload;
use crate::wire::shown::{Shown, shown};

/// A listener for everything that is emitted to a socket.
pub(super) type OutgoingListener = Arc<dyn Fn(&str, RawArgs<'_>) + Send + Sync>;

/// Events and listeners of this socket.
impl Socket {
    /// Calls `listener` for events of this name on this socket, after the table's handler and
    /// before the namespace's listeners.
    pub fn on<F, R, M>(&self, event: impl AsRef<str>, listener: F) -> ListenerHandle
    where
        F: Fn(EventPayload) -> R + Send + Sync + 'static,
        R: ListenerOutput<M>,
    {
        self.own_listeners().add(event.as_ref(), false, listener)
    }

    /// Like [`on`](Self::on), but only for the next event.
    pub fn once<F, R, M>(&self, event: impl AsRef<str>, listener: F) -> ListenerHandle
    where
        F: Fn(EventPayload) -> R + Send + Sync + 'static,
        R: ListenerOutput<M>,
    {
        self.own_listeners().add(event.as_ref(), true, listener)
    }

    /// Calls `listener` for every event that this socket's client sends, before all other handlers
    /// and listeners. An event that has no other handler or listener still counts as unknown.
    pub fn on_any<F, R, M>(&self, listener: F) -> ListenerHandle
    where
        F: Fn(EventPayload) -> R + Send + Sync + 'static,
        R: ListenerOutput<M>,
    {
        self.own_listeners().add_any(listener)
    }

    /// Calls `listener` with the name and arguments of everything that is emitted to this socket.
    /// Text and binary messages have the name `message`. It runs on the task that emits and must
    /// not block.
    ///
    /// What the listener itself emits is sent, but calls no such listener, of any socket. Otherwise
    /// it could call itself without end.
    pub fn on_any_outgoing(&self, listener: impl Fn(&str, RawArgs<'_>) + Send + Sync + 'static) {
        let listener = Guarded::new(listener);
        let listener: OutgoingListener = Arc::new(move |name, args| (*listener)(name, args));
        self.with_side(|side| {
            let known = side.outgoing.take();
            side.outgoing = Some(known.iter().flat_map(|known| known.iter()).cloned().chain([listener]).collect());
        });
        self.0.has_outgoing.store(true, Ordering::Release);
        self.namespace_inner().registry().set_has_outgoing_listeners();
    }

    /// Calls the listeners for outgoing messages, unless one of them emits the message.
    pub(crate) fn call_outgoing_listeners(&self, packet: &Packet) {
        if !self.0.has_outgoing.load(Ordering::Acquire) {
            return;
        }
        let Some(listeners) = self.0.side.lock().as_ref().and_then(|side| side.outgoing.clone()) else { return };
        let Some(_entered) = Entered::outgoing() else { return };
        let args = packet.args();
        for listener in listeners.iter() {
            let name = packet.name().unwrap_or("message");
            if catch(|| listener(name, args.as_raw())).is_err() {
                tracing::error!(
                    socket = %self.shown_id(),
                    event = &*shown(name),
                    "a listener for outgoing events panicked"
                );
                self.report(EventError::internal().with_event(name));
            }
        }
    }

    /// Calls `middleware` around each event that this socket's client sends, after the middleware
    /// of the namespace. See
    /// [`NamespaceBuilder::event_middleware`](crate::NamespaceBuilder::event_middleware).
    pub fn event_middleware<F, R, E>(&self, middleware: F)
    where
        F: Fn(IncomingEvent, Next) -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), E>> + Send + 'static,
        E: Into<EventError>,
    {
        let middleware = middleware::event_middleware(middleware);
        self.with_side(|side| side.event_middleware.push(middleware));
        self.0.has_middleware.store(true, Ordering::Release);
    }

    pub(crate) fn own_middleware(&self) -> Option<Vec<EventMiddleware>> {
        if !self.0.has_middleware.load(Ordering::Acquire) {
            return None;
        }
        self.0.side.lock().as_ref().map(|side| side.event_middleware.clone())
    }

    /// Removes all listeners of this socket for events of this name.
    pub fn off(&self, event: impl AsRef<str>) {
        if let Some(listeners) = self.listeners() {
            listeners.remove_all(event.as_ref());
        }
    }

    /// Drops all listeners when the socket ends. A listener that captured its socket would
    /// otherwise form a reference cycle.
    pub(crate) fn forget_listeners(&self) {
        let forgotten = self
            .0
            .side
            .lock()
            .as_mut()
            .map(|side| (side.listeners.take(), side.outgoing.take(), std::mem::take(&mut side.event_middleware)));
        drop(forgotten);
    }

    fn own_listeners(&self) -> Arc<Listeners> {
        let listeners = self.with_side(|side| Arc::clone(side.listeners.get_or_insert_default()));
        self.0.has_listeners.store(true, Ordering::Release);
        listeners
    }

    pub(crate) fn listeners(&self) -> Option<Arc<Listeners>> {
        if !self.0.has_listeners.load(Ordering::Acquire) {
            return None;
        }
        self.0.side.lock().as_ref()?.listeners.clone()
    }

    /// Queues an event as if the client had sent it. Handlers and listeners receive it; nothing is
    /// sent to the client. Under the name of a lifecycle event only listeners receive it.
    ///
    /// # Errors
    ///
    /// - `data`, the only argument, does not serialize, is nested more than 127 levels deep, or has
    ///   a [reserved key](crate::from_json).
    /// - [`Overflow`](EmitError::Overflow): as many fired events and errors wait for their handlers
    ///   as the [`inbox`](crate::HubBuilder::inbox) takes. Events of the client do not count.
    /// - [`Closed`](EmitError::Closed): the socket is ending or gone.
    pub fn fire(&self, event: impl AsRef<str>, data: impl Serialize) -> Result<(), EmitError> {
        let (name, text) = fired(event.as_ref(), &data)?;
        self.fire_encoded(&name, &text)
    }

    pub(crate) fn fire_encoded(&self, name: &Arc<str>, text: &Utf8Bytes) -> Result<(), EmitError> {
        if self.is_leaving() || self.is_ending() {
            return Err(EmitError::Closed);
        }
        let event = ReceivedEvent::fired(Arc::clone(name), text.clone());
        self.post(EventKind::Event(event)).map_err(|rejected| match rejected {
            Rejected::Closed => EmitError::Closed,
            Rejected::Overflow { .. } => EmitError::Overflow,
        })
    }

    /// Fires `error`. The error is only logged during an `error` handler of any socket, after the
    /// end of the connection, and while too many events of the server wait.
    pub(crate) fn report(&self, error: EventError) {
        self.hub().counters().error(error.code());
        if nesting::is_in_error() {
            return tracing::debug!(socket = %self.shown_id(), error = %Shown(&error), "an error handler failed");
        }
        let kept = error.clone();
        let Err(rejected) = self.post(EventKind::Error(error)) else { return };
        let event = kept.event().map(shown);
        match rejected {
            Rejected::Closed => {
                tracing::debug!(
                    socket = %self.shown_id(),
                    error = %Shown(&kept),
                    event = event.as_deref(),
                    "error after the end of a connection"
                );
            }
            Rejected::Overflow { .. } => {
                tracing::debug!(
                    socket = %self.shown_id(),
                    error = %Shown(&kept),
                    event = event.as_deref(),
                    "an error that is one too many"
                );
            }
        }
    }

    /// Queues an event of the server.
    fn post(&self, kind: EventKind) -> Result<(), Rejected> {
        let posted = Incoming::reserved(self.clone(), kind).and_then(|incoming| {
            let posted = self.peer().handle.post(Command::Run(incoming));
            if posted { Ok(()) } else { Err(Rejected::Closed) }
        });
        if let Err(Rejected::Overflow { first: true }) = posted {
            self.hub().counters().overflow();
            tracing::debug!(socket = %self.shown_id(), "too many events of the server wait for their handlers");
        }
        posted
    }
}

/// Encodes an event to be fired, once for all sockets.
pub(crate) fn fired(event: &str, data: &impl Serialize) -> Result<(Arc<str>, Utf8Bytes), EmitError> {
    if event.is_empty() {
        check_name(event)?;
    }
    let mut json = Vec::new();
    Payload::of(data)?.write_json(&mut json);
    let text = Utf8Bytes::try_from(Bytes::from(json)).map_err(<serde_json::Error as serde::ser::Error>::custom)?;
    unscanned::check(ArgumentText::One(&text), MAX_DEPTH).map_err(EmitError::undecodable)?;
    Ok((event.into(), text))
}
