//! Typed requests to clients, and the acks that they accept.

use futures_util::{FutureExt, StreamExt};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use socketio::{AckError, Args, Binary, EmitError, Frame, Hub, Request, Socket, State, event, events};
use socketio_tests::{Client, Log, Server, log, plain_only, serve, soon};
use std::collections::HashMap;
use std::time::Duration;

#[event("question", ack = Answer)]
#[derive(Serialize)]
struct Question<'a> {
    text: &'a str,
}

#[derive(Debug, Deserialize, PartialEq)]
struct Answer {
    yes: bool,
    why: Option<String>,
}

async fn server() -> Server {
    serve(Hub::builder().build().expect("a hub")).await
}

async fn connect(server: &Server, name: &str) -> (Client, Socket) {
    let before = server.hub.sockets();
    let mut client = server.connect(name).await;
    client.settle().await;
    let new = server.hub.sockets().into_iter().find(|socket| !before.contains(socket));
    (client, new.expect("a connected socket"))
}

/// Reads a request and answers it with these fields in the envelope.
async fn answer(client: &mut Client, mut with: Value) -> Value {
    let question = client.json().await;
    with["id"] = question["id"].clone();
    client.send(with.to_string()).await;
    question
}

#[tokio::test]
async fn a_request_sends_a_payload_and_decodes_the_ack() {
    let server = server().await;
    let (mut client, socket) = connect(&server, "ann").await;
    let asked = socket.request(&Question { text: "ready?" });
    let question = answer(&mut client, json!({ "data": { "yes": true } })).await;
    assert_eq!((&question["event"], &question["data"]), (&json!("question"), &json!({ "text": "ready?" })));
    assert_eq!(asked.await.expect("an answer"), Answer { yes: true, why: None });

    let asked = socket.timeout(Duration::from_secs(60)).request(&Question { text: "really?" });
    answer(&mut client, json!({ "data": { "yes": false, "why": "not now" }, "more": 1 })).await;
    assert_eq!(asked.await.expect("an answer"), Answer { yes: false, why: Some("not now".to_owned()) });

    let asked = socket.request(&Question { text: "what?" });
    answer(&mut client, json!({ "data": { "yes": "perhaps" } })).await;
    match asked.await {
        Err(AckError::Payload(error)) => assert_eq!(error.path(), Some("yes")),
        other => panic!("{other:?}"),
    }
}

/// Sends a request, lets the client answer, and returns the result.
async fn asked<Q>(client: &mut Client, socket: &Socket, question: Q, with: Value) -> Result<Q::Answer, AckError>
where
    Q: Request<Answer: socketio::FromAnswer> + Serialize,
{
    let asked = socket.request(&question);
    answer(client, with).await;
    asked.await
}

macro_rules! questions {
    ($($question:ident -> $answer:ty;)*) => {$(
        #[event("question", ack = $answer)]
        #[derive(Serialize)]
        struct $question;
    )*};
}

questions! {
    Nothing -> ();
    Perhaps -> Option<u8>;
    First -> u8;
    Pair -> Args<(u8, String)>;
    Shorter -> Args<(u8, Option<String>)>;
    Anything -> Value;
    Counts -> HashMap<String, u32>;
    Lenient -> Defaults;
    Picture -> File;
}

#[derive(Debug, Default, Deserialize, PartialEq)]
#[serde(default)]
struct Defaults {
    name: Option<String>,
}

#[derive(Debug, Deserialize, PartialEq)]
struct File {
    name: String,
    bytes: Binary,
}

#[tokio::test]
async fn acks_are_decoded_into_many_types() {
    let server = server().await;
    let (mut client, socket) = connect(&server, "ann").await;
    let client = &mut client;
    asked(client, &socket, Nothing, json!({})).await.expect("nothing");
    asked(client, &socket, Nothing, json!({ "data": null })).await.expect("nothing");
    assert_eq!(asked(client, &socket, Perhaps, json!({})).await.expect("none"), None);
    assert_eq!(asked(client, &socket, Perhaps, json!({ "data": null })).await.expect("none"), None);
    assert_eq!(asked(client, &socket, Perhaps, json!({ "data": 3 })).await.expect("some"), Some(3));
    assert_eq!(asked(client, &socket, First, json!({ "args": [3, 4] })).await.expect("the first"), 3);
    let pair = asked(client, &socket, Pair, json!({ "args": [3, "four", 5] })).await.expect("a pair");
    assert_eq!(pair, Args((3, "four".to_owned())));
    assert_eq!(asked(client, &socket, Shorter, json!({ "data": 3 })).await.expect("one"), Args((3, None)));
    assert_eq!(asked(client, &socket, Anything, json!({})).await.expect("null"), Value::Null);
    let counts = asked(client, &socket, Counts, json!({ "data": { "a": 1 } })).await.expect("counts");
    assert_eq!(counts["a"], 1);
    for missing in [json!({}), json!({ "data": null })] {
        assert!(matches!(asked(client, &socket, First, missing).await, Err(AckError::Payload(_))));
    }
    match asked(client, &socket, Pair, json!({ "data": 3 })).await {
        Err(AckError::Payload(error)) => assert_eq!((error.argument(), error.message()), (Some(1), "missing argument")),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_ack_may_contain_binary_data() {
    let server = server().await;
    let (mut client, socket) = connect(&server, "ann").await;
    // In envelopes binary data is base64. Socket.IO clients may use that form too.
    let file = asked(&mut client, &socket, Picture, json!({ "data": { "name": "dot", "bytes": "AQI=" } })).await;
    assert_eq!(file.expect("a file"), File { name: "dot".to_owned(), bytes: vec![1, 2].into() });
}

#[tokio::test]
async fn a_clients_error_is_returned_as_an_error_for_every_ack_type() {
    let server = server().await;
    let (mut client, socket) = connect(&server, "ann").await;
    let client = &mut client;
    let error = json!({ "error": { "code": "busy", "message": "not now", "path": "a.b", "data": { "minutes": 3 } } });
    let check = |error: AckError| {
        let text = error.to_string();
        let AckError::Failed(error) = error else { panic!("{error:?}") };
        assert_eq!((error.code(), error.message(), error.path()), ("busy", "not now", Some("a.b")));
        assert_eq!(error.data(), Some(&json!({ "minutes": 3 })));
        assert_eq!(text, "the client answered with the error `busy`: not now (at `a.b`)");
    };
    check(asked(client, &socket, First, error.clone()).await.expect_err("an error"));
    check(asked(client, &socket, Nothing, error.clone()).await.expect_err("an error"));
    check(asked(client, &socket, Perhaps, error.clone()).await.expect_err("an error"));
    check(asked(client, &socket, Pair, error.clone()).await.expect_err("an error"));
    // These types could be decoded from the error.
    check(asked(client, &socket, Lenient, error.clone()).await.expect_err("an error"));
    check(asked(client, &socket, Anything, error.clone()).await.expect_err("an error"));
    // As an argument of the ack, the error is the same for every kind of client.
    check(asked(client, &socket, Anything, json!({ "data": error })).await.expect_err("an error"));
    check(asked(client, &socket, Anything, json!({ "args": [error] })).await.expect_err("an error"));
}

#[tokio::test]
async fn data_that_resembles_an_error_is_decoded_as_data() {
    let server = server().await;
    let (mut client, socket) = connect(&server, "ann").await;
    for answer in [
        json!({ "error": null }),
        json!({ "error": "busy" }),
        json!({ "error": { "code": "busy" } }),
        json!({ "error": { "code": 3, "message": "three" } }),
        json!({ "error": { "code": "busy", "message": "not now" }, "more": 1 }),
    ] {
        let answered = asked(&mut client, &socket, Anything, json!({ "data": answer })).await;
        assert_eq!(answered.expect("an answer"), answer);
    }
    let error = json!({ "error": { "code": "busy", "message": "not now" } });
    let answered = asked(&mut client, &socket, Anything, json!({ "args": [error, 1] })).await;
    assert_eq!(answered.expect("an answer"), error);
}

#[tokio::test]
async fn the_timeout_starts_with_the_request_however_it_is_set() {
    let server = server().await;
    let (_client, socket) = connect(&server, "ann").await;
    let question = Question { text: "ready?" };
    let usual = socket.request(&question);
    let short = socket.request(&question).timeout(Duration::from_secs(5));
    let timed = socket.timeout(Duration::from_secs(5)).request(&question);
    let longer = socket.request(&question).timeout(Duration::from_secs(1)).timeout(Duration::from_secs(60));
    let several = server.hub.request(&question).timeout(Duration::from_secs(5));
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(6)).await;
    assert!(matches!(short.now_or_never(), Some(Err(AckError::Timeout))));
    assert!(matches!(timed.now_or_never(), Some(Err(AckError::Timeout))));
    let several = several.into_future().now_or_never().expect("the time is over").expect("the request was sent");
    assert!(matches!(&several.missing.errors[..], [(id, AckError::Timeout)] if *id == socket.id()));
    tokio::time::advance(Duration::from_secs(25)).await;
    assert!(matches!(usual.now_or_never(), Some(Err(AckError::Timeout))));
    assert!(longer.now_or_never().is_none());
}

#[tokio::test]
async fn a_finished_request_is_no_longer_pending_even_if_its_future_lives() {
    let server = serve(Hub::builder().max_pending_acks(1).build().expect("a hub")).await;
    let (mut client, socket) = connect(&server, "ann").await;
    let mut late = socket.request(&First).timeout(Duration::from_millis(10));
    assert!(matches!((&mut late).await, Err(AckError::Timeout)));
    client.json().await;
    let mut answered = socket.request(&First);
    answer(&mut client, json!({ "data": 1 })).await;
    assert_eq!((&mut answered).await.expect("an answer"), 1);
    let mut several = server.hub.request(&First).timeout(Duration::from_millis(10));
    assert_eq!(several.next().await, None);
    client.json().await;
    assert_eq!(asked(&mut client, &socket, First, json!({ "data": 2 })).await.expect("an answer"), 2);
    drop((late, answered, several));
}

#[tokio::test]
async fn a_late_ack_is_not_a_raw_message() {
    #[event(message)]
    fn message(log: State<Log>, frame: Frame<'_>) {
        // An envelope with an event is a raw message too.
        if !matches!(frame, Frame::Text(text) if text.contains("event")) {
            log.note(format_args!("{frame:?}"));
        }
    }
    #[event("quit")]
    fn quit(log: State<Log>) {
        log.note("quit");
    }
    let (log, mut seen) = log();
    let server = serve(Hub::builder().state(log).events(events![message, quit]).build().expect("a hub")).await;
    let (mut client, socket) = connect(&server, "ann").await;
    let late = socket.request(&First).timeout(Duration::from_millis(10));
    assert!(matches!(late.await, Err(AckError::Timeout)));
    let mut several = server.hub.request(&First).timeout(Duration::from_millis(10));
    assert_eq!(several.next().await, None);
    for _ in 0..2 {
        answer(&mut client, json!({ "data": 1 })).await;
    }
    client.send(r#"{"event":"quit"}"#).await;
    seen.expect(&["quit"]).await;
}

#[tokio::test]
async fn acks_of_a_selection_arrive_one_by_one_and_missing_sockets_are_known_at_the_end() {
    let server = server().await;
    let (mut ann, a) = connect(&server, "ann").await;
    let (mut bob, b) = connect(&server, "bob").await;
    let (mut carl, c) = connect(&server, "carl").await;
    let (mut dora, d) = connect(&server, "dora").await;
    let (_eve, e) = connect(&server, "eve").await;
    for socket in [&a, &b, &c, &d, &e] {
        socket.join("jury").expect("joined");
    }
    // A broadcast request excludes the sender.
    let (mut frank, f) = connect(&server, "frank").await;
    f.join("jury").expect("joined");
    let mut answers = f.to("jury").request(&Question { text: "guilty?" }).timeout(Duration::from_secs(2));
    assert!(answers.missing().is_none());
    answer(&mut bob, json!({ "data": { "yes": false } })).await;
    let first = soon("answer", answers.next()).await;
    assert_eq!(first, Some((b.id().into(), Answer { yes: false, why: None })));
    answer(&mut carl, json!({ "error": { "code": "asleep", "message": "zzz" } })).await;
    answer(&mut ann, json!({ "data": { "yes": true } })).await;
    let second = soon("answer", StreamExt::next(&mut answers)).await;
    assert_eq!(second.map(|(id, answer)| (id, answer.yes)), Some((a.id().into(), true)));
    dora.close(1000, "").await;
    assert_eq!(soon("end", answers.next()).await, None);
    assert_eq!(soon("end", answers.next()).await, None);
    let why = |id| &answers.missing().errors.iter().find(|(missing, _)| *missing == id).expect("missing").1;
    assert_eq!(answers.missing().errors.len(), 3);
    assert!(matches!(why(c.id()), AckError::Failed(error) if error.code() == "asleep"));
    assert!(matches!(why(d.id()), AckError::Closed));
    assert!(matches!(why(e.id()), AckError::Timeout));
    frank.settle().await;
}

#[tokio::test]
async fn acks_taken_from_the_stream_are_not_in_the_final_answers() {
    let server = server().await;
    let (mut ann, a) = connect(&server, "ann").await;
    let (mut bob, b) = connect(&server, "bob").await;
    let mut answers = server.hub.request(&First);
    answer(&mut ann, json!({ "data": 1 })).await;
    assert_eq!(soon("answer", answers.next()).await, Some((a.id().into(), 1)));
    answer(&mut bob, json!({ "data": 2 })).await;
    let rest = soon("answers", answers.into_future()).await.expect("the request was sent");
    assert_eq!(rest.answers, [(b.id().into(), 2)]);
    assert!(rest.is_complete());
}

/// JSON has no keys of this type.
#[event("unserializable", ack = u8)]
#[derive(Serialize)]
struct Unserializable(HashMap<Vec<u8>, u8>);

#[tokio::test]
async fn a_request_that_can_not_be_serialized_fails() {
    let server = server().await;
    let (_ann, a) = connect(&server, "ann").await;
    let unserializable = || Unserializable(HashMap::from([(vec![1], 2)]));
    assert!(matches!(a.request(&unserializable()).await, Err(AckError::Emit(EmitError::Encode(_)))));
    let hub = &server.hub;
    assert!(matches!(hub.request(&unserializable()).await, Err(AckError::Emit(EmitError::Encode(_)))));
    let mut answers = hub.request(&unserializable());
    assert_eq!(answers.next().await, None);
    assert!(matches!(&answers.missing().errors[..], [(id, AckError::Emit(EmitError::Encode(_)))] if *id == a.id()));
    let mut nobody = hub.to("nobody").request(&First);
    assert_eq!(nobody.next().await, None);
    assert!(nobody.missing().is_none());
}

#[event("ask back")]
async fn ask_back(socket: &Socket, log: State<Log>) -> Result<bool, AckError> {
    let answer = socket.request(&Question { text: "sure?" }).await?;
    log.note(format_args!("{answer:?}"));
    Ok(answer.yes)
}

#[tokio::test]
async fn a_handler_can_send_a_request_to_the_client_of_its_event() {
    let (log, mut seen) = log();
    let server = serve(Hub::builder().state(log).events(events![ask_back]).build().expect("a hub")).await;
    let (mut client, _socket) = connect(&server, "ann").await;
    client.send(json!({ "event": "ask back", "id": 1 }).to_string()).await;
    answer(&mut client, json!({ "data": { "yes": true } })).await;
    assert_eq!(client.json().await, json!({ "id": 1, "data": true }));
    seen.expect(&["Answer { yes: true, why: None }"]).await;
    client.send(json!({ "event": "ask back", "id": 2 }).to_string()).await;
    answer(&mut client, json!({ "error": { "code": "busy", "message": "not now" } })).await;
    let error = json!({ "code": "handler_error", "message": "the client answered with the error `busy`: not now" });
    assert_eq!(client.json().await, json!({ "id": 2, "error": error }));
}

mod plain_only {
    use super::*;

    #[tokio::test]
    async fn the_error_of_an_envelope_may_have_any_form() {
        plain_only();
        let server = server().await;
        let (mut client, socket) = connect(&server, "ann").await;
        for (error, code, message) in [
            (json!("not now"), "handler_error", "not now"),
            (json!(3), "handler_error", "3"),
            (json!({ "code": "busy" }), "busy", ""),
            (json!({ "message": "not now", "path": 3 }), "handler_error", "not now"),
        ] {
            match asked(&mut client, &socket, Anything, json!({ "error": error })).await {
                Err(AckError::Failed(error)) => assert_eq!((error.code(), error.message()), (code, message)),
                other => panic!("{other:?}"),
            }
        }
    }
}
