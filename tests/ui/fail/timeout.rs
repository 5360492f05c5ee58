use socketio::{Socket, event, events, handlers};

#[event("no unit", timeout = "5")]
async fn no_unit() {}

#[event("unknown unit", timeout = "5 seconds")]
async fn unknown_unit() {}

#[event("no number", timeout = "s")]
async fn no_number() {}

#[event("zero", timeout = "0ms")]
async fn zero() {}

#[event("too long", timeout = "2000h")]
async fn too_long() {}

#[event("number", timeout = 5)]
async fn number() {}

#[event("nothing", timeout)]
async fn nothing() {}

#[event("twice", timeout = "5s", timeout = "6s")]
async fn twice() {}

#[event("sync", timeout = "5s")]
fn sync(_socket: &Socket) {}

#[event(connect, timeout = "5s")]
async fn joined(_socket: &Socket) {}

#[event("payload", timeout = "5s")]
#[derive(serde::Serialize)]
struct Payload;

struct Chat;

#[handlers]
impl Chat {
    #[event(timeout = "5s", "method")]
    fn method(&self) {}
}

fn main() {
    let _ = (Chat, Payload);
    events![no_unit, unknown_unit, no_number, zero, too_long, number, nothing, twice, sync, joined];
}
