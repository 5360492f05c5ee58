use serde::Serialize;
use socketio::{Contract, contract, event, handlers};
use schemars::JsonSchema;
use ts_rs::TS;

mod chat {
    pub fn say(_text: String) {}
}

struct Rooms;

#[handlers]
impl Rooms {
    #[event("join")]
    fn join(&self) {}

    fn plain(&self) {}
}

#[event("said")]
#[derive(JsonSchema, Serialize, TS)]
struct Said(String);

contract! {
    Chat {
        "/" {
            receives [Rooms::join, chat::say, Rooms::plain, Said]
        }
    }
}

fn main() {
    Chat::describe();
}
