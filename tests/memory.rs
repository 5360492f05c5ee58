//! Disconnected clients leave no memory behind.

use futures_util::future::join_all;
use serde_json::json;
use socketio::{Hub, Socket, Text, event, events};
use socketio_tests::{Client, Flavour, Server, flavour, serve, soon};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use std::alloc::System;
use std::time::Duration;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const CLIENTS: usize = 300;

fn in_use() -> usize {
    let stats = ALLOCATOR.stats();
    stats.bytes_allocated - stats.bytes_deallocated
}

/// The memory in use, once it has stopped falling. The server may not have noticed yet that polling
/// connections are closed. It also keeps ended sessions for a moment.
async fn settled_in_use() -> usize {
    soon("end of what is given back", async {
        let (mut lowest, mut since) = (in_use(), 0);
        while since < 10 {
            tokio::time::sleep(Duration::from_millis(50)).await;
            since += 1;
            let now = in_use();
            if now < lowest {
                (lowest, since) = (now, 0);
            }
        }
        lowest
    })
    .await
}

#[event("join")]
async fn join(socket: &Socket, room: String) -> usize {
    socket.join(&room).expect("joined");
    socket.set_attribute("room", room.as_str());
    socket.on("own", |_payload| ());
    let _asked = socket.emit_with_ack::<()>(("question",));
    tokio::task::yield_now().await;
    room.len()
}

/// Connects clients, exercises the API, and disconnects the clients in different ways.
async fn round(server: &Server) {
    let mut clients: Vec<Client> = Vec::new();
    for number in 0..CLIENTS {
        let mut client = server.connect(&number.to_string()).await;
        client.ask("join", json!(format!("room {}", number % 10))).await;
        client.ask("join", json!(format!("room of {number}"))).await;
        client.send("a raw message").await;
        clients.push(client);
    }
    let sockets = server.hub.sockets();
    assert_eq!(sockets.len(), CLIENTS);
    server.hub.broadcast(("news", "x".repeat(10_000))).expect("sent");
    server.hub.to("room 1").to("room 2").send("text").expect("sent");
    let ends = clients.iter_mut().zip(&sockets).enumerate().map(|(at, (client, socket))| async move {
        match at % 3 {
            0 => client.close(1000, "").await,
            1 => socket.close(),
            // The server notices the loss of a polling client only when its heartbeat times out.
            _ if flavour().polls() => client.close(1000, "").await,
            _ => {}
        }
    });
    join_all(ends).await;
    drop(clients);
    soon("end of all connections", async {
        while server.hub.stats().connections > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    for socket in &sockets {
        // Operations on disconnected sockets must not accumulate.
        socket.close();
        assert!(
            socket.send("x").is_err() && socket.emit_to("nobody", Text("x")).is_err() && socket.fire("x", 1).is_err()
        );
    }
}

#[tokio::test]
async fn memory_returns_to_its_level_when_all_clients_have_disconnected() {
    // The server keeps an ended polling session for this long.
    let builder = Hub::builder().events(events![join]).close_timeout(Duration::from_millis(100));
    let hub = builder.build().expect("a hub");
    hub.on("message", |_payload| ());
    let server = serve(hub).await;
    // The first rounds fill tables and buffers that later rounds reuse. Packet translation fills
    // more of them.
    let rounds = if flavour() == Flavour::Msgpack { 6 } else { 2 };
    for _ in 0..rounds {
        round(&server).await;
    }
    let before = settled_in_use().await;
    for _ in 0..3 {
        round(&server).await;
    }
    let after = settled_in_use().await;
    assert!(after <= before + before / 10, "{after} bytes are in use, {before} were before");
    assert!(server.hub.is_empty());
}
