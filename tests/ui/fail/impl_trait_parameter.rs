use serde::de::DeserializeOwned;
use socketio::{event, events};

#[event("any")]
fn any(_value: impl DeserializeOwned) {}

#[event("list")]
async fn list(_values: Vec<impl DeserializeOwned>) {}

fn main() {
    events![any, list];
}
