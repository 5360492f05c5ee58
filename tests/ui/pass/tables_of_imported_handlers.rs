#![deny(warnings)]

use socketio::{Events, events};

mod chat {
    use socketio::event;

    #[event("say")]
    pub fn say(_text: String) {}

    #[event("join")]
    pub async fn join(_room: String) {}

    pub mod rooms {
        use socketio::event;

        #[event("leave")]
        pub fn leave() {}
    }

    pub use rooms::leave;
}

use chat::say;
use chat::say as tell;

mod all {
    use crate::tables_of_imported_handlers::chat::*;
    use socketio::{Events, events};

    pub const EVENTS: Events = events![say, join, leave];
}

mod fallback {
    #[socketio::event("shout")]
    pub fn say() {}
}

const EVENTS: Events = events![tell, chat::leave];

#[test]
fn compiles() {
    use fallback::say as shout;

    assert_eq!(EVENTS.names().collect::<Vec<_>>(), ["say", "leave"]);
    assert_eq!(all::EVENTS.names().count(), 3);
    assert_eq!(events![say, shout].names().collect::<Vec<_>>(), ["say", "shout"]);
}
