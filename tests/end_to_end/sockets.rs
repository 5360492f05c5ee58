//! The string-keyed API of sockets: ids, attributes, extensions, the request, fired events and
//! pings.

use axum::extract::Request;
use axum::middleware::{self, Next};
use serde_json::{Value, json};
use socketio::{EventName, EventPayload, Extension, Hub, HubBuilder, SetIdError, Socket, State, Text, event, events};
use socketio_tests::stream::{self, Kind};
use socketio_tests::{Client, Log, Server, flavour, log, plain_only, serve, serve_router, soon};
use std::time::{Duration, SystemTime};

async fn connected(server: &Server, name: &str) -> (Client, Socket) {
    let mut client = server.connect(name).await;
    client.settle().await;
    let found = server.hub.sockets().into_iter().find(|socket| socket.params("id") == Some(name));
    (client, found.expect("a connected socket"))
}

/// A listener that logs a description of its payload.
fn describes(log: &Log) -> impl Fn(EventPayload) + Send + Sync + 'static {
    let log = log.clone();
    move |payload| {
        let data = String::from_utf8_lossy(&payload.data);
        log.note(format_args!("{} {data:?} {}", payload.name, payload.from_client()));
    }
}

#[tokio::test]
async fn attributes_are_stored_by_name() {
    let server = serve(Hub::builder().build().expect("a hub")).await;
    let (_client, socket) = connected(&server, "ann").await;
    assert!(socket.get_attribute("name").is_none() && socket.attributes().get("name").is_none());
    socket.set_attribute("name", "Ann");
    socket.set_attribute("age", 33);
    socket.set_attribute("height", 1.75);
    socket.set_attribute("admin", true);
    socket.set_attribute("tags", json!(["a"]));
    let snapshot = socket.attributes();
    socket.set_attribute("name", "Anna");
    assert_eq!(snapshot.get("name"), Some(&json!("Ann")));
    assert_eq!(snapshot.iter().map(|(key, _)| key).collect::<Vec<_>>(), ["admin", "age", "height", "name", "tags"]);
    assert_eq!(socket.get_attribute("name"), Some(json!("Anna")));
    assert_eq!(socket.get_attribute("tags"), Some(json!(["a"])));
    assert_eq!(socket.get_string_attribute("name").as_deref(), Some("Anna"));
    assert_eq!(socket.get_int_attribute("age"), Some(33));
    assert_eq!(socket.get_float_attribute("height"), Some(1.75));
    assert_eq!(socket.get_float_attribute("age"), Some(33.0));
    assert_eq!(socket.get_bool_attribute("admin"), Some(true));
    assert_eq!(socket.get_string_attribute("age"), None);
    assert_eq!(socket.get_int_attribute("height"), None);
    assert_eq!(socket.get_float_attribute("name"), None);
    assert_eq!(socket.get_bool_attribute("missing"), None);
}

#[derive(Clone, Debug, PartialEq)]
struct User(&'static str);

#[tokio::test]
async fn a_socket_keeps_its_handshake_request() {
    let names = HubBuilder::KEPT_HEADERS.into_iter().chain(["x-custom"]);
    let server = serve(Hub::builder().keep_headers(names).build().expect("a hub")).await;
    let mut request = server.request("/ws/a%20b?room=x%20y&room=z");
    request.headers_mut().insert("cookie", "a=1; session=abc".parse().expect("a header"));
    request.headers_mut().insert("x-custom", "custom".parse().expect("a header"));
    // The stored time has a resolution of one millisecond.
    let before = SystemTime::now() - Duration::from_millis(1);
    let (mut client, _response) = server.handshake(request).await.expect("the server accepts");
    // A stream in memory has no address.
    let address = if flavour().polls() { None } else { client.stream().local_addr() };
    assert_eq!(address.is_some(), stream::kind() != Kind::Memory && !flavour().polls());
    let socket = soon("socket", async {
        loop {
            match server.hub.sockets().pop() {
                Some(socket) => break socket,
                None => tokio::task::yield_now().await,
            }
        }
    })
    .await;
    assert_eq!((socket.params("id"), socket.params("room")), (Some("a b"), None));
    assert_eq!((socket.query("room").as_deref(), socket.query("id")), (Some("x y"), None));
    assert_eq!((socket.cookie("session"), socket.cookie("b")), (Some("abc"), None));
    assert_eq!((socket.header("x-custom"), socket.header("x-other")), (Some("custom"), None));
    // Long-polling uses several connections, and the server stores the address of the first.
    assert_eq!(socket.peer_addr().is_some(), stream::kind() != Kind::Memory);
    assert!(flavour().polls() || socket.peer_addr() == address);
    assert_eq!(socket.handshake().path(), "/ws/a%20b");
    assert!(socket.handshake().query_string().starts_with("room=x%20y&room=z"));
    assert!(!flavour().is_plain() || socket.handshake().query_string().ends_with("room=z"));
    assert_eq!(socket.handshake().is_secure(), stream::kind() == Kind::Tls);
    assert!(!socket.handshake().is_cross_domain());
    assert!((before..=SystemTime::now()).contains(&socket.handshake().time()));
    assert_eq!((socket.namespace(), socket.hub().root().path()), ("/", "/"));
}

#[tokio::test]
async fn only_the_headers_named_in_keep_headers_are_kept() {
    let hub = Hub::builder().keep_headers(["Host"]).build().expect("a hub");
    let server = serve(hub).await;
    let (_client, socket) = connected(&server, "ann").await;
    assert_eq!(socket.header("host"), Some(&*server.host()));
    assert_eq!((socket.header("upgrade"), socket.handshake().headers().len()), (None, 1));
}

#[tokio::test]
async fn the_headers_that_are_kept_by_default_say_who_the_client_is() {
    let all = ["authorization", "cookie", "user-agent", "x-forwarded-for", "x-api-key"];
    for (hub, keeps_all) in [(Hub::builder(), false), (Hub::builder().keep_headers(["a"]).keep_all_headers(), true)] {
        let server = serve(hub.build().expect("a hub")).await;
        let mut request = server.request("/ws/ann");
        for name in all.into_iter().chain(["x-other", "accept"]) {
            request.headers_mut().insert(name, name.parse().expect("a header"));
        }
        let (mut client, _response) = server.handshake(request).await.expect("the server accepts");
        client.settle().await;
        let socket = server.hub.sockets().pop().expect("a socket");
        for name in all {
            assert_eq!(socket.header(name), Some(name));
        }
        assert_eq!(socket.header("host"), Some(&*server.host()));
        assert_eq!((socket.header("x-other").is_some(), socket.header("accept").is_some()), (keeps_all, keeps_all));
    }
}

#[event("handled")]
fn handled(text: &str) {
    assert_eq!(text, "fired");
}

#[event("nested")]
fn nested(socket: &Socket) {
    socket.fire("inner", 1).expect("queued");
    socket.fire("outer", 2).expect("queued");
}

#[event(fallback)]
fn fallback(socket: &Socket, name: EventName<'_>) {
    socket.set_attribute(&*name, "reached the fallback");
}

#[tokio::test]
async fn fired_events_are_queued_for_handlers_and_listeners() {
    let (log, mut seen) = log();
    let hub = Hub::builder().events(events![handled, nested, fallback]).build().expect("a hub");
    for event in ["handled", "inner", "outer", "connect", "disconnect", "ping", "end"] {
        hub.on(event, describes(&log));
    }
    let own = log.clone();
    hub.on("nested", move |_payload| own.note("nested is done"));
    let server = serve(hub).await;
    let ((mut ann, a), (_bob, b)) = (connected(&server, "ann").await, connected(&server, "bob").await);
    let fallback = "reached the fallback";
    assert_eq!(a.get_string_attribute("nobody handles this").as_deref(), Some(fallback));
    seen.expect(&["connect \"\" false", "connect \"\" false"]).await;
    let heard = a.on("message", describes(&log));
    a.fire("handled", "fired").expect("queued");
    seen.expect(&["handled \"fired\" false"]).await;
    a.fire("nested", json!({})).expect("queued");
    seen.expect(&["nested is done", "inner \"1\" false", "outer \"2\" false"]).await;
    for event in ["connect", "disconnect", "message", "ping"] {
        a.fire(event, [1, 2]).expect("queued");
        seen.expect(&[&format!("{event} \"[1,2]\" false")]).await;
    }
    heard.off();
    a.fire("disconnecting", 1).expect("queued even without listeners");
    a.fire("unknown", 1).expect("queued");
    a.fire("end", 1).expect("queued");
    seen.expect(&["end \"1\" false"]).await;
    assert_eq!(a.get_string_attribute("unknown").as_deref(), Some(fallback));
    assert_eq!(a.get_attribute("disconnecting"), None);
    assert!(a.fire("", 1).is_err());
    server.hub.fire("end", "all").expect("queued");
    seen.expect(&["end \"all\" false", "end \"all\" false"]).await;
    assert!(a.is_alive() && b.is_alive());
    ann.emit("end", "client").await;
    seen.expect(&["end \"client\" true"]).await;
    ann.close(1000, "").await;
    seen.expect(&["disconnect \"transport close\" false"]).await;
    assert!(ann.closed().await.is_some() && !a.is_alive());
}

/// The user of the socket, as an extension.
#[derive(Clone)]
struct Guest(String);

#[event(connect)]
fn greet(socket: &Socket) {
    socket.insert_extension(Guest(socket.params("id").unwrap_or_default().to_owned()));
}

#[event("whoami")]
async fn whoami(greeting: String, Extension(guest): Extension<Guest>) -> String {
    format!("{greeting} {}", guest.0)
}

#[event(disconnect)]
fn left(guest: Extension<Guest>, log: State<Log>) {
    log.note(format_args!("{} left", guest.0.0));
}

#[tokio::test]
async fn extensions_of_a_socket_are_handler_parameters() {
    let (log, mut seen) = log();
    let hub = Hub::builder().state(log).events(events![greet, whoami, left]).build().expect("a hub");
    let server = serve(hub).await;
    let (mut ann, mut bob) = (server.connect("ann").await, server.connect("bob").await);
    assert_eq!(ann.ask("whoami", "I am").await["data"], "I am ann");
    assert_eq!(bob.ask("whoami", "I am").await["data"], "I am bob");
    ann.close(1000, "").await;
    seen.expect(&["ann left"]).await;
}

#[tokio::test]
async fn a_hub_lists_and_finds_its_sockets() {
    let server = serve(Hub::builder().build().expect("a hub")).await;
    let hub = &server.hub;
    assert!(hub.is_empty() && hub.sockets().is_empty());
    let ((mut ann, a), (_bob, b)) = (connected(&server, "ann").await, connected(&server, "bob").await);
    assert_eq!((hub.len(), hub.sockets().len(), hub.stats().connections), (2, 2, 2));
    assert!(hub.sockets().contains(&a) && hub.sockets().contains(&b));
    assert_eq!(hub.socket(a.id()), Some(a.clone()));
    ann.close(1000, "").await;
    assert!(ann.closed().await.is_some());
    a.closed().await;
    assert_eq!((hub.len(), hub.sockets()), (1, vec![b]));
    assert!(hub.socket(a.id()).is_none());
    let error: Value = json!(a.send("x").expect_err("the socket is closed").to_string());
    assert_eq!(error, "the socket is closed");
}

mod plain_only {
    use super::*;

    #[tokio::test]
    async fn the_id_of_a_plain_socket_can_be_changed() {
        // Socket.IO clients know their ids, so these are fixed.
        plain_only();
        let server = serve(Hub::builder().build().expect("a hub")).await;
        let hub = &server.hub;
        let ((mut ann, a), (_bob, b)) = (connected(&server, "ann").await, connected(&server, "bob").await);
        let old = a.id();
        assert_eq!(old.len(), 36, "a UUID");
        assert_ne!(old, b.id());
        assert_eq!(a.set_id(""), Err(SetIdError::Empty));
        assert_eq!(a.set_id(b.id()), Err(SetIdError::Taken));
        assert_eq!(a.id(), old);
        a.set_id(&*old).expect("its own");
        a.set_id("ann").expect("free");
        assert_eq!((a.id().as_str(), hub.len()), ("ann", 2));
        assert!(hub.socket(&old).is_none() && hub.emit_to(&old, Text("lost")).is_err());
        assert_eq!(hub.socket("ann"), Some(a.clone()));
        assert_eq!(b.set_id("ann"), Err(SetIdError::Taken));
        hub.emit_to("ann", Text("by id")).expect("sent");
        hub.to("ann").send("by its own room").expect("sent");
        b.to("ann").send("from another").expect("sent");
        hub.to(&old).send("lost").expect("no socket has this id");
        hub.except("ann").send("not for it").expect("sent");
        hub.broadcast(Text("last")).expect("sent");
        for expected in ["by id", "by its own room", "from another", "last"] {
            assert_eq!(ann.text().await, expected);
        }
        b.set_id(&*old).expect("free again");
        a.close();
        a.closed().await;
        assert_eq!(ann.closed().await, Some((1000, String::new())));
        b.set_id("ann").expect("free again");
    }

    #[tokio::test]
    async fn extensions_come_from_the_request_and_can_be_changed() {
        let hub = Hub::builder().build().expect("a hub");
        let layer = middleware::from_fn(|mut request: Request, next: Next| {
            request.extensions_mut().insert(User("from a layer"));
            next.run(request)
        });
        let app = axum::Router::new().route("/ws/{id}", axum::routing::get(hub.websocket())).layer(layer);
        let server = serve_router(hub, app).await;
        let (_client, socket) = connected(&server, "ann").await;
        assert_eq!(socket.extension::<User>(), Some(User("from a layer")));
        assert_eq!(socket.extension::<u32>(), None);
        assert_eq!(socket.insert_extension(User("another")), Some(User("from a layer")));
        assert_eq!(socket.insert_extension(7_u32), None);
        assert_eq!(socket.remove_extension::<User>(), Some(User("another")));
        assert_eq!((socket.extension::<User>(), socket.extension::<u32>()), (None, Some(7)));
    }

    #[tokio::test]
    async fn pings_are_answered_and_pongs_fire_listeners() {
        // Only plain WebSocket clients send control frames.
        plain_only();
        let (log, mut seen) = log();
        let hub = Hub::builder().build().expect("a hub");
        for event in ["ping", "pong"] {
            hub.on(event, describes(&log));
        }
        let server = serve(hub).await;
        let (mut client, socket) = connected(&server, "ann").await;
        socket.ping("are you there?");
        socket.ping(vec![b'x'; 200]);
        server.hub.broadcast(Text("after the pings")).expect("sent");
        assert_eq!(client.text().await, "after the pings");
        client.ping(b"and you?").await;
        let long = format!("pong \"{}\" false", "x".repeat(125));
        let mut lines = [seen.next().await, seen.next().await, seen.next().await];
        lines.sort();
        assert_eq!(lines, ["ping \"and you?\" false", "pong \"are you there?\" false", &long]);
    }
}
