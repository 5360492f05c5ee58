#![deny(warnings)]

use socketio::{Hub, Socket, event, events, handlers};

#[event("argument_0")]
fn argument_0(_socket: &Socket, argument_0: u32) -> u32 {
    argument_0
}

#[event("arguments")]
fn arguments(argument_0: u32, arguments: u32) -> u32 {
    argument_0 + arguments
}

#[event("call")]
async fn call(call: u32) -> u32 {
    call
}

#[event("incoming")]
async fn incoming(incoming: u32) -> Result<u32, String> {
    Ok(incoming)
}

#[event("reply")]
fn reply(_value: u32) -> String {
    String::new()
}

#[event("returned")]
async fn returned() {}

#[event("future")]
async fn future(_error: u32) {}

#[event("value")]
fn value(_value: u32) {}

#[event("error")]
fn error(_error: String) {}

#[event("outcome")]
async fn outcome(_outcome: u32) {}

#[event("kind")]
fn kind() {}

#[event("of")]
fn of() {}

#[event("handler")]
fn handler() {}

#[event("type")]
fn r#type(r#match: u32) -> u32 {
    r#match
}

#[event("event")]
fn event(_event: u32) {}

#[event("events")]
async fn events() {}

#[event("main")]
fn main_() {}

struct Chat;

#[handlers]
impl Chat {
    #[event("this")]
    fn this(&self, this: u32) -> u32 {
        this
    }

    #[event("handlers")]
    async fn handlers(&self, incoming: u32, arguments: u32) -> u32 {
        incoming + arguments
    }

    #[event("async")]
    fn r#async(&self) {}
}

#[test]
fn compiles() {
    let events = events![
        argument_0, arguments, call, incoming, reply, returned, future, value, error, outcome, kind, of, handler,
        r#type, event, events, main_
    ];
    assert_eq!(events.names().count(), 17);
    assert!(Hub::builder().events(events).events(Chat).build().is_ok());
}
