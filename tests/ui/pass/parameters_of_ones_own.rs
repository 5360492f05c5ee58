#![deny(warnings)]

use socketio::{Argument, Arguments, EventError, Hub, Socket, State, event, events};
use std::sync::Arc;

/// The name that the user signed in with.
struct UserName(String);

impl<'a> Argument<'a> for UserName {
    fn from_event(arguments: &mut Arguments<'a>) -> Result<Self, EventError> {
        let name = arguments.socket().get_string_attribute("user");
        name.map(UserName).ok_or_else(|| EventError::new("signed_out", "sign in first"))
    }
}

/// Borrows from the event.
struct Place<'a> {
    event: &'a str,
    socket: &'a Socket,
}

impl<'a> Argument<'a> for Place<'a> {
    fn from_event(arguments: &mut Arguments<'a>) -> Result<Self, EventError> {
        Ok(Place { event: arguments.event_name(), socket: arguments.socket() })
    }
}

/// Takes an argument of the payload.
struct Pair<T>(T, T);

impl<'a, T: serde::Deserialize<'a>> Argument<'a> for Pair<T> {
    fn from_event(arguments: &mut Arguments<'a>) -> Result<Self, EventError> {
        Ok(Pair(arguments.next_payload()?, arguments.next_payload()?))
    }
}

struct Counter(State<u32>);

impl<'a> Argument<'a> for Counter {
    fn from_event(arguments: &mut Arguments<'a>) -> Result<Self, EventError> {
        arguments.state().map(Counter).ok_or_else(|| EventError::new("no_counter", "there is no counter"))
    }
}

#[event("rename")]
fn rename(user: UserName, to: String) -> String {
    format!("{} is {to}", user.0)
}

#[event("optional")]
async fn optional(to: Option<String>, user: UserName, place: Place<'_>, counter: Counter) -> String {
    format!("{}: {to:?} at {} of {} and {}", user.0, place.event, place.socket.id(), *counter.0)
}

#[event("pair")]
fn pair(_label: Option<String>, pair: Pair<u32>) -> u32 {
    pair.0 + pair.1
}

#[event(connect)]
fn joined(_user: UserName, _place: Place<'_>) {}

#[test]
fn compiles() {
    assert!(Hub::builder().state(Arc::new(1)).events(events![rename, optional, pair, joined]).build().is_ok());
}
