//! A client, or the server itself, queues far more events than handlers accept. Memory stays
//! bounded, and all events that were accepted are handled in order.

use socketio::{Disconnect, Hub, Socket, State, event, events};
use socketio_tests::raw::{RawClient, text_frame};
use socketio_tests::{Gate, Log, log, serve, soon};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use std::alloc::System;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::Mutex;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Held by the test that runs: all tests of a process share the allocator.
static ALONE: Mutex<()> = Mutex::const_new(());

const TOTAL: usize = 100_000_000;
/// The allowed growth of memory in bytes: some buffers and an inbox.
const BOUND: usize = 1_000_000;

fn in_use() -> usize {
    let stats = ALLOCATOR.stats();
    stats.bytes_allocated - stats.bytes_deallocated
}

/// The number of handled events.
#[derive(Default)]
struct Handled(AtomicUsize);

#[event("take")]
async fn take(number: &str, count: usize, log: State<Log>, gate: State<Gate>, handled: State<Handled>) {
    let number: usize = number.parse().expect("a number");
    assert_eq!(handled.0.fetch_add(1, Ordering::Relaxed), number);
    if number == 0 {
        log.note("first");
        gate.pass().await;
    }
    if number + 1 == count {
        log.note("last");
    }
}

#[event(disconnect)]
fn left(socket: &Socket, end: Disconnect, log: State<Log>) {
    if socket.params("id") == Some("silent") {
        log.note(end.reason());
    }
}

/// Sends 100 MB in events of this size, and records the peak of memory in use.
fn send(mut client: RawClient, size: usize, peak: &AtomicUsize) -> RawClient {
    let count = TOTAL / size;
    let text = |number| format!(r#"{{"event":"take","args":["{number:08}",{count},"{}"]}}"#, "x".repeat(size));
    let mut frame = text_frame(&text(0));
    let at = frame.len() - text(0).len() + r#"{"event":"take","args":[""#.len();
    for number in 0..count {
        frame[at..at + 8].copy_from_slice(format!("{number:08}").as_bytes());
        client.send(&frame).expect("the server takes it in the end");
        peak.fetch_max(in_use(), Ordering::Relaxed);
    }
    client
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_stays_bounded_for_a_hundred_megabytes_before_a_sleeping_handler() {
    let _alone = ALONE.lock().await;
    for size in [100_000, 2_000] {
        let ((log, mut seen), gate) = (log(), Gate::default());
        let beat = Duration::from_millis(100);
        let builder = Hub::builder().state(log).state(gate.clone()).state(Handled::default());
        let builder = builder.ping_interval(beat).ping_timeout(beat).events(events![take, left]);
        let server = serve(builder.build().expect("a hub")).await;
        let address = server.address();
        let connecting = tokio::task::spawn_blocking(move || RawClient::connect(address, "/ws/ann"));
        let client = connecting.await.expect("no panic").expect("accepted");
        let peak = Arc::new(AtomicUsize::new(0));
        let (sampled, before) = (Arc::clone(&peak), in_use() + size);
        let sending = tokio::task::spawn_blocking(move || send(client, size, &sampled));
        seen.expect(&["first"]).await;
        for _ in 0..3 {
            // A silent client times out. That shows that the ping timeout has passed.
            let silent = server.connect("silent").await;
            seen.expect(&["ping timeout"]).await;
            drop(silent);
        }
        assert!(!sending.is_finished(), "{size}: the server has read all events");
        peak.fetch_max(in_use(), Ordering::Relaxed);
        gate.open();
        let _client = soon("end of the sending", sending).await.expect("no panic");
        seen.expect(&["last"]).await;
        let more = peak.load(Ordering::Relaxed).saturating_sub(before);
        assert!(more < BOUND, "{size}: {more} bytes");
    }
}

#[event("hold")]
async fn hold(log: State<Log>, gate: State<Gate>) {
    log.note("holding");
    gate.pass().await;
}

#[tokio::test]
async fn memory_stays_bounded_for_half_a_million_fired_events_before_a_sleeping_handler() {
    let _alone = ALONE.lock().await;
    let ((log, mut seen), gate) = (log(), Gate::default());
    let builder = Hub::builder().state(log).state(gate.clone()).events(events![hold]);
    let server = serve(builder.build().expect("a hub")).await;
    let mut client = server.connect("ann").await;
    client.emit("hold", 1).await;
    seen.expect(&["holding"]).await;
    let socket = server.hub.sockets().remove(0);
    let before = in_use();
    let mut taken = 0;
    for number in 0..500_000 {
        server.hub.fire("counted", number).expect("a slow client is no error");
        taken += usize::from(socket.fire("counted", number).is_ok());
        let _ = socket.emit_to("nobody", ("x", number));
        if number % 1_000 == 0 {
            tokio::task::yield_now().await;
        }
    }
    let more = in_use().saturating_sub(before);
    assert!(more < BOUND, "{more} bytes for {taken} events");
    gate.open();
    client.settle().await;
}
