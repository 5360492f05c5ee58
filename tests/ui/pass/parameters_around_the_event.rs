#![deny(warnings)]

use socketio::{Ack, EventName, Handshake, Hub, RawArgs, Socket, State, event, events};

struct Users(u32);

#[event("sync")]
fn sync(
    _one: &Socket,
    _two: Socket,
    _three: &Hub,
    _four: Hub,
    _users: State<Users>,
    _ack: Ack,
    _handshake: Handshake<'_>,
    _name: EventName<'_>,
    _args: RawArgs<'_>,
) {
}

#[event("async")]
async fn later(
    args: RawArgs<'_>,
    name: EventName<'_>,
    handshake: Handshake<'_>,
    ack: Ack,
    users: State<Users>,
    four: Hub,
    three: &Hub,
    two: Socket,
    one: &Socket,
) {
    std::future::ready(()).await;
    let _ = (args.json(), name.len(), handshake, users.0, four.len(), three.len(), two.id(), one.id());
    ack.forget();
}

#[test]
fn compiles() {
    let hub = Hub::builder().state(Users(1)).events(events![sync, later]).build();
    assert!(hub.is_ok());
}
