use socketio::Socket;
use std::rc::Rc;

async fn elsewhere() {}

fn listen(socket: &Socket) {
    socket.once("later", |_payload| async {
        let _count = Rc::new(1);
        elsewhere().await;
    });
}

fn main() {
    let _ = listen;
}
