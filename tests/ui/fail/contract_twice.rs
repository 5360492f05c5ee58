use serde::Serialize;
use socketio::{Contract, contract, event, handlers};
use schemars::JsonSchema;
use ts_rs::TS;

#[event("join")]
fn join(_room: String) {}

mod rooms {
    use socketio::event;

    #[event("join")]
    pub fn enter(_room: String) {}
}

struct Rooms;

#[handlers]
impl Rooms {
    #[event("join")]
    fn come(&self) {}
}

#[event("said")]
#[derive(JsonSchema, Serialize, TS)]
struct Said(String);

#[event("said")]
#[derive(JsonSchema, Serialize, TS)]
struct Told(String);

#[event("page")]
#[derive(JsonSchema, Serialize, TS)]
struct Page<T>(T);

contract! {
    Chat {
        "/" {
            receives [join, rooms::enter, Rooms::come]
            emits [Said, Told, Page<u8>, Page<String>]
        }
        "/other" { receives [join] emits [Told] }
        "/again" { receives [join, join] }
    }
}

fn main() {
    Chat::describe();
}
