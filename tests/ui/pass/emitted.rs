#![deny(warnings)]

use serde::Serialize;
use socketio::{EmitError, Hub, Socket, Text, event, events};

#[event("moved")]
#[derive(Serialize)]
struct Moved<'a, T> {
    who: &'a str,
    to: T,
}

#[event("emit")]
fn emit(socket: &Socket, hub: &Hub) -> Result<(), EmitError> {
    let id = socket.id();
    let moved = Moved { who: &id, to: (1, 2) };
    socket.emit(&moved)?;
    socket.send("text")?;
    socket.send(String::new())?;
    socket.send(&String::new())?;
    socket.send(b"bytes")?;
    socket.emit_to("other", Text("text"))?;
    socket.broadcast(Text(String::new()), true)?;
    socket.emit(&[1_u8, 2][..])?;
    socket.emit(b"bytes")?;
    socket.emit(vec![1_u8])?;
    socket.emit(bytes::Bytes::new())?;
    socket.emit(("name",))?;
    socket.emit(("name", 1))?;
    socket.emit((String::from("name"), 1, &moved, "three"))?;
    socket.emit_to("other", &moved)?;
    hub.broadcast(&Moved { who: "nobody", to: "nowhere" })?;
    hub.to("room").emit(("name", [1, 2]))
}

#[test]
fn compiles() {
    assert_eq!(events![emit].names().count(), 1);
}
