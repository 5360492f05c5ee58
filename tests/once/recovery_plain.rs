//! Plain WebSocket clients that ask for it resume their session.

use axum::Router;
use axum::routing::get;
use serde_json::{Value, json};
use socketio::testing::settle;
use socketio::{
    Disconnect, EventPayload, Hub, HubBuilder, Recovery, RecoveryFailure, RecoveryState, Socket, State, event, events,
};
use socketio_tests::cut::Line;
use socketio_tests::{Log, Seen, log};
use std::time::Duration;
use tokio::time::advance;

#[event(connect)]
fn connect(socket: &Socket, log: State<Log>) {
    match socket.recovery() {
        RecoveryState::Restored { missed } => log.note(format_args!("restored {missed}")),
        RecoveryState::Failed(reason) => log.note(format_args!("failed {reason:?}")),
        _ => log.note("new"),
    }
}

#[event(disconnect)]
fn disconnect(end: Disconnect, log: State<Log>) {
    log.note(format_args!("left: {}", end.reason()));
}

fn server(change: impl FnOnce(HubBuilder) -> HubBuilder) -> (Hub, Router, Seen) {
    let (log, seen) = log();
    let builder = Hub::builder().state(log.clone()).events(events![connect, disconnect]);
    let hub = change(builder.recovery(Recovery::new())).build().expect("a hub");
    hub.on("message", move |payload: EventPayload| log.note(String::from_utf8_lossy(&payload.data)));
    let app = Router::new().route("/ws", get(hub.websocket()));
    (hub, app, seen)
}

/// The messages that have arrived. Events have no offset, which is returned apart.
async fn received(line: &mut Line) -> (Vec<Value>, Option<String>) {
    settle().await;
    loop {
        tokio::select! {
            biased;
            count = line.read(4_096) => if count == 0 { break },
            () = tokio::task::yield_now() => break,
        }
    }
    let (mut messages, mut last) = (Vec::new(), None);
    while let Some(text) = line.next_text() {
        let mut message: Value = serde_json::from_str(&text).unwrap_or(Value::String(text));
        if let Some(Value::String(offset)) = message.as_object_mut().and_then(|message| message.remove("offset")) {
            last = Some(offset);
        }
        messages.push(message);
    }
    (messages, last)
}

/// Connects, and returns the token, whether the session is a resumed one, and what else arrived.
async fn open(app: &Router, claim: Option<Value>) -> (Line, String, bool, Vec<Value>) {
    let path = if claim.is_some() { "/ws?resume=token" } else { "/ws?resume=1" };
    let mut line = Line::open_at(app, path).await;
    if let Some(claim) = claim {
        line.send(&json!({ "resume": claim }).to_string()).await;
    }
    let (mut messages, _) = received(&mut line).await;
    let session = messages.remove(0);
    assert_eq!((&session["event"], &session["data"]["expires"]), (&json!("session"), &json!(120)));
    let token = session["data"]["token"].as_str().expect("a token").to_owned();
    // 160 bits in base64.
    assert_eq!(token.len(), 27);
    (line, token, session["data"]["recovered"].as_bool().expect("a bool"), messages)
}

async fn cut(line: Line) {
    drop(line);
    settle().await;
}

#[tokio::test(start_paused = true)]
async fn a_client_resumes_its_session_with_the_last_token() {
    let (hub, app, mut seen) = server(|builder| builder);
    let (mut line, token, recovered, _) = open(&app, None).await;
    assert!(!recovered);
    seen.expect(&["new"]).await;
    let socket = hub.sockets().remove(0);
    let id = socket.id();
    socket.join("room").expect("there is room");
    socket.set_attribute("name", "Ann");
    hub.to("room").emit(("news", 1)).expect("queued");
    socket.send("raw").expect("queued");
    let (messages, offset) = received(&mut line).await;
    assert_eq!(messages, [json!({"event": "news", "data": 1}), json!("raw")]);
    let offset = offset.expect("an offset");
    cut(line).await;
    hub.to("room").emit(("news", 2)).expect("queued");
    hub.to("room").send("raw messages are not kept").expect("queued");
    hub.emit_to(&id, ("news", 3, "three")).expect("it is kept");
    let (line, next, recovered, messages) = open(&app, Some(json!({ "token": token, "offset": offset }))).await;
    assert!(recovered);
    assert_ne!(next, token);
    assert_eq!(messages, [json!({"event": "news", "data": 2}), json!({"event": "news", "args": [3, "three"]})]);
    let socket = hub.socket(&id).expect("it is connected");
    assert!(socket.is_in("room") && socket.recovered());
    assert_eq!(socket.get_string_attribute("name").as_deref(), Some("Ann"));
    seen.expect(&["left: transport error", "restored 2"]).await;
    cut(line).await;
    // Each token is good for once.
    let (_line, _, recovered, _) = open(&app, Some(json!({ "token": token, "offset": offset }))).await;
    assert!(!recovered);
    let (_line, _, recovered, messages) = open(&app, Some(json!({ "token": next, "offset": offset }))).await;
    assert!(recovered);
    assert_eq!(messages.len(), 2);
    seen.expect(&["left: transport error", "failed Unknown", "restored 2"]).await;
    let recoveries = hub.stats().recoveries;
    assert_eq!((recoveries.restored(), recoveries.total_failed()), (2, 1));
    assert_eq!(recoveries.failed(RecoveryFailure::Unknown), 1);
}

#[tokio::test(start_paused = true)]
async fn clients_that_do_not_ask_see_no_difference() {
    let (hub, app, _seen) = server(|builder| builder);
    for path in ["/ws", "/ws?resume=", "/ws?resume=0", "/ws?other=1"] {
        let mut line = Line::open_at(&app, path).await;
        settle().await;
        hub.emit(("news", "a string")).expect("queued");
        let text = {
            received(&mut Line::open_at(&app, "/ws?resume=1").await).await;
            settle().await;
            line.read(4_096).await;
            line.next_text()
        };
        assert_eq!(text.as_deref(), Some(r#"{"event":"news","data":"a string"}"#), "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_hub_without_recovery_ignores_the_parameter() {
    let hub = Hub::builder().build().expect("a hub");
    let app = Router::new().route("/ws", get(hub.websocket()));
    let mut line = Line::open_at(&app, "/ws?resume=1").await;
    settle().await;
    hub.emit(("news", 1)).expect("queued");
    assert_eq!(received(&mut line).await, (vec![json!({"event": "news", "data": 1})], None));
}

#[tokio::test(start_paused = true)]
async fn another_first_message_is_processed_in_a_new_session() {
    let (_hub, app, mut seen) = server(|builder| builder);
    for first in ["hello", r#"{"resume":null}"#, r#"{"resume":"x"}"#] {
        let mut line = Line::open_at(&app, "/ws?resume=token").await;
        assert_eq!(received(&mut line).await.0, [] as [Value; 0]);
        line.send(first).await;
        let (messages, _) = received(&mut line).await;
        assert_eq!(messages[0]["data"]["recovered"], json!(false));
        seen.expect(&["new", first]).await;
        cut(line).await;
        seen.expect(&["left: transport error"]).await;
    }
}

#[tokio::test(start_paused = true)]
async fn forged_claims_begin_new_sessions() {
    let (hub, app, mut seen) = server(|builder| builder);
    let (mut line, token, ..) = open(&app, None).await;
    hub.emit(("news", 1)).expect("queued");
    let offset = received(&mut line).await.1.expect("an offset");
    cut(line).await;
    seen.expect(&["new", "left: transport error"]).await;
    for (claim, reason) in [
        (json!({}), "Unknown"),
        (json!({ "token": 1 }), "Unknown"),
        (json!({ "token": format!("{token}x"), "offset": offset }), "Unknown"),
        (json!({ "token": token, "offset": "1-1" }), "Epoch"),
        (json!({ "token": token, "offset": format!("{offset}0") }), "Unknown"),
        (json!({ "token": token, "offset": 7 }), "Unknown"),
    ] {
        let (line, _, recovered, messages) = open(&app, Some(claim)).await;
        assert_eq!((recovered, messages.len()), (false, 0));
        cut(line).await;
        seen.expect(&[&format!("failed {reason}"), "left: transport error"]).await;
    }
    let (_line, _, recovered, _) = open(&app, Some(json!({ "token": token, "offset": offset }))).await;
    assert!(recovered);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_say_which_session_it_resumes_is_disconnected() {
    let (hub, app, mut seen) = server(|builder| builder.join_timeout(Duration::from_secs(5)));
    let mut line = Line::open_at(&app, "/ws?resume=token").await;
    settle().await;
    assert_eq!(hub.stats().connections, 1);
    advance(Duration::from_secs(5)).await;
    received(&mut line).await;
    cut(line).await;
    assert_eq!(hub.stats().connections, 0);
    seen.expect_nothing();
}

#[tokio::test(start_paused = true)]
async fn a_client_that_closes_with_1000_has_left_for_good() {
    let (_hub, app, mut seen) = server(|builder| builder);
    for (code, recovers) in [(1000_u16, false), (1001, true)] {
        let (mut line, token, ..) = open(&app, None).await;
        line.close(code).await;
        received(&mut line).await;
        cut(line).await;
        let (line, _, recovered, _) = open(&app, Some(json!({ "token": token }))).await;
        assert_eq!(recovered, recovers, "{code}");
        cut(line).await;
        let expected = if recovers { "restored 0" } else { "failed Unknown" };
        seen.expect(&["new", "left: transport close", expected, "left: transport error"]).await;
    }
}
