use socketio::{Socket, event, events, handlers};

#[event]
fn nothing() {}

#[event]
fn socket(_socket: &Socket) {}

#[event]
async fn text(_socket: &Socket, _text: String) {}

#[event(concurrent)]
async fn list(_values: Vec<u32>) {}

struct Chat;

#[handlers]
impl Chat {
    #[event]
    fn nothing(&self) {}

    #[event]
    fn number(&self, _number: u32) {}
}

fn main() {
    let _ = Chat;
    events![nothing, socket, text, list];
}
