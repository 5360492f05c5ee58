//! The conformance server. `tests/node/CONTRACT.md` specifies its behaviour.

mod events;
mod requests;
mod settings;

use axum::Router;
use http::request::Parts;
use http::{HeaderMap, HeaderValue};
use serde_json::{Value, json};
use socketio::{EngineRoutes, EventPayload, MsgpackParser, NamespaceBuilder, Refusal, Socket};
use std::io::{self, Write};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use settings::Settings;

/// Middleware that refuses clients with `refuse` in their auth.
async fn may_enter(socket: Socket) -> Result<(), Refusal> {
    #[derive(serde::Deserialize)]
    struct Auth {
        refuse: Option<Refuse>,
    }
    #[derive(serde::Deserialize)]
    struct Refuse {
        message: String,
        data: Option<Value>,
    }
    let Ok(Auth { refuse: Some(Refuse { message, data }) }) = socket.handshake().auth() else { return Ok(()) };
    let refusal = Refusal::new(message);
    Err(match data {
        Some(data) => refusal.with_data(data),
        None => refusal,
    })
}

async fn may_administrate(socket: Socket) -> Result<(), Refusal> {
    let auth: Value = socket.handshake().auth().unwrap_or_default();
    match &auth["token"] {
        Value::String(token) if token == "secret" => Ok(()),
        _ => Err(Refusal::new("not authorized").with_data(json!({ "code": "unauthorized", "retry": false }))),
    }
}

fn is_room(path: &str) -> bool {
    path.strip_prefix("/room-")
        .is_some_and(|number| !number.is_empty() && number.bytes().all(|digit| digit.is_ascii_digit()))
}

fn with_events(namespace: NamespaceBuilder) -> NamespaceBuilder {
    namespace.events(events::EVENTS)
}

/// The settings and hooks that both kinds of routes share.
fn hooked<P>(routes: EngineRoutes<P>, settings: &Settings) -> EngineRoutes<P> {
    let routes = routes
        .transports(settings.transports.clone())
        .allow_request(|request| async move {
            if request.headers().contains_key("x-forbid") { Err("Forbidden") } else { Ok(()) }
        })
        .initial_headers(|headers, _| {
            for cookie in ["one=1", "two=2; Path=/", "three=3; HttpOnly", "four=4; SameSite=Lax"] {
                headers.append("set-cookie", HeaderValue::from_static(cookie));
            }
        })
        .headers(|headers: &mut HeaderMap, _: &Parts| {
            headers.insert("x-served", HeaderValue::from_static("yes"));
        });
    match &settings.cookie {
        Some(name) => routes.cookie(name),
        None => routes,
    }
}

/// Sends messages of bare Engine.IO clients back.
fn echo(payload: EventPayload) {
    let sent = match (&payload.data[..], payload.is_binary()) {
        (b"headers", false) => {
            let headers: serde_json::Map<String, Value> = payload
                .request()
                .headers()
                .iter()
                .map(|(name, value)| (name.to_string(), json!(value.to_str().unwrap_or_default())))
                .collect();
            payload.socket.send(Value::from(headers).to_string())
        }
        (text, false) => payload.socket.send(String::from_utf8_lossy(text).as_ref()),
        (_, true) => payload.socket.emit(payload.data.clone()),
    };
    // The emit fails if the session has ended.
    let _ = sent;
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let settings = Settings::read()?;
    let hub = settings
        .builder()
        .middleware(may_enter)
        .namespace("/", with_events)
        .namespace("/admin", |admin| with_events(admin.middleware(may_administrate)))
        .dynamic_namespace(is_room, with_events)
        .build()?;
    let bare = hub.of("/bare engine");
    bare.on("message", echo);
    let mut socketio = hooked(hub.socketio(), &settings);
    if settings.msgpack {
        socketio = socketio.parser(MsgpackParser);
    }
    let app = Router::new().merge(socketio).merge(hooked(bare.engine("/engine.io/"), &settings));
    let listener = TcpListener::bind(("127.0.0.1", settings.port)).await?;
    writeln!(io::stdout(), "listening on http://{}", listener.local_addr()?)?;
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    tokio::select! {
        served = socketio::serve(listener, app) => served?,
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    hub.shutdown(Duration::from_millis(500)).await;
    Ok(())
}
