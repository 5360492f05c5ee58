//! Spans of events, and that no text of a client changes the log. Like the tests of records, they
//! run in a process of their own.

use futures_util::{SinkExt, future};
use serde_json::{Value, json};
use socketio::{
    Ack, EventError, EventPayload, Handshake, Hub, IncomingEvent, Next, RateLimit, Refusal, Socket, TraceContext,
    event, events,
};
use socketio_tests::{Client, Log, Seen, Server, log, serve, serve_router};
use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Metadata, Subscriber};

/// The fields of a span or record, as they come: neither escaped nor cut.
#[derive(Clone, Debug, Default)]
struct Fields(BTreeMap<&'static str, String>);

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name(), value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }
}

impl Fields {
    fn get(&self, name: &str) -> &str {
        self.0.get(name).map_or("-", String::as_str)
    }
}

struct Open {
    name: &'static str,
    fields: Fields,
    references: usize,
    /// The socket of the span that this one links to.
    links: Vec<String>,
}

/// Writes a line for each span that ends, and keeps all fields.
#[derive(Clone)]
struct Spans {
    log: Log,
    open: Arc<Mutex<HashMap<u64, Open>>>,
    next: Arc<AtomicU64>,
    /// The fields of all spans and records.
    all: Arc<Mutex<Vec<(&'static str, Fields)>>>,
}

impl Spans {
    fn new(log: Log) -> Self {
        Self { log, open: Arc::default(), next: Arc::new(AtomicU64::new(1)), all: Arc::default() }
    }
}

impl Subscriber for Spans {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("socketio")
    }

    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        assert_eq!(attributes.metadata().target(), "socketio::traces");
        assert!(attributes.is_root());
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        let open = Open { name: attributes.metadata().name(), fields, references: 1, links: Vec::new() };
        self.open.lock().expect("no test panics").insert(id, open);
        Id::from_u64(id)
    }

    fn record(&self, id: &Id, values: &Record<'_>) {
        values.record(
            &mut self.open.lock().expect("no test panics").get_mut(&id.into_u64()).expect("an open span").fields,
        );
    }

    fn record_follows_from(&self, id: &Id, follows: &Id) {
        let mut open = self.open.lock().expect("no test panics");
        let followed = &open[&follows.into_u64()];
        assert_eq!(followed.name, "connection");
        let socket = followed.fields.get("socket").to_owned();
        open.get_mut(&id.into_u64()).expect("an open span").links.push(socket);
    }

    fn event(&self, event: &tracing::Event<'_>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        self.all.lock().expect("no test panics").push(("record", fields));
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}

    fn clone_span(&self, id: &Id) -> Id {
        self.open.lock().expect("no test panics").get_mut(&id.into_u64()).expect("an open span").references += 1;
        id.clone()
    }

    fn try_close(&self, id: Id) -> bool {
        let mut open = self.open.lock().expect("no test panics");
        let span = open.get_mut(&id.into_u64()).expect("an open span");
        span.references -= 1;
        if span.references > 0 {
            return false;
        }
        let Open { name, fields, links, .. } = open.remove(&id.into_u64()).expect("an open span");
        drop(open);
        let field = |name| fields.get(name);
        match name {
            "connection" => {
                self.log.note(format_args!("connection {}: {}", field("namespace"), field("outcome")));
            }
            _ => {
                assert_eq!(name, "event");
                assert_eq!(links.len(), 1, "each event links to the span of its socket");
                assert_eq!(field("otel.name"), field("event"));
                assert!(field("waited_ms").parse::<f64>().is_ok_and(|waited| waited >= 0.0));
                let (error, status) = (field("error.type"), field("otel.status_code"));
                self.log.note(format_args!(
                    "{} {}: {} {error} {status}",
                    field("event"),
                    field("namespace"),
                    field("outcome")
                ));
            }
        }
        self.all.lock().expect("no test panics").push((name, fields));
        true
    }
}

#[event("say")]
fn say(text: String) -> String {
    text
}

#[event("later")]
async fn later() {
    tokio::task::yield_now().await;
}

#[event("ack")]
fn ack(ack: Ack) {
    ack.send("later").expect("the client waits");
}

#[event("fail")]
fn fail() -> Result<(), EventError> {
    Err(EventError::new("not\ttoday", "no\nway"))
}

#[event("fail later")]
async fn fail_later() -> Result<(), String> {
    tokio::task::yield_now().await;
    Err("no".to_owned())
}

#[event("panic")]
fn panics() {
    panic!("the handler panics");
}

#[event("panic later")]
async fn panics_later() {
    tokio::task::yield_now().await;
    panic!("the handler panics");
}

#[event("slow", timeout = "5ms")]
async fn slow() {
    future::pending::<()>().await;
}

#[event("number")]
fn number(_number: u32) {}

#[event("often")]
fn often() {}

#[event("blocked")]
fn blocked() {}

#[event("swallowed")]
fn swallowed() {}

#[event("close")]
async fn close(socket: &Socket) {
    // The events behind this one arrive meanwhile.
    tokio::task::yield_now().await;
    socket.close();
}

#[event("fire")]
fn fire(socket: &Socket) {
    socket.fire("say", "hello").expect("there is room");
}

#[event(disconnect)]
fn left() {}

fn panicking(_: EventPayload) {
    panic!("the listener panics");
}

async fn middleware(event: IncomingEvent, next: Next) -> Result<(), EventError> {
    match event.name() {
        "blocked" => Err(EventError::new("signed_out", "sign in first")),
        "swallowed" => Ok(()),
        _ => next.run(event).await,
    }
}

/// A server, and the lines of its spans.
async fn server(hub: Hub) -> (Server, Spans, Seen, tracing::subscriber::DefaultGuard) {
    let (log, seen) = log();
    let spans = Spans::new(log);
    let guard = tracing::subscriber::set_default(spans.clone());
    (serve(hub).await, spans, seen, guard)
}

async fn expect(seen: &mut Seen, client: &mut Client, event: &str, data: Value, line: &str) {
    client.ask(event, data).await;
    seen.expect(&[line]).await;
}

#[tokio::test]
async fn each_event_has_one_span_with_its_outcome() {
    let handlers =
        events![say, later, ack, fail, fail_later, panics, panics_later, slow, number, often, close, fire, left];
    let hub = Hub::builder().events(handlers).max_depth(3).max_event_name(20).allow_localhost(false);
    let hub = hub.rate_limit_event("often", RateLimit::per_minute(1));
    let hub = hub.build().expect("a hub");
    hub.on("heard", |_payload| ());
    hub.on("connect", |_payload| ());
    hub.on("heard later", |_payload| tokio::task::yield_now());
    hub.on("panics", panicking);
    let (server, _spans, mut seen, _guard) = server(hub).await;
    let mut client = server.connect("ann").await;
    seen.expect(&["connect /: ok - -"]).await;
    for (event, data, line) in [
        ("say", json!("hello"), "say /: ok - -"),
        ("later", json!(null), "later /: ok - -"),
        ("ack", json!(null), "ack /: ok - -"),
        ("fail", json!(null), r"fail /: error not\ttoday ERROR"),
        ("fail later", json!(null), "fail later /: error handler_error ERROR"),
        ("panic", json!(null), "panic /: panic panic ERROR"),
        ("panic later", json!(null), "panic later /: panic panic ERROR"),
        ("slow", json!(null), "slow /: timeout timeout ERROR"),
        ("number", json!("one"), "number /: invalid_payload invalid_payload -"),
        ("number", json!([[[[1]]]]), "number /: invalid_payload invalid_payload -"),
        ("nobody\nhandles", json!(1), "_other /: unhandled unhandled -"),
        ("a name that is too long", json!(1), "_other /: unhandled unhandled -"),
        ("disconnect", json!(1), "_other /: refused reserved_event -"),
        ("heard", json!(1), "_other /: ok - -"),
        ("heard later", json!(1), "_other /: ok - -"),
        ("panics", json!(1), "_other /: panic panic ERROR"),
        ("often", json!(null), "often /: ok - -"),
        ("often", json!(null), "often /: rate_limited rate_limited -"),
    ] {
        expect(&mut seen, &mut client, event, data, line).await;
    }
    client.send("no envelope").await;
    seen.expect(&["message /: unhandled unhandled -"]).await;
    // What the server fires is an event too.
    client.emit("fire", Value::Null).await;
    seen.expect(&["fire /: ok - -", "say /: ok - -"]).await;
    // Events that are dropped with their connection have a span as well.
    for event in ["close", "say"] {
        let message = Message::text(json!({ "event": event, "data": "hello" }).to_string());
        client.0.feed(message).await.expect("the server takes it");
    }
    client.0.flush().await.expect("the server takes them at once");
    let mut lines = vec![seen.next().await, seen.next().await, seen.next().await, seen.next().await];
    lines.sort_unstable();
    assert_eq!(lines, ["close /: ok - -", "connection /: forced close", "disconnect /: ok - -", "say /: dropped - -"]);
    seen.expect_nothing();
}

#[tokio::test]
async fn middleware_runs_in_the_span_of_the_event() {
    let hub = Hub::builder().events(events![say, later, panics_later, blocked, swallowed]).event_middleware(middleware);
    let hub = hub.allow_localhost(false).build().expect("a hub");
    let (server, _spans, mut seen, _guard) = server(hub).await;
    let mut client = server.connect("ann").await;
    for (event, line) in [
        ("say", "say /: ok - -"),
        ("later", "later /: ok - -"),
        ("panic later", "panic later /: panic panic ERROR"),
        ("blocked", "blocked /: error signed_out ERROR"),
        ("swallowed", "swallowed /: ok - -"),
        ("unknown", "_other /: unhandled unhandled -"),
    ] {
        expect(&mut seen, &mut client, event, json!("x"), line).await;
    }
}

#[event(connect)]
fn only_ann(handshake: Handshake<'_>) -> Result<(), Refusal> {
    if handshake.param("id") == Some("ann") { Ok(()) } else { Err("only Ann may connect".into()) }
}

#[tokio::test]
async fn a_connect_handler_has_a_span() {
    let hub = Hub::builder().events(events![only_ann]).allow_localhost(false).build().expect("a hub");
    let (server, _spans, mut seen, _guard) = server(hub).await;
    let _ann = server.connect("ann").await;
    seen.expect(&["connect /: ok - -"]).await;
    let mut bob = server.connect("bob").await;
    seen.expect(&["connect /: refused refused -", "connection /: refused"]).await;
    while bob.next().await.is_some() {}
}

const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

#[event("trace")]
fn trace(socket: &Socket) -> Option<String> {
    socket.trace_context().map(|context| context.to_string())
}

#[tokio::test]
async fn valid_trace_contexts_are_fields_of_the_spans() {
    let hub = Hub::builder().events(events![say, trace]).allow_localhost(false).build().expect("a hub");
    let (server, spans, mut seen, _guard) = server(hub).await;
    let mut request = server.request("/ws/ann");
    request.headers_mut().insert("traceparent", TRACE.parse().expect("a header"));
    let (mut client, _) = server.handshake(request).await.expect("a connection");
    assert_eq!(client.ask("trace", Value::Null).await["data"], TRACE);
    seen.next().await;

    let last = |name| {
        spans
            .all
            .lock()
            .expect("no test panics")
            .iter()
            .rev()
            .find(|(kind, _)| *kind == name)
            .expect("a span")
            .1
            .clone()
    };
    let mut traceparent = async |meta: Value| {
        client.request(json!({ "event": "say", "data": "x", "meta": meta, "id": 1 })).await;
        seen.next().await;
        last("event").get("traceparent").to_owned()
    };
    let other = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";
    assert_eq!(traceparent(json!({ "traceparent": other })).await, other);
    // The context of a handshake may be that of a proxy. Events are no part of it.
    assert_eq!(traceparent(json!(null)).await, "-");
    for hostile in [
        json!("00-00000000000000000000000000000000-b7ad6b7169203331-00"),
        json!("ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"),
        json!("00-0AF7651916CD43DD8448EB211C80319C-B7AD6B7169203331-00"),
        json!(format!("{other}\n")),
        json!(format!("{other}-x")),
        json!("0".repeat(100_000)),
        json!(7),
        json!({ "traceparent": other }),
    ] {
        assert_eq!(traceparent(json!({ "traceparent": hostile })).await, "-");
    }
    drop(client);
    seen.next().await;
    assert_eq!(last("connection").get("traceparent"), TRACE);

    // Several contexts, and invalid ones, are none.
    for values in [&[TRACE, other][..], &["nonsense"], &[format!("{TRACE}-x").as_str()]] {
        let mut request = server.request("/ws/ann");
        for value in values {
            request.headers_mut().append("traceparent", value.parse().expect("a header"));
        }
        let (mut client, _) = server.handshake(request).await.expect("a connection");
        assert_eq!(client.ask("trace", Value::Null).await["data"], Value::Null, "{values:?}");
    }
    let context: TraceContext = TRACE.parse().expect("valid");
    assert_eq!(context.to_string(), TRACE);
}

/// Text that would end a line of the log, colour a terminal, or hide what follows.
const HOSTILE: &str = "a\nERROR forged\r\u{1b}[31m\u{85}\u{2028}\u{202e}\0";

#[derive(Debug, serde::Deserialize)]
enum Choice {
    Yes,
    No,
}

#[event("choose")]
fn choose(choice: Choice) -> bool {
    matches!(choice, Choice::Yes)
}

#[event("ask")]
async fn ask(socket: &Socket) -> Result<(), EventError> {
    socket
        .emit_with_ack::<Choice>(("question",))
        .await
        .map(drop)
        .map_err(|error| EventError::new("asked", error.to_string()))
}

#[event(connect)]
fn named_by_the_client(socket: &Socket, handshake: Handshake<'_>) -> Result<(), Refusal> {
    if let Some(name) = handshake.query("name") {
        let _ = socket.set_id(&name);
    }
    match handshake.query("refused") {
        Some(reason) => Err(reason.into_owned().into()),
        None => Ok(()),
    }
}

#[tokio::test]
async fn no_text_of_a_client_changes_the_log() {
    let handlers = events![choose, ask, say, panics, named_by_the_client];
    let hub = Hub::builder().events(handlers).namespace("/room-{id}", |room| room.events(events![choose, panics]));
    let hub = hub.allow_localhost(false).max_event_name(1_000_000).build().expect("a hub");
    let (server, spans, _seen, _guard) = server(hub.clone()).await;
    let query = |key, value: &str| {
        let encoded: String = value.bytes().map(|byte| format!("%{byte:02x}")).collect();
        format!("/ws/x?{key}={encoded}")
    };
    let long = HOSTILE.repeat(100);
    for text in [HOSTILE, long.as_str()] {
        let mut client = server.connect_to(&query("name", text)).await;
        for event in [text, "panic"] {
            client.ask(event, 1).await;
        }
        client.ask("choose", text).await;
        client.ask("choose", json!({ text: 1 })).await;
        client.emit("ask", Value::Null).await;
        let question = client.json().await;
        client.send(json!({ "id": question["id"], "error": { "code": text, "message": text } }).to_string()).await;
        client.settle().await;
        let reason = text.chars().take(40).collect::<String>();
        let close = CloseFrame { code: 4000u16.into(), reason: reason.into() };
        client.0.send(Message::Close(Some(close))).await.expect("the server takes it");
        while client.next().await.is_some() {}
        let mut refused = server.connect_to(&query("refused", text)).await;
        while refused.next().await.is_some() {}
    }
    drop(hub);
    let hostile = check_fields(&spans);
    // The text does reach these fields.
    for field in
        ["record event", "record error", "record disconnect", "record refusal", "record socket", "event socket"]
    {
        assert!(hostile.contains_key(field), "{field}: {hostile:?}");
    }
}

/// Checks the fields of all spans and records. Returns how often each of them has [`HOSTILE`].
fn check_fields(spans: &Spans) -> BTreeMap<String, usize> {
    let mut hostile = BTreeMap::new();
    for (kind, fields) in spans.all.lock().expect("no test panics").iter() {
        for (name, value) in &fields.0 {
            let is_clean = !value.chars().any(|shown| shown.is_control() || "\u{2028}\u{202e}".contains(shown));
            assert!(is_clean && value.chars().count() <= 501, "{kind} {name}: {value:?}");
            if value.contains(r"a\nERROR forged\r\u{1b}[31m\u{85}\u{2028}\u{202e}\0") {
                *hostile.entry(format!("{kind} {name}")).or_default() += 1;
            }
        }
    }
    hostile
}

/// Socket.IO clients choose the names of dynamic namespaces.
#[tokio::test]
async fn no_name_of_a_namespace_changes_the_log() {
    let (log, mut seen) = log();
    let spans = Spans::new(log);
    let _guard = tracing::subscriber::set_default(spans.clone());
    let hub = Hub::builder().namespace("/room-{id}", |room| room.events(events![choose, panics]));
    let hub = hub.allow_localhost(false).build().expect("a hub");
    let server = serve_router(hub.clone(), hub.socketio().into()).await;
    let mut client = server.connect_to("/socket.io/?EIO=4&transport=websocket").await;
    client.text().await;
    for path in [format!("/room-{HOSTILE}"), format!("/room-{}", HOSTILE.repeat(20))] {
        client.send(format!("40{path},")).await;
        let connected = client.text().await;
        assert!(connected.starts_with("40") && connected.contains("sid"), "{connected}");
        client.send(format!("42{path},1[\"panic\"]")).await;
        client.text().await;
        client.send(format!("41{path},")).await;
        assert!(seen.next().await.starts_with("panic /room-a"));
        assert!(seen.next().await.starts_with("connection /room-a"));
    }
    let hostile = check_fields(&spans);
    for field in ["record namespace", "event namespace", "connection namespace"] {
        assert!(hostile.contains_key(field), "{field}: {hostile:?}");
    }
}
