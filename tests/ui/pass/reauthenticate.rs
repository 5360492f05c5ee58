#![deny(warnings)]

use socketio::{Ack, Carrier, EventError, Hub, Refusal, Socket, State, contract, event, events, handlers};
use std::time::{Duration, SystemTime};

#[derive(serde::Deserialize)]
struct Auth {
    token: String,
}

struct Users;

#[event(reauthenticate, concurrent, timeout = "5s")]
async fn renewed(socket: &Socket, auth: Auth, _users: State<Users>) -> Result<u64, Refusal> {
    socket.expires_at(SystemTime::now() + Duration::from_secs(60));
    Ok(auth.token.len() as u64)
}

#[event(reauthenticate)]
fn answered_later(ack: Ack, request: Carrier<'_>) -> Result<(), EventError> {
    let _ = (ack, request);
    Ok(())
}

struct Sessions;

#[handlers]
impl Sessions {
    #[event(reauthenticate, blocking)]
    fn renewed(&self, first: String, second: Option<u8>) -> bool {
        let _ = self;
        first.is_empty() && second.is_none()
    }
}

contract! {
    Service { "/" { receives [renewed] } "/later" { receives [answered_later] } "/other" { receives [Sessions::renewed] } }
}

#[test]
fn compiles() {
    let events = events![renewed];
    assert_eq!(events.names().collect::<Vec<_>>(), ["reauthenticate"]);
    let hub = Hub::builder()
        .state(Users)
        .events(events)
        .namespace("/later", |later| later.events(events![answered_later]))
        .namespace("/other", |other| other.events(Sessions))
        .contract::<Service>()
        .build();
    assert!(hub.is_ok());
}
