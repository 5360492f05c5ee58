#![deny(warnings)]

use socketio::{EventPayload, Hub, Socket};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

async fn elsewhere(_payload: EventPayload) {}

fn function(_payload: EventPayload) {}

fn listen(hub: &Hub, socket: &Socket) {
    let count = Arc::new(AtomicUsize::new(0));

    hub.on("sync", |payload| function(payload));
    hub.on("annotated", |payload: EventPayload| drop(payload.data));
    hub.on("block", |payload| {
        let _ = payload.json::<u32>();
    });
    hub.on("async_block", |payload| async move {
        elsewhere(payload).await;
    });
    hub.on("async_closure", async |payload| {
        elsewhere(payload).await;
    });
    hub.on("function", function);
    hub.on("async_function", elsewhere);
    hub.on(String::from("boxed"), |payload| {
        let future: std::pin::Pin<Box<dyn Future<Output = ()> + Send>> = Box::pin(elsewhere(payload));
        future
    });

    let counter = Arc::clone(&count);
    hub.on("never", |_payload| async { unreachable!() });
    hub.on("captured", move |_payload| {
        counter.fetch_add(1, Ordering::Relaxed);
    });
    let counter = Arc::clone(&count);
    let handle = hub.on("captured_later", move |payload| {
        let counter = Arc::clone(&counter);
        async move {
            elsewhere(payload).await;
            counter.fetch_add(1, Ordering::Relaxed);
        }
    });
    handle.off();

    socket.on("sync", |_payload| {});
    socket.once("async", async |payload| elsewhere(payload).await);
}

#[test]
fn compiles() {
    let _ = listen;
}
