use socketio::{Events, event, events};

mod chat {
    pub mod rooms {
        use socketio::{Events, event, events};

        #[event("join")]
        pub fn join(_room: String) {}

        pub const EVENTS: Events = events![join];
    }

    use socketio::{Events, events};

    pub const EVENTS: Events = events![..rooms::EVENTS];
}

#[event("join")]
fn enter(_room: String) {}

const EVENTS: Events = events![enter, ..chat::EVENTS];

fn main() {
    let _ = EVENTS;
}
