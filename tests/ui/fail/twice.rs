use socketio::{event, events, handlers};

#[event("say")]
#[event("shout")]
fn say(_text: String) {}

#[event("one")]
#[event("two")]
#[derive(serde::Serialize)]
struct Payload;

struct Chat;

#[handlers]
impl Chat {
    #[event("one")]
    #[event("two")]
    fn one(&self) {}
}

fn main() {
    let _ = (Payload, Chat);
    events![say];
}
