//! What the macros' code calls. None of it is meant to be used by hand, and any of it may change at any time.

pub use crate::contract::describe::{Export, Exports};
pub use crate::contract::description::DescribedType;
pub use crate::contract::infer::{AnyErrors, NoAnswer, NoErrors, Settled};
pub use crate::event::argument::receiver;
pub use crate::event::build::{Part, Shared, Table, Verdict, count, slot_count};
pub use crate::event::handler::{Call, Handler, Key, Lifecycle, Need, Source};
pub use crate::event::named::{Companion, Named, Unnamed};
pub use crate::event::reply::{FallibleKind, Outcome, Probe, ValueKind};
pub use crate::event::table::{Slot, Special};
pub use crate::hub::source::MountedEvents;
#[cfg(feature = "asyncapi")]
pub use serde_json::Value as Json;

use crate::event::table::Events;

/// The table of no handlers.
pub const EMPTY: Events = {
    static TABLE: Table<0, 1> = Table::build(&[]);
    TABLE.events()
};

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
