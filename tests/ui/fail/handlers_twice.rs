use socketio::{Hub, handlers};

struct Chat;

#[handlers]
impl Chat {
    #[event("say")]
    fn say(&self) {}
}

#[handlers]
impl Chat {
    #[event("join")]
    fn join(&self) {}
}

fn main() {
    let _ = Hub::builder().events(Chat);
}
