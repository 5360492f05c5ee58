//! With the feature `asyncapi` the types of a contract have a JSON Schema.

use serde::{Deserialize, Serialize};
use socketio::{contract, event};
use ts_rs::TS;

#[derive(Deserialize, TS)]
struct Message {
    text: String,
}

#[derive(Serialize, TS)]
struct Receipt {
    at: u64,
}

#[event("message")]
fn message(message: Message) -> Receipt {
    Receipt { at: message.text.len() as u64 }
}

#[event("said")]
#[derive(Serialize, TS)]
struct Said {
    text: String,
}

contract! {
    #[export(typescript, asyncapi)]
    Chat { "/" { receives [message] emits [Said] } }
}

fn main() {
    let _ = Said { text: String::new() };
    let _ = Chat;
}
