use socketio::handlers;

#[handlers]
struct Chat;

#[handlers]
fn typing() {}

impl Chat {
    #[handlers]
    fn typed(&self) {}
}

fn main() {
    typing();
    Chat.typed();
}
