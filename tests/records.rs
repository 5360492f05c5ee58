//! What goes to the log. Alone in its process: tracing asks whichever thread comes first whether a record is wanted.

use socketio::Hub;
use socketio_tests::{Log, log, serve};
use std::fmt::Debug;
use tracing::field::Field;
use tracing::{Metadata, Subscriber, span};

/// Writes down which events the records of the log are about.
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
            if field.name() == "event" {
                self.0.note(format_args!("{value:?}"));
            }
        });
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

#[tokio::test]
async fn records_of_the_log_do_not_grow_with_the_names_that_clients_send() {
    let (log, mut seen) = log();
    let _records = tracing::subscriber::set_default(Records(log));
    let server = serve(Hub::builder().build().expect("a hub")).await;
    let mut client = server.connect("ann").await;
    client.emit("unknown", 1).await;
    client.emit(&"x".repeat(100_000), 1).await;
    seen.expect(&["\"unknown\"", &format!("{:?}", "x".repeat(64))]).await;
}
