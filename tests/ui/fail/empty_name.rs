use socketio::{event, events};

#[event("")]
fn say(_text: String) {}

#[event("")]
#[derive(serde::Serialize)]
struct Said;

fn main() {
    let _ = Said;
    events![say];
}
