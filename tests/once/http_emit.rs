//! Other processes emit over HTTP.

#[path = "../contract/daily.rs"]
mod daily;

use axum::Router;
use axum::body::{Body, to_bytes};
use futures_util::stream;
use http::request::Parts;
use http::{HeaderMap, Method, Request, StatusCode};
use serde_json::{Value, json};
use socketio::adapter::{Adapter, Audience, LocalAdapter, Packet};
use socketio::{EmitAuth, EmitDenied, EmitRoutes, Hub};
use socketio_tests::soon;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tower_service::Service;

use daily::TOKENS;

/// An answer of the route.
#[derive(Debug)]
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Value,
}

impl Answer {
    /// The id of the emit.
    fn id(&self) -> &str {
        assert_eq!(self.status, StatusCode::ACCEPTED, "{self:?}");
        self.body["id"].as_str().expect("an id")
    }

    /// The status, the code and the pointer of a problem.
    fn problem(&self) -> (u16, &str, &str) {
        assert_eq!(self.headers["content-type"], "application/problem+json", "{self:?}");
        assert_eq!((&self.body["type"], &self.body["status"]), (&"about:blank".into(), &self.status.as_u16().into()));
        assert!(self.body["title"].is_string() && self.body["detail"].is_string(), "{self:?}");
        let text = |member: &str| self.body.get(member).map_or("", |text| text.as_str().expect("a string"));
        (self.status.as_u16(), text("code"), text("pointer"))
    }
}

/// A caller of the routes of a hub.
#[derive(Clone)]
struct Caller(Router);

impl Caller {
    fn of(routes: EmitRoutes) -> Self {
        Self(Router::from(routes))
    }

    async fn call(&self, request: Request<Body>) -> Answer {
        let response = soon("answer", self.0.clone().call(request)).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, usize::MAX).await.expect("a body");
        let body = serde_json::from_slice(&body).unwrap_or_default();
        Answer { status: parts.status, headers: parts.headers, body }
    }

    async fn post(&self, body: impl Into<Body>, headers: &[(&str, &str)]) -> Answer {
        let request = Request::post("/emit").header("content-type", "application/json");
        let request = request.header("authorization", format!("Bearer {}", TOKENS[0]));
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        self.call(request.body(body.into()).expect("a request")).await
    }

    async fn emit(&self, body: Value) -> Answer {
        self.post(body.to_string(), &[]).await
    }

    async fn emit_once(&self, key: &str, body: Value) -> Answer {
        self.post(body.to_string(), &[("idempotency-key", key)]).await
    }
}

/// A hub without a contract, and its caller.
fn plain() -> (Hub, Caller) {
    let hub = Hub::builder().namespace("/admin", |admin| admin).build().expect("a hub");
    let routes = hub.emit_routes(socketio::BearerTokens::new(TOKENS).expect("they are long enough"));
    let caller = Caller::of(routes);
    (hub, caller)
}

#[tokio::test]
async fn the_selected_clients_receive_the_event() {
    let (hub, caller) = plain();
    let (mut one, mut other) =
        (hub.test_client().connect().await.unwrap(), hub.test_client().plain().connect().await.unwrap());
    let mut admin = hub.of("/admin").test_client().connect().await.unwrap();
    hub.socket(one.id()).unwrap().join("lobby").unwrap();
    caller.emit(json!({ "event": "news", "args": [1, "two", { "three": null }] })).await.id();
    for client in [&mut one, &mut other] {
        client.expect_exact(("news", 1, "two", json!({ "three": null }))).await.unwrap();
    }
    caller.emit(json!({ "event": "news", "rooms": ["lobby", "hall"] })).await.id();
    one.expect_exact(("news",)).await.unwrap();
    caller.emit(json!({ "event": "quiet", "except": ["lobby"], "volatile": true })).await.id();
    other.expect_exact(("quiet",)).await.unwrap();
    caller.emit(json!({ "event": "you", "rooms": [other.id().to_string()], "args": [] })).await.id();
    other.expect_exact(("you",)).await.unwrap();
    caller.emit(json!({ "namespace": "/admin", "event": "load", "args": [0.5] })).await.id();
    admin.expect_exact(("load", 0.5)).await.unwrap();
    for client in [&mut one, &mut other, &mut admin] {
        client.expect_nothing().await.unwrap();
    }
}

#[tokio::test]
async fn numbers_and_texts_are_not_changed() {
    let (hub, caller) = plain();
    let mut client = hub.test_client().plain().connect().await.unwrap();
    let args = r#"[ 12345678901234567890123, 1.0, "\u00e9\n\u0000", {"a":1,"a":2}, {"_placeholder":true,"num":0} ]"#;
    caller.post(format!(r#"{{"event":"raw","args":{args}}}"#), &[]).await.id();
    let received = client.expect_event("raw").await.unwrap();
    assert_eq!(format!("[ {} ]", received.args().json()), args);
}

#[tokio::test]
async fn callers_must_be_authenticated() {
    let (_hub, caller) = plain();
    let request = |authorization: Option<&str>| {
        let request = Request::post("/emit").header("content-type", "application/json");
        let request = match authorization {
            Some(value) => request.header("authorization", value),
            None => request,
        };
        request.body(Body::from(r#"{"event":"news"}"#)).unwrap()
    };
    for token in TOKENS {
        caller.call(request(Some(&format!("Bearer {token}")))).await.id();
    }
    for wrong in [None, Some(""), Some("Bearer"), Some("Bearer wrong-and-long-enough"), Some(TOKENS[0])] {
        let answer = caller.call(request(wrong)).await;
        assert_eq!(answer.problem(), (401, "unauthorized", ""), "{wrong:?}");
        assert_eq!(answer.headers["www-authenticate"], "Bearer realm=\"emit\"");
    }
    // Nothing else is told to strangers.
    let get = Request::get("/emit").body(Body::empty()).unwrap();
    assert_eq!(caller.call(get).await.status, StatusCode::UNAUTHORIZED);
    let get = Request::get("/emit/openapi.json").body(Body::empty()).unwrap();
    assert_eq!(caller.call(get).await.status, StatusCode::UNAUTHORIZED);
}

/// Decides by a header of its own.
#[derive(Debug)]
struct Doorman;

impl EmitAuth for Doorman {
    fn authenticate<'a>(
        &'a self,
        request: &'a Parts,
    ) -> Pin<Box<dyn Future<Output = Result<String, EmitDenied>> + Send + 'a>> {
        let name = request.headers.get("x-name").and_then(|name| name.to_str().ok()).unwrap_or_default();
        Box::pin(async move {
            match name {
                "" => Err(EmitDenied::Unauthorized),
                "mallory" => Err(EmitDenied::Forbidden),
                "nobody" => Err(EmitDenied::Unavailable),
                "boom" => panic!("the doorman is out of order"),
                name => Ok(name.to_owned()),
            }
        })
    }

    fn security_scheme(&self) -> Value {
        json!({ "type": "apiKey", "in": "header", "name": "X-Name" })
    }
}

#[tokio::test]
async fn an_application_authenticates_in_its_own_way() {
    let hub = Hub::builder().build().expect("a hub");
    let routes = hub.emit_routes(Doorman);
    assert_eq!(routes.openapi()["components"]["securitySchemes"]["caller"]["name"], "X-Name");
    let caller = Caller::of(routes);
    let named = async |name: &str| {
        let headers = [("x-name", name), ("idempotency-key", "one")];
        caller.post(r#"{"event":"news"}"#, &headers).await
    };
    let ann = named("ann").await.id().to_owned();
    assert_eq!(named("ann").await.id(), ann);
    // Each caller has keys of its own.
    assert_ne!(named("bob").await.id(), ann);
    assert_eq!(named("mallory").await.problem(), (403, "forbidden", ""));
    assert_eq!(named("nobody").await.problem(), (503, "unavailable", ""));
    assert_eq!(named("boom").await.problem(), (503, "unavailable", ""));
    assert_eq!(named("").await.problem(), (401, "unauthorized", ""));
}

#[tokio::test]
async fn what_can_not_be_emitted_is_a_problem() {
    let (hub, caller) = plain();
    let mut client = hub.test_client().connect().await.unwrap();
    let deep = format!(r#"{{"event":"news","args":[{}{}]}}"#, "[".repeat(200), "]".repeat(200));
    let long = json!({ "event": "x".repeat(257) }).to_string();
    let long_room = json!({ "event": "news", "rooms": ["a", "x".repeat(257)] }).to_string();
    let many: Vec<_> = (0..600).map(|number| number.to_string()).collect();
    let many = json!({ "event": "news", "rooms": many, "except": many }).to_string();
    for (body, problem) in [
        ("", (400, "malformed_json", "")),
        ("{", (400, "malformed_json", "")),
        (r#"{"event":"news"} {}"#, (400, "malformed_json", "")),
        (r#"{"event":"news","args":[1,]}"#, (400, "malformed_json", "")),
        ("\u{feff}{\"event\":\"news\"}", (400, "malformed_json", "")),
        ("[]", (422, "invalid_request", "")),
        ("null", (422, "invalid_request", "")),
        ("{}", (422, "invalid_request", "")),
        (r#"{"event":1}"#, (422, "invalid_request", "/event")),
        (r#"{"event":"news","event":"other"}"#, (422, "invalid_request", "")),
        (r#"{"event":"news","room":["a"]}"#, (422, "invalid_request", "/room")),
        (r#"{"event":"news","rooms":null}"#, (422, "invalid_request", "/rooms")),
        (r#"{"event":"news","rooms":"a"}"#, (422, "invalid_request", "/rooms")),
        (r#"{"event":"news","rooms":["a",1]}"#, (422, "invalid_request", "/rooms/1")),
        (r#"{"event":"news","rooms":[]}"#, (422, "no_rooms", "/rooms")),
        (r#"{"event":"news","except":[]}"#, (422, "no_rooms", "/except")),
        (r#"{"event":"news","rooms":["a",""]}"#, (422, "invalid_room", "/rooms/1")),
        (&long_room, (422, "invalid_room", "/rooms/1")),
        (&many, (422, "too_many_rooms", "")),
        (r#"{"event":"news","args":{}}"#, (422, "invalid_request", "/args")),
        (r#"{"event":"news","args":"[1]"}"#, (422, "invalid_request", "/args")),
        (r#"{"event":"news","volatile":1}"#, (422, "invalid_request", "/volatile")),
        (r#"{"event":""}"#, (422, "reserved_event", "/event")),
        (r#"{"event":"connect"}"#, (422, "reserved_event", "/event")),
        (r#"{"event":"disconnect"}"#, (422, "reserved_event", "/event")),
        (&long, (422, "invalid_event", "/event")),
        (&deep, (422, "too_deep", "/args")),
        (r#"{"event":"news","namespace":"/nowhere"}"#, (404, "unknown_namespace", "/namespace")),
        (r#"{"event":"news","namespace":"admin"}"#, (404, "unknown_namespace", "/namespace")),
        (r#"{"event":"news","args":null}"#, (422, "invalid_request", "/args")),
    ] {
        let answer = caller.post(body.to_owned(), &[]).await;
        assert_eq!(answer.problem(), problem, "{body}: {answer:?}");
    }
    let bytes = caller.post(b"{\"event\":\"\xff\"}".to_vec(), &[]).await;
    assert_eq!(bytes.problem().0 / 100, 4);
    assert_eq!(hub.namespaces(), ["/", "/admin"], "no request creates a namespace");
    client.expect_nothing().await.unwrap();
}

#[tokio::test]
async fn the_head_of_a_request_is_checked() {
    let (_hub, caller) = plain();
    let authorized = |method: Method, content_type: Option<&str>| {
        let request = Request::builder().method(method).uri("/emit");
        let request = request.header("authorization", format!("Bearer {}", TOKENS[0]));
        let request = match content_type {
            Some(value) => request.header("content-type", value),
            None => request,
        };
        request.body(Body::from(r#"{"event":"news"}"#)).unwrap()
    };
    let answer = caller.call(authorized(Method::PUT, Some("application/json"))).await;
    assert_eq!(answer.problem(), (405, "method_not_allowed", ""));
    assert_eq!(answer.headers["allow"], "POST");
    for wrong in [None, Some("text/plain"), Some("application/jsonp"), Some("application/x-www-form-urlencoded")] {
        let answer = caller.call(authorized(Method::POST, wrong)).await;
        assert_eq!(answer.problem(), (415, "unsupported_media_type", ""), "{wrong:?}");
    }
    caller.call(authorized(Method::POST, Some("Application/JSON; charset=utf-8"))).await.id();
    for wrong in ["", "\"", "a b", "\u{e9}"] {
        let answer = caller.post(r#"{"event":"news"}"#, &[("idempotency-key", wrong)]).await;
        assert_eq!(answer.problem(), (400, "invalid_idempotency_key", ""), "{wrong:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_is_bounded_in_size_and_time() {
    let hub = Hub::builder().message_timeout(Duration::from_secs(30)).build().expect("a hub");
    let routes = hub.emit_routes(socketio::BearerTokens::new(TOKENS).expect("they are long enough")).max_body(100);
    let caller = Caller::of(routes);
    let exact = format!("{:100}", r#"{"event":"news"}"#);
    caller.post(exact.clone(), &[("content-length", "100")]).await.id();
    let answer = caller.post(String::new(), &[("content-length", "101")]).await;
    assert_eq!(answer.problem(), (413, "body_too_large", ""));
    let chunks = [Ok::<_, std::io::Error>(exact), Ok(" ".to_owned())];
    let answer = caller.post(Body::from_stream(stream::iter(chunks)), &[]).await;
    assert_eq!(answer.problem(), (413, "body_too_large", ""));
    let broken = Body::from_stream(stream::iter([Err::<String, _>(std::io::Error::other("cut"))]));
    assert_eq!(caller.post(broken, &[]).await.problem(), (400, "incomplete_body", ""));
    // Time is paused, so that it passes at once.
    let endless = Body::from_stream(stream::pending::<Result<String, std::io::Error>>());
    let request = Request::post("/emit").header("content-type", "application/json");
    let request = request.header("authorization", format!("Bearer {}", TOKENS[0])).body(endless).unwrap();
    let response = caller.0.clone().call(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::REQUEST_TIMEOUT);
}

#[tokio::test]
async fn a_request_that_is_repeated_emits_once() {
    let (hub, caller) = plain();
    let mut client = hub.test_client().connect().await.unwrap();
    let body = json!({ "event": "news", "args": [1] });
    let first = caller.emit_once("8e03978e", body.clone()).await;
    assert!(!first.headers.contains_key("idempotency-replayed"));
    client.expect_exact(("news", 1)).await.unwrap();
    // The draft has quotes.
    for key in ["8e03978e", "\"8e03978e\""] {
        let again = caller.emit_once(key, body.clone()).await;
        assert_eq!(again.id(), first.id());
        assert_eq!(again.headers["idempotency-replayed"], "true");
    }
    let other = caller.emit_once("8e03978e", json!({ "event": "news", "args": [2] })).await;
    assert_eq!(other.problem(), (422, "idempotency_key_reused", ""));
    client.expect_nothing().await.unwrap();
    assert_ne!(caller.emit_once("another", body.clone()).await.id(), first.id());
    client.expect_exact(("news", 1)).await.unwrap();
    // A request that is refused leaves its key free.
    assert_eq!(caller.emit_once("third", json!({ "event": "connect" })).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    caller.emit_once("third", json!({ "event": "other" })).await.id();
    client.expect_exact(("other",)).await.unwrap();
}

/// An adapter that waits in an emit, and may fail.
#[derive(Debug)]
struct Gate {
    local: LocalAdapter,
    arrived: Arc<Semaphore>,
    open: std::sync::mpsc::Receiver<bool>,
}

#[derive(Debug)]
struct SharedGate(std::sync::Mutex<Gate>, LocalAdapter);

impl Adapter for SharedGate {
    fn local(&self) -> &LocalAdapter {
        &self.1
    }

    fn emit(&self, packet: &Packet, audience: &Audience) {
        let gate = self.0.lock().expect("no panic");
        gate.arrived.add_permits(1);
        assert!(gate.open.recv().expect("the test waits"), "the emit fails");
        gate.local.emit(packet, audience);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_in_progress_keeps_its_key() {
    let arrived = Arc::new(Semaphore::new(0));
    let (open, gate) = std::sync::mpsc::channel();
    let gate = std::sync::Mutex::new(Some((Arc::clone(&arrived), gate)));
    let hub = Hub::builder().adapter(move |_, local| {
        let (arrived, open) = gate.lock().unwrap().take().expect("there is one namespace");
        SharedGate(std::sync::Mutex::new(Gate { local: local.clone(), arrived, open }), local)
    });
    let hub = hub.build().unwrap();
    let caller = Caller::of(hub.emit_routes(socketio::BearerTokens::new(TOKENS).expect("they are long enough")));
    let body = json!({ "event": "news" });
    let begin = || {
        let (caller, body) = (caller.clone(), body.clone());
        tokio::spawn(async move { caller.emit_once("one", body).await })
    };
    let first = begin();
    soon("emit", arrived.acquire()).await.unwrap().forget();
    assert_eq!(caller.emit_once("one", body.clone()).await.problem(), (409, "in_progress", ""));
    let other = caller.emit_once("one", json!({ "event": "other" })).await;
    assert_eq!(other.problem(), (422, "idempotency_key_reused", ""));
    open.send(true).unwrap();
    let first = first.await.unwrap();
    assert_eq!(caller.emit_once("one", body.clone()).await.id(), first.id());
}

#[tokio::test]
async fn a_hub_that_shuts_down_emits_nothing() {
    let (hub, caller) = plain();
    caller.emit(json!({ "event": "news" })).await.id();
    hub.shutdown(Duration::from_secs(5)).await;
    let answer = caller.emit(json!({ "event": "news" })).await;
    assert_eq!(answer.problem(), (503, "unavailable", ""));
    assert_eq!(answer.headers["retry-after"], "1");
}

#[tokio::test]
async fn the_contract_decides_what_can_be_emitted_in_every_build() {
    let hub = daily::hub().unwrap();
    let caller = Caller::of(daily::emit_routes(&hub));
    let mut client = hub.test_client().connect().await.unwrap();
    let mut in_room = hub.of("/room-7").test_client().connect().await.unwrap();
    let news = json!([{ "headline": "it works", "weight": null }]);
    caller.emit(json!({ "event": "news", "args": news })).await.id();
    assert_eq!(client.expect_event("news").await.unwrap().json::<Value>().unwrap(), news[0]);
    caller.emit(json!({ "namespace": "/admin", "event": "load", "args": [1] })).await.id();
    caller.emit(json!({ "namespace": "/room-7", "event": "said", "args": [{}] })).await.id();
    in_room.expect_event("said").await.unwrap();
    // Clients may connect to it later.
    caller.emit(json!({ "namespace": "/room-8", "event": "said", "args": [{}] })).await.id();
    for (namespace, event, args, pointer) in [
        ("/", "load", json!([1]), "/event"),
        ("/", "weather", json!([1]), "/event"),
        ("/room-7", "news", news.clone(), "/event"),
        ("/", "sure?", json!([{ "what": "it" }]), "/event"),
        ("/", "news", json!([]), "/args"),
        ("/", "news", json!([{}, {}]), "/args"),
    ] {
        let answer = caller.emit(json!({ "namespace": namespace, "event": event, "args": args })).await;
        assert_eq!(answer.problem(), (422, "not_in_contract", pointer), "{namespace} {event} {answer:?}");
    }
    client.expect_nothing().await.unwrap();
    assert_eq!(hub.contract_violations(), []);
}

#[tokio::test]
async fn the_openapi_document_is_served_and_exported() {
    let hub = daily::hub().unwrap();
    let routes = daily::emit_routes(&hub).path("/back/emit/");
    let caller = Caller::of(routes);
    let request = Request::get("/back/emit/openapi.json").header("authorization", format!("Bearer {}", TOKENS[1]));
    let served = caller.call(request.body(Body::empty()).unwrap()).await;
    assert_eq!((served.status, &served.body["openapi"]), (StatusCode::OK, &"3.1.0".into()));
    assert!(served.body["paths"]["/back/emit"]["post"].is_object());
    let document = format!("{:#}\n", daily::emit_routes(&hub).openapi());
    let file = "node/contract/daily.openapi.json";
    if std::env::var_os("SOCKETIO_EXPORT").is_some() {
        std::fs::write(file, document).unwrap();
        return;
    }
    assert_eq!(std::fs::read_to_string(file).unwrap(), document, "SOCKETIO_EXPORT=1 writes it");
}

#[test]
fn the_exported_emitter_is_up_to_date() {
    daily::Daily::assert_exported("node/contract/daily.ts");
    daily::Daily::assert_emitter_exported("node/contract/daily-emitter.ts", "./daily");
}
