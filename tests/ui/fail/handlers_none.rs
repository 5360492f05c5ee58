use socketio::{Hub, handlers};

struct Chat;

#[handlers]
impl Chat {
    fn typing(&self) {}
}

struct Nothing;

#[handlers]
impl Nothing {}

fn main() {
    Chat.typing();
    let _ = Hub::builder().events(Chat).events(Nothing);
}
