//! `fire` and `close` in a handler count before what the client had already sent behind the handler's event.

use futures_util::SinkExt;
use socketio::{Hub, Socket, State, event, events};
use socketio_tests::{Log, log, serve};
use tokio_tungstenite::tungstenite::Message;

#[event("first")]
fn first(socket: &Socket, log: State<Log>) {
    log.note("first");
    socket.fire("fired", ()).expect("it is connected");
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
async fn what_a_handler_brings_about_comes_before_what_was_sent_behind_its_event() {
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
