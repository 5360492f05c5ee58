//! What one namespace consists of, behind all handles to it.

use futures_util::future::BoxFuture;
use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::registry::Registry;
use crate::event::error::EventError;
use crate::event::handler::{Handler, Lifecycle};
use crate::event::listener::Listeners;
use crate::event::middleware::EventMiddleware;
use crate::event::rate::{EventLimit, EventLimits};
use crate::event::table::{self, Events};
use crate::hub::adapter::{Adapter, LocalAdapter};
use crate::hub::socket::Socket;

/// A table of handlers, with what they share as `&self`.
#[derive(Clone)]
pub(crate) struct Mounted {
    pub(crate) events: Events,
    pub(crate) this: Option<Arc<dyn Any + Send + Sync>>,
}

/// What a namespace is made from.
#[derive(Clone, Default)]
pub(crate) struct Contents {
    pub(crate) mounted: Vec<Mounted>,
    pub(crate) event_limits: EventLimits,
    pub(crate) middleware: Vec<Middleware>,
    pub(crate) event_middleware: Vec<EventMiddleware>,
}

/// Lets a new socket go on, or refuses it.
pub(crate) type Middleware = Arc<dyn Fn(Socket) -> BoxFuture<'static, Result<(), EventError>> + Send + Sync>;

/// Makes the adapter of a namespace, by its path, from the local one.
pub(crate) type MakeAdapter = dyn Fn(&str, LocalAdapter) -> Arc<dyn Adapter> + Send + Sync;

pub(crate) struct NamespaceInner {
    path: Box<str>,
    mounted: Box<[Mounted]>,
    event_limits: EventLimits,
    middleware: Box<[Middleware]>,
    event_middleware: Arc<[EventMiddleware]>,
    listeners: Arc<Listeners>,
    registry: Arc<Registry>,
    adapter: Arc<dyn Adapter>,
    /// How many sockets there are or will be in a moment, in a namespace that vanishes when it is empty.
    references: Option<AtomicUsize>,
}

type Found = Option<(&'static Handler, Option<Arc<dyn Any + Send + Sync>>)>;

impl NamespaceInner {
    pub(crate) fn new(path: &str, contents: Contents, make_adapter: Option<&MakeAdapter>) -> Self {
        let registry = Arc::new(Registry::default());
        let local = LocalAdapter::new(Arc::clone(&registry));
        let adapter = match make_adapter {
            Some(make) => make(path, local),
            None => Arc::new(local),
        };
        let Contents { mounted, event_limits, middleware, event_middleware } = contents;
        Self {
            path: path.into(),
            mounted: mounted.into(),
            event_limits,
            middleware: middleware.into(),
            event_middleware: event_middleware.into(),
            listeners: Arc::default(),
            registry,
            adapter,
            references: None,
        }
    }

    /// Makes it one that vanishes when it is empty.
    pub(crate) fn dynamic(self) -> Self {
        Self { references: Some(AtomicUsize::new(0)), ..self }
    }

    pub(crate) fn is_dynamic(&self) -> bool {
        self.references.is_some()
    }

    pub(crate) fn acquire(&self) {
        if let Some(references) = &self.references {
            references.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// `true`: it was the last.
    pub(crate) fn release(&self) -> bool {
        self.references.as_ref().is_some_and(|references| references.fetch_sub(1, Ordering::Relaxed) == 1)
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

    pub(crate) fn middleware(&self) -> &[Middleware] {
        &self.middleware
    }

    pub(crate) fn event_middleware(&self) -> &Arc<[EventMiddleware]> {
        &self.event_middleware
    }

    pub(crate) fn has_middleware(&self) -> bool {
        !self.middleware.is_empty()
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

impl std::fmt::Debug for NamespaceInner {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("NamespaceInner").field("path", &self.path).finish_non_exhaustive()
    }
}
