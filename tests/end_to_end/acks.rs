//! Acks in both directions: the server answers events, and clients answer events of the server.

use futures_util::FutureExt;
use serde::Deserialize;
use serde_json::{Value, json};
use socketio::{Ack, AckError, Args, EmitError, EventError, Events, Hub, Socket, State, event, events};
use socketio_tests::{Gate, Log, Seen, Server, flavour, log, serve, soon};
use std::sync::Mutex;
use std::time::Duration;

/// Keeps an `Ack` for later.
#[derive(Default)]
struct Kept(Mutex<Option<Ack>>);

impl Kept {
    fn put(&self, ack: Option<Ack>) -> Option<Ack> {
        std::mem::replace(&mut *self.0.lock().expect("no panic"), ack)
    }
}

#[event("keep")]
fn keep(ack: Ack, kept: State<Kept>) {
    kept.put(Some(ack));
}

#[event("release")]
fn release(kept: State<Kept>, how: &str) {
    let ack = kept.put(None).expect("an ack");
    assert!(ack.is_wanted());
    match how {
        "send" => ack.send("later").expect("sent"),
        "args" => ack.send_args(Args((1, "two"))).expect("sent"),
        "unit" => ack.send(()).expect("sent"),
        "fail" => ack.fail(EventError::new("late", "too late")),
        "forget" => ack.forget(),
        _ => drop(ack),
    }
}

#[event("twice")]
async fn twice(ack: Ack, log: State<Log>) -> Result<(), &'static str> {
    let second = ack.clone();
    ack.send(1).expect("sent");
    log.note(second.is_wanted());
    second.send(2).expect("nothing is sent");
    second.fail("three");
    Err("four")
}

#[event("ack or error")]
fn ack_or_error(ack: Ack) -> Result<(), EventError> {
    assert!(ack.is_wanted());
    Err(EventError::new("broken", "it broke"))
}

#[event("unused")]
fn unused(_ack: Ack) {}

#[event("forgotten")]
fn forgotten(ack: Ack) {
    ack.forget();
}

#[event("unwanted")]
fn unwanted(ack: Ack, log: State<Log>) {
    log.note(format_args!("wanted: {}", ack.is_wanted()));
    ack.send("nobody hears it").expect("nothing is sent");
}

const EVENTS: Events = events![keep, release, twice, ack_or_error, unused, forgotten, unwanted];

async fn server() -> (Server, Seen) {
    let (log, seen) = log();
    let hub = Hub::builder().state(log).state(Kept::default()).events(EVENTS).build().expect("a hub");
    hub.on("error", |payload| {
        let log = payload.socket.hub().of("/").sockets().len();
        assert_eq!(log, 1, "errors come from a connected socket");
    });
    (serve(hub).await, seen)
}

#[tokio::test]
async fn an_ack_can_be_sent_after_the_handler_returns() {
    let (server, _seen) = server().await;
    let mut client = server.connect("ann").await;
    for (how, answer) in [
        ("send", json!({ "id": 1, "data": "later" })),
        ("args", json!({ "id": 1, "args": [1, "two"] })),
        ("fail", json!({ "id": 1, "error": { "code": "late", "message": "too late" } })),
        ("drop", json!({ "id": 1, "error": { "code": "unanswered", "message": "the event was not answered" } })),
    ] {
        client.send(json!({ "event": "keep", "id": 1 }).to_string()).await;
        client.emit("release", how).await;
        assert_eq!(client.json().await, answer, "{how}");
    }
    client.send(json!({ "event": "keep", "id": 1 }).to_string()).await;
    client.emit("release", "unit").await;
    assert_eq!(client.json().await, json!({ "id": 1 }));
    client.send(json!({ "event": "keep", "id": 1 }).to_string()).await;
    assert_eq!(client.ask("release", "forget").await, json!({ "id": "ask" }));
}

#[tokio::test]
async fn only_the_first_answer_is_sent() {
    let (server, mut seen) = server().await;
    let mut client = server.connect("ann").await;
    client.send(json!({ "event": "twice", "id": 1 }).to_string()).await;
    assert_eq!(client.json().await, json!({ "id": 1, "data": 1 }));
    client.settle().await;
    seen.expect(&["false"]).await;
    let broken = json!({ "code": "broken", "message": "it broke" });
    assert_eq!(client.ask("ack or error", 1).await["error"], broken);
}

#[tokio::test]
async fn an_event_whose_handler_drops_its_ack_is_answered_with_unanswered() {
    let (server, mut seen) = server().await;
    let mut client = server.connect("ann").await;
    assert_eq!(client.ask("unused", 1).await["error"]["code"], "unanswered");
    client.send(json!({ "event": "forgotten", "id": 1 }).to_string()).await;
    client.emit("unwanted", 1).await;
    client.emit("unused", 1).await;
    client.settle().await;
    seen.expect(&["wanted: false"]).await;
}

#[tokio::test]
async fn handler_and_listeners_share_one_ack_and_the_first_answer_is_sent() {
    let (log, mut seen) = log();
    let hub = Hub::builder().state(log.clone()).state(Kept::default()).events(EVENTS).build().expect("a hub");
    for event in ["forgotten", "unused", "nobody", "answered by a listener"] {
        let log = log.clone();
        hub.on(event, move |payload| log.note(format_args!("{}: {}", payload.name, payload.ack().is_wanted())));
    }
    hub.on("answered by a listener", |payload| async move {
        tokio::task::yield_now().await;
        payload.ack().send_args(Args((1, 2))).expect("sent");
    });
    hub.on("answered by a listener", |payload| payload.ack().fail("too late"));
    let server = serve(hub).await;
    let mut client = server.connect("ann").await;
    assert_eq!(client.ask("nobody", 1).await["error"]["code"], "unanswered");
    assert_eq!(client.ask("unused", 1).await["error"]["code"], "unanswered");
    assert_eq!(client.ask("answered by a listener", 1).await["args"], json!([1, 2]));
    client.send(json!({ "event": "forgotten", "id": 1 }).to_string()).await;
    client.settle().await;
    let lines = ["nobody: true", "unused: true", "answered by a listener: true", "forgotten: false"];
    seen.expect(&lines).await;
}

#[event("fine")]
fn fine() -> u8 {
    1
}

#[event("fine later")]
async fn fine_later() -> u8 {
    2
}

#[tokio::test]
async fn the_handlers_reply_is_sent_before_answers_of_listeners() {
    let hub = Hub::builder().events(events![fine, fine_later]).build().expect("a hub");
    for event in ["fine", "fine later"] {
        hub.on(event, |payload| payload.ack().send("too late").expect("nothing is sent"));
    }
    let server = serve(hub).await;
    let mut client = server.connect("ann").await;
    client.send(r#"{"event":"fine","id":1}"#).await;
    client.send(r#"{"event":"fine later","id":2}"#).await;
    client.send(r#"{"event":"unknown","id":3}"#).await;
    assert_eq!(client.json().await, json!({ "id": 1, "data": 1 }));
    assert_eq!(client.json().await, json!({ "id": 2, "data": 2 }));
    assert_eq!(client.json().await["id"], 3);
}

#[derive(Debug, Deserialize, PartialEq)]
struct Answer {
    yes: bool,
}

#[tokio::test]
async fn emit_with_ack_resolves_with_the_clients_answer() {
    let (server, _seen) = server().await;
    let mut client = server.connect("ann").await;
    client.settle().await;
    let socket = server.hub.sockets().remove(0);

    let asked = socket.emit_with_ack::<Answer>(("really?", 1, "two"));
    let question = client.json().await;
    assert_eq!((&question["event"], &question["args"]), (&json!("really?"), &json!([1, "two"])));
    client.send(json!({ "id": question["id"], "data": { "yes": true } }).to_string()).await;
    assert_eq!(asked.await.expect("an answer"), Answer { yes: true });

    let asked = socket.emit_with_ack::<()>(("nothing?",));
    let question = client.json().await;
    client.send(json!({ "id": question["id"] }).to_string()).await;
    asked.await.expect("an answer");

    let asked = socket.emit_with_ack::<u8>(("several?",));
    let question = client.json().await;
    client.send(json!({ "id": question["id"], "args": [3, 4] }).to_string()).await;
    assert_eq!(asked.await.expect("an answer"), 3);

    let asked = socket.emit_with_ack::<u8>(("wrong?",));
    let question = client.json().await;
    client.send(json!({ "id": question["id"], "data": "three" }).to_string()).await;
    assert!(matches!(asked.await, Err(AckError::Payload(_))));

    let asked = socket.emit_with_ack::<u8>(("failing?",));
    let question = client.json().await;
    client.send(json!({ "id": question["id"], "error": { "code": "no" } }).to_string()).await;
    // In Socket.IO an ack is a list of arguments. An `error` without a message is decoded as data.
    match asked.await {
        Err(AckError::Failed(error)) if flavour().is_plain() => assert_eq!(error.code(), "no"),
        Err(AckError::Payload(error)) if !flavour().is_plain() => assert!(error.message().contains("map"), "{error}"),
        other => panic!("{other:?}"),
    }

    assert!(matches!(socket.emit_with_ack::<()>(("connect", 1)).await, Err(AckError::Emit(EmitError::InvalidName(_)))));
}

#[tokio::test]
async fn acks_are_matched_by_id_in_any_order() {
    let (server, _seen) = server().await;
    let mut client = server.connect("ann").await;
    client.settle().await;
    let socket = server.hub.sockets().remove(0);
    let asked: Vec<_> = (0..10).map(|number| socket.emit_with_ack::<u64>(("double", number))).collect();
    let mut questions = Vec::new();
    for _ in 0..10 {
        questions.push(client.json().await);
    }
    for question in questions.iter().rev() {
        let double = question["data"].as_u64().expect("a number") * 2;
        client.send(json!({ "id": question["id"], "data": double }).to_string()).await;
    }
    for (number, asked) in (0..10).zip(asked) {
        assert_eq!(asked.await.expect("an answer"), number * 2);
    }
}

#[tokio::test]
async fn the_ack_timeout_starts_with_the_emit() {
    let server = serve(Hub::builder().build().expect("a hub")).await;
    let mut client = server.connect("ann").await;
    client.settle().await;
    let socket = server.hub.sockets().remove(0);
    let asked = socket.timeout(Duration::from_secs(5)).emit_with_ack::<Value>(("hello?",));
    let patient = socket.timeout(Duration::MAX).emit_with_ack::<Value>(("anybody?",));
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(6)).await;
    assert!(matches!(asked.now_or_never(), Some(Err(AckError::Timeout))));
    assert!(patient.now_or_never().is_none());
}

#[tokio::test]
async fn unanswered_acks_time_out_are_limited_and_end_with_the_connection() {
    let (log, mut seen) = log();
    let hub = Hub::builder().ack_timeout(Duration::from_millis(20)).max_pending_acks(2).build().expect("a hub");
    hub.on("said", move |payload| log.note(String::from_utf8_lossy(&payload.data)));
    let server = serve(hub).await;
    let mut client = server.connect("ann").await;
    client.settle().await;
    let socket = server.hub.sockets().remove(0);

    assert!(matches!(socket.emit_with_ack::<Value>(("hello?",)).await, Err(AckError::Timeout)));
    let late = client.json().await;
    client.send(json!({ "id": late["id"], "data": 1 }).to_string()).await;
    client.emit("said", "after the late answer").await;
    seen.expect(&["after the late answer"]).await;

    let long = Duration::from_secs(600);
    let first = socket.timeout(long).emit_with_ack::<Value>(("one",));
    let second = socket.timeout(long).emit_with_ack::<Value>(("two",));
    assert!(matches!(socket.emit_with_ack::<Value>(("three",)).await, Err(AckError::TooMany)));
    drop(second);
    let third = socket.timeout(long).emit_with_ack::<Value>(("three",));
    client.close(1000, "").await;
    assert!(matches!(soon("end", first).await, Err(AckError::Closed)));
    assert!(matches!(soon("end", third).await, Err(AckError::Closed)));
    assert!(matches!(socket.emit_with_ack::<Value>(("four",)).await, Err(AckError::Closed)));
}

#[event("ask and wait")]
async fn ask_and_wait(socket: &Socket, log: State<Log>) {
    let answer = socket.emit_with_ack::<Value>(("question",)).await;
    log.note(answer.map_or_else(|error| error.to_string(), |value| value.to_string()));
}

#[tokio::test]
async fn a_pending_ack_fails_inside_a_handler_when_the_connection_ends() {
    let ((log, mut seen), gate) = (log(), Gate::default());
    let hub = Hub::builder().state(log).state(gate).events(events![ask_and_wait]).build().expect("a hub");
    let server = serve(hub).await;
    let mut client = server.connect("ann").await;
    client.emit("ask and wait", 1).await;
    client.json().await;
    client.close(1000, "").await;
    seen.expect(&["the socket closed before the client answered"]).await;
}
