use socketio::{Hub, handlers};
use std::cell::Cell;

struct Chat(Cell<u32>);

#[handlers]
impl Chat {
    #[event("typing")]
    fn typing(&self) {
        self.0.set(1);
    }
}

struct Plain;

fn main() {
    let _ = Chat(Cell::new(0));
    let _ = Hub::builder().events(Plain);
}
