use serde::{Deserialize, Serialize};
use socketio::{Args, Contract, EventError, PayloadError, Socket, contract, event, handlers};
use schemars::JsonSchema;
use ts_rs::TS;

#[derive(Deserialize)]
struct Message {
    text: String,
}

#[derive(Serialize)]
struct Receipt {
    at: u64,
}

#[event("argument")]
fn argument(_socket: &Socket, message: Message) -> u64 {
    message.text.len() as u64
}

#[event("checked")]
async fn checked(message: Result<Message, PayloadError>) {
    drop(message);
}

#[event("optional")]
fn optional(message: Option<Vec<Message>>) {
    drop(message);
}

#[event("reply")]
async fn reply() -> Receipt {
    Receipt { at: 0 }
}

#[event("fallible")]
fn fallible() -> Result<Receipt, EventError> {
    Ok(Receipt { at: 0 })
}

#[event("several")]
fn several() -> Args<(u8, Receipt)> {
    Args((0, Receipt { at: 0 }))
}

struct Rooms;

#[handlers]
impl Rooms {
    #[event("method")]
    fn method(&self, message: Message) {
        drop(message);
    }
}

#[event("said")]
#[derive(Serialize)]
struct Said {
    text: String,
}

#[event("question", ack = Receipt)]
#[derive(JsonSchema, Serialize, TS)]
struct Question {
    text: String,
}

contract! {
    #[export(typescript, asyncapi)]
    Chat {
        "/" {
            receives [argument, checked, optional, reply, fallible, several, Rooms::method]
            emits [Said, Question]
        }
    }
}

fn main() {
    Chat::describe();
}
