use socketio::{Socket, event, events};

#[event(connect)]
fn joined(_socket: &Socket) {}

#[event(connect)]
async fn greeted(_socket: &Socket) {}

#[event(fallback)]
fn unknown() {}

#[event(fallback)]
fn unheard() {}

fn main() {
    events![joined, unknown, greeted, unheard];
}
