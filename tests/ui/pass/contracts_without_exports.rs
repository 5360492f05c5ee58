//! A contract without exports has no bounds on its types, whatever features of the crate are on.
#![deny(warnings)]

use serde::{Deserialize, Serialize};
use socketio::{Args, Argument, Arguments, DescribedArguments, EventError, Extension, Hub, PayloadError, Valid};
use socketio::{contract, event, events, handlers};

#[derive(Deserialize)]
struct Message {
    text: String,
}

#[derive(Deserialize, garde::Validate)]
struct Checked {
    #[garde(length(max = 3))]
    text: String,
}

#[derive(Serialize)]
struct Receipt {
    length: usize,
}

#[derive(Clone)]
struct User;

#[event("message")]
fn message(message: Message, Extension(User): Extension<User>, more: Option<Message>) -> Receipt {
    Receipt { length: message.text.len() + more.map_or(0, |more| more.text.len()) }
}

#[event("checked")]
async fn checked(message: Valid<Checked>, other: Result<Message, PayloadError>) -> Result<Receipt, EventError> {
    Ok(Receipt { length: message.text.len() + other?.text.len() })
}

/// A custom parameter that takes two arguments.
struct Pair(Message, Message);

impl<'a> Argument<'a> for Pair {
    fn from_event(arguments: &mut Arguments<'a>) -> Result<Self, EventError> {
        Ok(Self(arguments.next_payload()?, arguments.next_payload()?))
    }

    fn describe(payload: &mut DescribedArguments) {
        payload.argument::<Message>();
        payload.argument::<Message>();
    }
}

#[event("pair")]
fn pair(Pair(first, second): Pair) -> Args<(Receipt, Receipt)> {
    Args((Receipt { length: first.text.len() }, Receipt { length: second.text.len() }))
}

struct Rooms;

#[handlers]
impl Rooms {
    #[event("join")]
    fn join(&self, message: Message) -> Receipt {
        Receipt { length: message.text.len() }
    }
}

#[event("said")]
#[derive(Serialize)]
struct Said {
    length: usize,
}

#[derive(Deserialize)]
struct Answer {
    _text: String,
}

#[event("question", ack = Answer)]
#[derive(Serialize)]
struct Question {
    length: usize,
}

contract! {
    Chat { "/" { receives [message, checked, pair, Rooms::join] emits [Said, Question] } }
}

#[test]
fn compiles() -> Result<(), socketio::BuildError> {
    let hub = Hub::builder().events(events![message, checked, pair]).events(Rooms).contract::<Chat>().build()?;
    let _ = hub.broadcast(&Said { length: 0 });
    let _ = Question { length: 0 };
    Ok(())
}
