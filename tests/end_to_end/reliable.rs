//! Reliable events: kept and repeated until the client has acked them.

use futures_util::FutureExt;
use serde_json::{Value, json};
use socketio::{
    Binary, DeliveryError, EmitError, EventError, Hub, HubBuilder, OverflowPolicy, Socket, State, event, events,
};
use socketio_tests::{Client, Log, Seen, Server, flavour, log, serve, soon};
use std::time::Duration;

/// Short enough that a test waits for repetitions.
const INTERVAL: Duration = Duration::from_millis(20);
/// So long that nothing is repeated during a test.
const NEVER: Duration = Duration::from_secs(3_600);

#[event(error)]
fn error(error: EventError, log: State<Log>) {
    log.note(format_args!("{} of {}: {error}", error.code(), error.event().unwrap_or("nothing")));
}

async fn server(interval: Duration, change: impl FnOnce(HubBuilder) -> HubBuilder) -> (Server, Seen) {
    let (log, seen) = log();
    let builder = Hub::builder().state(log).events(events![error]).reliable_interval(interval);
    (serve(change(builder).build().expect("a hub")).await, seen)
}

async fn connect(server: &Server) -> (Client, Socket) {
    let before = server.hub.sockets();
    let mut client = server.connect("ann").await;
    client.settle().await;
    let new = server.hub.sockets().into_iter().find(|socket| !before.contains(socket));
    (client, new.expect("a connected socket"))
}

/// A reliable event as a client receives it.
#[derive(Clone, Debug, PartialEq)]
struct Received {
    event: Value,
    args: Vec<Value>,
    delivery: String,
    ack: Value,
}

impl Received {
    fn of(message: &Value) -> Self {
        let mut args = match (&message["data"], &message["args"]) {
            (_, Value::Array(args)) => args.clone(),
            (Value::Null, _) => Vec::new(),
            (data, _) => vec![data.clone()],
        };
        let delivery = match flavour().is_plain() {
            true => message["delivery"].clone(),
            false => args.pop().expect("the id is the last argument"),
        };
        let delivery = delivery.as_str().expect("a string").to_owned();
        Self { event: message["event"].clone(), args, delivery, ack: message["id"].clone() }
    }
}

async fn receive(client: &mut Client) -> Received {
    Received::of(&client.json().await)
}

async fn ack(client: &mut Client, event: &Received) {
    client.send(json!({ "id": event.ack }).to_string()).await;
}

#[tokio::test]
async fn an_event_that_is_acked_is_delivered_once() {
    let (server, mut seen) = server(NEVER, |builder| builder).await;
    let (mut client, socket) = connect(&server).await;
    let order = socket.reliable().emit(("order", 7, "two teas")).expect("queued");
    let empty = socket.reliable().emit(("ready",)).expect("queued");
    let first = receive(&mut client).await;
    assert_eq!((&first.event, &first.args), (&json!("order"), &vec![json!(7), json!("two teas")]));
    assert_eq!(first.delivery, order.id().to_string());
    let second = receive(&mut client).await;
    assert_eq!((&second.event, second.args.len()), (&json!("ready"), 0));
    assert!(second.ack != first.ack && second.delivery != first.delivery);
    // Acks may come in any order, and say anything but an error.
    client.send(json!({ "id": second.ack, "args": ["thank", "you"] }).to_string()).await;
    soon("ack", empty).await.expect("acked");
    ack(&mut client, &first).await;
    soon("ack", order).await.expect("acked");
    // Another ack is ignored.
    ack(&mut client, &first).await;
    client.settle().await;
    let stats = server.hub.stats();
    assert_eq!((stats.undelivered, stats.repeated, stats.protocol_errors), (0, 0, 0));
    seen.expect_nothing();
}

#[tokio::test]
async fn an_event_that_is_not_acked_is_repeated_with_its_id() {
    let (server, _seen) = server(INTERVAL, |builder| builder).await;
    let (mut client, socket) = connect(&server).await;
    let delivery = socket.reliable().emit(("order", 7)).expect("queued");
    let first = receive(&mut client).await;
    for _ in 0..3 {
        assert_eq!(receive(&mut client).await, first);
    }
    assert!(server.hub.stats().repeated >= 3);
    ack(&mut client, &first).await;
    soon("ack", delivery).await.expect("acked");
    // The client may have been sent it once more meanwhile. Then there is nothing left to repeat.
    client.settle().await;
    let repeated = server.hub.stats().repeated;
    let other = socket.reliable().emit(("order", 8)).expect("queued");
    let second = receive(&mut client).await;
    assert_eq!(second.args, [8]);
    for _ in 0..2 {
        assert_eq!(receive(&mut client).await, second);
    }
    assert!(server.hub.stats().repeated >= repeated + 2);
    ack(&mut client, &second).await;
    soon("ack", other).await.expect("acked");
}

#[tokio::test]
async fn events_keep_their_order() {
    let (server, _seen) = server(NEVER, |builder| builder).await;
    let (mut client, socket) = connect(&server).await;
    let mut deliveries = Vec::new();
    for number in 0..100 {
        deliveries.push(socket.reliable().emit(("order", number)).expect("queued"));
        socket.emit(("other", number)).expect("queued");
    }
    for (number, delivery) in deliveries.into_iter().enumerate() {
        let event = receive(&mut client).await;
        assert_eq!((&event.args[..], event.delivery), (&[json!(number)][..], delivery.id().to_string()));
        assert_eq!(client.json().await, json!({ "event": "other", "data": number }));
        ack(&mut client, &Received { delivery: String::new(), ..event }).await;
        soon("ack", delivery).await.expect("acked");
    }
}

#[tokio::test]
async fn an_answer_that_is_an_error_is_the_error_of_the_delivery() {
    let (server, mut seen) = server(NEVER, |builder| builder).await;
    let (mut client, socket) = connect(&server).await;
    let delivery = socket.reliable().emit(("order", 7)).expect("queued");
    drop(socket.reliable().emit(("order", 8)).expect("queued"));
    for _ in 0..2 {
        let event = receive(&mut client).await;
        let error = json!({ "code": "busy", "message": "not now" });
        client.send(json!({ "id": event.ack, "error": error }).to_string()).await;
    }
    let failed = soon("answer", delivery).await;
    assert!(matches!(&failed, Err(DeliveryError::Refused(error)) if error.code() == "busy"), "{failed:?}");
    seen.expect(&["undelivered of order: the client answered with the error `busy`: not now"]).await;
    assert_eq!(server.hub.stats().undelivered, 2);
}

#[tokio::test]
async fn the_events_of_a_client_are_bounded_in_number_and_in_bytes() {
    let (server, mut seen) = server(NEVER, |builder| builder.reliable_queue(3, 2_000)).await;
    let (mut client, socket) = connect(&server).await;
    let large = "x".repeat(2_000);
    let refused = socket.reliable().emit(("order", &large));
    assert!(matches!(refused, Err(EmitError::Overflow)), "{refused:?}");
    let deliveries: Vec<_> = (0..3).map(|number| socket.reliable().emit(("order", number)).expect("queued")).collect();
    let refused = socket.reliable().emit(("order", 3));
    assert!(matches!(refused, Err(EmitError::Overflow)), "{refused:?}");
    // Nothing of what was refused was sent, and what is acked makes room.
    for (number, delivery) in deliveries.into_iter().enumerate() {
        let event = receive(&mut client).await;
        assert_eq!(event.args, [number]);
        ack(&mut client, &event).await;
        soon("ack", delivery).await.expect("acked");
    }
    let delivery = socket.reliable().emit(("order", 4)).expect("queued");
    let event = receive(&mut client).await;
    assert_eq!(event.args, [4]);
    ack(&mut client, &event).await;
    soon("ack", delivery).await.expect("acked");
    seen.expect_nothing();
}

#[tokio::test]
async fn without_room_in_the_outbox_nothing_is_kept() {
    let change = |builder: HubBuilder| builder.outbox(8, 100_000).overflow(OverflowPolicy::DropNewest);
    let (server, _seen) = server(NEVER, change).await;
    let (mut client, socket) = connect(&server).await;
    // This task does not wait, so that nothing is written meanwhile.
    let mut deliveries = Vec::new();
    let refused = loop {
        match socket.reliable().emit(("order", deliveries.len())) {
            Ok(delivery) => deliveries.push(delivery),
            Err(refused) => break refused,
        }
    };
    assert!(matches!(refused, EmitError::Overflow), "{refused:?}");
    for (number, delivery) in deliveries.into_iter().enumerate() {
        let event = receive(&mut client).await;
        assert_eq!(event.args, [number]);
        ack(&mut client, &event).await;
        soon("ack", delivery).await.expect("acked");
    }
    client.settle().await;
    assert_eq!(server.hub.stats().undelivered, 0);
}

#[tokio::test]
async fn a_delivery_fails_when_its_time_is_up() {
    let change = |builder: HubBuilder| builder.reliable_timeout(INTERVAL);
    let (server, mut seen) = server(NEVER, change).await;
    let (mut client, socket) = connect(&server).await;
    let late = socket.reliable().emit(("order", 1)).expect("queued");
    let patient = socket.reliable().timeout(NEVER).emit(("order", 2)).expect("queued");
    let failed = soon("timeout", late).await;
    assert!(matches!(failed, Err(DeliveryError::Timeout)), "{failed:?}");
    // A failure for which nobody waits is reported.
    drop(socket.reliable().emit(("order", 3)).expect("queued"));
    seen.expect(&["undelivered of order: the client did not ack the event in time"]).await;
    assert_eq!(server.hub.stats().undelivered, 2);
    // An ack that comes too late is ignored.
    for expected in 1..=3 {
        let event = receive(&mut client).await;
        assert_eq!(event.args, [expected]);
        ack(&mut client, &event).await;
    }
    soon("ack", patient).await.expect("acked");
    client.settle().await;
    assert_eq!(server.hub.stats().protocol_errors, 0);
}

#[tokio::test]
async fn a_delivery_fails_when_the_client_is_gone() {
    let (server, _seen) = server(NEVER, |builder| builder).await;
    let (mut client, socket) = connect(&server).await;
    let delivery = socket.reliable().emit(("order", 1)).expect("queued");
    receive(&mut client).await;
    client.close(1001, "").await;
    let failed = soon("end", delivery).await;
    assert!(matches!(failed, Err(DeliveryError::Closed)), "{failed:?}");
    let refused = socket.reliable().emit(("order", 2));
    assert!(matches!(refused, Err(EmitError::Closed)), "{refused:?}");
    assert_eq!(server.hub.stats().undelivered, 1);
}

#[tokio::test]
async fn a_delivery_fails_when_the_server_ends_the_socket() {
    for is_shutdown in [false, true] {
        let (server, _seen) = server(NEVER, |builder| builder).await;
        let (mut client, socket) = connect(&server).await;
        let delivery = socket.reliable().emit(("order", 1)).expect("queued");
        receive(&mut client).await;
        if is_shutdown {
            server.hub.shutdown(Duration::from_secs(10)).await;
        } else {
            socket.disconnect();
        }
        let failed = soon("end", delivery).await;
        assert!(matches!(failed, Err(DeliveryError::Closed)), "{failed:?}");
        assert!(matches!(socket.reliable().emit(("order", 2)), Err(EmitError::Closed)));
    }
}

#[event("order", concurrent)]
async fn order(socket: &Socket, log: State<Log>) {
    let Ok(delivery) = socket.reliable().emit(("bill",)) else { return log.note("refused") };
    log.note(format_args!("{:?}", delivery.await));
}

#[tokio::test]
async fn acks_are_taken_until_a_shutdown_has_ended_the_handlers() {
    let (server, mut seen) = server(NEVER, |builder| builder.events(events![order])).await;
    let (mut client, _socket) = connect(&server).await;
    client.emit("order", 1).await;
    let event = receive(&mut client).await;
    let mut shutdown = Box::pin(server.hub.shutdown(NEVER));
    assert!(shutdown.as_mut().now_or_never().is_none());
    ack(&mut client, &event).await;
    let (_, _) = tokio::join!(shutdown, client.closed());
    seen.expect(&["Ok(())"]).await;
}

#[event("flood")]
async fn flood(socket: &Socket, log: State<Log>) {
    let delivery = socket.reliable().emit(("bill",)).expect("queued");
    log.note(format_args!("{:?}", soon("ack", delivery).await));
}

#[tokio::test]
async fn an_ack_is_read_behind_a_full_inbox() {
    let (server, mut seen) = server(NEVER, |builder| builder.inbox(1, 1_000).events(events![flood])).await;
    let (mut client, _socket) = connect(&server).await;
    client.emit("flood", 1).await;
    let event = receive(&mut client).await;
    for _ in 0..20 {
        client.emit("nobody handles this", 1).await;
    }
    ack(&mut client, &event).await;
    seen.expect(&["Ok(())"]).await;
}

#[tokio::test]
async fn binary_data_is_repeated_too() {
    let (server, _seen) = server(INTERVAL, |builder| builder).await;
    let (mut client, socket) = connect(&server).await;
    let delivery = socket.reliable().emit(("file", Binary::from(vec![1, 2, 3]))).expect("queued");
    let mut first = None;
    for _ in 0..3 {
        let event = receive(&mut client).await;
        let known = first.get_or_insert_with(|| event.clone());
        assert_eq!(&event, known);
        assert_eq!(event.args, ["AQID"]);
    }
    ack(&mut client, &first.expect("an event")).await;
    soon("ack", delivery).await.expect("acked");
}

#[tokio::test]
async fn a_socket_is_found_by_its_id() {
    let (server, _seen) = server(NEVER, |builder| builder).await;
    let (mut client, socket) = connect(&server).await;
    let delivery = server.hub.reliable_to(socket.id()).emit(("order", 1)).expect("queued");
    let event = receive(&mut client).await;
    ack(&mut client, &event).await;
    soon("ack", delivery).await.expect("acked");
    let refused = server.hub.reliable_to("nobody").timeout(NEVER).emit(("order", 1));
    assert!(matches!(refused, Err(EmitError::NotFound(id)) if id == "nobody"));
}

#[event(connect)]
fn greet(socket: &Socket) {
    drop(socket.reliable().emit(("welcome", 1)).expect("it is held back"));
}

#[tokio::test]
async fn what_a_connect_handler_emits_is_held_back_and_kept() {
    let (server, _seen) = server(INTERVAL, |builder| builder.events(events![greet])).await;
    let mut client = server.connect("ann").await;
    let first = receive(&mut client).await;
    assert_eq!(first.event, "welcome");
    assert_eq!(receive(&mut client).await, first);
}

#[tokio::test]
async fn threads_without_a_runtime_emit_as_well() {
    let (server, _seen) = server(INTERVAL, |builder| builder).await;
    let (mut client, socket) = connect(&server).await;
    let thread = std::thread::spawn(move || socket.reliable().emit(("order", 1)).expect("queued"));
    let first = receive(&mut client).await;
    assert_eq!(receive(&mut client).await, first);
    ack(&mut client, &first).await;
    soon("ack", thread.join().expect("no panic")).await.expect("acked");
}
