#![deny(warnings)]

use socketio::event as on;
use socketio::{self as io, events};

#[io::event("module")]
fn module() {}

#[::socketio::event("absolute")]
async fn absolute() {}

#[on("renamed")]
fn renamed(_text: String) {}

#[on("payload")]
#[derive(serde::Serialize)]
struct Payload;

struct Chat;

#[socketio::handlers]
impl Chat {
    #[event("bare")]
    fn bare(&self) {}

    #[socketio::event("path")]
    fn path(&self) {}

    #[io::event(connect)]
    fn joined(&self) {}
}

#[test]
fn compiles() {
    assert_eq!(events![module, absolute, renamed].names().count(), 3);
    assert_eq!(<Payload as socketio::Event>::NAME, "payload");
    assert!(io::Hub::builder().events(Chat).build().is_ok());
    let _ = Payload;
}
