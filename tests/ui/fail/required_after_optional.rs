use socketio::{PayloadError, Socket, event, events, handlers};

type Maybe = Option<u32>;

#[event("move")]
fn moved(_x: Option<u32>, _y: u32) {}

#[event("moves")]
async fn moves(_x: u32, _y: Option<u32>, _socket: &Socket, _z: u32, _label: Option<String>) {}

#[event("alias")]
fn alias(_x: Maybe, _y: Vec<u32>) {}

#[event("checked")]
fn checked(_x: Option<u32>, _y: Result<u32, PayloadError>) {}

struct Chat;

#[handlers]
impl Chat {
    #[event("move")]
    fn moved(&self, _x: Option<u32>, _y: u32) {}
}

fn main() {
    let _ = Chat;
    events![moved, moves, alias, checked];
}
