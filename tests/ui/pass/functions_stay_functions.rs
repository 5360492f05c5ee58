#![deny(warnings)]

//! A handler can still be called as a function.

use socketio::{event, events, handlers};

#[event("add")]
const fn add(x: u32, y: u32) -> u32 {
    x + y
}

#[event("double")]
async fn double(x: u32) -> u32 {
    add(x, x)
}

#[event("extern")]
extern "C" fn foreign(x: u32) -> u32 {
    x
}

const SUM: u32 = add(1, 2);

struct Chat;

#[handlers]
impl Chat {
    #[event("typing")]
    fn typing(&self, room: &str) -> usize {
        room.len()
    }
}

#[test]
fn compiles() {
    let pointer: fn(u32, u32) -> u32 = add;
    let later: std::pin::Pin<Box<dyn Future<Output = u32>>> = Box::pin(double(SUM));
    drop(later);
    assert_eq!(pointer(1, 2) + foreign(1), SUM + 1);
    assert_eq!(Chat.typing("room"), 4);
    assert_eq!(events![add, double, foreign].names().count(), 3);
}
