//! Events of one client are handled one after another and do not delay other clients; `concurrent`
//! handlers run in parallel.

use futures_util::{SinkExt, StreamExt};
use serde_json::json;
use socketio::{AckError, Disconnect, Hub, Socket, State, Text, event, events};
use socketio_tests::{Gate, Log, Seen, Server, flavour, log, serve, soon};
use std::time::Duration;
use tokio_tungstenite::tungstenite::Message;

#[event("wait")]
async fn wait(number: u32, log: State<Log>, gate: State<Gate>) -> u32 {
    log.note(format_args!("begin {number}"));
    gate.pass().await;
    log.note(format_args!("end {number}"));
    number
}

#[event("beside", concurrent)]
async fn beside(number: u32, log: State<Log>, gate: State<Gate>) -> u32 {
    log.note(format_args!("begin {number}"));
    gate.pass().await;
    log.note(format_args!("end {number}"));
    number
}

#[event("quick beside", concurrent)]
async fn quick_beside(number: u32) -> u32 {
    number
}

#[event("quick")]
fn quick(number: u32, log: State<Log>) -> u32 {
    log.note(format_args!("quick {number}"));
    number
}

#[event("ask back")]
async fn ask_back(socket: &Socket) -> Result<u32, String> {
    socket.emit_with_ack(("question", 1)).await.map_err(|error: AckError| error.to_string())
}

#[event("until closed")]
async fn until_closed(socket: &Socket, log: State<Log>) {
    log.note("waiting");
    socket.closed().await;
    log.note(format_args!("closed, alive: {}", socket.is_alive()));
}

#[event(disconnect)]
fn left(socket: &Socket, end: Disconnect, log: State<Log>) {
    log.note(format_args!("{} left: {}", socket.params("id").unwrap_or_default(), end.reason()));
}

fn hub() -> (socketio::HubBuilder, Gate, Seen) {
    let ((log, seen), gate) = (log(), Gate::default());
    let table = events![wait, beside, quick_beside, quick, ask_back, until_closed, left];
    (Hub::builder().state(log).state(gate.clone()).events(table), gate, seen)
}

async fn server() -> (Server, Gate, Seen) {
    let (builder, gate, seen) = hub();
    (serve(builder.build().expect("a hub")).await, gate, seen)
}

#[tokio::test]
async fn a_waiting_handler_delays_events_of_its_own_client_only() {
    let (server, gate, mut seen) = server().await;
    let (mut ann, mut bob) = (server.connect("ann").await, server.connect("bob").await);
    ann.send(json!({ "event": "wait", "data": 1, "id": 1 }).to_string()).await;
    ann.send(json!({ "event": "quick", "data": 2, "id": 2 }).to_string()).await;
    seen.expect(&["begin 1"]).await;
    ann.heard().await;
    assert_eq!(bob.ask("quick", 3).await["data"], 3);
    seen.expect(&["quick 3"]).await;
    server.hub.broadcast(("news", 4)).expect("sent");
    assert_eq!(ann.json().await, json!({ "event": "news", "data": 4 }));
    gate.open();
    assert_eq!(ann.json().await, json!({ "id": 1, "data": 1 }));
    assert_eq!(ann.json().await, json!({ "id": 2, "data": 2 }));
    seen.expect(&["end 1", "quick 2"]).await;
}

#[tokio::test]
async fn thousands_of_events_are_handled_in_order() {
    let (server, _gate, mut seen) = server().await;
    let mut client = server.connect("ann").await;
    for number in 0..5_000 {
        client.0.feed(Message::text(json!({ "event": "quick", "data": number }).to_string())).await.expect("sent");
    }
    client.0.flush().await.expect("sent");
    for number in 0..5_000 {
        assert_eq!(seen.next().await, format!("quick {number}"));
    }
}

#[tokio::test]
async fn concurrent_handlers_start_in_order_and_may_answer_out_of_order() {
    let (server, gate, mut seen) = server().await;
    let mut client = server.connect("ann").await;
    client.send(json!({ "event": "beside", "data": 1, "id": 1 }).to_string()).await;
    client.send(json!({ "event": "beside", "data": 2, "id": 2 }).to_string()).await;
    client.send(json!({ "event": "quick beside", "data": 3, "id": 3 }).to_string()).await;
    client.send(json!({ "event": "quick", "data": 4, "id": 4 }).to_string()).await;
    assert_eq!(client.json().await, json!({ "id": 3, "data": 3 }));
    assert_eq!(client.json().await, json!({ "id": 4, "data": 4 }));
    gate.open_for(2);
    assert_eq!(client.json().await, json!({ "id": 1, "data": 1 }));
    assert_eq!(client.json().await, json!({ "id": 2, "data": 2 }));
    seen.expect(&["begin 1", "begin 2", "quick 4", "end 1", "end 2"]).await;
}

#[tokio::test]
async fn at_most_32_concurrent_handlers_of_one_client_run_at_once() {
    let (server, gate, mut seen) = server().await;
    let mut client = server.connect("ann").await;
    for number in 0..40 {
        client.emit("beside", number).await;
    }
    client.send(json!({ "event": "quick", "data": 99 }).to_string()).await;
    for number in 0..32 {
        assert_eq!(seen.next().await, format!("begin {number}"));
    }
    client.heard().await;
    seen.expect_nothing();
    for number in 32..40 {
        gate.open();
        let mut lines = [seen.next().await, seen.next().await];
        lines.sort();
        assert_eq!(lines, [format!("begin {number}"), format!("end {}", number - 32)]);
    }
    seen.expect(&["quick 99"]).await;
    gate.open_for(32);
    for number in 8..40 {
        assert_eq!(seen.next().await, format!("end {number}"));
    }
}

#[tokio::test]
async fn a_listener_does_not_delay_a_concurrent_handler() {
    let (server, gate, mut seen) = server().await;
    server.hub.on("beside", |_payload| ());
    let mut client = server.connect("ann").await;
    client.emit("beside", 1).await;
    client.emit("beside", 2).await;
    assert_eq!(client.ask("quick", 3).await["data"], 3);
    seen.expect(&["begin 1", "begin 2", "quick 3"]).await;
    gate.open_for(2);
    seen.expect(&["end 1", "end 2"]).await;
}

#[tokio::test]
async fn emit_with_ack_in_a_handler_is_answered_before_waiting_events_are_handled() {
    let (builder, _gate, _seen) = hub();
    let server = serve(builder.inbox(4, 256).build().expect("a hub")).await;
    let mut client = server.connect("ann").await;
    client.send(json!({ "event": "ask back", "id": "asked" }).to_string()).await;
    let question = client.json().await;
    for number in 0..100 {
        client.emit("quick", number).await;
    }
    client.send(json!({ "id": question["id"], "data": 42 }).to_string()).await;
    assert_eq!(client.json().await, json!({ "id": "asked", "data": 42 }));
}

#[tokio::test]
async fn emit_with_ack_in_a_handler_behind_ten_thousand_events_is_answered_or_times_out() {
    for (max_payload, ack_timeout) in [(10_000_000, 60_000), (100_000, 50)] {
        let (builder, _gate, mut seen) = hub();
        let builder = builder.max_payload(max_payload).ack_timeout(Duration::from_millis(ack_timeout));
        let server = serve(builder.build().expect("a hub")).await;
        let mut client = server.connect("ann").await;
        client.send(json!({ "event": "ask back", "id": "asked" }).to_string()).await;
        let question = client.json().await;
        for number in 0..10_000 {
            client.0.feed(Message::text(json!({ "event": "quick", "data": number }).to_string())).await.expect("sent");
        }
        client.send(json!({ "id": question["id"], "data": 42 }).to_string()).await;
        let (answer, late) = (client.json().await, "the client did not answer in time");
        // The server reads at most `max_payload` bytes past the waiting events.
        match max_payload {
            100_000 => assert_eq!(answer["error"]["message"], late),
            _ => assert_eq!(answer, json!({ "id": "asked", "data": 42 })),
        }
        for number in 0..10_000 {
            assert_eq!(seen.next().await, format!("quick {number}"));
        }
        assert_eq!(client.ask("quick", 10_000).await["data"], 10_000);
    }
}

#[tokio::test]
async fn a_sleeping_handler_delays_neither_messages_nor_acks_nor_heartbeats() {
    let (builder, gate, mut seen) = hub();
    let beat = Duration::from_millis(100);
    let server = serve(builder.ping_interval(beat).ping_timeout(beat).build().expect("a hub")).await;
    let mut client = server.connect("ann").await;
    client.settle().await;
    let socket = server.hub.sockets().remove(0);
    client.send(json!({ "event": "wait", "data": 1, "id": "slept" }).to_string()).await;
    seen.expect(&["begin 1"]).await;
    let (received, mut receive) = tokio::sync::mpsc::unbounded_channel();
    let reading = tokio::spawn(async move {
        while let Some(Ok(message)) = client.0.next().await {
            let Message::Text(text) = message else { continue };
            let message: serde_json::Value = serde_json::from_str(&text).expect("JSON");
            if message["event"] == "question" {
                client.send(json!({ "id": message["id"], "data": message["data"] }).to_string()).await;
            } else {
                received.send(message).expect("the test is still running");
            }
        }
    });
    for round in 0..3 {
        // A silent client times out. That shows that the ping timeout has passed.
        let silent = server.connect("silent").await;
        seen.expect(&["silent left: ping timeout"]).await;
        drop(silent);
        socket.emit(("news", round)).expect("sent");
        assert_eq!(soon("news", receive.recv()).await, Some(json!({ "event": "news", "data": round })));
        assert_eq!(soon("answer", socket.emit_with_ack::<u32>(("question", round))).await.expect("an answer"), round);
    }
    gate.open();
    assert_eq!(soon("answer", receive.recv()).await, Some(json!({ "id": "slept", "data": 1 })));
    seen.expect(&["end 1"]).await;
    reading.abort();
}

#[tokio::test]
async fn pings_without_listeners_do_not_fill_the_inbox() {
    let (server, gate, mut seen) = server().await;
    let mut client = server.connect("ann").await;
    client.emit("wait", 1).await;
    seen.expect(&["begin 1"]).await;
    for _ in 0..1_000 {
        client.heard().await;
    }
    client.close(1000, "").await;
    assert_eq!(client.closed().await, Some((1000, String::new())));
    gate.open();
    seen.expect(&["end 1", "ann left: transport close"]).await;
}

#[tokio::test]
async fn a_busy_server_does_not_time_out_its_clients() {
    let (builder, gate, mut seen) = hub();
    let beat = Duration::from_millis(100);
    let builder = builder.inbox(2, 64).ping_interval(beat).ping_timeout(beat);
    let server = serve(builder.build().expect("a hub")).await;
    let mut busy = server.connect("busy").await;
    for number in 0..50 {
        busy.emit("wait", number).await;
    }
    seen.expect(&["begin 0"]).await;
    for _ in 0..3 {
        // A silent client times out. That shows that the ping timeout has passed.
        let silent = server.connect("silent").await;
        seen.expect(&["silent left: ping timeout"]).await;
        drop(silent);
    }
    gate.open_for(50);
    assert_eq!(busy.ask("quick", 50).await["data"], 50);
    busy.close(1000, "").await;
}

#[tokio::test]
async fn a_handler_can_wait_for_the_disconnect_of_its_client() {
    let (server, _gate, mut seen) = server().await;
    let mut client = server.connect("ann").await;
    client.emit("until closed", 1).await;
    seen.expect(&["waiting"]).await;
    client.close(1000, "").await;
    seen.expect(&["closed, alive: false", "ann left: transport close"]).await;
    let mut client = server.connect("bob").await;
    client.emit("until closed", 1).await;
    seen.expect(&["waiting"]).await;
    server.hub.sockets()[0].close();
    seen.expect(&["closed, alive: false", &format!("bob left: {}", flavour().closed())]).await;
    assert_eq!(client.closed().await, Some((1000, String::new())));
}

#[tokio::test]
async fn handlers_finish_and_waiting_events_are_handled_after_the_client_disconnects() {
    let (server, gate, mut seen) = server().await;
    let mut client = server.connect("ann").await;
    client.emit("wait", 1).await;
    client.emit("wait", 2).await;
    client.emit("quick", 3).await;
    client.close(1000, "").await;
    assert_eq!(client.closed().await, Some((1000, String::new())));
    gate.open_for(2);
    let lines = ["begin 1", "end 1", "begin 2", "end 2", "quick 3", "ann left: transport close"];
    seen.expect(&lines).await;
}

#[tokio::test]
async fn disconnect_fires_after_concurrent_handlers_return() {
    let (server, gate, mut seen) = server().await;
    let mut client = server.connect("ann").await;
    client.emit("beside", 1).await;
    client.emit("beside", 2).await;
    client.emit("quick", 3).await;
    client.close(1000, "").await;
    assert_eq!(client.closed().await, Some((1000, String::new())));
    seen.expect(&["begin 1", "begin 2", "quick 3"]).await;
    seen.expect_nothing();
    gate.open_for(2);
    seen.expect(&["end 1", "end 2", "ann left: transport close"]).await;
}

#[tokio::test]
async fn waiting_events_are_dropped_when_the_server_closes_but_errors_still_fire() {
    let ((builder, gate, mut seen), (log, mut errors)) = (hub(), log());
    let server = serve(builder.build().expect("a hub")).await;
    server.hub.on("bye", |payload| payload.socket.close());
    server.hub.on("error", move |payload| log.note(payload.error.as_ref().expect("an error").code()));
    let mut client = server.connect("ann").await;
    client.emit("wait", 1).await;
    client.emit("quick", 2).await;
    client.heard().await;
    let socket = server.hub.sockets().remove(0);
    assert!(socket.emit_to("nobody", Text("x")).is_err());
    client.heard().await;
    socket.close();
    gate.open();
    seen.expect(&["begin 1", "end 1", &format!("ann left: {}", flavour().closed())]).await;
    errors.expect(&["unreachable"]).await;
    let mut client = server.connect("bob").await;
    for event in ["quick", "bye", "quick", "quick"] {
        client.0.feed(Message::text(json!({ "event": event, "data": 3 }).to_string())).await.expect("sent");
    }
    client.0.flush().await.expect("sent");
    seen.expect(&["quick 3", &format!("bob left: {}", flavour().closed())]).await;
}
