//! Log records. This test runs alone in its process, because tracing caches by the first thread
//! whether a record is wanted.

use serde_json::json;
use socketio::{Extension, Handshake, Hub, event, events};
use socketio_tests::{Log, log, serve};
use std::fmt::Debug;
use tracing::field::Field;
use tracing::{Metadata, Subscriber, span};

/// Logs the event names of the records, the missing extensions, and the headers that are not kept.
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
            if ["event", "extension", "header"].contains(&field.name()) {
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

#[event("headers")]
fn headers(request: Handshake<'_>) -> (bool, bool) {
    (request.header("host").is_some(), request.header("x-tenant").is_some())
}

#[tokio::test]
async fn records_name_the_fault_and_are_bounded_for_event_names_of_clients() {
    let (log, mut seen) = log();
    let _records = tracing::subscriber::set_default(Records(log));
    let server = serve(Hub::builder().events(events![missing, headers]).build().expect("a hub")).await;
    let mut client = server.connect("ann").await;
    client.emit("unknown", 1).await;
    client.emit(&"x".repeat(100_000), 1).await;
    seen.expect(&["\"unknown\"", &format!("{:?}", "x".repeat(64))]).await;
    // The missing extension is named in the log only, not in the answer.
    let answer = client.ask("missing", 1).await;
    assert_eq!(answer["error"], json!({ "code": "internal", "message": "internal error" }));
    seen.expect(&["\"missing\"", "\"records::Secret\""]).await;
    // A header that is not kept is never there, so a handler that asks for it is at fault.
    assert_eq!(client.ask("headers", ()).await["data"], json!([true, false]));
    seen.expect(&["\"missing\"", "\"x-tenant\""]).await;
}
