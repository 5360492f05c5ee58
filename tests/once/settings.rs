//! Invalid settings: `build()` lists all of them, and routes panic where theirs are written.

use axum::Router;
use socketio::{BuildError, BuildProblem, Hub, HubBuilder, RateLimit, Serve, State, Transport, event, events, serve};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;
use tokio::net::TcpListener;

fn problems(builder: HubBuilder) -> Vec<BuildProblem> {
    builder.build().err().as_ref().map(BuildError::problems).unwrap_or_default().to_vec()
}

fn texts(builder: HubBuilder) -> Vec<String> {
    problems(builder).iter().map(ToString::to_string).collect()
}

#[test]
fn invalid_numbers_are_rejected() {
    type Set = fn(HubBuilder) -> HubBuilder;
    let cases: [(Set, &str); 11] = [
        (|hub| hub.max_payload(0), "`max_payload` does not take `0 bytes`: give 1 or more"),
        (|hub| hub.max_connections(0), "`max_connections` does not take `0`: give 1 or more"),
        (|hub| hub.max_namespaces(0), "`max_namespaces` does not take `0`: give 1 or more"),
        (|hub| hub.max_packets(0), "`max_packets` does not take `0`: give 1 or more"),
        (|hub| hub.max_event_name(0), "`max_event_name` does not take `0 bytes`: give 1 or more"),
        (|hub| hub.inbox(0, 1), "`inbox` does not take `0 events`: give 1 or more"),
        (|hub| hub.inbox(1, 0), "`inbox` does not take `0 bytes`: give 1 or more"),
        (|hub| hub.outbox(0, 1), "`outbox` does not take `0 messages`: give 1 or more"),
        (|hub| hub.outbox(1, 0), "`outbox` does not take `0 bytes`: give 1 or more"),
        (|hub| hub.max_depth(0), "`max_depth` does not take `0`: give 1 to 128 levels"),
        (|hub| hub.max_depth(129), "`max_depth` does not take `129`: give 1 to 128 levels"),
    ];
    for (set, text) in cases {
        assert_eq!(texts(set(Hub::builder())), [text]);
    }
    let least = Hub::builder().max_payload(1).max_connections(1).max_namespaces(1).max_packets(1).max_event_name(1);
    assert_eq!(texts(least.inbox(1, 1).outbox(1, 1).max_depth(1)), [""; 0]);
}

#[test]
fn zero_turns_optional_settings_off() {
    let hub = Hub::builder().max_rooms(0).max_attachments(0).max_pending_acks(0).close_timeout(Duration::ZERO);
    assert_eq!(problems(hub), []);
}

#[test]
fn durations_below_a_millisecond_are_rejected() {
    type Set = fn(HubBuilder, Duration) -> HubBuilder;
    let cases: [(Set, &str); 8] = [
        (HubBuilder::ping_interval, "ping_interval"),
        (HubBuilder::ping_timeout, "ping_timeout"),
        (HubBuilder::upgrade_timeout, "upgrade_timeout"),
        (HubBuilder::connect_timeout, "connect_timeout"),
        (HubBuilder::join_timeout, "join_timeout"),
        (HubBuilder::ack_timeout, "ack_timeout"),
        (HubBuilder::pause_timeout, "pause_timeout"),
        (HubBuilder::handler_timeout, "handler_timeout"),
    ];
    for (set, name) in cases {
        for (time, value) in [(Duration::ZERO, "0ns"), (Duration::from_micros(999), "999µs")] {
            let text = format!("`{name}` does not take `{value}`: give 1 ms or more");
            assert_eq!(texts(set(Hub::builder(), time)), [text]);
        }
        for time in [Duration::from_millis(1), Duration::MAX] {
            assert_eq!(texts(set(Hub::builder(), time)), [""; 0]);
        }
    }
}

#[test]
fn invalid_origins_are_rejected() {
    let hub =
        Hub::builder().allow_origins(["https://app.example", "app.example"]).allow_origins(["http://a.example/b"]);
    let accepted = "give scheme and host, and a port if it is not the scheme's own, such as";
    assert_eq!(
        texts(hub),
        [
            format!("`allow_origins` does not take `app.example`: {accepted} `https://app.example`"),
            format!("`allow_origins` does not take `http://a.example/b`: {accepted} `http://a.example`"),
        ]
    );
    for origin in ["null", "https://*app.example", "*.app.example", "http://localhost:*", ""] {
        assert_eq!(problems(Hub::builder().allow_origins([origin])).len(), 1, "{origin}");
    }
    let allowed = ["*", "http://app.example:80/", "HTTPS://App.Example", "https://*.app.example"];
    assert_eq!(texts(Hub::builder().allow_origins(allowed)), [""; 0]);
    assert_eq!(texts(Hub::builder().allow_origins([""; 0])), [""; 0]);
}

#[test]
fn invalid_public_hosts_are_rejected() {
    let hub = Hub::builder().public_hosts(["app.example", "https://app.example:8443/"]).public_hosts(["*.a.example"]);
    let accepted = "give a host without a scheme, and a port if the addresses of pages have one, such as";
    assert_eq!(
        texts(hub),
        [
            format!("`public_hosts` does not take `https://app.example:8443/`: {accepted} `app.example:8443`"),
            format!("`public_hosts` does not take `*.a.example`: {accepted} `app.example`"),
        ]
    );
}

#[test]
fn invalid_header_names_are_rejected() {
    let accepted = "give a header's name, of letters, digits and hyphens, such as `user-agent`";
    for name in ["not a header", "", "cookie:"] {
        let text = format!("`keep_headers` does not take `{name}`: {accepted}");
        assert_eq!(texts(Hub::builder().keep_headers(["Host", name])), [text]);
    }
    // The last call replaces earlier ones.
    assert_eq!(texts(Hub::builder().keep_headers(["not a header"]).keep_headers(["X-Token"])), [""; 0]);
}

#[event("say")]
fn say(_text: String) {}

#[event(error)]
fn error() {}

#[event(fallback)]
fn fallback() {}

#[test]
fn rate_limits_on_events_without_a_handler_are_rejected() {
    let limit = RateLimit::per_hour(1);
    let hub = Hub::builder()
        .events(events![say, error])
        .rate_limit_event("says", limit)
        .rate_limit_event("error", limit)
        .rate_limit_event("say", limit)
        .rate_limit_event("message", limit)
        .namespace("/room-{id}", |room| room.events(events![error]).rate_limit_event("say", limit))
        .dynamic_namespace(|_| true, |any| any.events(events![error]).rate_limit_event("say", limit));
    let limited = |event: &str, namespace: &str| BuildProblem::LimitedEvent {
        event: event.to_owned(),
        namespace: namespace.to_owned(),
    };
    let expected =
        [limited("says", "/"), limited("error", "/"), limited("say", "/room-{id}"), limited("say", "a dynamic one")];
    assert_eq!(problems(hub), expected);
    assert_eq!(
        expected[0].to_string(),
        "`rate_limit_event` does not take `says`: give an event that a handler of the namespace `/` takes"
    );
    let fallback = Hub::builder().events(events![say, fallback]).rate_limit_event("anything", limit);
    assert_eq!(problems(fallback), [], "the fallback handler takes every event");
    let listeners = Hub::builder().rate_limit_event("anything", limit);
    assert_eq!(problems(listeners), [], "a namespace without handlers is for listeners");
    for event in ["connect", "disconnecting", ""] {
        let text = format!("`rate_limit_event` does not take `{event}`: give an event that clients can send");
        assert_eq!(texts(Hub::builder().rate_limit_event(event, limit)), [text]);
    }
}

#[event("say")]
fn also_say(_gate: State<u8>, _key: State<u16>) {}

#[event(error)]
fn also_error(_gate: State<u8>) {}

#[test]
fn one_error_lists_all_invalid_settings() {
    let hub = Hub::builder().inbox(0, 0).allow_origins(["app.example"]).keep_headers(["a b"]);
    let hub = hub.events(events![say, error]).events(events![also_say, also_error]).events(events![say]);
    let error = hub.build().expect_err("many problems");
    let missing = |event, state| BuildProblem::MissingState { event, state };
    let duplicate = |event| BuildProblem::DuplicateEvent { event, namespace: "/".into() };
    assert_eq!(
        error.problems()[4..],
        [duplicate("say"), duplicate("error"), missing("say", "u8"), missing("say", "u16"), missing("error", "u8"),]
    );
    let text = error.to_string();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines, error.problems().iter().map(ToString::to_string).collect::<Vec<_>>());
    assert_eq!(lines.len(), 9, "{text}");
}

/// The message of a panic.
fn panic_of<T>(call: impl FnOnce() -> T) -> Option<String> {
    let panic = catch_unwind(AssertUnwindSafe(|| drop(call()))).err()?;
    panic.downcast_ref::<String>().cloned()
}

#[test]
fn routes_panic_where_an_invalid_setting_is_written() {
    let hub = Hub::builder().build().expect("a hub");
    let cases: [(Option<String>, &str); 9] = [
        (panic_of(|| hub.websocket().protocols(["chat.v1", "chat v2"])), "`protocols` does not take `chat v2`: give "),
        (panic_of(|| hub.websocket().protocols([""])), "`protocols` does not take ``: give "),
        (panic_of(|| hub.socketio().protocols(["a/b"])), "`protocols` does not take `a/b`: give "),
        (panic_of(|| hub.socketio().cookie("my id")), "`cookie` does not take `my id`: give "),
        (panic_of(|| hub.socketio().cookie("__host-io")), "`cookie` does not take `__host-io`: give "),
        (panic_of(|| hub.socketio().transports([])), "`transports` does not take `[]`: give "),
        (panic_of(|| hub.socketio().path("/live/?room=a")), "`path` does not take `/live/?room=a`: give "),
        (panic_of(|| hub.engine("/en gine/")), "`path` does not take `/en gine/`: give "),
        (panic_of(|| hub.engine("/engine/").path("/\u{e9}/")), "`path` does not take `/\u{e9}/`: give "),
    ];
    for (panic, text) in cases {
        assert!(panic.as_ref().is_some_and(|panic| panic.starts_with(text)), "{panic:?}, not {text}");
    }
    let routes = hub.socketio().path("chat/{room}").cookie("io").transports([Transport::Polling]);
    let app = Router::<()>::from(routes).route("/ws", axum::routing::get(hub.websocket().protocols(["chat.v1"])));
    drop(app.merge(hub.engine("/").on_open(|_socket| {})));
}

#[tokio::test]
async fn a_server_with_a_timeout_of_zero_is_rejected() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let server: Serve<_, Router> = serve(listener, Router::new());
    let panic = panic_of(|| server.handshake_timeout(Duration::ZERO)).expect("a panic");
    assert_eq!(panic, "`handshake_timeout` does not take `0ns`: give 1 ms or more");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let server: Serve<_, Router> = serve(listener, Router::new()).tcp_keepalive(None).tcp_user_timeout(None);
    let panic = panic_of(|| server.tcp_keepalive(Duration::from_millis(999))).expect("a panic");
    assert_eq!(panic, "`tcp_keepalive` does not take `999ms`: give 1 s or more");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let server: Serve<_, Router> = serve(listener, Router::new());
    let panic = panic_of(|| server.tcp_user_timeout(Duration::ZERO)).expect("a panic");
    assert_eq!(panic, "`tcp_user_timeout` does not take `0ns`: give 1 ms or more");
}
