#![deny(warnings)]

use socketio::{Hub, Socket, event, events, handlers};

#[event("hash", blocking)]
fn hash(_socket: &Socket, text: String) -> usize {
    text.len()
}

#[event(connect, blocking)]
fn joined() -> Result<(), String> {
    Ok(())
}

struct Files;

#[handlers]
impl Files {
    #[event(blocking, "read")]
    fn read(&self) -> Vec<u8> {
        Vec::new()
    }
}

#[test]
fn compiles() {
    assert!(Hub::builder().events(events![hash, joined]).events(Files).build().is_ok());
}
