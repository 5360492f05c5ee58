//! [`ServerEvent`]: events that servers send to each other.

use parking_lot::RwLock;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use crate::event::context::RawArgs;
use crate::event::error::shortened;
use crate::hooks::catch::catch;
use crate::hooks::guarded::Guarded;
use crate::hub::adapter::{PacketArgs, ServerId};

/// An event that another server sent with [`server_emit`](crate::Namespace::server_emit).
#[derive(Clone, Debug)]
pub struct ServerEvent<'a> {
    name: &'a str,
    args: PacketArgs<'a>,
    from: Option<ServerId>,
}

impl<'a> ServerEvent<'a> {
    pub(crate) fn new(name: &'a str, args: PacketArgs<'a>, from: Option<ServerId>) -> Self {
        Self { name, args, from }
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
                tracing::error!(event = shortened(event.name()), "a listener for server events panicked");
            }
        }
    }
}

impl fmt::Debug for ServerListeners {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.0.read().keys()).finish()
    }
}
