//! Listeners of single sockets, and events that the server brings about.

use bytes::Bytes;
use serde::Serialize;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::Socket;
use crate::connection::mailbox::Mail;
use crate::event::dispatch;
use crate::event::error::{EventError, shortened};
use crate::event::incoming::{ReceivedEvent, Subject};
use crate::event::listener::{EventPayload, ListenerHandle, Listeners, Listening};
use crate::event::message::check_name;
use crate::selection::EmitError;
use crate::wire::payload::Payload;

/// Events and listeners of this socket.
impl Socket {
    /// Calls `listener` for events of this name that come from this socket, after the table's handler and before the
    /// hub's listeners.
    pub fn on<F, R, M>(&self, event: impl AsRef<str>, listener: F) -> ListenerHandle
    where
        F: Fn(EventPayload) -> R + Send + Sync + 'static,
        R: Listening<M>,
    {
        self.own_listeners().add(event.as_ref(), false, listener)
    }

    /// The same for the next such event only.
    pub fn once<F, R, M>(&self, event: impl AsRef<str>, listener: F) -> ListenerHandle
    where
        F: Fn(EventPayload) -> R + Send + Sync + 'static,
        R: Listening<M>,
    {
        self.own_listeners().add(event.as_ref(), true, listener)
    }

    /// Removes all listeners that this socket has for events of this name.
    pub fn off(&self, event: impl AsRef<str>) {
        if let Some(listeners) = self.listeners() {
            listeners.remove_all(event.as_ref());
        }
    }

    /// For the end: a listener that keeps its socket would keep it, and itself, for ever.
    pub(crate) fn forget_listeners(&self) {
        let listeners = self.0.side.lock().as_mut().and_then(|side| side.listeners.take());
        drop(listeners);
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

    /// Queues an event as if the client had sent it, for handlers and listeners; nothing is sent. The name of a lifecycle
    /// event reaches listeners only.
    ///
    /// # Errors
    ///
    /// `data`, the event's one argument, does not serialize, or the socket is gone.
    pub fn fire(&self, event: impl AsRef<str>, data: impl Serialize) -> Result<(), EmitError> {
        let (name, text) = fired(event.as_ref(), &data)?;
        self.fire_encoded(&name, &text)
    }

    pub(crate) fn fire_encoded(&self, name: &Arc<str>, text: &Utf8Bytes) -> Result<(), EmitError> {
        if self.is_gone() {
            return Err(EmitError::Closed);
        }
        match self.post(Subject::Event(ReceivedEvent::fired(Arc::clone(name), text.clone()))) {
            true => Ok(()),
            false => Err(EmitError::Closed),
        }
    }

    /// Fires `error`, unless nobody would hear it: then it is only traced.
    pub(crate) fn report(&self, error: EventError) {
        if dispatch::is_reporting(self) {
            return tracing::warn!(socket = %self.id(), %error, "an error handler failed");
        }
        let kept = error.clone();
        if !self.post(Subject::Error(error)) {
            let event = kept.event().map(shortened);
            tracing::warn!(socket = %self.id(), error = %kept, event, "error after a connection's end");
        }
    }

    fn post(&self, subject: Subject) -> bool {
        self.peer().mailbox.post(Mail::Run(self.clone(), subject))
    }
}

/// An event to be fired, encoded once for all sockets.
pub(crate) fn fired(event: &str, data: &impl Serialize) -> Result<(Arc<str>, Utf8Bytes), EmitError> {
    if event.is_empty() {
        check_name(event)?;
    }
    let mut json = Vec::new();
    Payload::of(data)?.write_json(&mut json);
    let text = Utf8Bytes::try_from(Bytes::from(json)).map_err(serde::de::Error::custom);
    Ok((event.into(), text.map_err(EmitError::Encode)?))
}
