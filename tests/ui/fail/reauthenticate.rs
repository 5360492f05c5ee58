use socketio::{Disconnect, event, events, handlers};

const REAUTHENTICATE: &str = "reauthenticate";

#[event("reauthenticate")]
fn quoted(_token: String) {}

#[event(REAUTHENTICATE)]
fn constant(_token: String) {}

#[event(reauthenticate)]
#[derive(serde::Serialize)]
struct Payload;

#[event(reauthenticate, concurrent)]
fn sync(_token: String) {}

#[event(reauthenticate)]
fn end(_end: Disconnect) {}

#[event(reauthenticate)]
fn one(_token: String) {}

#[event(reauthenticate)]
fn two(_token: String) {}

struct Users;

#[handlers]
impl Users {
    #[event(reauthenticate)]
    fn three(&self, _token: String) {}

    #[event(reauthenticate)]
    fn four(&self, _token: String) {}
}

fn main() {
    let _ = (Payload, Users);
    events![quoted, constant, sync, end];
    events![one, two];
}
