//! What clients that have gone leave in memory: nothing.

use futures_util::future::join_all;
use serde_json::json;
use socketio::{Hub, Socket, event, events};
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

/// The same, once it has not fallen for a while: the server may not have seen yet that the connections on which clients polled are
/// closed, and waits a little for one that has gone to hear of the end.
async fn in_use_in_the_end() -> usize {
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

/// Clients come, do what there is to do, and go in different ways.
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
    server.hub.to("room 1").to("room 2").emit("text").expect("sent");
    let ends = clients.iter_mut().zip(&sockets).enumerate().map(|(at, (client, socket))| async move {
        match at % 3 {
            0 => client.close(1000, "").await,
            1 => socket.close(),
            // That one who polls has gone shows when the time for the heartbeat is up.
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
        // What is done to sockets that have gone must not pile up.
        socket.close();
        assert!(socket.emit("x").is_err() && socket.emit_to("nobody", "x").is_err() && socket.fire("x", 1).is_err());
    }
}

#[tokio::test]
async fn memory_is_back_where_it_was_when_all_have_gone() {
    // One that polls and has gone is waited for that long, in case it comes to hear of the end.
    let builder = Hub::builder().events(events![join]).close_timeout(Duration::from_millis(100));
    let hub = builder.build().expect("a hub");
    hub.on("message", |_payload| ());
    let server = serve(hub).await;
    // What the first clients leave are tables and buffers that the next ones use; more of them where packets are translated.
    let rounds = if flavour() == Flavour::Msgpack { 6 } else { 2 };
    for _ in 0..rounds {
        round(&server).await;
    }
    let before = in_use_in_the_end().await;
    for _ in 0..3 {
        round(&server).await;
    }
    let after = in_use_in_the_end().await;
    assert!(after <= before + before / 10, "{after} bytes are in use, {before} were before");
    assert!(server.hub.is_empty());
}
