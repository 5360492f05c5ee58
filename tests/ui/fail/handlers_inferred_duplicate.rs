use socketio::{Hub, event, handlers};

#[event("say")]
#[derive(serde::Deserialize)]
struct Said;

struct Chat;

#[handlers]
impl Chat {
    #[event]
    fn said(&self, _said: Said) {}

    #[event("say")]
    fn say(&self) {}

    #[event]
    async fn again(&self, _said: Said) {}
}

fn main() {
    let _ = Hub::builder().events(Chat);
}
