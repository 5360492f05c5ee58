//! [`ServerEvent`]: events that servers send to each other.

use parking_lot::RwLock;
use serde::Serialize;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::event::context::RawArgs;
use crate::hooks::catch::catch;
use crate::hooks::guarded::Guarded;
use crate::hub::adapter::{PacketArgs, ServerId};
use crate::hub::selection::EmitError;
use crate::wire::payload::Payload;
use crate::wire::shown::shown;

/// An event that another server sent with [`server_emit`](crate::Namespace::server_emit).
#[derive(Clone, Debug)]
pub struct ServerEvent<'a> {
    name: &'a str,
    args: PacketArgs<'a>,
    from: Option<ServerId>,
    ack: Option<ServerAck>,
}

impl<'a> ServerEvent<'a> {
    pub(crate) fn new(name: &'a str, args: PacketArgs<'a>, from: Option<ServerId>, ack: Option<ServerAck>) -> Self {
        Self { name, args, from, ack }
    }

    /// The event's name.
    pub fn name(&self) -> &str {
        self.name
    }

    /// The event's arguments, undecoded.
    pub fn args(&self) -> RawArgs<'_> {
        self.args.as_raw()
    }

    /// The server that sent the event, if the adapter provides it.
    pub fn server(&self) -> Option<&ServerId> {
        self.from.as_ref()
    }

    /// Answers the event, if the other server [asked](crate::Namespace::server_request) for an
    /// answer. A clone of it can answer later.
    pub fn ack(&self) -> Option<&ServerAck> {
        self.ack.as_ref()
    }
}

/// Answers a [`ServerEvent`], once. Cloning is cheap. Without an answer the other server waits
/// until its timeout.
///
/// ```
/// # let hub = socketio::Hub::builder().build()?;
/// hub.on_server("load?", |event| {
///     if let Some(ack) = event.ack() {
///         let _ = ack.send(0.5);
///     }
/// });
/// # Ok::<(), socketio::BuildError>(())
/// ```
#[derive(Clone)]
pub struct ServerAck(Arc<PendingReply>);

struct PendingReply {
    is_answered: AtomicBool,
    send: Box<dyn Fn(PacketArgs<'_>) + Send + Sync>,
}

impl ServerAck {
    /// Creates an ack for an adapter to pass to
    /// [`LocalAdapter::received_request`](crate::adapter::LocalAdapter::received_request). `send`
    /// is called with the first answer, on the task that answers, and must not block.
    pub fn new(send: impl Fn(PacketArgs<'_>) + Send + Sync + 'static) -> Self {
        Self(Arc::new(PendingReply { is_answered: AtomicBool::new(false), send: Box::new(send) }))
    }

    /// Answers with a value. `()` answers without a value. Later answers are ignored.
    ///
    /// # Errors
    ///
    /// The value does not serialize. The event is then still unanswered.
    pub fn send(&self, value: impl Serialize) -> Result<(), EmitError> {
        let payload = Payload::reply(&value)?;
        if !self.0.is_answered.swap(true, Ordering::Relaxed) {
            (self.0.send)(PacketArgs::of(&payload));
        }
        Ok(())
    }
}

impl fmt::Debug for ServerAck {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_answered = self.0.is_answered.load(Ordering::Relaxed);
        formatter.debug_struct("ServerAck").field("is_answered", &is_answered).finish()
    }
}

type Listener = Arc<dyn Fn(&ServerEvent<'_>) + Send + Sync>;

/// The listeners of a namespace for events of other servers, by event name.
#[derive(Default)]
pub(crate) struct ServerListeners(RwLock<HashMap<Box<str>, Arc<[Listener]>>>);

impl ServerListeners {
    pub(crate) fn add(&self, event: &str, listener: impl Fn(&ServerEvent<'_>) + Send + Sync + 'static) {
        let listener = Guarded::new(listener);
        let listener: Listener = Arc::new(move |event| (*listener)(event));
        let mut listeners = self.0.write();
        let known = listeners.entry(event.into()).or_insert_with(|| Arc::new([]));
        *known = known.iter().cloned().chain([listener]).collect();
    }

    pub(crate) fn call(&self, event: &ServerEvent<'_>) {
        let Some(listeners) = self.0.read().get(event.name()).cloned() else { return };
        for listener in listeners.iter() {
            if catch(|| listener(event)).is_err() {
                tracing::error!(event = &*shown(event.name()), "a listener for server events panicked");
            }
        }
    }
}

impl fmt::Debug for ServerListeners {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.0.read().keys()).finish()
    }
}
