//! Log records. These tests run alone in their process, because tracing caches by the first thread
//! whether a record is wanted.

use serde_json::json;
use socketio::{EventError, Extension, Hub, IncomingEvent, Next, event, events};
use socketio_tests::{Log, log, serve};
use std::fmt::Debug;
use std::thread::sleep;
use std::time::Duration;
use tracing::field::Field;
use tracing::{Metadata, Subscriber, span};

/// Logs the event names of the records, and the missing extensions.
struct Records(Log);

impl Subscriber for Records {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && metadata.target().starts_with("socketio")
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        event.record(&mut |field: &Field, value: &dyn Debug| {
            if ["event", "extension"].contains(&field.name()) {
                self.0.note(format_args!("{value:?}"));
            }
        });
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

#[derive(Clone)]
struct Secret;

#[event("missing")]
fn missing(_secret: Extension<Secret>) {}

#[tokio::test]
async fn records_name_the_fault_and_are_bounded_for_event_names_of_clients() {
    let (log, mut seen) = log();
    let _records = tracing::subscriber::set_default(Records(log));
    let server = serve(Hub::builder().events(events![missing]).build().expect("a hub")).await;
    let mut client = server.connect("ann").await;
    client.emit("unknown", 1).await;
    client.emit(&"x".repeat(100_000), 1).await;
    seen.expect(&["\"unknown\"", &format!("{:?}", "x".repeat(64))]).await;
    // The missing extension is named in the log only, not in the answer.
    let answer = client.ask("missing", 1).await;
    assert_eq!(answer["error"], json!({ "code": "internal", "message": "internal error" }));
    seen.expect(&["\"missing\"", "\"records::Secret\""]).await;
}

/// Blocks the thread for longer than a handler may without a warning.
fn block() {
    sleep(Duration::from_millis(101));
}

#[event("sync")]
fn sync() {
    block();
}

#[event("async")]
async fn after_waiting() {
    tokio::task::yield_now().await;
    block();
}

#[event("blocking", blocking)]
fn blocking() {
    block();
}

#[event("passed on")]
fn passed_on() {}

#[event("heard")]
async fn heard() {}

async fn block_before_passing_on(event: IncomingEvent, next: Next) -> Result<(), EventError> {
    if event.name() == "passed on" {
        block();
    }
    next.run(event).await
}

#[tokio::test]
async fn what_blocks_its_thread_is_named_once() {
    let (log, mut seen) = log();
    let _records = tracing::subscriber::set_default(Records(log));
    let handlers = events![sync, after_waiting, blocking, passed_on, heard];
    let hub = Hub::builder().events(handlers).event_middleware(block_before_passing_on).build().expect("a hub");
    hub.on("heard", |_payload| block());
    hub.on("heard later", |_payload| async {
        tokio::task::yield_now().await;
        block();
    });
    let server = serve(hub).await;
    let mut client = server.connect("ann").await;
    for event in ["blocking", "sync", "async", "passed on", "heard", "heard later"] {
        client.ask(event, 1).await;
    }
    seen.expect(&["\"sync\"", "\"async\"", "\"passed on\"", "\"heard\"", "\"heard later\""]).await;
    seen.expect_nothing();
}
