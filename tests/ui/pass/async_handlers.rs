#![deny(warnings)]

use socketio::{Handshake, Hub, Socket, State, event, events};
use std::rc::Rc;

struct Users(std::sync::Mutex<Vec<String>>);

async fn elsewhere<T>(value: T) -> T {
    value
}

#[event("borrowed")]
async fn borrowed(socket: &Socket, hub: &Hub, text: &str, handshake: Handshake<'_>) -> usize {
    elsewhere(()).await;
    let _ = (socket.id(), hub.len(), handshake);
    elsewhere(text).await.len()
}

#[event("released")]
async fn released(users: State<Users>, name: String) -> usize {
    let count = {
        let local = Rc::new(name);
        let mut users = users.0.lock().expect("nobody panicked");
        users.push(local.to_string());
        users.len()
    };
    elsewhere(count).await
}

#[event("generic")]
async fn generic(texts: Vec<&str>) -> Vec<String> {
    let mut lengths = Vec::new();
    for text in &texts {
        lengths.push(elsewhere(text.to_string()).await);
    }
    lengths
}

#[event("boxed")]
fn boxed() -> u32 {
    1
}

#[test]
fn compiles() {
    assert_eq!(events![borrowed, released, generic, boxed].names().count(), 4);
}
