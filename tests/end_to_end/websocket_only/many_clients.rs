//! A thousand clients at once: no message is lost or reordered, and no memory of a client remains
//! after its end.

use futures_util::{FutureExt, SinkExt};
use serde_json::{Value, json};
use socketio::{Args, Hub, OverflowPolicy, Socket, State, Text, event, events};
use socketio_tests::{Client, Log, Server, flavour, log, soon, websocket_only};
use std::collections::VecDeque;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::Message;

async fn serve(hub: Hub) -> Server {
    websocket_only();
    socketio_tests::serve(hub).await
}

const CLIENTS: usize = 1_000;
const MESSAGES: u64 = 100;
const WINDOW: usize = 10;

/// A value held by each socket. Its reference count is the number of sockets in memory.
#[derive(Clone, Debug)]
struct Held(#[allow(dead_code, reason = "it is only counted")] Arc<()>);

#[event("count")]
async fn count(socket: &Socket, number: u64) -> Args<(u64, i64)> {
    let seen = socket.get_int_attribute("seen").unwrap_or_default();
    if number.is_multiple_of(7) {
        tokio::task::yield_now().await;
    }
    socket.set_attribute("seen", seen + 1);
    if number == MESSAGES / 2 {
        socket.within(socket.params("id").unwrap_or_default()).emit(("half", number)).expect("sent");
    }
    Args((number, seen))
}

/// Sends events with a bounded number of pending acks, and checks that the acks arrive in order.
async fn exchange(mut client: Client) -> Client {
    let mut waiting = VecDeque::new();
    let (mut next, mut halves) = (0, 0);
    while next < MESSAGES || !waiting.is_empty() {
        while next < MESSAGES && waiting.len() < WINDOW {
            client.send(json!({ "event": "count", "data": next, "id": next }).to_string()).await;
            waiting.push_back(next);
            next += 1;
        }
        let answer: Value = client.json().await;
        if answer["event"] == "half" {
            halves += 1;
            continue;
        }
        let expected = waiting.pop_front().expect("no message arrives without an event");
        assert_eq!(answer, json!({ "id": expected, "args": [expected, expected] }));
    }
    assert_eq!(halves, 1);
    client
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shutdown_reaches_every_client() {
    let (log, mut seen) = log();
    let hub = Hub::builder().build().expect("a hub");
    hub.on("disconnect", move |payload| log.note(String::from_utf8_lossy(&payload.data)));
    let server = serve(hub).await;
    let mut clients = Vec::new();
    for number in 0..350 {
        let mut client = server.connect(&number.to_string()).await;
        client.settle().await;
        clients.push(client);
    }
    server.hub.broadcast(Text("queued")).expect("sent");
    let (sockets, hub) = (server.hub.sockets(), server.hub.clone());
    let mut shutdown = Box::pin(async move { hub.shutdown(Duration::from_secs(10)).await });
    // The shutdown reaches only some clients before it yields for the first time.
    assert!(shutdown.as_mut().now_or_never().is_none());
    let told = sockets.iter().filter(|socket| socket.closed().now_or_never().is_some()).count();
    assert_eq!((sockets.len(), told), (350, 100));
    let shutdown = tokio::spawn(shutdown);
    for mut client in clients {
        assert_eq!(client.text().await, "queued");
        assert_eq!(client.closed().await, flavour().told(1001, "server shutting down"));
    }
    soon("end of the shutdown", shutdown).await.expect("no panic");
    for _ in 0..350 {
        seen.expect(&["server shutting down"]).await;
    }
    seen.expect_nothing();
}

/// Sends events until the server ends the connection. All queued messages arrive, and the acks come
/// in order without gaps.
async fn exchange_until_closed(mut client: Client) {
    let (mut asked, mut answered, mut queued) = (0, 0, 0);
    loop {
        while asked < answered + 10 {
            let event = json!({ "event": "count", "data": asked, "id": asked }).to_string();
            // The server reads nothing after its close frame.
            let _ = client.0.send(Message::text(event)).await;
            asked += 1;
        }
        let message = match client.next().await {
            Some(Message::Text(text)) => serde_json::from_str::<Value>(&text).expect("JSON"),
            Some(Message::Close(Some(frame))) => {
                let said = (u16::from(frame.code), frame.reason.to_string());
                assert_eq!(Some(said), flavour().told(1001, "server shutting down"));
                break assert_eq!(queued, 20);
            }
            end => panic!("{end:?} after {answered} answers"),
        };
        if message["event"] == "queued" {
            assert_eq!(message["data"], queued);
            queued += 1;
        } else if message["error"] != json!(null) {
            // The event was waiting and was dropped.
            assert_eq!(message["error"]["code"], "unanswered");
        } else if message["event"] != "half" {
            assert_eq!(message, json!({ "id": answered, "args": [answered, answered] }));
            answered += 1;
        }
    }
}

#[event("stuck")]
async fn stuck(log: State<Log>) {
    log.note("stuck");
    pending::<()>().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shutdown_with_every_client_busy_completes() {
    let (log, mut seen) = log();
    // No connection ends before the deadline of the shutdown.
    let hour = Duration::from_secs(3600);
    let builder =
        Hub::builder().state(log.clone()).events(events![count, stuck]).close_timeout(hour).ping_timeout(hour);
    let hub = builder.build().expect("a hub");
    hub.on("disconnect", move |payload| {
        if payload.socket.params("id") != Some("early") {
            log.note(String::from_utf8_lossy(&payload.data));
        }
    });
    let server = serve(hub).await;
    let mut stuck = server.connect("stuck").await;
    stuck.emit("stuck", ()).await;
    seen.expect(&["stuck"]).await;
    let (mut slow, mut deaf) = (server.connect("slow").await, server.connect("deaf").await);
    slow.settle().await;
    deaf.settle().await;
    // This exceeds the kernel's buffers.
    server.hub.broadcast(Text("x".repeat(7_000_000))).expect("queued");
    let mut clients = Vec::new();
    for number in 3..CLIENTS {
        let mut client = server.connect(&number.to_string()).await;
        client.settle().await;
        clients.push(client);
    }
    assert_eq!(server.hub.len(), CLIENTS);
    let busy: JoinSet<()> = clients.into_iter().map(exchange_until_closed).collect();
    for number in 0..20 {
        server.hub.broadcast(("queued", number)).expect("queued");
    }
    let hub = server.hub.clone();
    let shutdown = tokio::spawn(async move { hub.shutdown(hour).await });
    assert_eq!(server.refusal_soon("/ws/early").await, 503);
    assert_eq!(server.refusal("/ws/late").await, 503);
    assert_eq!(slow.text().await.len(), 7_000_000);
    for number in 0..20 {
        assert_eq!(slow.json().await, json!({ "event": "queued", "data": number }));
    }
    assert_eq!(slow.closed().await, flavour().told(1001, "server shutting down"));
    soon("end of all who listen", busy.join_all()).await;
    assert!(!shutdown.is_finished(), "two sockets are left");
    soon("deadline", server.hub.shutdown(Duration::from_millis(50))).await;
    soon("end of the shutdown", shutdown).await.expect("no panic");
    assert_eq!((server.hub.len(), server.hub.stats().connections), (0, 0));
    for _ in 0..CLIENTS {
        seen.expect(&["server shutting down"]).await;
    }
    seen.expect_nothing();
}

/// Broadcasts to clients that read and to one that does not. The readers receive every message.
async fn broadcast_with_one_blocked_client(policy: OverflowPolicy) -> (Server, Client) {
    let hub = Hub::builder().outbox(100, usize::MAX).overflow(policy).close_timeout(Duration::from_millis(50));
    let server = serve(hub.build().expect("a hub")).await;
    let mut stopped = server.connect("stopped").await;
    stopped.settle().await;
    // This exceeds the kernel's buffers.
    server.hub.broadcast(Text("x".repeat(7_000_000))).expect("sent");
    let (mut readers, arrived) = (JoinSet::new(), Arc::new(Semaphore::new(0)));
    for number in 1..500 {
        let (mut client, arrived) = (server.connect(&number.to_string()).await, Arc::clone(&arrived));
        client.settle().await;
        readers.spawn(async move {
            for number in 0..200 {
                assert_eq!(client.json().await, json!({ "event": "tick", "data": number }));
                if number % 50 == 49 {
                    arrived.add_permits(1);
                }
            }
            client
        });
    }
    for number in 0..200 {
        server.hub.broadcast(("tick", number)).expect("broadcasts do not fail");
        if number % 50 == 49 {
            soon("message everywhere", arrived.acquire_many(499)).await.expect("the semaphore is open").forget();
        }
    }
    for mut client in readers.join_all().await {
        client.settle().await;
    }
    assert_eq!(server.hub.stats().overflows, 1);
    (server, stopped)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_does_not_read_does_not_delay_the_others() {
    let (server, _stopped) = broadcast_with_one_blocked_client(OverflowPolicy::Disconnect).await;
    assert!(server.hub.sockets().iter().all(|socket| socket.params("id") != Some("stopped")));
    let (server, mut stopped) = broadcast_with_one_blocked_client(OverflowPolicy::DropNewest).await;
    assert!(server.hub.sockets().iter().any(|socket| socket.params("id") == Some("stopped")));
    assert_eq!(stopped.text().await.len(), 7_000_000);
    for number in 0..99 {
        assert_eq!(stopped.json().await, json!({ "event": "tick", "data": number }));
    }
    stopped.settle().await;
}

async fn all_gone(server: &Server) {
    soon("end of all connections", async {
        while server.hub.stats().connections > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_clients_lose_no_message_and_leak_nothing() {
    let held = Held(Arc::new(()));
    let hub = Hub::builder().events(events![count]).build().expect("a hub");
    let kept = held.clone();
    hub.on("connect", move |payload| {
        payload.socket.insert_extension(kept.clone());
        let id = payload.socket.params("id").unwrap_or_default().to_owned();
        payload.socket.join(id).expect("joined");
        payload.socket.join("everyone").expect("joined");
    });
    let server = Arc::new(serve(hub).await);
    let mut tasks = JoinSet::new();
    for number in 0..CLIENTS {
        let server = Arc::clone(&server);
        tasks.spawn(async move { exchange(server.connect(&number.to_string()).await).await });
    }
    let mut clients = Vec::new();
    while let Some(client) = tasks.join_next().await {
        clients.push(client.expect("no panic"));
    }
    assert_eq!((server.hub.len(), server.hub.stats().connections), (CLIENTS, CLIENTS));
    server.hub.to("everyone").emit(("all",)).expect("sent");
    for client in &mut clients {
        assert_eq!(client.json().await, json!({ "event": "all" }));
    }
    for (at, client) in clients.iter_mut().enumerate() {
        // Half of the clients send a close frame, the others cut the connection.
        if at % 2 == 0 {
            client.close(1000, "").await;
        }
    }
    drop(clients);
    all_gone(&server).await;
    assert!(server.hub.is_empty() && server.hub.sockets().is_empty());
    assert!(server.hub.to("everyone").sockets().is_empty());
    // One reference belongs to the listener, and one to this test.
    assert_eq!(Arc::strong_count(&held.0), 2);
}
