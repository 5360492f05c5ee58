#![deny(warnings)]

use socketio::{Ack as Answering, Hub, Socket as Client, State as Shared, event, events};

type Counter = Shared<u32>;
type From<'a> = &'a Client;
type Text<'a> = std::borrow::Cow<'a, str>;
type Position = (f64, f64);

#[event("say")]
fn say(_from: From<'_>, _counter: Counter, _text: Text<'_>, _ack: Answering) {}

#[event("move")]
async fn moved(_to: Position, _from: From<'_>, _counter: Counter) {}

#[test]
fn compiles() {
    // `build()` also reports the missing state behind a type alias.
    assert!(Hub::builder().events(events![say]).build().is_err());
    assert!(Hub::builder().state(7_u32).events(events![say, moved]).build().is_ok());
}
