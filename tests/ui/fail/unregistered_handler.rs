#![deny(dead_code)]

use socketio::{Socket, event, events};

#[event("say")]
fn say(_socket: &Socket, _text: String) {}

/// Left out of the table.
#[event("shout")]
async fn shout(_socket: &Socket, _text: String) {}

mod chat {
    use socketio::event;

    #[event("whisper")]
    pub(crate) fn whisper(_text: String) {}
}

fn main() {
    events![say];
}
