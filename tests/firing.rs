//! `fire` and `close` in a handler count before what the client had already sent behind the handler's event.

use socketio::{Hub, Socket, State, event, events};
use socketio_tests::raw::text_frame;
use socketio_tests::{Log, log, serve};
use tokio::io::AsyncWriteExt;

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
    let burst: Vec<u8> = names.iter().flat_map(|name| text_frame(&format!(r#"{{"event":"{name}"}}"#))).collect();
    client.stream().write_all(&burst).await.expect("the server takes it");
    client.stream().flush().await.expect("the server takes it");
    seen.expect(&["first", "fired", "second", "end", "gone"]).await;
}
