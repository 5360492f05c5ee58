//! A handler returns the errors of all methods that it calls, with `?`.

#![deny(warnings)]

use socketio::{
    AckError, BuildError, EventError, Hub, JoinError, PayloadError, RawArgs, RequestError, SetIdError, Socket, event,
    events,
};

#[event("all")]
async fn all(socket: &Socket, hub: &Hub, args: RawArgs<'_>) -> Result<usize, EventError> {
    socket.join("room")?;
    socket.set_id("ann")?;
    socket.emit(("told", 1))?;
    let number: usize = args.first()?;
    let answer: usize = socket.emit_with_ack(("sure?",)).await?;
    let fetched = hub.fetch_sockets().await?;
    Ok(number + answer + fetched.sockets.len())
}

#[event("join")]
fn join(socket: &Socket, room: String) -> Result<(), JoinError> {
    socket.join(room)
}

#[event(connect)]
fn connect(socket: &Socket) -> Result<(), SetIdError> {
    socket.set_id("ann")
}

#[event("count")]
async fn count(hub: &Hub) -> Result<usize, RequestError> {
    hub.servers().await
}

#[event("ask")]
async fn ask(socket: &Socket) -> Result<u8, AckError> {
    socket.emit_with_ack(("age?",)).await
}

#[event("decode")]
fn decode(args: RawArgs<'_>) -> Result<u8, PayloadError> {
    args.first()
}

#[test]
fn compiles() -> Result<(), BuildError> {
    Hub::builder().events(events![all, join, connect, count, ask, decode]).build().map(drop)
}
