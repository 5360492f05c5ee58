use serde::{Deserialize, Serialize};
use socketio::{event, events, handlers};

#[derive(Deserialize)]
struct Answer;

#[event("one", ack)]
#[derive(Serialize)]
struct One;

#[event("two", ack =)]
#[derive(Serialize)]
struct Two;

#[event("three", ack = 3)]
#[derive(Serialize)]
struct Three;

#[event("four", ack(Answer))]
#[derive(Serialize)]
struct Four;

#[event("five", ack = Answer, ack = Answer)]
#[derive(Serialize)]
struct Five;

#[event(ack = Answer)]
#[derive(Serialize)]
struct Six;

#[event("seven", ack = Answer)]
fn seven() -> Answer {
    Answer
}

struct Chat;

#[handlers]
impl Chat {
    #[event("eight", ack = Answer)]
    fn eight(&self) {}
}

fn main() {
    let _ = (One, Two, Three, Four, Five, Six, Chat);
    events![seven];
}
