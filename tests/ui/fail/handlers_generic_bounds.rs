use socketio::{Hub, handlers};

struct Chat<D>(D);

#[handlers]
impl<D: Send + Sync + 'static> Chat<D> {
    #[event("say")]
    fn say(&self, _row: D) {}

    #[event("reply")]
    fn reply(&self) -> Option<D> {
        None
    }
}

fn main() {
    let _ = Hub::builder().events(Chat(7));
}
