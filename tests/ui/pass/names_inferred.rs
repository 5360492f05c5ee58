#![deny(warnings)]

use serde::Deserialize;
use socketio::{Socket, event, events};

#[event("say")]
#[derive(Deserialize)]
struct Say {
    text: String,
}

#[event("whisper")]
#[derive(Deserialize)]
struct Whisper<'a> {
    text: &'a str,
}

#[event("list")]
#[derive(Deserialize)]
struct List<T>(Vec<T>);

type Numbers = List<u32>;

#[event]
fn say(say: Say) -> usize {
    say.text.len()
}

#[event()]
async fn whisper(_socket: &Socket, whisper: Whisper<'_>) -> usize {
    whisper.text.len()
}

#[event]
fn numbers(_socket: &Socket, _label: String, numbers: Numbers) -> usize {
    numbers.0.len()
}

#[test]
fn compiles() {
    assert_eq!(events![say, whisper, numbers].names().collect::<Vec<_>>(), ["say", "whisper", "list"]);
}
