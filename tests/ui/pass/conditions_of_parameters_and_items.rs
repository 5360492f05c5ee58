//! `#[cfg]` on parameters of handlers and on items of `events!`.

#![deny(warnings)]
#![allow(clippy::non_minimal_cfg, reason = "`all()` always holds")]

use serde_json::{Value, json};
use socketio::testing::TestError;
use socketio::{Events, Hub, Socket, contract, event, events, handlers};

const NONE: Events = events![
    #[cfg(any())]
    missing::handler
];
const EVENTS: Events = events![
    #[cfg(any())]
    missing::handler,
    say,
    #[cfg(all())]
    whisper,
    #[cfg(any())]
    ..missing::EVENTS,
    #[cfg(all())]
    ..NONE,
];

#[event("say")]
fn say(_socket: &Socket, #[cfg(all())] text: String, #[cfg(any())] more: Missing, #[cfg(any())] last: u8) -> usize {
    #[cfg(any())]
    drop((more, last));
    text.len()
}

#[event("whisper")]
async fn whisper(#[cfg(any())] _more: Missing, #[cfg_attr(all(), allow(unused))] text: String) {}

struct Chat;

#[handlers]
impl Chat {
    #[event("typing")]
    fn typing(&self, #[cfg(any())] _more: Missing, #[cfg(all())] room: String) -> String {
        room
    }
}

contract! {
    Api {
        "/" { receives [say, whisper, Chat::typing] }
    }
}

#[tokio::test(start_paused = true)]
async fn the_parameters_that_are_there_take_the_payload() -> Result<(), TestError> {
    let hub = Hub::builder().events(EVENTS).events(Chat).contract::<Api>().build().expect("a hub");
    let client = hub.test_client().connect().await?;
    assert_eq!(client.request::<Value>("say", "four").await?, json!(4));
    assert_eq!(client.request::<Value>("typing", "lobby").await?, json!("lobby"));
    assert_eq!(EVENTS.names().collect::<Vec<_>>(), ["say", "whisper"]);
    Ok(())
}
