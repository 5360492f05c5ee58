use socketio::{Socket, event, events, handlers};
use std::rc::Rc;
use std::sync::Mutex;

async fn elsewhere() {}

#[event("count")]
async fn count(_socket: &Socket) -> u32 {
    let count = Rc::new(1);
    elsewhere().await;
    *count
}

#[event("locked")]
async fn locked() {
    let lock = Mutex::new(1);
    let _guard = lock.lock();
    elsewhere().await;
}

struct Chat;

#[handlers]
impl Chat {
    #[event("count")]
    async fn count(&self) {
        let _count = Rc::new(1);
        elsewhere().await;
    }
}

fn main() {
    let _ = Chat;
    events![count, locked];
}
