//! The costs of messages in allocations and of connections in bytes. These counts are the same on
//! every machine. The test fails if a change increases one of them, and names it.

#![allow(clippy::print_stdout, reason = "the counts are for people to read")]

use axum::Router;
use axum::routing::get;
use serde::{Deserialize, Serialize};
use socketio::{EmitError, Hub, Socket, event, events};
use socketio_tests::raw::{RawClient, text_frame};
use socketio_tests::raw_polling::RawPolling;
use socketio_tests::{serve, serve_router};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::alloc::System;
use std::borrow::Cow;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

#[event("echo")]
#[derive(Deserialize, Serialize)]
struct Message<'a> {
    #[serde(borrow)]
    t: Cow<'a, str>,
    #[serde(borrow)]
    user: Cow<'a, str>,
    room: u32,
    #[serde(borrow)]
    text: Cow<'a, str>,
}

#[event]
fn echo(socket: &Socket, message: Message<'_>) -> Result<(), EmitError> {
    socket.emit(&message)
}

#[event("ack")]
fn ack(message: Message<'_>) -> Message<'_> {
    message
}

#[event("ack_async")]
async fn ack_async(message: Message<'_>) -> Message<'_> {
    message
}

#[event("ack_later")]
async fn ack_later(message: Message<'_>) -> Message<'_> {
    tokio::task::yield_now().await;
    message
}

#[event("take")]
fn take(message: Message<'_>) {
    assert_eq!(message.room, 1);
}

#[event("text")]
fn take_text(text: &str) {
    assert_eq!(text.len(), 900_000);
}

#[event("broadcast")]
fn broadcast(hub: &Hub, message: Message<'_>) -> Result<(), EmitError> {
    hub.broadcast(&message)
}

const PAYLOAD: &str = r#"{"t":"1700000000000","user":"user-1","room":1,"text":"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"}"#;

/// The protocol of a client over a WebSocket.
#[derive(Clone, Copy)]
enum Speaks {
    Envelopes,
    SocketIo,
}

impl Speaks {
    /// An event in a WebSocket frame.
    fn frame(self, event: &str, id: Option<u32>) -> Vec<u8> {
        let digits = id.map(|id| id.to_string()).unwrap_or_default();
        match self {
            Self::Envelopes => {
                let id = id.map(|id| format!(r#","id":{id}"#)).unwrap_or_default();
                text_frame(&format!(r#"{{"event":"{event}","data":{PAYLOAD}{id}}}"#))
            }
            Self::SocketIo => text_frame(&format!(r#"42{digits}["{event}",{PAYLOAD}]"#)),
        }
    }

    /// Connects a client.
    fn connect(self, address: SocketAddr) -> RawClient {
        match self {
            Self::Envelopes => RawClient::connect(address, "/ws/1").expect("a connection"),
            Self::SocketIo => {
                let path = "/socket.io/?EIO=4&transport=websocket";
                let mut client = RawClient::connect(address, path).expect("a connection");
                client.send(&text_frame("40")).expect("the server takes it");
                client.receive(2, |packet| assert!(packet.ends_with(b"}"))).expect("a session, and a socket");
                client
            }
        }
    }
}

/// The final bytes of every ack, and of every event that is sent back.
fn expect_end(payload: &[u8]) {
    assert!(payload.ends_with(b"}") || payload.ends_with(b"}]"));
}

/// Sends bursts of 16 events and waits for the answers. A first run fills pools and buffers before
/// a measurement.
fn exchange(client: &mut RawClient, burst: &[u8], answers: usize, bursts: usize) {
    for _ in 0..bursts {
        client.send(burst).expect("the server takes it");
        client.receive(answers, expect_end).expect("all answers");
    }
}

/// The bytes that a connection of a Socket.IO client takes at most: a new one, and one with
/// traffic.
const SOCKETIO_BYTES: [f64; 2] = [3550.0, 3700.0];

const BURST: usize = 16;
const BURSTS: usize = 200;

struct Counts(Vec<String>);

impl Counts {
    /// Compares a count with its limit.
    fn check(&mut self, what: &str, count: f64, limit: f64) {
        println!("{what}: {count:.3} (at most {limit})");
        if count > limit {
            self.0.push(format!("{what}: {count:.3}, but it was at most {limit}"));
        }
    }
}

fn allocations_per_message(address: SocketAddr, speaks: Speaks, event: &str, id: Option<u32>) -> f64 {
    let mut client = speaks.connect(address);
    let burst = speaks.frame(event, id).repeat(BURST);
    exchange(&mut client, &burst, BURST, BURSTS);
    let region = Region::new(ALLOCATOR);
    exchange(&mut client, &burst, BURST, BURSTS);
    let stats = region.change();
    (stats.allocations + stats.reallocations) as f64 / (BURST * BURSTS) as f64
}

/// Includes the HTTP requests: one carries a burst of events, and one or two fetch the answers.
fn allocations_per_polled_message(address: SocketAddr) -> f64 {
    let mut client = RawPolling::connect(address).expect("a session");
    let event = format!(r#"421["ack",{PAYLOAD}]"#);
    let burst = client.post(&[event.as_str(); BURST].join("\u{1e}"));
    let mut exchange = |bursts| {
        for _ in 0..bursts {
            client.send(&burst).expect("the server takes it");
            client.receive(BURST).expect("all answers");
        }
    };
    exchange(BURSTS);
    let region = Region::new(ALLOCATOR);
    exchange(BURSTS);
    let stats = region.change();
    (stats.allocations + stats.reallocations) as f64 / (BURST * BURSTS) as f64
}

fn allocations_per_recipient(address: SocketAddr, speaks: Speaks) -> f64 {
    const RECIPIENTS: usize = 100;
    let mut clients: Vec<_> = (0..RECIPIENTS).map(|_| speaks.connect(address)).collect();
    let burst = speaks.frame("broadcast", None).repeat(BURST);
    let mut round = |rounds| {
        for _ in 0..rounds {
            clients[0].send(&burst).expect("the server takes it");
            for client in &mut clients {
                client.receive(BURST, expect_end).expect("all broadcasts");
            }
        }
    };
    round(20);
    let region = Region::new(ALLOCATOR);
    round(20);
    let stats = region.change();
    (stats.allocations + stats.reallocations) as f64 / (20 * BURST * RECIPIENTS) as f64
}

fn bytes_per_connection(hub: &Hub, address: SocketAddr, speaks: Speaks, talk: bool) -> f64 {
    const CONNECTIONS: usize = 1000;
    let connect = || {
        let mut client = speaks.connect(address);
        if talk {
            exchange(&mut client, &speaks.frame("ack", Some(1)), 1, 1);
        }
        client.into_stream()
    };
    let wait_for = |connections| {
        while hub.len() != connections {
            std::thread::yield_now();
        }
    };
    // The first connections grow tables, pools and the runtime.
    let first: Vec<_> = (0..CONNECTIONS).map(|_| connect()).collect();
    wait_for(CONNECTIONS);
    drop(first);
    wait_for(0);
    let mut held = Vec::with_capacity(CONNECTIONS);
    let region = Region::new(ALLOCATOR);
    for _ in 0..CONNECTIONS {
        held.push(connect());
    }
    wait_for(CONNECTIONS);
    let stats = region.change();
    let bytes = stats.bytes_allocated as f64 - stats.bytes_deallocated as f64;
    drop(held);
    wait_for(0);
    bytes / CONNECTIONS as f64
}

/// A connection that has received a large message releases the memory at its next heartbeat.
fn bytes_after_a_large_message(runtime: &tokio::runtime::Runtime) -> f64 {
    const CONNECTIONS: usize = 50;
    let hub =
        Hub::builder().events(events![take_text]).ping_interval(Duration::from_millis(200)).build().expect("a hub");
    let address = runtime.block_on(serve(hub.clone())).address();
    let large = text_frame(&format!(r#"{{"event":"text","data":"{}"}}"#, "x".repeat(900_000)));
    let mut clients: Vec<_> =
        (0..CONNECTIONS).map(|_| RawClient::connect(address, "/ws/1").expect("a connection")).collect();
    let region = Region::new(ALLOCATOR);
    for client in &mut clients {
        client.send(&large).expect("the server takes it");
    }
    for client in &mut clients {
        // The first ping may have been sent before the message. The next one follows its pong.
        client.receive(1, |ping| assert!(ping.is_empty())).expect("a ping");
        client.send(&[0x8a, 0x80, 0, 0, 0, 0]).expect("the server takes it");
    }
    for client in &mut clients {
        client.receive(1, |ping| assert!(ping.is_empty())).expect("another ping");
    }
    let stats = region.change();
    (stats.bytes_allocated as f64 - stats.bytes_deallocated as f64) / CONNECTIONS as f64
}

/// The bytes queued for a client that withholds an ack and sends empty pongs meanwhile.
static QUEUED: AtomicUsize = AtomicUsize::new(0);

#[event("wait")]
async fn wait(socket: &Socket) {
    let region = Region::new(ALLOCATOR);
    let answer = socket.timeout(Duration::from_secs(1)).emit_with_ack::<()>(("question",)).await;
    assert!(answer.is_err());
    let stats = region.change();
    QUEUED.store(stats.bytes_allocated.saturating_sub(stats.bytes_deallocated), Ordering::Release);
}

/// Emits to all clients with an ack repeatedly, and drops the ack streams.
fn allocations_per_acked_recipient(hub: &Hub, address: SocketAddr) -> f64 {
    const CLIENTS: usize = 50;
    const ROUNDS: usize = 50;
    let clients: Vec<_> = (0..CLIENTS).map(|_| RawClient::connect(address, "/ws/1").expect("a connection")).collect();
    while hub.len() < CLIENTS {
        std::thread::yield_now();
    }
    let ask = || drop(hub.emit_with_ack::<()>(("question", 1)));
    // The first emit allocates the table of pending acks of each socket.
    ask();
    let region = Region::new(ALLOCATOR);
    (0..ROUNDS).for_each(|_| ask());
    let allocations = region.change().allocations as f64 / (CLIENTS * ROUNDS) as f64;
    drop(clients);
    while !hub.is_empty() {
        std::thread::yield_now();
    }
    allocations
}

fn bytes_queued_while_an_ack_is_pending(runtime: &tokio::runtime::Runtime) -> f64 {
    let hub = Hub::builder().events(events![wait]).build().expect("a hub");
    let address = runtime.block_on(serve(hub.clone())).address();
    let mut client = RawClient::connect(address, "/ws/1").expect("a connection");
    client.send(&text_frame(r#"{"event":"wait"}"#)).expect("the server takes it");
    client.receive(1, |question| assert!(question.ends_with(b"}"))).expect("the question");
    let pongs = [0x8a, 0x80, 0, 0, 0, 0].repeat(100_000);
    // The server reads all of them, but not before the handler times out.
    for _ in 0..30 {
        client.send(&pongs).expect("the server takes them in the end");
    }
    while QUEUED.load(Ordering::Acquire) == 0 {
        std::thread::yield_now();
    }
    QUEUED.load(Ordering::Acquire) as f64
}

#[test]
fn counts() {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    let hub = Hub::builder().events(events![echo, ack, ack_async, ack_later, take, broadcast]);
    // As in a release build, where no other origin is allowed and CORS costs nothing.
    let hub = hub.allow_localhost(false).build().expect("a hub");
    let app = Router::new().route("/ws/{id}", get(hub.websocket())).merge(hub.socketio());
    let server = runtime.block_on(serve_router(hub.clone(), app));
    let address = server.address();
    let mut counts = Counts(Vec::new());

    for (speaks, to, bytes) in
        [(Speaks::Envelopes, "", [2250.0, 2400.0]), (Speaks::SocketIo, "Socket.IO, ", SOCKETIO_BYTES)]
    {
        let mut check = |what, count, limit| counts.check(&format!("{to}{what}"), count, limit);
        let per_message = |event, id| allocations_per_message(address, speaks, event, id);
        check("allocations per acked event, sync", per_message("ack", Some(1)), 0.02);
        check("allocations per acked event, async", per_message("ack_async", Some(1)), 1.02);
        check("allocations per acked event, waiting", per_message("ack_later", Some(1)), 1.4);
        check("allocations per event with a typed emit", per_message("echo", None), 0.02);
        check("allocations per recipient of a broadcast", allocations_per_recipient(address, speaks), 0.01);
        while !hub.is_empty() {
            std::thread::yield_now();
        }
        let [new, talked] = bytes;
        check("bytes per new connection", bytes_per_connection(&hub, address, speaks, false), new);
        check("bytes per connection that has talked", bytes_per_connection(&hub, address, speaks, true), talked);
    }
    let asked = runtime.block_on(async { allocations_per_acked_recipient(&hub, address) });
    counts.check("allocations per socket of a question to all", asked, 0.2);
    let polled = allocations_per_polled_message(address);
    // One allocation is the event's own copy of its bytes, so that it does not keep the whole
    // request in memory.
    counts.check("long-polling, allocations per acked event of 16 in a request", polled, 6.2);
    counts.check("bytes kept after a large message", bytes_after_a_large_message(&runtime), 500.0);

    let queued = bytes_queued_while_an_ack_is_pending(&runtime);
    counts.check("bytes queued while an answer is awaited", queued, 4e6);

    assert!(counts.0.is_empty(), "it got worse:\n{}", counts.0.join("\n"));
}
