use serde::Serialize;
use socketio::{Hub, Socket, Text, event};

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
    // As `socket.io` has it. A bare name is no event, and no text.
    let _ = socket.emit("name", 1);
    let _ = socket.emit("name");
    let _ = hub.broadcast(String::from("name"));
    let _ = socket.emit_to("id", &String::from("name"));
    let _ = socket.emit_with_ack::<u8>("name");
    let _ = socket.emit_with_ack::<u8>(Text("name"));
    let _ = hub.server_emit("name");
    let _ = socket.send(("name", 1));
    let _ = socket.send(&Said);
}

fn main() {
    let _ = emit;
}
