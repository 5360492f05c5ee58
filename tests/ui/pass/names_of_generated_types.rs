#![deny(warnings)]

//! User types may have the names that generated code uses, and names of the prelude.

mod types {
    use serde::{Deserialize, Serialize};
    use socketio::{event, events};

    macro_rules! types {
        ($($name:ident)*) => {
            $(
                #[derive(Deserialize, Serialize)]
                pub struct $name;
            )*
        };
    }

    types! {
        Named Unnamed Probe Handler Handlers Key Call Part Table Need Companion Outcome Answer Argument Arguments Event
        Events Reply Lifecycle Connect HandlerFuture Socket Hub
    }

    #[event("first")]
    fn first(_a: Named, _b: Unnamed, _c: Probe, _d: Handler, _e: Handlers, _f: Key, _g: Call, _h: Part) -> Table {
        Table
    }

    #[event("second")]
    async fn second(
        _a: Need,
        _b: Companion,
        _c: Outcome,
        _d: Answer,
        _e: Argument,
        _f: Arguments,
        _g: Event,
    ) -> Events {
        Events
    }

    #[event("third")]
    fn third(_a: Reply, _b: HandlerFuture, _c: Socket, _d: Hub, _e: Option<Lifecycle>) -> Connect {
        Connect
    }

    pub const TABLE: socketio::Events = events![first, second, third];
}

mod prelude {
    use serde::Serialize;
    use socketio::{event, events};

    pub type Result<T> = ::std::result::Result<T, String>;

    #[derive(Serialize)]
    #[allow(dead_code)]
    pub enum Choice {
        Ok,
        Err,
        Some,
        None,
    }

    pub use Choice::{Err, None, Ok, Some};

    #[allow(dead_code)]
    pub struct Option;
    #[allow(dead_code)]
    pub struct Box;
    #[allow(dead_code)]
    pub trait Send {}
    #[allow(dead_code)]
    pub trait Sync {}

    #[event("choose")]
    fn choose(_a: ::std::option::Option<u32>) -> Result<Choice> {
        ::std::result::Result::Ok(Ok)
    }

    #[event("later")]
    async fn later() -> Choice {
        let _ = (Err, None, Some);
        Some
    }

    pub const TABLE: socketio::Events = events![choose, later];
}

mod core {
    pub(crate) mod result {}
}

mod std {
    pub(crate) mod boxed {}
}

#[test]
fn compiles() {
    #[allow(unused_imports)]
    use {crate::names_of_generated_types::core::result, crate::names_of_generated_types::std::boxed};
    assert_eq!(socketio::events![..types::TABLE, ..prelude::TABLE].names().count(), 5);
}
