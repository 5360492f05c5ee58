use serde::Serialize;
use socketio::{Hub, Socket, event};

#[event("moved")]
struct Moved;

#[derive(Serialize)]
struct Left;

struct Plain;

#[event("said")]
#[derive(Serialize)]
struct Said;

async fn emit(socket: &Socket, hub: &Hub) {
    let _ = socket.emit(&Moved);
    let _ = socket.emit(&Left);
    let _ = socket.emit(Said);
    let _ = socket.emit_to("id", &Plain);
    let _ = socket.emit(("plain", Plain));
    let _ = socket.emit(7);
    let _ = hub.broadcast(&Left);
    let _ = hub.to("room").emit(&Moved);
}

fn main() {
    let _ = emit;
}
