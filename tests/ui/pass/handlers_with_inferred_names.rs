#![deny(warnings)]

use serde::Deserialize;
use socketio::{Hub, event, events, handlers};

#[event("say")]
#[derive(Deserialize)]
struct Say<'a> {
    text: &'a str,
}

#[event("join")]
#[derive(Deserialize)]
struct Join;

struct Chat;

#[handlers]
impl Chat {
    #[event]
    fn say(&self, say: Say<'_>) -> usize {
        say.text.len()
    }

    #[event(concurrent)]
    async fn join(&self, _room: u32, _join: Join) {}
}

#[event("leave")]
fn leave() {}

#[test]
fn compiles() {
    assert!(Hub::builder().events(Chat).events(events![leave]).build().is_ok());
}
