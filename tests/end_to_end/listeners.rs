//! Listeners by event name on hubs and sockets: when they run, and what they receive.

use serde_json::{Value, json};
use socketio::{EventPayload, Frame, Hub, SetIdError, Socket, State, event, events};
use socketio_tests::{Log, flavour, json_only, log, plain_only, serve, serve_route, soon};
use std::sync::{Arc, Mutex};
use tokio::sync::oneshot;

#[event("said")]
async fn said(socket: &Socket, text: String, log: State<Log>) -> String {
    tokio::task::yield_now().await;
    socket.set_attribute("said", text.clone());
    log.note("table");
    text
}

#[event("other")]
fn other(log: State<Log>) {
    log.note("table: other");
}

#[event("close")]
fn named_close(log: State<Log>) {
    log.note("table: an event named close");
}

#[event(message)]
fn raw(frame: Frame<'_>, log: State<Log>) {
    match frame {
        Frame::Text(text) => log.note(format_args!("raw: {text}")),
        Frame::Binary(bytes) => log.note(format_args!("raw: {bytes:?}")),
    }
}

#[event("message")]
fn named_message(data: Value, log: State<Log>) {
    log.note(format_args!("named: {data}"));
}

/// A listener that logs a line.
fn says(log: &Log, line: &'static str) -> impl Fn(EventPayload) + Send + Sync + 'static {
    let log = log.clone();
    move |_payload| log.note(line)
}

/// A description of the payload.
fn described(payload: &EventPayload) -> String {
    let data = String::from_utf8_lossy(&payload.data);
    format!("{} {data:?} {} {}", payload.name, payload.args().json(), payload.from_client())
}

/// A listener that logs a description of its payload.
fn describes(log: &Log) -> impl Fn(EventPayload) + Send + Sync + 'static {
    let log = log.clone();
    move |payload| log.note(described(&payload))
}

#[tokio::test]
async fn the_handler_runs_before_the_sockets_listeners_and_these_before_the_hubs() {
    let (log, mut seen) = log();
    let hub = Hub::builder().state(log.clone()).events(events![said, other]).build().expect("a hub");
    hub.on("said", says(&log, "hub 1"));
    let second = log.clone();
    hub.on("said", move |_payload| {
        let log = second.clone();
        async move {
            tokio::task::yield_now().await;
            log.note("hub 2");
        }
    });
    hub.on("said", says(&log, "hub 3"));
    let own = log.clone();
    hub.on("connect", move |payload| {
        payload.socket.on("said", says(&own, "socket 1"));
        payload.socket.on("said", says(&own, "socket 2"));
        payload.socket.once("said", says(&own, "socket once"));
    });
    let server = serve(hub).await;
    let mut client = server.connect("ann").await;
    assert_eq!(client.ask("said", "x").await["data"], "x");
    seen.expect(&["table", "socket 1", "socket 2", "socket once", "hub 1", "hub 2", "hub 3"]).await;
    client.emit("said", "y").await;
    client.emit("other", 1).await;
    seen.expect(&["table", "socket 1", "socket 2", "hub 1", "hub 2", "hub 3", "table: other"]).await;
}

#[tokio::test]
async fn listeners_can_be_removed() {
    let (log, mut seen) = log();
    let hub = Hub::builder().build().expect("a hub");
    let first = hub.on("said", says(&log, "hub 1"));
    hub.on("said", says(&log, "hub 2"));
    let server = serve(hub).await;
    let (mut ann, mut bob) = (server.connect("ann").await, server.connect("bob").await);
    ann.settle().await;
    bob.settle().await;
    let socket = server.hub.sockets().into_iter().find(|socket| socket.params("id") == Some("ann")).expect("ann");
    let own = socket.on("said", says(&log, "socket 1"));
    socket.on("said", says(&log, "socket 2"));
    socket.on("other", says(&log, "other"));
    ann.emit("said", 1).await;
    seen.expect(&["socket 1", "socket 2", "hub 1", "hub 2"]).await;
    bob.emit("said", 1).await;
    seen.expect(&["hub 1", "hub 2"]).await;
    own.off();
    own.off();
    first.off();
    ann.emit("said", 1).await;
    seen.expect(&["socket 2", "hub 2"]).await;
    socket.off("said");
    socket.off("never registered");
    ann.emit("said", 1).await;
    ann.emit("other", 1).await;
    seen.expect(&["hub 2", "other"]).await;
    socket.off("other");
    assert_eq!(ann.ask("other", 1).await["error"]["code"], "unknown_event");
}

#[tokio::test]
async fn a_once_listener_runs_for_one_of_several_simultaneous_events() {
    let (log, mut seen) = log();
    let hub = Hub::builder().build().expect("a hub");
    let own = log.clone();
    hub.on("connect", move |payload| {
        payload.socket.once("said", says(&own, "once"));
        let unheard = payload.socket.once("said", says(&own, "never"));
        unheard.off();
    });
    hub.on("end", says(&log, "end"));
    let server = serve(hub).await;
    let mut client = server.connect("ann").await;
    for _ in 0..10 {
        client.emit("said", 1).await;
    }
    client.emit("end", 1).await;
    seen.expect(&["once", "end"]).await;
}

#[tokio::test]
async fn a_payload_describes_its_event_completely() {
    let (log, mut seen) = log();
    let hub = Hub::builder().state(log).events(events![said]).build().expect("a hub");
    let payloads = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&payloads);
    hub.on("said", move |payload| kept.lock().expect("no panic").push(payload));
    let server = serve(hub).await;
    let mut client = server.connect("ann").await;
    client.settle().await;
    let socket = server.hub.sockets().remove(0);
    socket.set_attribute("said", "before");
    let answer = client.ask_all("said", json!(["Zoë \"x\"", { "deep": [1] }])).await;
    assert_eq!(answer["data"], "Zoë \"x\"");
    seen.expect(&["table"]).await;
    socket.set_attribute("said", "after");
    let renamed = socket.set_id("another");
    // A Socket.IO client knows its id, so that the server can't change it.
    assert_eq!(renamed, if flavour().is_plain() { Ok(()) } else { Err(SetIdError::Known) });

    let payload = payloads.lock().expect("no panic").remove(0);
    assert_eq!(payload.socket, socket);
    assert_eq!(&*payload.name, "said");
    assert_ne!(payload.socket_id, "another");
    assert_eq!(payload.attributes.get("said"), Some(&json!("Zoë \"x\"")), "a snapshot");
    assert!(payload.error.is_none() && payload.from_client());
    assert_eq!(payload.data, "Zoë \"x\"");
    assert_eq!(payload.json::<String>().expect("a string"), "Zoë \"x\"");
    assert_eq!(payload.args().json(), r#""Zoë \"x\"",{"deep":[1]}"#);
    assert_eq!(payload.args().all::<Value>().expect("JSON"), [json!("Zoë \"x\""), json!({ "deep": [1] })]);
    assert!(!payload.ack().is_wanted(), "the handler has answered");
}

#[tokio::test]
async fn lifecycle_names_sent_by_clients_are_ordinary_events() {
    let (log, mut seen) = log();
    let hub = Hub::builder().state(log.clone()).events(events![named_close]).build().expect("a hub");
    for event in ["close", "error", "ping", "pong", "connect"] {
        hub.on(event, describes(&log));
    }
    let server = serve(hub).await;
    let mut client = server.connect("ann").await;
    seen.expect(&["connect \"\"  false"]).await;
    client.emit("close", 1).await;
    seen.expect(&["table: an event named close", "close \"1\" 1 true"]).await;
    for event in ["error", "ping", "pong"] {
        client.emit(event, "x").await;
        seen.expect(&[&format!("{event} \"x\" \"x\" true")]).await;
    }
}

#[tokio::test]
async fn a_listener_registered_while_an_event_is_handled_receives_later_messages() {
    let (log, mut seen) = log();
    let hub = Hub::builder().build().expect("a hub");
    hub.on("login", move |payload| {
        let log = log.clone();
        async move {
            tokio::task::yield_now().await;
            payload.socket.on("message", describes(&log));
        }
    });
    let server = serve(hub).await;
    let mut client = server.connect("ann").await;
    client.send(r#"{"event":"login"}"#).await;
    client.emit("message", "first").await;
    seen.expect(&[r#"message "first" "first" true"#]).await;
}

/// Registers and removes a listener when it is dropped.
struct ListensOnDrop(Socket);

impl Drop for ListensOnDrop {
    fn drop(&mut self) {
        self.0.on("hi", |_| {}).off();
        self.0.hub().on("hi", |_| {}).off();
        self.0.off("hi");
    }
}

#[tokio::test]
async fn values_captured_by_a_listener_may_use_its_socket_and_hub_on_drop() {
    let server = serve(Hub::builder().build().expect("a hub")).await;
    let mut client = server.connect("ann").await;
    client.settle().await;
    let socket = server.hub.sockets().remove(0);
    let (done, is_done) = oneshot::channel();
    // On a separate thread, so that a deadlock does not block the test.
    std::thread::spawn(move || {
        let asks = || ListensOnDrop(socket.clone());
        let (by_hub, by_socket, by_name) = (asks(), asks(), asks());
        socket.hub().on("hi", move |_| _ = &by_hub).off();
        socket.on("hi", move |_| _ = &by_socket).off();
        socket.on("hi", move |_| _ = &by_name);
        socket.off("hi");
        done.send(())
    });
    soon("end of the removal", is_done).await.expect("no panic");
}

mod plain_only {
    use super::*;

    #[tokio::test]
    async fn raw_messages_and_events_named_message_reach_the_same_listener_once() {
        // Only plain WebSocket clients send raw messages.
        plain_only();
        let (log, mut seen) = log();
        let hub = Hub::builder().state(log.clone()).events(events![raw, named_message, other]).build().expect("a hub");
        hub.on("message", describes(&log));
        let server = serve(hub).await;
        let mut client = server.connect("ann").await;
        client.send("hello").await;
        seen.expect(&["raw: hello", r#"message "hello"  false"#]).await;
        client.send_binary(vec![1, 2]).await;
        seen.expect(&[r#"raw: b"\x01\x02""#, "message \"\\u{1}\\u{2}\"  false"]).await;
        client.send(r#"{"event":"other"}"#).await;
        seen.expect(&[r#"raw: {"event":"other"}"#, r#"message "{\"event\":\"other\"}"  false"#, "table: other"]).await;
        // The handlers of both kinds run, and the listener runs once, for the event.
        client.send(r#"{"event":"message","data":"hi"}"#).await;
        seen.expect(&[r#"raw: {"event":"message","data":"hi"}"#, r#"named: "hi""#, r#"message "hi" "hi" true"#]).await;
        client.settle().await;
        seen.next().await;
        seen.next().await;
        seen.expect_nothing();
    }

    #[tokio::test]
    async fn without_envelopes_every_message_is_raw() {
        let (log, mut seen) = log();
        let hub = Hub::builder().state(log.clone()).events(events![other, named_message]).build().expect("a hub");
        hub.on("message", describes(&log));
        let route = hub.websocket().messages_only();
        let server = serve_route(hub, route).await;
        let mut client = server.connect("ann").await;
        client.send(r#"{"event":"other","id":1}"#).await;
        seen.expect(&[r#"message "{\"event\":\"other\",\"id\":1}"  false"#]).await;
        client.send(r#"{"event":"message","data":1}"#).await;
        seen.expect(&[r#"message "{\"event\":\"message\",\"data\":1}"  false"#]).await;
    }

    #[tokio::test]
    async fn json_of_a_raw_message_is_its_text() {
        // Only plain WebSocket clients send raw messages.
        plain_only();
        let (log, mut seen) = log();
        let hub = Hub::builder().build().expect("a hub");
        hub.on("message", move |payload| {
            log.note(payload.json::<Value>().map_or_else(|e| e.to_string(), |v| v.to_string()));
        });
        let server = serve(hub).await;
        let mut client = server.connect("ann").await;
        client.send("[1, 2]").await;
        client.send("no json").await;
        seen.expect(&["[1,2]", "expected ident"]).await;
    }
}

mod json_only {
    use super::*;

    #[tokio::test]
    async fn data_of_a_payload_is_a_strings_contents_or_the_json_of_other_values() {
        // MessagePack has no JSON escapes and whitespace.
        json_only();
        let (log, mut seen) = log();
        let hub = Hub::builder().build().expect("a hub");
        hub.on("x", describes(&log));
        let server = serve(hub).await;
        let mut client = server.connect("ann").await;
        for (envelope, line) in [
            (r#"{"event":"x","data":"plain"}"#, r#"x "plain" "plain" true"#),
            (r#"{"event":"x","data":"a\u0062c"}"#, r#"x "abc" "a\u0062c" true"#),
            (r#"{"event":"x","data":""}"#, r#"x "" "" true"#),
            (r#"{"event":"x","data": {"a": 1} }"#, r#"x "{\"a\": 1}" {"a": 1} true"#),
            (r#"{"event":"x","data":null}"#, r#"x "null" null true"#),
            (r#"{"event":"x","args":[1,"2"]}"#, r#"x "1" 1,"2" true"#),
            (r#"{"event":"x","args":[]}"#, r#"x ""  true"#),
            (r#"{"event":"x"}"#, r#"x ""  true"#),
        ] {
            client.send(envelope).await;
            seen.expect(&[line]).await;
        }
    }
}
