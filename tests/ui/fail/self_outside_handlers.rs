use socketio::{Socket, event};

struct Chat;

impl Chat {
    #[event("typing")]
    fn typing(&self, _socket: &Socket, _room: String) {}
}

fn main() {
    let _ = Chat::typing;
}
