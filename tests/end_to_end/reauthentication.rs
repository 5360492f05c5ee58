//! Clients of every kind prove their identity again, or are disconnected.

use serde_json::json;
use socketio::{Disconnect, EventError, Hub, Socket, State, event, events};
use socketio_tests::{Log, flavour, log, serve};
use std::time::{Duration, SystemTime};

#[event(connect)]
fn connect(socket: &Socket) {
    socket.expires_in(Duration::from_secs(3_600));
}

#[event("again")]
fn again(socket: &Socket) {
    socket.ask_to_reauthenticate().expect("queued");
}

#[event(reauthenticate)]
async fn reauthenticate(socket: &Socket, token: String) -> Result<usize, EventError> {
    match &*token {
        "good" => socket.never_expires(),
        "old" => socket.expires_at(SystemTime::UNIX_EPOCH),
        _ => return Err(EventError::new("invalid_token", "no")),
    }
    Ok(token.len())
}

#[event(disconnect)]
fn disconnect(end: Disconnect, log: State<Log>) {
    log.note(end.reason());
}

#[tokio::test]
async fn a_client_is_asked_for_a_proof_and_disconnected_when_that_has_run_out() {
    let (log, mut seen) = log();
    let events = events![connect, again, reauthenticate, disconnect];
    let server = serve(Hub::builder().state(log).events(events).build().expect("a hub")).await;
    let mut client = server.connect("ann").await;
    client.emit("again", json!(null)).await;
    let mut asked = client.json().await;
    let left = asked["data"]["expiresIn"].take().as_u64().expect("a time");
    assert!((3_000_000..=3_600_000).contains(&left), "{left}");
    assert_eq!(asked, json!({ "event": "reauthenticate", "data": { "expiresIn": null } }));
    assert_eq!(client.ask("reauthenticate", "bad").await["error"]["code"], "invalid_token");
    assert_eq!(client.ask("reauthenticate", "good").await["data"], 4);
    client.emit("again", json!(null)).await;
    assert_eq!(client.json().await, json!({ "event": "reauthenticate", "data": { "expiresIn": null } }));
    assert_eq!(client.ask("reauthenticate", "old").await["data"], 3);
    seen.expect(&["identity expired"]).await;
    if flavour().is_plain() {
        assert_eq!(client.closed().await, Some((3000, "identity expired".to_owned())));
    }
}
