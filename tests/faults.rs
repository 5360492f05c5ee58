//! What clients do wrong is counted, and logs nothing above `DEBUG`. This test runs alone in its
//! process, because tracing caches by the first thread whether a record is wanted.

use serde_json::{Value, json};
use socketio::{AnyValue, Binary, EmitError, EventError, Hub, OverflowPolicy, RateLimit, Socket, event, events};
use socketio_tests::{Flavour, Log, flavour, log, serve};
use std::fmt::Debug;
use tracing::field::Field;
use tracing::{Level, Metadata, Subscriber, span};

/// Logs records above `DEBUG`. An origin that is refused is one warning, which stays.
struct Records(Log);

impl Subscriber for Records {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let target = metadata.target();
        metadata.is_event() && target.starts_with("socketio") && !target.starts_with("socketio::hub::origins")
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        if *event.metadata().level() < Level::DEBUG {
            event.record(&mut |field: &Field, value: &dyn Debug| self.0.note(format_args!("{field}: {value:?}")));
        }
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

#[event("number")]
fn number(number: u8) -> Result<u8, &'static str> {
    if number == 0 { Err("not zero") } else { Ok(number) }
}

#[event("any")]
fn any(value: Value) -> String {
    value.to_string()
}

#[event("beside")]
fn beside(socket: &Socket, value: AnyValue) -> Result<(), EmitError> {
    socket.emit(("beside", value, Binary::from(vec![1])))
}

#[event("pages", blocking)]
fn pages(socket: &Socket, count: u32) -> u32 {
    (0..count).filter(|_| socket.emit(("page", "x".repeat(100_000))).is_err()).count() as u32
}

#[event("limited")]
fn limited() {}

#[event("refuse me")]
fn refuse_me() -> Result<(), EventError> {
    Err(EventError::new("no", "not you"))
}

#[tokio::test]
async fn what_a_client_does_wrong_is_counted_and_logs_nothing_above_debug() {
    let hub = Hub::builder()
        .events(events![number, any, beside, pages, limited, refuse_me])
        .max_payload(100_000)
        .max_depth(10)
        .max_connections(2)
        .outbox(50, 500_000)
        .overflow(OverflowPolicy::DropNewest)
        .rate_limit_event("limited", RateLimit::per_hour(1))
        .build()
        .expect("a hub");
    let (log, mut seen) = log();
    let _records = tracing::subscriber::set_default(Records(log));
    let server = serve(hub.clone()).await;
    let mut client = server.connect("ann").await;

    // Payloads.
    let deep: Value = format!("{}{}", "[".repeat(20), "]".repeat(20)).parse().expect("JSON");
    for (event, argument) in [("number", json!("x")), ("number", json!(300)), ("any", deep), ("number", json!(null))] {
        assert_eq!(client.ask(event, argument).await["error"]["code"], "invalid_payload");
    }
    let lookalike = json!({ "_placeholder": true, "num": 5 });
    assert_eq!(client.ask("beside", lookalike).await["error"]["code"], "invalid_payload");
    let mut invalid = 5;
    if flavour() != Flavour::Plain {
        let placeholder = json!({ "_placeholder": true, "num": 0 });
        assert_eq!(client.ask_with("any", placeholder, &[&[1]]).await["error"]["code"], "invalid_payload");
        invalid += 1;
    }
    assert_eq!(hub.stats().invalid_payloads, invalid);

    // Events that no handler takes, or that fail.
    assert_eq!(client.ask("nobody handles this", 1).await["error"]["code"], "unknown_event");
    assert_eq!(client.ask("number", 0).await["error"]["code"], "handler_error");
    assert_eq!(client.ask("refuse me", 0).await["error"]["code"], "no");
    client.ask("limited", json!(null)).await;
    for _ in 0..3 {
        assert_eq!(client.ask("limited", json!(null)).await["error"]["code"], "rate_limited");
    }
    assert_eq!((hub.stats().unknown_events, hub.stats().rate_limited), (1, 3));
    assert_eq!(hub.stats().errors, invalid + 3);

    // A client that is too slow.
    let failed = client.ask("pages", 300).await["data"].as_u64().expect("a number");
    assert!(failed > 0);
    assert!(hub.stats().overflows > 0);

    // Requests that are refused.
    let mut second = server.connect("bob").await;
    assert_eq!(server.refusal("/ws/third").await, 503);
    assert_eq!(hub.stats().refused, 1);
    let mut request = server.request("/ws/ann");
    request.headers_mut().insert("origin", "http://evil.example".parse().expect("a header"));
    assert!(server.handshake(request).await.is_err());
    assert_eq!(hub.stats().refused, 2);

    // A message that violates the protocol.
    if !flavour().polls() {
        second.send_binary(vec![0; 200_000]).await;
        second.closed().await;
        assert_eq!(hub.stats().protocol_errors, 1);
    }
    seen.expect_nothing();
}
