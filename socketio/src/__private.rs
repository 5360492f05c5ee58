//! What the macros' code calls. None of it is meant to be used by hand, and any of it may change at any time.

use std::any::{TypeId, type_name};
use std::marker::PhantomData;

pub use crate::contract::describe::{Export, Exports};
pub use crate::contract::description::DescribedType;
pub use crate::contract::infer::{AnyErrors, NoAnswer, NoErrors, Settled};
pub use crate::event::argument::receiver;
pub use crate::event::build::{Part, Shared, Table, Verdict, count, slot_count};
pub use crate::event::handler::{Call, Handler, Key, Lifecycle, Need, Source};
pub use crate::event::reply::{FallibleKind, Outcome, Probe, ValueKind};
pub use crate::event::table::{Slot, Special};
pub use crate::hub::source::MountedEvents;
#[cfg(feature = "asyncapi")]
pub use serde_json::Value as Json;

use crate::event::ack::Ack;
use crate::event::argument::Argument;
use crate::event::error::PayloadError;
use crate::event::marker::Context;
use crate::event::message::Event;
use crate::event::state::State;
use crate::event::table::Events;

/// What `#[event]` on a function adds beside it, under the same name.
pub trait Companion {
    const HANDLER: &'static Handler;
}

/// The table of no handlers.
pub const EMPTY: Events = {
    static TABLE: Table<0, 1> = Table::build(&[]);
    TABLE.events()
};

/// A type, to be asked what is special about it. What it knows by itself comes before what [`Unnamed`] says of any type.
#[derive(Debug)]
pub struct Named<T: ?Sized>(PhantomData<T>);

/// What is special about a type that nothing is known of: nothing.
pub trait Unnamed {
    const HANDLER: Option<&'static Handler> = None;
    const EVENT: Option<&'static str> = None;
    const NEED: Option<Need> = None;
    const IS_ACK: bool = false;
    const IS_OPTION: bool = false;
    const IS_REQUIRED: bool = true;
    const IS_VALUE: bool = true;
}

impl<T: ?Sized> Unnamed for Named<T> {}

impl<C: Companion> Named<C> {
    pub const HANDLER: Option<&'static Handler> = Some(C::HANDLER);
}

impl<E: Event> Named<E> {
    pub const EVENT: Option<&'static str> = Some(E::NAME);
}

impl<T: 'static> Named<State<T>> {
    pub const NEED: Option<Need> = Some(Need { id: TypeId::of::<T>(), name: type_name::<T> });
}

impl Named<Ack> {
    pub const IS_ACK: bool = true;
}

impl<T> Named<Option<T>> {
    pub const IS_OPTION: bool = true;
    pub const IS_REQUIRED: bool = false;
}

impl<T> Named<Result<T, PayloadError>> {
    pub const IS_REQUIRED: bool = false;
}

impl<'a, T: Argument<'a, Context>> Named<T> {
    pub const IS_REQUIRED: bool = false;
}

impl Named<()> {
    pub const IS_VALUE: bool = false;
}

impl<E> Named<Result<(), E>> {
    pub const IS_VALUE: bool = false;
}

/// A check at compile time. That it is the caller who panics lets the error underline what the user wrote.
#[track_caller]
pub const fn require(holds: bool, message: &str) {
    assert!(holds, "{}", message);
}

/// The check that an item of `events![…]` leads to handlers of events that have no other.
#[track_caller]
pub const fn require_single(verdict: &Verdict, missing: &str) {
    let after = "`\n\nhelp: an event has one handler: leave it out of one of the tables, or give it another name";
    require_unrepeated(verdict, missing, "a second handler of the event `", after);
}

/// The check that an item of a contract's list is an event that stands there once.
#[track_caller]
pub const fn require_once(verdict: &Verdict, missing: &str) {
    let after =
        "` is here twice\n\nhelp: an event has one entry in each list: leave it out, or give one of them another name";
    require_unrepeated(verdict, missing, "the event `", after);
}

#[track_caller]
const fn require_unrepeated(verdict: &Verdict, missing: &str, before: &str, after: &str) {
    match verdict {
        Verdict::Single => {}
        Verdict::Missing => panic!("{}", missing),
        Verdict::Repeated(name) => {
            let message = joined([before, name, after]);
            match std::str::from_utf8(&message) {
                Ok(message) => panic!("{}", message.trim_ascii_end()),
                Err(_) => panic!("a second handler of an event"),
            }
        }
    }
}

/// The message about a repeated event, and blanks. Of a name that is far too long it has the beginning.
const fn joined(parts: [&str; 3]) -> [u8; 1024] {
    let mut message = [b' '; 1024];
    let mut written = 0;
    let mut part = 0;
    while part < parts.len() {
        let bytes = parts[part].as_bytes();
        let mut at = 0;
        while at < bytes.len() && written < message.len() {
            message[written] = bytes[at];
            written += 1;
            at += 1;
        }
        part += 1;
    }
    message
}
