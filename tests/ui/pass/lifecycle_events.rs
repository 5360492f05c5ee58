#![deny(warnings)]

use socketio::{Disconnect, EventError, Frame, Handshake, Hub, Refusal, Socket, State, event, events};

struct Users;

#[event(connect)]
async fn joined(_socket: &Socket, handshake: Handshake<'_>, _users: State<Users>) -> Result<(), Refusal> {
    let _ = handshake;
    Ok(())
}

#[event(message)]
fn message(frame: Frame<'_>, _socket: &Socket) -> usize {
    match frame {
        Frame::Text(text) => text.len(),
        Frame::Binary(bytes) => bytes.len(),
    }
}

#[event(ping)]
fn ping(_frame: Frame<'_>) {}

#[event(pong)]
async fn pong(_hub: &Hub, _frame: Frame<'_>) {}

#[event(close)]
fn closed(_socket: Socket) {}

#[event(disconnecting)]
async fn leaving(reason: Disconnect, _hub: Hub) {
    let _ = reason.is_clean();
}

#[event(disconnect)]
fn left(_socket: &Socket, _reason: Disconnect) {}

#[event(error)]
fn failed(_error: EventError) -> Result<(), EventError> {
    Ok(())
}

#[test]
fn compiles() {
    let events = events![joined, message, ping, pong, closed, leaving, left, failed];
    assert_eq!(events.names().count(), 0);
    assert!(Hub::builder().state(Users).events(events).build().is_ok());
}
