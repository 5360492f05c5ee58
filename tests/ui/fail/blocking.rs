use socketio::{Socket, event, events, handlers};

#[event("async", blocking)]
async fn asynchronous(_socket: &Socket) {}

#[event("payload", blocking)]
#[derive(serde::Serialize)]
struct Payload;

struct Chat;

#[handlers]
impl Chat {
    #[event("twice", blocking, blocking)]
    fn twice(&self) {}
}

fn main() {
    let _ = (Chat, Payload);
    events![asynchronous];
}
