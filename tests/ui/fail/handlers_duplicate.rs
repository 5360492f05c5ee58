use socketio::{Hub, handlers};

struct Chat;

#[handlers]
impl Chat {
    #[event("typing")]
    fn typing(&self) {}

    #[event("typing")]
    async fn typed(&self) {}

    #[event(connect)]
    fn joined(&self) {}

    #[event(connect)]
    fn greeted(&self) {}
}

fn main() {
    let _ = Hub::builder().events(Chat);
}
