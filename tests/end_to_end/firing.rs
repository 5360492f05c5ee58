//! `fire` and `close` in a handler take effect before events that the client sent after the handled
//! one.

use futures_util::SinkExt;
use socketio::{Hub, Socket, State, event, events};
use socketio_tests::{Log, log, serve};
use tokio_tungstenite::tungstenite::Message;

#[event("first")]
fn first(socket: &Socket, log: State<Log>) {
    log.note("first");
    socket.fire("fired", ()).expect("the socket is connected");
}

#[event("fired")]
fn fired(log: State<Log>) {
    log.note("fired");
}

#[event("second")]
fn second(log: State<Log>) {
    log.note("second");
}

#[event("end")]
fn end(socket: &Socket, log: State<Log>) {
    log.note("end");
    socket.close();
}

#[event(disconnect)]
fn gone(log: State<Log>) {
    log.note("gone");
}

#[tokio::test]
async fn fired_events_and_closes_of_a_handler_precede_later_events_of_the_client() {
    let (log, mut seen) = log();
    let hub = Hub::builder().state(log).events(events![first, fired, second, end, gone]).build().expect("a hub");
    let server = serve(hub).await;
    let mut client = server.connect("1").await;
    let names = ["first", "second", "end", "second"];
    for name in names {
        client.0.feed(Message::text(format!(r#"{{"event":"{name}"}}"#))).await.expect("the server takes it");
    }
    client.0.flush().await.expect("the server takes it");
    seen.expect(&["first", "fired", "second", "end", "gone"]).await;
}
