use socketio::{event, events};

#[event("unsafe")]
unsafe fn dangerous() {}

fn main() {
    events![dangerous];
}
