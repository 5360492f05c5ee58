#![deny(warnings)]

use socketio::{Hub, Socket, event, events, handlers};

#[event("search", concurrent)]
async fn search(_socket: &Socket, text: String) -> usize {
    text.len()
}

#[event(concurrent, "load")]
async fn load() {}

#[event("said")]
#[derive(serde::Deserialize)]
struct Said;

#[event(concurrent)]
async fn said(_said: Said) {}

struct Chat;

#[handlers]
impl Chat {
    #[event("find", concurrent)]
    async fn find(&self) {}
}

#[test]
fn compiles() {
    assert!(Hub::builder().events(events![search, load, said,]).events(Chat).build().is_ok());
}
