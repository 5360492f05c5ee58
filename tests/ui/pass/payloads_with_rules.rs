#![deny(warnings)]

use garde::Validate;
use serde::Deserialize;
use socketio::{Events, PayloadError, Socket, State, Valid, event, events, handlers};
use std::borrow::Cow;

#[event("said")]
#[derive(Deserialize, Validate)]
struct Said<'a> {
    #[garde(length(max = 10))]
    #[serde(borrow)]
    text: Cow<'a, str>,
}

#[derive(Deserialize, Validate)]
#[garde(context(Limits))]
struct Order {
    #[garde(custom(few))]
    count: u32,
}

struct Limits(u32);

fn few(count: &u32, limits: &Limits) -> garde::Result {
    if *count > limits.0 { Err(garde::Error::new("too many")) } else { Ok(()) }
}

type Checked<'a> = Result<Valid<Said<'a>>, PayloadError>;

#[event]
fn named_by_its_payload(said: Valid<Said<'_>>) -> usize {
    said.text.len()
}

#[event("mixed")]
async fn mixed(socket: &Socket, first: u8, said: Valid<Said<'_>>, limits: State<Limits>, last: Option<Valid<Order>>) {
    let _ = (socket, first, said.into_inner().text, limits.0, last.map(|order| order.count));
}

#[event("checked")]
fn checked<'a>(said: Checked<'a>, order: Result<Option<Valid<Order>>, PayloadError>) -> bool {
    said.is_ok() && order.is_ok()
}

struct Shop;

#[handlers]
impl Shop {
    #[event("order")]
    fn order(&self, order: Valid<Order>) -> u32 {
        order.count
    }
}

const EVENTS: Events = events![named_by_its_payload, mixed, checked];

#[test]
fn compiles() {
    let hub = socketio::Hub::builder().state(Limits(1)).events(EVENTS).events(Shop).build();
    assert!(hub.is_ok());
}
