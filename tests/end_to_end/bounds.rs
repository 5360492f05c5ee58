//! Each limit is tested just below and just above its value.

use axum::Router;
use axum::routing::get;
use futures_util::{FutureExt, StreamExt};
use serde_json::{Value, json};
use socketio::{
    AckError, EmitError, EventError, Hub, HubBuilder, OverflowPolicy, RawArgs, Socket, State, Upgrade, event, events,
};
use socketio_tests::{
    Client, Gate, Log, Seen, Server, flavour, json_only, log, masked_frame, plain_only, serve, serve_route,
    serve_router, soon,
};
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio_tungstenite::tungstenite::Message;

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

async fn serving(change: impl FnOnce(HubBuilder) -> HubBuilder) -> (Server, Seen) {
    let (log, seen) = log();
    let builder = Hub::builder().state(log).events(events![any, raw, failed]);
    (serve(change(builder).build().expect("a hub")).await, seen)
}

async fn connected(server: &Server) -> (Client, Socket) {
    let mut client = server.connect("ann").await;
    client.settle().await;
    (client, server.hub.sockets().pop().expect("a connected socket"))
}

/// Nested arrays of this depth, for use as an argument or as a list of arguments.
fn nested(levels: usize) -> Value {
    let objects =
        |value: Value, level: usize| if level.is_multiple_of(2) { json!([value]) } else { json!({ "a": value }) };
    (0..levels - 1).fold(json!([]), objects)
}

/// Sends an event and returns its answer.
async fn answer(client: &mut Client, event: &str, key: &str, value: &Value) -> Value {
    client.request(json!({ "event": event, key: value, "id": 1 })).await
}

#[tokio::test]
async fn no_handler_runs_for_a_payload_beyond_max_depth() {
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
async fn acks_of_clients_beyond_max_depth_are_rejected() {
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
    // In Socket.IO an ack is a list of arguments, so an `error` key is data.
    let failed = answered(json!({ "error": nested(2) })).await;
    assert!(matches!(failed, Err(AckError::Failed(_))) == flavour().is_plain(), "{failed:?}");
}

#[tokio::test]
async fn event_names_are_limited_in_bytes() {
    for (limit, length) in [(None, 256), (Some(8), 8)] {
        let (server, _seen) = serving(|builder| match limit {
            Some(bytes) => builder.max_event_name(bytes),
            None => builder,
        })
        .await;
        let (log, mut heard) = log();
        let (long, longer) = ("é".repeat(length / 2), "é".repeat(length / 2) + "x");
        for name in [&long, &longer] {
            let log = log.clone();
            server.hub.on(name, move |payload| log.note(payload.name.len()));
        }
        let mut client = server.connect("ann").await;
        assert_eq!(client.ask(&long, 1).await["error"]["code"], "unanswered");
        assert_eq!(client.ask(&longer, 1).await["error"]["code"], "unknown_event");
        heard.expect(&[&length.to_string()]).await;
        heard.expect_nothing();
    }
}

#[event("wait")]
async fn wait(log: State<Log>, gate: State<Gate>) -> &'static str {
    log.note("waiting");
    gate.pass().await;
    "done"
}

#[tokio::test]
async fn timed_out_acks_no_longer_count_as_pending() {
    let (server, _seen) = serving(|builder| builder.max_pending_acks(3).ack_timeout(Duration::from_millis(20))).await;
    let (mut client, socket) = connected(&server).await;
    for _ in 0..3 {
        let asked: [_; 3] = std::array::from_fn(|number| socket.emit_with_ack::<Value>(("question", number)));
        assert!(matches!(socket.emit_with_ack::<Value>(("too many",)).await, Err(AckError::TooMany)));
        for question in asked {
            assert!(matches!(soon("timeout", question).await, Err(AckError::Timeout)));
        }
    }
    let asked = socket.timeout(Duration::MAX).emit_with_ack::<u8>(("last",));
    let last = async {
        loop {
            let message = client.json().await;
            if message["event"] == "last" {
                return message["id"].clone();
            }
        }
    };
    let id = soon("question", last).await;
    client.send(json!({ "id": id, "data": 7 }).to_string()).await;
    assert_eq!(asked.await.expect("an answer"), 7);
}

mod plain_only {
    use super::*;

    #[tokio::test]
    async fn max_payload_applies_to_whole_and_fragmented_messages() {
        // The sizes are those of raw messages, without a Socket.IO packet around them.
        plain_only();
        let (server, _seen) = serving(|builder| builder.max_payload(200)).await;
        let (log, mut heard) = log();
        server.hub.on("message", move |payload| log.note(payload.data.len()));
        // The second frame ends the fragmented message. One byte more exceeds the limit.
        for (opcode, first, rest) in [(1, 100, 100), (2, 100, 100), (1, 120, 80)] {
            for over in [0, 1] {
                let mut client = server.connect("ann").await;
                let frames = [masked_frame(opcode, &vec![b'x'; first]), masked_frame(0x80, &vec![b'x'; rest + over])];
                client.stream().write_all(&frames.concat()).await.expect("sent");
                if over == 0 {
                    assert_eq!(heard.next().await, "200");
                } else {
                    assert_eq!(client.closed().await.map(|(code, _)| code), Some(1009));
                }
            }
        }
        for over in [0, 1] {
            let mut client = server.connect("ann").await;
            client.send_binary(vec![0; 200 + over]).await;
            if over == 0 {
                assert_eq!(heard.next().await, "200");
            } else {
                assert_eq!(client.closed().await.map(|(code, _)| code), Some(1009));
            }
        }
        heard.expect_nothing();
    }

    #[tokio::test]
    async fn reading_pauses_when_the_inbox_reaches_its_limit_of_events_or_bytes() {
        // The sizes are those of envelopes, and a pong shows what the server has read.
        plain_only();
        let event = br#"{"event":"wait","id":1}"#;
        let bytes = 3 * event.len();
        for (events, bytes, waiting, reads) in
            [(4, 1_000, 3, true), (4, 1_000, 4, false), (100, bytes + 1, 3, true), (100, bytes, 3, false)]
        {
            let ((log, mut seen), gate) = (log(), Gate::default());
            let builder = Hub::builder().state(log).state(gate.clone()).events(events![wait]);
            let server = serve(builder.inbox(events, bytes).build().expect("a hub")).await;
            let mut client = server.connect("ann").await;
            let mut other = server.connect("bob").await;
            // The frames arrive at once with a ping behind them. The pong shows that all of them
            // were read.
            let frames = [masked_frame(0x81, event).repeat(1 + waiting), masked_frame(0x89, b"")].concat();
            client.stream().write_all(&frames).await.expect("sent");
            seen.expect(&["waiting"]).await;
            let case = (events, bytes, waiting);
            if reads {
                let first = soon("message", client.0.next()).await;
                assert!(matches!(first, Some(Ok(Message::Pong(_)))), "{case:?}: {first:?}");
            } else {
                other.settle().await;
                assert!(client.0.next().now_or_never().is_none(), "{case:?}");
            }
            gate.open_for(1 + waiting);
            for _ in 0..=waiting {
                assert_eq!(client.json().await["data"], "done");
            }
        }
    }

    #[tokio::test]
    async fn the_outbox_is_limited_in_messages_and_bytes() {
        // A frame has a header of two bytes.
        for (messages, bytes) in [(3, 1_000), (100, 3 * 12), (100, 3 * 12 + 11)] {
            let ((log, mut seen), gate) = (log(), Gate::default());
            let builder = Hub::builder().outbox(messages, bytes).overflow(OverflowPolicy::DropNewest);
            let hub = builder.build().expect("a hub");
            let opening = gate.clone();
            let route = hub.websocket().on_open(move |socket: Socket| {
                // Nothing is written before the connection is accepted.
                for _ in 0..3 {
                    socket.send("ten bytes.").expect("there is room");
                }
                let over = socket.send("ten bytes.");
                log.note(matches!(over, Err(EmitError::Overflow)));
                let opening = opening.clone();
                async move { opening.pass().await }
            });
            let server = serve_route(hub, route).await;
            let mut client = server.connect("ann").await;
            seen.expect(&["true"]).await;
            gate.open();
            for _ in 0..3 {
                assert_eq!(client.text().await, "ten bytes.");
            }
            assert_eq!(server.hub.stats().overflows, 1);
            client.settle().await;
        }
    }

    #[tokio::test]
    async fn an_upgrade_that_exceeds_its_timeout_is_abandoned() {
        for (timeout, in_time) in [(Duration::from_secs(600), true), (Duration::from_millis(20), false)] {
            let gate = Gate::default();
            let hub = Hub::builder().upgrade_timeout(timeout).build().expect("a hub");
            let (own, hold) = (hub.clone(), gate.clone());
            // The upgrade waits until the response is sent.
            let late = move |upgrade: Upgrade| async move {
                let response = own.websocket().accept(upgrade);
                hold.pass().await;
                response
            };
            let server = serve_router(hub, Router::new().route("/ws/{id}", get(late))).await;
            let connecting = server.connect("ann");
            let other = async {
                let connections = async |number| {
                    while server.hub.stats().connections != number {
                        tokio::task::yield_now().await;
                    }
                };
                soon("request", connections(1)).await;
                if !in_time {
                    soon("end", connections(0)).await;
                }
                gate.open();
            };
            let (mut client, ()) = tokio::join!(connecting, other);
            if in_time {
                client.settle().await;
            } else {
                assert_eq!(client.next().await, None);
            }
        }
    }
}

mod json_only {
    use super::*;

    #[tokio::test]
    async fn payloads_beyond_max_depth_are_rejected_and_those_below_it_accepted() {
        // The test client can't encode such a deep payload as MessagePack.
        json_only();
        for (limit, effective) in [(None, 128), (Some(5), 5), (Some(127), 127), (Some(128), 128)] {
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
            // The depth of a message that is not an event is not checked.
            client.send(json!({ "no event": nested(effective + 1) }).to_string()).await;
            client.settle().await;
            seen.expect_nothing();
        }
    }
}
