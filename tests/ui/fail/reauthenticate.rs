use socketio::{event, events};

#[event("reauthenticate")]
fn quoted(_token: String) {}

#[event(reauthenticate)]
#[derive(serde::Serialize)]
struct Proof;

fn main() {
    let _ = Proof;
    events![quoted];
}
