use serde::Serialize;
use socketio::{event, events, handlers};

#[event("one", latest(key = "symbl"))]
#[derive(Serialize)]
struct One {
    symbol: String,
    value: u32,
}

#[event("two", latest(key = "kind"))]
#[derive(Serialize)]
enum Two {
    Kind,
}

#[event("three", latest, ack = bool)]
#[derive(Serialize)]
struct Three;

#[event("four", latest, latest)]
#[derive(Serialize)]
struct Four;

#[event("five", latest("symbol"))]
#[derive(Serialize)]
struct Five {
    symbol: String,
}

#[event("six", latest = "symbol")]
#[derive(Serialize)]
struct Six {
    symbol: String,
}

#[event("seven", latest(key = "0"))]
#[derive(Serialize)]
struct Seven;

#[event("eight", latest)]
fn eight() {}

struct Chat;

#[handlers]
impl Chat {
    #[event("nine", latest)]
    fn nine(&self) {}
}

fn main() {
    let _ = (Three, Four, Seven, Chat);
    events![eight];
}
