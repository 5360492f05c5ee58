#![deny(warnings)]

use socketio::{Hub, Socket, event, events, handlers};

#[event("search", timeout = "500ms")]
async fn search(_socket: &Socket, text: String) -> usize {
    text.len()
}

#[event(timeout = "2m", concurrent, "load")]
async fn load() {}

#[event("wait", timeout = "none")]
async fn wait() {}

#[event(disconnect, timeout = "5s")]
async fn left() {}

#[event(fallback, timeout = "1h")]
async fn other() {}

#[event("said")]
#[derive(serde::Deserialize)]
struct Said;

#[event(timeout = "5s")]
async fn said(_said: Said) {}

struct Chat;

#[handlers]
impl Chat {
    #[event("find", timeout = "5s")]
    async fn find(&self) {}
}

#[test]
fn compiles() {
    let table = events![search, load, wait, left, other, said];
    assert!(Hub::builder().events(table).events(Chat).build().is_ok());
}
