//! A thousand clients at once: nothing is lost, nothing overtakes, and nothing is left of them when they have gone.

use serde_json::{Value, json};
use socketio::{Args, Hub, Socket, event, events};
use socketio_tests::{Client, Server, log, serve, soon};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

const CLIENTS: usize = 1_000;
const MESSAGES: u64 = 100;
const WINDOW: usize = 10;

/// What each socket keeps: how many of it there are tells how many sockets are in memory.
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

/// Sends events in a window, and checks that their answers come in order.
async fn talk(mut client: Client) -> Client {
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
        let expected = waiting.pop_front().expect("nothing comes unasked");
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
    server.hub.broadcast("queued").expect("sent");
    let hub = server.hub.clone();
    let shutdown = tokio::spawn(async move { hub.shutdown(Duration::from_secs(10)).await });
    for mut client in clients {
        assert_eq!(client.text().await, "queued");
        assert_eq!(client.closed().await, Some((1001, "server shutting down".to_owned())));
    }
    soon("end of the shutdown", shutdown).await.expect("no panic");
    for _ in 0..350 {
        seen.expect(&["server shutting down"]).await;
    }
    seen.expect_nothing();
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
async fn a_thousand_clients_lose_nothing_and_leave_nothing() {
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
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..CLIENTS {
        let server = Arc::clone(&server);
        tasks.spawn(async move { talk(server.connect(&number.to_string()).await).await });
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
        // Half of them say goodbye, the others are cut off.
        if at % 2 == 0 {
            client.close(1000, "").await;
        }
    }
    drop(clients);
    all_gone(&server).await;
    assert!(server.hub.is_empty() && server.hub.sockets().is_empty());
    assert!(server.hub.to("everyone").sockets().is_empty());
    // The listener's, and this one.
    assert_eq!(Arc::strong_count(&held.0), 2);
}
