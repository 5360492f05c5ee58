//! The description of a handler: what it is registered for, how it is called, and what it needs.

use futures_util::future::BoxFuture;
use std::any::{TypeId, type_name};

use super::error::EventError;
use super::incoming::Incoming;
use super::reply::Outcome;

/// One handler, as `#[event]` describes it.
#[doc(hidden)]
#[derive(Debug)]
pub struct Handler {
    pub key: Key,
    pub doc: &'static str,
    pub call: Call,
    pub concurrent: bool,
    pub needs: &'static [Option<Need>],
    pub source: Source,
}

impl Handler {
    /// What stands for an event that has no function.
    pub const fn placeholder(key: Key) -> Self {
        Self {
            key,
            doc: "",
            call: Call::Sync(|_| Outcome::Done),
            concurrent: false,
            needs: &[],
            source: Source::NOWHERE,
        }
    }
}

/// Which function a handler is, and what its parameters are called.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct Source {
    /// Where its attribute stands: the module, the line and the column.
    pub place: (&'static str, u32, u32),
    /// The type that it is a method of. It may have parameters, so that the place alone does not tell them apart.
    pub of: Option<fn() -> (TypeId, &'static str)>,
    pub function: &'static str,
    /// One for each parameter but `self`; empty where it is a pattern.
    pub parameters: &'static [&'static str],
}

impl Source {
    pub const NOWHERE: Self = Self { place: ("", 0, 0), of: None, function: "", parameters: &[] };

    /// What tells one type from others, and what it is called, with its path.
    pub fn of<T: 'static>() -> (TypeId, &'static str) {
        (TypeId::of::<T>(), type_name::<T>())
    }

    /// What an error calls the function.
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

/// What a handler is registered for.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Key {
    Name(&'static str),
    Lifecycle(Lifecycle),
    Fallback,
    /// Nothing: the handler does not compile. No table has it, so that there are no errors but its own.
    Invalid,
}

impl Key {
    /// The key of the event that a payload type is.
    pub const fn of_payload(name: Option<&'static str>) -> Self {
        match name {
            Some(name) => Self::Name(name),
            None => Self::Invalid,
        }
    }

    /// The name, or the lifecycle event's identifier.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Name(name) => name,
            Self::Lifecycle(lifecycle) => lifecycle.as_str(),
            Self::Fallback => "fallback",
            Self::Invalid => "",
        }
    }
}

/// The events that the framework itself brings about.
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

/// How a handler is called. An async one fails at once where the event is not what it takes, and borrows the event until it is done.
#[doc(hidden)]
#[derive(Clone, Copy)]
pub enum Call {
    Sync(fn(&Incoming) -> Outcome),
    Async(AsyncCall),
}

pub(crate) type AsyncCall = fn(&Incoming) -> Result<BoxFuture<'_, Outcome>, EventError>;

/// What comes of an async handler's call.
pub(crate) async fn call_async(call: AsyncCall, incoming: &Incoming) -> Outcome {
    match call(incoming) {
        Ok(future) => future.await,
        Err(error) => Outcome::Failed(error),
    }
}

impl std::fmt::Debug for Call {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Sync(_) => "Sync",
            Self::Async(_) => "Async",
        })
    }
}

/// A state that a handler needs the hub to have.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct Need {
    pub id: TypeId,
    pub name: fn() -> &'static str,
}
