//! What recovery costs: the memory of the log, which the test checks, and times, which it only
//! prints. It counts what is allocated, with an allocator of its own.
//!
//! ```sh
//! cargo test --profile quick-release -p socketio-tests --test recovery_costs -- \
//!     --include-ignored --nocapture --test-threads=1
//! ```

#![allow(clippy::print_stdout, reason = "the costs are for people to read")]

use axum::Router;
use serde_json::json;
use socketio::testing::settle;
use socketio::{Hub, Recovery, Socket};
use socketio_tests::cut::{Line, Memory, Packet};
use socketio_tests::raw::{RawClient, text_frame};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::alloc::System;
use std::time::Duration;
use tokio::net::TcpListener;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const TEXT: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// The time that this thread was on a processor.
fn cpu_time() -> Duration {
    let statistics = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    Duration::from_nanos(statistics.split(' ').next().and_then(|time| time.parse().ok()).unwrap_or(0))
}

fn builder(recovers: bool) -> Hub {
    let builder = Hub::builder();
    // It is soon full.
    let recovery = Recovery::new().max_bytes(1 << 20);
    let builder = if recovers { builder.recovery(recovery) } else { builder };
    builder.build().expect("a hub")
}

async fn join(app: &Router, memory: &mut Memory) -> (Line, usize) {
    let mut line = Line::open(app, memory, json!({})).await;
    let (mut events, mut is_connected) = (0, false);
    while !is_connected {
        line.read(64 * 1024).await;
        while let Some(packet) = line.next(memory) {
            match packet {
                Packet::Connected(_) => is_connected = true,
                Packet::Event(_) => events += 1,
                Packet::Other(_) => {}
            }
        }
    }
    (line, events)
}

#[tokio::test]
async fn the_log_takes_the_memory_that_it_may_take() {
    const BYTES: usize = 4 << 20;
    for length in [0, 20, 100, 1_000, 10_000] {
        let hub = Hub::builder().recovery(Recovery::new().max_bytes(BYTES)).build().expect("a hub");
        let app: Router = hub.socketio().into();
        let mut memory = Memory::default();
        drop(join(&app, &mut memory).await);
        settle().await;
        let text = "x".repeat(length);
        let region = Region::new(ALLOCATOR);
        // Thrice as much as the log holds.
        for _ in 0..(3 * BYTES / (length + 100)).min(99_000) {
            hub.to("room").emit(("news", &text)).expect("queued");
        }
        let change = region.change();
        let taken = change.bytes_allocated - change.bytes_deallocated;
        let share = taken as f64 / BYTES as f64;
        println!("texts of {length} bytes: {taken} of {BYTES} bytes, {:.0} %", share * 100.0);
        // Short messages reach the maximum of their number before.
        assert!(share < 1.1 && (share > 0.8 || length == 0), "{share}");
    }
}

/// The time of each emit to this many clients over TCP, in nanoseconds. `together`: how many are
/// written at once.
async fn emits(recovers: bool, clients: usize, each: usize, together: usize) -> f64 {
    let hub = builder(recovers);
    let app: Router = hub.socketio().into();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("it is bound");
    tokio::spawn(async move { socketio::serve(listener, app).await });
    let reader = std::thread::spawn(move || {
        let mut clients: Vec<_> = (0..clients)
            .map(|_| {
                let mut client =
                    RawClient::connect(address, "/socket.io/?EIO=4&transport=websocket").expect("connected");
                client.send(&text_frame("40")).expect("sent");
                client.receive(2, |_| {}).expect("OPEN and CONNECT");
                client
            })
            .collect();
        for _ in 0..each / 100 {
            clients.iter_mut().for_each(|client| client.receive(100, |_| {}).expect("100 messages"));
        }
    });
    while hub.len() < clients {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let before = cpu_time();
    for number in 0..each {
        hub.emit(("news", number, TEXT)).expect("queued");
        if number % together == 0 {
            // The clients' tasks write.
            tokio::task::yield_now().await;
            tokio::task::yield_now().await;
        }
    }
    while !reader.is_finished() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    (cpu_time() - before).as_nanos() as f64 / each as f64
}

#[tokio::test]
#[ignore = "it prints times, which need an optimized build"]
async fn emits_with_recovery() {
    for (clients, each, together) in
        [(1, 20_000, 1), (10, 5_000, 1), (1, 100_000, 50), (10, 40_000, 50), (100, 10_000, 50)]
    {
        let (mut without, mut with) = (f64::MAX, f64::MAX);
        for _ in 0..5 {
            without = without.min(emits(false, clients, each, together).await);
            with = with.min(emits(true, clients, each, together).await);
        }
        println!(
            "{clients} clients, {together} in one write: {without:.0} ns for each emit, {with:.0} ns with recovery, {:.2} times",
            with / without
        );
    }
}

#[tokio::test]
#[ignore = "it prints times, which need an optimized build"]
async fn clients_that_resume() {
    for is_noticed in [true, false] {
        resume(is_noticed).await;
    }
}

/// Waits until all sockets have left.
async fn gone(hub: &Hub) {
    while hub.stats().sockets > 0 {
        settle().await;
    }
}

/// `is_noticed`: the server has noticed that the clients are gone before it emits what they miss.
async fn resume(is_noticed: bool) {
    const CLIENTS: usize = 1_000;
    const MISSED: usize = 100;
    let hub = Hub::builder()
        .middleware(async |socket: Socket| {
            if !socket.recovered() {
                for number in 0..MISSED {
                    socket.emit(("news", number, TEXT)).expect("queued");
                }
            }
            Ok::<(), socketio::Refusal>(())
        })
        .recovery(Recovery::new().max_bytes(1 << 30).max_packets(10_000_000))
        .build()
        .expect("a hub");
    let app: Router = hub.socketio().into();
    let mut memories = vec![Memory::default(); CLIENTS];
    let before = cpu_time();
    let mut lines = Vec::new();
    for memory in &mut memories {
        let (mut line, mut events) = join(&app, memory).await;
        while events < MISSED {
            line.read(64 * 1024).await;
            while let Some(packet) = line.next(memory) {
                events += usize::from(matches!(packet, Packet::Event(_)));
            }
        }
        lines.push(line);
    }
    let connecting = cpu_time() - before;
    let mut lines = Some(lines);
    if is_noticed {
        lines = None;
        gone(&hub).await;
    }
    for number in 0..MISSED {
        hub.emit(("news", number, TEXT)).expect("queued");
    }
    drop(lines);
    gone(&hub).await;
    let before = cpu_time();
    let mut lines = Vec::new();
    for memory in &mut memories {
        let sid = memory.sid.clone();
        let (mut line, mut events) = join(&app, memory).await;
        assert_eq!(memory.sid, sid);
        while events < MISSED {
            line.read(64 * 1024).await;
            while let Some(packet) = line.next(memory) {
                events += usize::from(matches!(packet, Packet::Event(_)));
            }
        }
        lines.push(line);
    }
    let resuming = cpu_time() - before;
    println!(
        "{CLIENTS} new clients with {MISSED} messages each: {connecting:?}; as many that resume: {resuming:?}, \
         {:.2} times (noticed: {is_noticed})",
        resuming.as_secs_f64() / connecting.as_secs_f64()
    );
}
