use socketio::{Socket, event, events, handlers};

#[event("sync", concurrent)]
fn sync(_socket: &Socket) {}

#[event(connect, concurrent)]
async fn joined(_socket: &Socket) {}

#[event("payload", concurrent)]
#[derive(serde::Serialize)]
struct Payload;

struct Chat;

#[handlers]
impl Chat {
    #[event(concurrent, "sync")]
    fn sync(&self) {}
}

fn main() {
    let _ = (Chat, Payload);
    events![sync, joined];
}
