use serde::Serialize;
use socketio::{Socket, event};

#[event]
#[derive(Serialize)]
struct Nameless;

#[event()]
#[derive(Serialize)]
enum Choice {
    One,
}

#[event(connect)]
#[derive(Serialize)]
struct Joined;

#[event(fallback)]
#[derive(Serialize)]
struct Unknown;

fn emit(socket: &Socket) {
    let _ = socket.emit(&Nameless);
    let _ = socket.emit(&Choice::One);
    let _ = socket.emit(&Joined);
    let _ = socket.emit(&Unknown);
}

fn main() {
    let _ = emit;
}
