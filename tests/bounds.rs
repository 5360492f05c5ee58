//! Limits on what one client sends, joins and asks: just under and just over each.

use serde_json::{Value, json};
use socketio::{AckError, Builder, EventError, Hub, RawArgs, Socket, State, event, events};
use socketio_tests::{Client, Log, Seen, Server, log, serve};

#[event("any")]
fn any(_value: Value) -> &'static str {
    "decoded"
}

#[event("raw")]
fn raw(args: RawArgs<'_>) -> usize {
    args.json().len()
}

#[event(error)]
fn failed(error: EventError, log: State<Log>) {
    log.note(format_args!("{}: {error} in {}", error.code(), error.event().unwrap_or_default()));
}

async fn serving(change: impl FnOnce(Builder) -> Builder) -> (Server, Seen) {
    let (log, seen) = log();
    let builder = Hub::builder().state(log).events(events![any, raw, failed]);
    (serve(change(builder).build().expect("a hub")).await, seen)
}

async fn connected(server: &Server) -> (Client, Socket) {
    let mut client = server.connect("ann").await;
    client.settle().await;
    (client, server.hub.sockets().pop().expect("a connected socket"))
}

/// A list of arguments, or an argument, that is nested as deeply.
fn nested(levels: usize) -> Value {
    let objects =
        |value: Value, level: usize| if level.is_multiple_of(2) { json!([value]) } else { json!({ "a": value }) };
    (0..levels - 1).fold(json!([]), objects)
}

/// Sends an event's text and gives its answer.
async fn answer(client: &mut Client, event: &str, key: &str, value: &Value) -> Value {
    client.request(json!({ "event": event, key: value, "id": 1 })).await
}

#[tokio::test]
async fn payloads_are_nested_only_so_deeply() {
    for (limit, effective) in [(None, 128), (Some(5), 5), (Some(127), 127), (Some(1_000_000), 128)] {
        let (server, mut seen) = serving(|builder| match limit {
            Some(levels) => builder.max_depth(levels),
            None => builder,
        })
        .await;
        let (mut client, _socket) = connected(&server).await;
        for event in ["any", "raw"] {
            // The list of arguments is a level of its own.
            let under = answer(&mut client, event, "data", &nested(effective - 1)).await;
            assert!(under.get("data").is_some(), "{event} {limit:?}: {under}");
            let under = answer(&mut client, event, "args", &json!([nested(effective - 1)])).await;
            assert!(under.get("data").is_some(), "{event} {limit:?}: {under}");
            for (key, value) in [("data", nested(effective)), ("args", json!([1, nested(effective)]))] {
                let over = answer(&mut client, event, key, &value).await;
                let error = json!({ "code": "invalid_payload", "message": "nested too deeply" });
                assert_eq!(over["error"], error, "{event} {limit:?}");
                seen.expect(&[&format!("invalid_payload: nested too deeply in {event}")]).await;
            }
        }
        client.emit("any", nested(effective)).await;
        seen.expect(&["invalid_payload: nested too deeply in any"]).await;
        // What is no event is not looked at.
        client.send(json!({ "no event": nested(effective + 1) }).to_string()).await;
        client.settle().await;
        seen.expect_nothing();
    }
}

#[tokio::test]
async fn nobody_is_called_for_a_payload_that_is_nested_too_deeply() {
    let (server, mut seen) = serving(|builder| builder.max_depth(4)).await;
    let (log, mut heard) = log();
    for name in ["any", "nobody's"] {
        let log = log.clone();
        server.hub.on(name, move |payload| log.note(String::from_utf8_lossy(&payload.data)));
    }
    let (mut client, socket) = connected(&server).await;
    socket.on("any", move |_| log.note("the socket's own"));
    client.emit("any", nested(4)).await;
    client.emit("nobody's", nested(4)).await;
    seen.expect(&["invalid_payload: nested too deeply in any", "invalid_payload: nested too deeply in nobody's"]).await;
    heard.expect_nothing();
    client.emit("any", nested(3)).await;
    heard.expect(&["the socket's own", &nested(3).to_string()]).await;
}

#[tokio::test]
async fn answers_are_nested_only_so_deeply() {
    let (server, _seen) = serving(|builder| builder.max_depth(4)).await;
    let (mut client, socket) = connected(&server).await;
    let mut answered = async |body: Value| {
        let asked = socket.emit_with_ack::<Value>(("question",));
        let mut body = body;
        body["id"] = client.json().await["id"].take();
        client.send(body.to_string()).await;
        asked.await
    };
    assert_eq!(answered(json!({ "data": nested(3) })).await.expect("an answer"), nested(3));
    for body in [json!({ "data": nested(4) }), json!({ "args": [nested(4)] }), json!({ "error": nested(4) })] {
        let error = answered(body).await.expect_err("too deep");
        assert!(matches!(&error, AckError::Payload(error) if error.message() == "nested too deeply"), "{error:?}");
    }
    assert!(matches!(answered(json!({ "error": nested(3) })).await, Err(AckError::Failed(_))));
}
