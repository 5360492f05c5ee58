//! `fire` and `close` in a handler count before what the client had already sent behind the handler's event.

use socketio::{Hub, Socket, event, events};
use socketio_tests::raw::{RawClient, text_frame};
use socketio_tests::serve;
use std::sync::mpsc;

type Log = mpsc::Sender<&'static str>;

#[event("first")]
fn first(socket: &Socket, log: socketio::State<Log>) {
    log.send("first").expect("the test listens");
    socket.fire("fired", ()).expect("it is connected");
}

#[event("fired")]
fn fired(log: socketio::State<Log>) {
    log.send("fired").expect("the test listens");
}

#[event("second")]
fn second(log: socketio::State<Log>) {
    log.send("second").expect("the test listens");
}

#[event("end")]
fn end(socket: &Socket, log: socketio::State<Log>) {
    log.send("end").expect("the test listens");
    socket.close();
}

#[event(disconnect)]
fn gone(log: socketio::State<Log>) {
    log.send("gone").expect("the test listens");
}

#[test]
fn what_a_handler_brings_about_comes_before_what_was_sent_behind_its_event() {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    let (log, heard) = mpsc::channel();
    let hub = Hub::builder().state::<Log>(log).events(events![first, fired, second, end, gone]).build().expect("a hub");
    let server = runtime.block_on(serve(hub));
    let mut client = RawClient::connect(server.address, "/ws/1").expect("a connection");
    let names = ["first", "second", "end", "second"];
    let burst: Vec<u8> = names.iter().flat_map(|name| text_frame(&format!(r#"{{"event":"{name}"}}"#))).collect();
    client.send(&burst).expect("the server takes it");
    let order: Vec<_> = (0..5).map(|_| heard.recv_timeout(socketio_tests::PATIENCE).expect("an event")).collect();
    assert_eq!(order, ["first", "fired", "second", "end", "gone"]);
}
