use serde::Serialize;
use socketio::{Args, Hub, Socket, event};

#[event("told")]
#[derive(Serialize)]
struct Told;

struct NotDecoded;

#[event("one", ack = NotDecoded)]
#[derive(Serialize)]
struct One;

#[event("two", ack = Args<u8>)]
#[derive(Serialize)]
struct Two;

#[event("three", ack = u8)]
struct Three;

fn ask(socket: &Socket, hub: &Hub) {
    let _ = socket.request(&Told);
    let _ = hub.to("room").request(&Told);
    let _ = hub.request(&One);
    let _ = socket.request(&Two);
    let _ = socket.request(&Three);
    let _ = socket.request(&"text");
}

fn main() {
    let _ = ask;
}
