use socketio::{Socket, event, events, handlers};

#[event("connect")]
fn joined(_socket: &Socket) {}

#[event("disconnect")]
async fn left(_socket: &Socket) {}

#[event("disconnecting")]
fn leaving() {}

#[event("connect_error")]
fn refused() {}

#[event("newListener")]
fn listening() {}

#[event("removeListener")]
#[derive(serde::Serialize)]
struct Deaf;

struct Chat;

#[handlers]
impl Chat {
    #[event("connect")]
    fn joined(&self) {}
}

fn main() {
    let _ = (Deaf, Chat);
    events![joined, left, leaving, refused, listening];
}
