use serde::Serialize;
use socketio::{Contract, contract, event};
use schemars::JsonSchema;
use ts_rs::TS;

#[event("join")]
fn join(_room: String) {}

#[derive(JsonSchema, Serialize, TS)]
struct Said(String);

contract! {
    Chat {
        "/" { emits [Said, join] }
    }
}

fn main() {
    Chat::describe();
}
