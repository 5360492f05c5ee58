use socketio::{EventPayload, Hub, Socket};

fn listen(hub: &Hub, socket: &Socket) {
    hub.on("number", |_payload| 7);
    hub.on("result", |payload: EventPayload| payload.socket.send("hello"));
    hub.on("later", |payload: EventPayload| async move { payload.socket.send("hello") });
    socket.on("async", async |_payload| String::new());
}

fn main() {
    let _ = listen;
}
