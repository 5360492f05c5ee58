//! Rate limits: how events beyond a limit are answered, and what a limit does not affect.

use serde_json::{Value, json};
use socketio::{EventError, Frame, Hub, HubBuilder, RateLimit, Socket, State, event, events};
use socketio_tests::{Client, Log, Seen, Server, flavour, log, plain_only, serve, soon};

#[event("say")]
fn say(words: Value) -> Value {
    words
}

#[event("typing")]
fn typing(log: State<Log>) {
    log.note("typing");
}

#[event("ask")]
async fn ask(socket: Socket, log: State<Log>) {
    for number in 0..3 {
        let answer = socket.emit_with_ack::<u32>(("question", number)).await;
        log.note(format_args!("{answer:?}"));
    }
}

#[event(message)]
fn message(frame: Frame<'_>, log: State<Log>) {
    match frame {
        Frame::Text(text) => log.note(format_args!("message: {text}")),
        Frame::Binary(bytes) => log.note(format_args!("message: {}", bytes.escape_ascii())),
    }
}

#[event(ping)]
fn ping(log: State<Log>) {
    log.note("ping");
}

#[event(error)]
fn error(error: EventError, log: State<Log>) {
    log.note(format_args!("error: {} in {}", error.code(), error.event().unwrap_or_default()));
}

async fn serving(limit: impl FnOnce(HubBuilder) -> HubBuilder) -> (Server, Seen) {
    let (log, seen) = log();
    let builder = Hub::builder().state(log).events(events![say, typing, ask, ping, error]);
    (serve(limit(builder).build().expect("a hub")).await, seen)
}

/// Expects a rate limit error with the time to wait.
fn assert_limited(mut answer: Value, at_most_ms: u64) {
    let wait = answer["error"]["data"]["retry_after_ms"].take().as_u64().expect("a time");
    assert!((1..=at_most_ms).contains(&wait), "{wait}");
    let data = json!({ "retry_after_ms": null });
    assert_eq!(answer["error"], json!({ "code": "rate_limited", "message": "too many events", "data": data }));
}

const HOUR: u64 = 3_600_000;

#[tokio::test]
async fn events_beyond_the_rate_limit_are_answered_with_an_error_and_not_handled() {
    let (server, mut seen) = serving(|builder| builder.rate_limit(RateLimit::per_hour(2).burst(5))).await;
    let (log, mut heard) = log();
    server.hub.on("say", move |payload| log.note(String::from_utf8_lossy(&payload.data)));
    let mut client = server.connect("ann").await;
    for number in 0..5 {
        assert_eq!(client.ask("say", number).await["data"], number);
    }
    // In Socket.IO a packet with a reserved name is invalid and ends the connection.
    let last = if flavour().is_plain() { "disconnect" } else { "nobody's" };
    for event in ["say", "say", "nobody's", last] {
        assert_limited(client.ask(event, "too much").await, HOUR / 2);
    }
    client.emit("say", "too much").await;
    client.heard().await;
    seen.expect(&["error: rate_limited in say"]).await;
    if flavour().is_plain() {
        seen.expect(&["ping"]).await;
    }
    seen.expect_nothing();
    heard.expect(&["0", "1", "2", "3", "4"]).await;
    heard.expect_nothing();
    // The `heard` of Socket.IO clients sends one more event.
    assert_eq!(server.hub.stats().rate_limited, if flavour().is_plain() { 5 } else { 6 });
}

#[tokio::test]
async fn each_socket_has_its_own_rate_limit() {
    let (server, mut seen) =
        serving(|builder| builder.rate_limit(RateLimit::per_hour(4)).rate_limit_event("say", RateLimit::per_hour(2)))
            .await;
    let (mut ann, mut bob) = (server.connect("ann").await, server.connect("bob").await);
    for client in [&mut ann, &mut bob] {
        for number in 0..2 {
            assert_eq!(client.ask("say", number).await["data"], number);
        }
        assert_limited(client.ask("say", "too much").await, HOUR / 2);
        seen.expect(&["error: rate_limited in say"]).await;
        // An event dropped by one limit does not count for the other.
        for _ in 0..2 {
            client.emit("typing", ()).await;
            seen.expect(&["typing"]).await;
        }
        client.emit("typing", ()).await;
        seen.expect(&["error: rate_limited in typing"]).await;
    }
    assert_eq!(server.hub.stats().rate_limited, 4);
}

#[tokio::test]
async fn a_rate_limit_on_one_event_does_not_affect_others() {
    let (server, mut seen) = serving(|builder| builder.rate_limit_event("typing", RateLimit::per_hour(1))).await;
    let mut client = server.connect("ann").await;
    client.emit("typing", ()).await;
    seen.expect(&["typing"]).await;
    for number in 0..10 {
        client.emit("typing", ()).await;
        assert_eq!(client.ask("say", number).await["data"], number);
    }
    assert_limited(client.ask("typing", ()).await, HOUR);
    // A run of limited events fires `error` once.
    seen.expect(&["error: rate_limited in typing"]).await;
    seen.expect_nothing();
    assert_eq!(server.hub.stats().rate_limited, 11);
}

#[tokio::test]
async fn a_client_that_waits_is_handled_again() {
    let (server, mut seen) = serving(|builder| builder.rate_limit(RateLimit::per_second(20).burst(1))).await;
    let mut client = server.connect("ann").await;
    for _ in 0..3 {
        // Answers may be late, so the test sends so many events that some exceed the limit.
        let mut limited = false;
        for _ in 0..1_000 {
            let answer = client.ask("say", "again").await;
            if answer.get("error").is_some() {
                limited = true;
                assert_limited(answer, 50);
            } else if limited {
                break;
            }
        }
        assert!(limited);
        let heard = async { while client.ask("say", "again").await.get("error").is_some() {} };
        soon("answer", heard).await;
    }
    seen.expect(&["error: rate_limited in say"]).await;
}

async fn acknowledge_events(client: &mut Client) {
    for number in 0..3 {
        let question = client.json().await;
        assert_eq!((&question["event"], &question["data"]), (&json!("question"), &json!(number)));
        client.send(json!({ "id": question["id"], "data": number }).to_string()).await;
    }
}

#[tokio::test]
async fn acks_pings_and_fired_events_are_not_rate_limited() {
    let (server, mut seen) = serving(|builder| {
        builder.rate_limit(RateLimit::per_hour(1)).rate_limit_event("typing", RateLimit::per_hour(1))
    })
    .await;
    let mut client = server.connect("ann").await;
    client.emit("ask", ()).await;
    acknowledge_events(&mut client).await;
    seen.expect(&["Ok(0)", "Ok(1)", "Ok(2)"]).await;
    for _ in 0..3 {
        if flavour().is_plain() {
            client.ping(b"").await;
            seen.expect(&["ping"]).await;
        }
        server.hub.fire("typing", ()).expect("fired");
        seen.expect(&["typing"]).await;
    }
    assert_eq!(server.hub.stats().rate_limited, 0);
}

#[tokio::test]
async fn the_last_rate_limit_on_an_event_applies_per_namespace() {
    let limit = |builder: HubBuilder| {
        builder
            .rate_limit_event("typing", RateLimit::per_hour(1))
            .namespace("/other", |other| other.rate_limit_event("say", RateLimit::per_hour(1)))
            .namespace("/", |root| root.rate_limit_event("typing", RateLimit::per_hour(2)))
    };
    let (server, mut seen) = serving(limit).await;
    let mut client = server.connect("ann").await;
    for _ in 0..3 {
        client.emit("typing", ()).await;
    }
    seen.expect(&["typing", "typing", "error: rate_limited in typing"]).await;
    for number in 0..3 {
        assert_eq!(client.ask("say", number).await["data"], number);
    }
}

mod plain_only {
    use super::*;

    #[tokio::test]
    async fn raw_messages_are_rate_limited() {
        // Only plain WebSocket clients send raw messages.
        plain_only();
        let (log, mut seen) = log();
        let builder = Hub::builder().state(log).events(events![say, message, error]);
        let limited = builder.rate_limit(RateLimit::per_hour(4)).rate_limit_event("message", RateLimit::per_hour(2));
        let server = serve(limited.build().expect("a hub")).await;
        let mut client = server.connect("ann").await;
        client.send("one").await;
        client.send_binary(b"two".to_vec()).await;
        client.send("three").await;
        client.send_binary(b"four".to_vec()).await;
        seen.expect(&["message: one", "message: two", "error: rate_limited in message"]).await;
        // An event is also a raw message, but counts once. The third event reaches no handler.
        let say = |number| json!({ "event": "say", "data": number, "id": number });
        for number in [5, 6] {
            assert_eq!(client.request(say(number)).await["data"], number);
            seen.expect(&[&format!("message: {}", say(number))]).await;
        }
        assert_limited(client.request(say(7)).await, HOUR);
        seen.expect(&["error: rate_limited in say"]).await;
        seen.expect_nothing();
    }
}
