use socketio::{event, events};

mod chat {
    #[socketio::event("say")]
    pub fn say(_text: String) {}
}

#[event("join")]
fn join() {}

fn main() {
    events![chat::say, join, chat::say];
}
