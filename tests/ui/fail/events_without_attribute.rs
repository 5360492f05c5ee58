use socketio::{Events, event, events};

fn plain(_text: String) {}

mod chat {
    pub async fn say(_text: String) {}

    pub struct Said;
}

#[event("join")]
fn join() {}

const EVENTS: Events = events![join, plain];

fn main() {
    let _ = EVENTS;
    events![chat::say];
    events![chat::Said];
}
