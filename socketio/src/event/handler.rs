//! [`Handler`]: the static description of a handler function, as `#[event]` generates it.

use futures_util::future::BoxFuture;
use std::any::{TypeId, type_name};
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::task::block_in_place;

use super::error::EventError;
use super::incoming::Incoming;
use super::reply::Outcome;
use super::slow_poll;

/// A handler: the event it is registered for, how to call it and which states it needs.
#[doc(hidden)]
#[derive(Debug)]
pub struct Handler {
    pub key: Key,
    pub doc: &'static str,
    /// The note of `#[deprecated]`, which may be empty. `None` without the attribute.
    pub deprecated: Option<&'static str>,
    pub call: Call,
    pub concurrent: bool,
    pub timeout: Timeout,
    pub needs: &'static [Option<Need>],
    pub source: Source,
}

impl Handler {
    /// Creates a handler without a function, as a placeholder.
    pub const fn placeholder(key: Key) -> Self {
        Self {
            key,
            doc: "",
            deprecated: None,
            call: Call::Sync(|_| Outcome::Done),
            concurrent: false,
            timeout: Timeout::OfHub,
            needs: &[],
            source: Source::NOWHERE,
        }
    }
}

/// How long the functions of a handler's event may run.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timeout {
    /// As long as the hub's `handler_timeout` says.
    OfHub,
    /// For any time.
    Off,
    Milliseconds(u32),
}

/// Identifies the function of a handler and names its parameters.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct Source {
    /// The module, line and column of its attribute.
    pub place: (&'static str, u32, u32),
    /// The type, if the function is a method. Generic types can share one `place`.
    pub of: Option<fn() -> (TypeId, &'static str)>,
    pub function: &'static str,
    /// The name of each parameter except `self`. It is empty if the parameter is a pattern.
    pub parameters: &'static [&'static str],
}

impl Source {
    pub const NOWHERE: Self = Self { place: ("", 0, 0), of: None, function: "", parameters: &[] };

    /// Returns the identity and the full name of a type.
    pub fn of<T: 'static>() -> (TypeId, &'static str) {
        (TypeId::of::<T>(), type_name::<T>())
    }

    /// The function's path for error messages.
    pub(crate) fn path(&self) -> String {
        let scope = self.of.map_or(self.place.0, |of| of().1);
        format!("{scope}::{}", self.function)
    }
}

impl PartialEq for Source {
    fn eq(&self, other: &Self) -> bool {
        (self.place, self.function) == (other.place, other.function)
            && self.of.map(|of| of().0) == other.of.map(|of| of().0)
    }
}

/// The event that a handler is registered for.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Key {
    Name(&'static str),
    Lifecycle(Lifecycle),
    Fallback,
    /// The handler does not compile. No table contains it, so that the compiler reports only its
    /// own errors.
    Invalid,
}

impl Key {
    /// The key of a handler whose payload type declares the event's name.
    pub const fn of_payload(name: Option<&'static str>) -> Self {
        match name {
            Some(name) => Self::Name(name),
            None => Self::Invalid,
        }
    }

    /// Returns the event's name or the lifecycle event's identifier.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Name(name) => name,
            Self::Lifecycle(lifecycle) => lifecycle.as_str(),
            Self::Fallback => "fallback",
            Self::Invalid => "",
        }
    }
}

/// The lifecycle events, which the framework itself fires.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Lifecycle {
    Connect,
    Message,
    Ping,
    Pong,
    Close,
    Disconnecting,
    Disconnect,
    Error,
}

impl Lifecycle {
    const ALL: [Self; 8] = [
        Self::Connect,
        Self::Message,
        Self::Ping,
        Self::Pong,
        Self::Close,
        Self::Disconnecting,
        Self::Disconnect,
        Self::Error,
    ];

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Message => "message",
            Self::Ping => "ping",
            Self::Pong => "pong",
            Self::Close => "close",
            Self::Disconnecting => "disconnecting",
            Self::Disconnect => "disconnect",
            Self::Error => "error",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|lifecycle| lifecycle.as_str() == name)
    }
}

/// How a handler is called. An async handler returns an error at once if its parameters can't be
/// extracted. Otherwise its future borrows the event.
#[doc(hidden)]
#[derive(Clone, Copy)]
pub enum Call {
    Sync(fn(&Incoming) -> Outcome),
    /// A sync handler that may block its thread.
    Blocking(fn(&Incoming) -> Outcome),
    Async(AsyncCall),
}

pub(crate) type AsyncCall = fn(&Incoming) -> Result<BoxFuture<'_, Outcome>, EventError>;

/// Calls a sync handler and returns its outcome.
pub(crate) fn call_sync(call: fn(&Incoming) -> Outcome, incoming: &Incoming) -> Outcome {
    slow_poll::call(&incoming.socket, incoming.name(), || call(incoming))
}

/// Calls an async handler and returns its outcome.
pub(crate) fn call_async(call: AsyncCall, incoming: &Incoming) -> impl Future<Output = Outcome> + Send {
    slow_poll::polls(&incoming.socket, incoming.name(), async move {
        match call(incoming) {
            Ok(future) => future.await,
            Err(error) => Outcome::Failed(error),
        }
    })
}

/// Calls a handler that may block. Meanwhile another thread runs the tasks of this one. A runtime
/// with one thread has no other.
pub(crate) fn call_blocking(call: fn(&Incoming) -> Outcome, incoming: &Incoming) -> Outcome {
    slow_poll::blocking(|| match Handle::try_current().map(|runtime| runtime.runtime_flavor()) {
        Ok(RuntimeFlavor::MultiThread) => block_in_place(|| call(incoming)),
        _ => call(incoming),
    })
}

impl std::fmt::Debug for Call {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Sync(_) => "Sync",
            Self::Blocking(_) => "Blocking",
            Self::Async(_) => "Async",
        })
    }
}

/// A type of state that a handler needs the hub to have.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct Need {
    pub id: TypeId,
    pub name: fn() -> &'static str,
}
