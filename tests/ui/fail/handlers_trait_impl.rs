use socketio::{Hub, handlers};

trait Typing {
    fn typing(&self);
}

struct Chat;

#[handlers]
impl Typing for Chat {
    #[event("typing")]
    fn typing(&self) {}
}

fn main() {
    let _ = Hub::builder().events(Chat);
}
