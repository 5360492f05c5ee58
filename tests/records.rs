//! Log records. These tests run alone in their process, because tracing caches by the first thread
//! whether a record is wanted.

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use serde_json::json;
use socketio::{BearerTokens, EventError, Extension, Handshake, Hub, IncomingEvent, Next, event, events};
use socketio_tests::admin::{self, AdminClient};
use socketio_tests::{Log, Server, log, serve};
use std::fmt::Debug;
use std::thread::sleep;
use std::time::Duration;
use tokio_tungstenite::tungstenite::Error;
use tower_service::Service;
use tracing::field::{Field, Visit};
use tracing::{Metadata, Subscriber, span};

/// Calls a function for each record of the crate.
struct Records<F>(F);

impl<F: Fn(&tracing::Event<'_>) + Send + Sync + 'static> Subscriber for Records<F> {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && metadata.target().starts_with("socketio")
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        (self.0)(event);
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

/// Logs the event names of the records, the missing extensions, the headers that are not kept, and
/// what is said about origins.
fn note_faults(log: &Log, event: &tracing::Event<'_>) {
    let metadata = event.metadata();
    let is_about_origins =
        ["socketio::hub::origins", "socketio::hub::build"].iter().any(|module| metadata.target().starts_with(module));
    event.record(&mut |field: &Field, value: &dyn Debug| {
        if ["event", "extension", "header"].contains(&field.name()) {
            log.note(format_args!("{value:?}"));
        } else if field.name() == "message" && is_about_origins {
            log.note(format_args!("{}: {value:?}", metadata.level()));
        }
    });
}

/// Logs a record with all its fields, as they are.
fn note_fields(log: &Log, event: &tracing::Event<'_>) {
    struct Fields(Vec<String>);
    impl Visit for Fields {
        fn record_str(&mut self, field: &Field, value: &str) {
            self.0.push(format!("{}={value}", field.name()));
        }

        fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
            self.0.push(format!("{}={value:?}", field.name()));
        }
    }
    let mut fields = Fields(vec![event.metadata().level().to_string()]);
    event.record(&mut fields);
    log.note(fields.0.join(" "));
}

#[derive(Clone)]
struct Secret;

#[event("missing")]
fn missing(_secret: Extension<Secret>) {}

#[event("headers")]
fn headers(request: Handshake<'_>) -> (bool, bool) {
    (request.header("host").is_some(), request.header("x-tenant").is_some())
}

/// Connects with an `Origin` that is refused.
async fn refuse(server: &Server, origin: &str) {
    let mut request = server.request("/ws/ann");
    request.headers_mut().insert("origin", origin.parse().expect("a header"));
    let refused = server.handshake(request).await;
    assert!(matches!(refused, Err(Error::Http(response)) if response.status() == 403), "{origin}");
}

#[tokio::test]
async fn records_name_the_fault_and_are_bounded_for_what_clients_choose() {
    let (log, mut seen) = log();
    let _records =
        tracing::subscriber::set_default(Records(move |event: &tracing::Event<'_>| note_faults(&log, event)));
    let hub = Hub::builder().allow_localhost(true).events(events![missing, headers]).build().expect("a hub");
    let line = seen.next().await;
    assert!(line.starts_with("INFO: pages of all ports of localhost may connect"), "{line}");
    let server = serve(hub).await;
    // There is one warning for each of the first 100 origins.
    for number in 0..150 {
        let origin = format!("https://{number}.app.example");
        refuse(&server, &origin).await;
        let line = seen.next().await;
        if number < 100 {
            let host = server.host();
            assert!(line.starts_with("WARN: "), "{line}");
            for part in [
                format!("allow_origins([\"{origin}\"])"),
                format!("{number}.app.example was expected, and {host} came"),
                format!("public_hosts([\"{number}.app.example\"])"),
            ] {
                assert!(line.contains(&part), "{line}");
            }
        } else {
            assert!(line.starts_with("DEBUG: "), "{line}");
        }
    }
    refuse(&server, "https://0.app.example").await;
    assert!(seen.next().await.starts_with("DEBUG: "));
    seen.expect_nothing();

    // Each hub has its own memory. What a client sends is shortened and escaped.
    let other = serve(Hub::builder().allow_localhost(false).build().expect("a hub")).await;
    refuse(&other, &format!("https://{}", "x".repeat(5_000))).await;
    let line = seen.next().await;
    assert!(line.starts_with("WARN: ") && line.len() < 1_000, "{line}");
    refuse(&other, "https://a\tb").await;
    let line = seen.next().await;
    assert!(line.contains("https://a\\tb"), "{line}");
    seen.expect_nothing();

    let mut client = server.connect("ann").await;
    client.emit("unknown", 1).await;
    client.emit(&"x".repeat(100_000), 1).await;
    seen.expect(&["\"unknown\"", &format!("{:?}", "x".repeat(64))]).await;
    // The missing extension is named in the log only, not in the answer.
    let answer = client.ask("missing", 1).await;
    assert_eq!(answer["error"], json!({ "code": "internal", "message": "internal error" }));
    seen.expect(&["\"missing\"", "\"records::Secret\""]).await;
    // A header that is not kept is never there, so a handler that asks for it is at fault.
    assert_eq!(client.ask("headers", ()).await["data"], json!([true, false]));
    seen.expect(&["\"missing\"", "\"x-tenant\""]).await;
}

/// Blocks the thread for longer than a handler may without a warning.
fn block() {
    sleep(Duration::from_millis(101));
}

#[event("sync")]
fn sync() {
    block();
}

#[event("async")]
async fn after_waiting() {
    tokio::task::yield_now().await;
    block();
}

#[event("blocking", blocking)]
fn blocking() {
    block();
}

#[event("passed on")]
fn passed_on() {}

#[event("heard")]
async fn heard() {}

async fn block_before_passing_on(event: IncomingEvent, next: Next) -> Result<(), EventError> {
    if event.name() == "passed on" {
        block();
    }
    next.run(event).await
}

#[tokio::test]
async fn what_blocks_its_thread_is_named_once() {
    let (log, mut seen) = log();
    let _records =
        tracing::subscriber::set_default(Records(move |event: &tracing::Event<'_>| note_faults(&log, event)));
    let handlers = events![sync, after_waiting, blocking, passed_on, heard];
    let hub = Hub::builder().events(handlers).event_middleware(block_before_passing_on).allow_localhost(false);
    let hub = hub.build().expect("a hub");
    hub.on("heard", |_payload| block());
    hub.on("heard later", |_payload| async {
        tokio::task::yield_now().await;
        block();
    });
    let server = serve(hub).await;
    let mut client = server.connect("ann").await;
    for event in ["blocking", "sync", "async", "passed on", "heard", "heard later"] {
        client.ask(event, 1).await;
    }
    seen.expect(&["\"sync\"", "\"async\"", "\"passed on\"", "\"heard\"", "\"heard later\""]).await;
    seen.expect_nothing();
}

#[tokio::test(start_paused = true)]
async fn what_admins_and_callers_over_http_send_is_escaped_and_cut() {
    const HOSTILE: &str = "a\n\u{1b}[31m\u{202e}b";
    const TOKEN: &str = "0123456789abcdef0123456789abcdef";
    let (log, mut seen) = log();
    let _records =
        tracing::subscriber::set_default(Records(move |event: &tracing::Event<'_>| note_fields(&log, event)));
    let hub = Hub::builder().admin(admin::settings()).build().expect("a hub");
    let mut wait = async |message: &str| {
        for _ in 0..1_000 {
            let line = seen.next().await;
            assert!(line.len() < 2_000 && !line.contains(|c: char| c.is_control() || c == '\u{202e}'), "{line:?}");
            if line.contains(message) {
                return line;
            }
        }
        panic!("there is no record: {message}");
    };
    assert_eq!(AdminClient::refused(&hub, admin::password(HOSTILE, HOSTILE)).await, "invalid credentials");
    assert!(wait("a client could not log in").await.starts_with("WARN "));
    for _ in 0..20 {
        AdminClient::refused(&hub, admin::password("admin", "wrong")).await;
    }
    assert!(wait("too many attempts").await.starts_with("DEBUG "));

    let hub = Hub::builder().admin(admin::settings()).build().expect("a hub");
    let admin = AdminClient::log_in(&hub).await;
    let long = format!("{HOSTILE}{}", "x".repeat(10_000));
    admin.0.emit(("leave", "/", "room", &long)).expect("it is sent");
    let line = wait("an admin commands").await;
    assert!(line.contains(r"filter=a\n"), "{line}");
    admin.0.emit(("leave", HOSTILE, "room")).expect("it is sent");
    let line = wait("an admin has named no namespace").await;
    assert!(line.contains(r"namespace=a\n"), "{line}");

    let routes = hub.emit_routes(BearerTokens::new([TOKEN]).expect("it is long enough"));
    let body = json!({ "event": HOSTILE, "args": [] }).to_string();
    let request = Request::post("/emit")
        .header("content-type", "application/json")
        .header("authorization", format!("Bearer {TOKEN}"));
    let response =
        Router::from(routes).call(request.body(Body::from(body)).expect("a request")).await.expect("a response");
    assert_eq!(response.status(), 202);
    let line = wait("emitted for a request").await;
    assert!(line.contains(r"event=a\n"), "{line}");
}
