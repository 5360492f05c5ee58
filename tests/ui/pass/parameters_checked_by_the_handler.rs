#![deny(warnings)]

use serde::Deserialize;
use socketio::{PayloadError, Socket, event, events};

type Checked<T> = Result<T, PayloadError>;

#[derive(Deserialize)]
struct Message<'a> {
    text: &'a str,
}

#[event("say")]
fn say(socket: &Socket, message: Result<Message<'_>, PayloadError>) -> Result<(), PayloadError> {
    let _ = (socket.id(), message?.text);
    Ok(())
}

#[event("count")]
async fn count(first: Checked<u32>, second: Checked<Option<String>>) -> usize {
    [first.is_ok(), second.is_ok()].into_iter().filter(|is_ok| *is_ok).count()
}

#[test]
fn compiles() {
    assert_eq!(events![say, count].names().count(), 2);
}
