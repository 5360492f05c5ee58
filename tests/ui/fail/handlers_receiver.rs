use socketio::{Hub, handlers};
use std::sync::Arc;

struct Chat;

#[handlers]
impl Chat {
    #[event("mutable")]
    fn mutable(&mut self) {}

    #[event("owned")]
    async fn owned(self) {}

    #[event("shared")]
    fn shared(self: Arc<Self>) {}

    #[event("typed")]
    fn typed(self: &Self) {}
}

fn main() {
    let _ = Hub::builder().events(Chat);
}
