//! Things with the attribute that are no handlers, in tables and contracts.

use serde::{Deserialize, Serialize};
use socketio::{Events, contract, event, events, handlers};

#[event("said")]
#[derive(Deserialize, Serialize)]
struct Said {
    text: String,
}

struct Chat;

#[handlers]
impl Chat {
    #[event("typing")]
    fn typing(&self) {}
}

#[event("say")]
fn say(said: Said) {
    drop(said.text);
}

const EVENTS: Events = events![say, Said, Chat, #[inline] say, #[cfg(all())]];

contract! {
    Api {
        "/" { receives [say, Said] }
    }
}

fn main() {
    let _ = (EVENTS, Chat, Api);
}
