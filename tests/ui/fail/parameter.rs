use socketio::{Hub, Socket, State, event, events, handlers};
use std::rc::Rc;

struct Message {
    _text: String,
}

#[event("say")]
fn say(_socket: &Socket, _message: Message) {}

#[event("shout")]
async fn shout(_message: Vec<Message>, _socket: &Socket) {}

#[event("whisper")]
fn whisper(_to: Option<Message>) {}

#[event("checked")]
fn checked(_message: Result<Message, socketio::PayloadError>) {}

#[event("unchecked")]
fn unchecked(_message: Result<String, std::fmt::Error>) {}

#[event("mutable")]
fn mutable(_socket: &mut Socket) {}

#[event("shared")]
fn shared(_hub: &Hub, _count: State<Rc<u32>>) {}

/// Not `Clone`.
struct Once;

#[event("once")]
fn once(_once: socketio::Extension<Once>) {}

#[event("many")]
async fn many(_first: Message, _second: std::time::Instant) {}

struct Chat;

#[handlers]
impl Chat {
    #[event("say")]
    fn say(&self, _message: Message) {}
}

fn main() {
    let _ = Chat;
    events![say, shout, whisper, checked, unchecked, mutable, shared, once, many];
}
