#![deny(warnings)]

use socketio::{Events, Hub, event, events};

mod chat {
    use socketio::{Events, event, events};

    #[event("say")]
    pub fn say(_text: String) {}

    pub mod rooms {
        use socketio::{Events, event, events};

        #[event("join")]
        pub(crate) async fn join(_room: String) {}

        #[event("leave")]
        pub(super) fn leave(_room: String) {}

        pub const EVENTS: Events = events![join, self::leave, super::shout];
    }

    #[event("shout")]
    pub(in crate::tables::chat) fn shout(_text: String) {}

    pub const EVENTS: Events = events![say, ..rooms::EVENTS];
}

struct Chat;

impl Chat {
    const EVENTS: Events = events![chat::say];
}

trait Table {
    const EVENTS: Events;
}

impl Table for Chat {
    const EVENTS: Events = events![crate::tables::chat::rooms::join];
}

static NOTHING: Events = events![];

#[event("time")]
fn time() -> u64 {
    0
}

#[test]
fn compiles() {
    assert_eq!(NOTHING.names().count(), 0);
    assert_eq!(events![time].names().count(), 1);
    assert_eq!(events![time,].names().count(), 1);
    assert_eq!(events![..chat::EVENTS].names().count(), 4);
    assert_eq!(events![..chat::EVENTS, time,].names().count(), 5);
    assert_eq!(events![time, ..events![chat::say], ..chat::rooms::EVENTS].names().count(), 5);
    assert_eq!(events![..Chat::EVENTS, ..<Chat as Table>::EVENTS].names().collect::<Vec<_>>(), ["say", "join"]);
    assert_eq!(events![..if cfg!(unix) { chat::EVENTS } else { chat::rooms::EVENTS }, time].names().count(), 5);
    assert!(Hub::builder().events(chat::EVENTS).events(events![time]).build().is_ok());
}
