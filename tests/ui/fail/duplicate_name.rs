use socketio::{event, events};

#[event("say")]
fn say(_text: String) {}

#[event("say")]
async fn shout(_text: String) {}

fn main() {
    events![say, shout];
}
