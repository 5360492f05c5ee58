//! [`EventSource`]: types that event handlers come from.

use std::fmt;
use std::sync::Arc;

use crate::event::build::Part;
use crate::event::table::Events;
use crate::hub::namespace::inner::Mounted;

/// A source of event handlers: a table made with [`events!`](crate::events), or a value whose type
/// has [`#[handlers]`](crate::handlers).
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no event handlers",
    label = "neither a table of handlers nor a type with `#[handlers]`",
    note = "help: give `events![a, b, …]`, or a value of a type with a `#[handlers] impl`"
)]
pub trait EventSource {
    /// The methods with `#[event]`.
    #[doc(hidden)]
    const PARTS: &'static [Part] = &[];

    /// Evaluates to a compile error if there is a mistake that only the types reveal.
    #[doc(hidden)]
    const CHECKED: () = ();

    #[doc(hidden)]
    fn into_mounted(self) -> MountedEvents;
}

/// A table of handlers, prepared to be added to a hub.
#[doc(hidden)]
pub struct MountedEvents(Mounted);

impl fmt::Debug for MountedEvents {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.events.fmt(formatter)
    }
}

impl MountedEvents {
    pub(super) fn into_inner(self) -> Mounted {
        self.0
    }

    pub fn shared<T: Send + Sync + 'static>(events: Events, this: T) -> Self {
        Self(Mounted { events, this: Some(Arc::new(this)) })
    }
}

/// A type with `#[handlers]`. All its handlers stand in one `impl`, which may call methods of
/// others: a second `#[handlers] impl` of the type conflicts with the first.
#[doc(hidden)]
pub trait HandlersInOneImpl: Sized {
    const PARTS: &'static [Part];
    const CHECKED: ();

    fn into_mounted(self) -> MountedEvents;
}

#[diagnostic::do_not_recommend]
impl<T: HandlersInOneImpl> EventSource for T {
    const PARTS: &'static [Part] = <T as HandlersInOneImpl>::PARTS;
    const CHECKED: () = <T as HandlersInOneImpl>::CHECKED;

    fn into_mounted(self) -> MountedEvents {
        HandlersInOneImpl::into_mounted(self)
    }
}

impl EventSource for Events {
    fn into_mounted(self) -> MountedEvents {
        MountedEvents(Mounted { events: self, this: None })
    }
}
