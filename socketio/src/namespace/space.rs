//! What one namespace consists of, behind all handles to it.

use std::any::Any;
use std::sync::Arc;

use super::registry::Registry;
use crate::adapter::{Adapter, LocalAdapter};
use crate::event::handler::{Handler, Lifecycle};
use crate::event::listener::Listeners;
use crate::event::rate::{EventLimit, EventLimits};
use crate::event::table::{self, Events};

/// A table of handlers, with what they share as `&self`.
#[derive(Clone)]
pub(crate) struct Mounted {
    pub(crate) events: Events,
    pub(crate) this: Option<Arc<dyn Any + Send + Sync>>,
}

/// What a namespace is made from.
#[derive(Default)]
pub(crate) struct Contents {
    pub(crate) mounted: Vec<Mounted>,
    pub(crate) event_limits: EventLimits,
}

/// Makes the adapter of a namespace from the local one.
pub(crate) type MakeAdapter = dyn Fn(LocalAdapter) -> Arc<dyn Adapter> + Send + Sync;

pub(crate) struct Space {
    path: Box<str>,
    mounted: Box<[Mounted]>,
    event_limits: EventLimits,
    listeners: Arc<Listeners>,
    registry: Arc<Registry>,
    adapter: Arc<dyn Adapter>,
}

type Found = Option<(&'static Handler, Option<Arc<dyn Any + Send + Sync>>)>;

impl Space {
    pub(crate) fn new(path: &str, contents: Contents, make_adapter: Option<&MakeAdapter>) -> Self {
        let registry = Arc::new(Registry::default());
        let local = LocalAdapter::new(Arc::clone(&registry));
        let adapter = match make_adapter {
            Some(make) => make(local),
            None => Arc::new(local),
        };
        let Contents { mounted, event_limits } = contents;
        let listeners = Arc::default();
        Self { path: path.into(), mounted: mounted.into(), event_limits, listeners, registry, adapter }
    }

    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    pub(crate) fn listeners(&self) -> &Arc<Listeners> {
        &self.listeners
    }

    pub(crate) fn registry(&self) -> &Registry {
        &self.registry
    }

    pub(crate) fn adapter(&self) -> &dyn Adapter {
        &*self.adapter
    }

    /// The limit on an event that clients send, if there is one.
    pub(crate) fn event_limit(&self, name: &str) -> Option<EventLimit> {
        self.event_limits.find(name)
    }

    pub(crate) fn handler(&self, name: &str) -> Found {
        let hash = table::hash(name);
        self.find(|events| events.find(name, hash))
    }

    pub(crate) fn lifecycle_handler(&self, lifecycle: Lifecycle) -> Found {
        self.find(|events| events.lifecycle(lifecycle))
    }

    pub(crate) fn fallback(&self) -> Found {
        self.find(Events::fallback)
    }

    fn find(&self, find: impl Fn(&Events) -> Option<&'static Handler>) -> Found {
        self.mounted.iter().find_map(|mounted| Some((find(&mounted.events)?, mounted.this.clone())))
    }
}

impl std::fmt::Debug for Space {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Space").field("path", &self.path).finish_non_exhaustive()
    }
}
