use socketio::{Events, event, events};

#[event("say")]
fn say(_text: String) {}

const ONE: Events = events!["say"];
const TWO: Events = events![say, 3];
const THREE: Events = events![say shout];
const FOUR: Events = events![say, ..];
const FIVE: Events = events![say()];
const SIX: Events = events![say => "say"];
const SEVEN: Events = events![,];
const EIGHT: Events = events![say, "shout", |text| text];

fn main() {
    let _ = (ONE, TWO, THREE, FOUR, FIVE, SIX, SEVEN, EIGHT);
}
