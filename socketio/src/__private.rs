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

/// Implements an export for a contract's type, with functions of its own, so that nobody needs to import the trait for them.
#[doc(hidden)]
#[macro_export]
#[cfg(feature = "typescript")]
macro_rules! __export_typescript {
    ($visibility:vis $contract:ident) => {
        impl $crate::TypeScriptContract for $contract {}

        #[allow(dead_code)]
        impl $contract {
            /// The contract as TypeScript.
            $visibility fn typescript() -> ::std::string::String {
                <Self as $crate::TypeScriptContract>::typescript()
            }

            /// Writes the contract's TypeScript into a file.
            $visibility fn export(path: impl ::core::convert::AsRef<::std::path::Path>) -> ::std::io::Result<()> {
                <Self as $crate::TypeScriptContract>::export(path)
            }

            /// Sees in a test that a file is the contract's TypeScript.
            #[track_caller]
            $visibility fn assert_exported(path: impl ::core::convert::AsRef<::std::path::Path>) {
                <Self as $crate::TypeScriptContract>::assert_exported(path);
            }
        }
    };
}

#[doc(hidden)]
#[macro_export]
#[cfg(not(feature = "typescript"))]
macro_rules! __export_typescript {
    ($visibility:vis $contract:ident) => {
        ::core::compile_error!(
            "`#[export(typescript)]` needs the feature `typescript` of `socketio`\n\n\
             help: write `socketio = { version = \"…\", features = [\"typescript\"] }` in `Cargo.toml`"
        );
    };
}

#[doc(hidden)]
#[macro_export]
#[cfg(feature = "asyncapi")]
macro_rules! __export_asyncapi {
    ($visibility:vis $contract:ident) => {
        impl $crate::AsyncApiContract for $contract {}

        #[allow(dead_code)]
        impl $contract {
            /// The contract as an AsyncAPI document.
            $visibility fn asyncapi(info: $crate::AsyncApiInfo) -> $crate::__private::Json {
                <Self as $crate::AsyncApiContract>::asyncapi(info)
            }
        }
    };
}

#[doc(hidden)]
#[macro_export]
#[cfg(not(feature = "asyncapi"))]
macro_rules! __export_asyncapi {
    ($visibility:vis $contract:ident) => {
        ::core::compile_error!(
            "`#[export(asyncapi)]` needs the feature `asyncapi` of `socketio`\n\n\
             help: write `socketio = { version = \"…\", features = [\"asyncapi\"] }` in `Cargo.toml`"
        );
    };
}
