//! A handler that is declared `blocking` may block its thread: other clients are served meanwhile.

use serde_json::json;
use socketio::{Hub, State, event, events};
use socketio_tests::{PATIENCE, serve};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};
use tokio::sync::Notify;

/// What another client's event does for a handler that blocks.
struct Release {
    sender: Sender<()>,
    receiver: Mutex<Receiver<()>>,
    is_blocking: Notify,
}

/// Blocks its thread until another client sends `release`.
#[event("block", blocking)]
fn block(release: State<Release>) -> bool {
    release.is_blocking.notify_one();
    release.receiver.lock().expect("no panic").recv_timeout(PATIENCE).is_ok()
}

#[event("wait until it blocks")]
async fn wait_until_it_blocks(release: State<Release>) {
    release.is_blocking.notified().await;
}

#[event("release")]
fn release(release: State<Release>) {
    release.sender.send(()).expect("the receiver is kept");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_blocking_handler_holds_up_no_other_client() {
    let (sender, receiver) = channel();
    let state = Release { sender, receiver: Mutex::new(receiver), is_blocking: Notify::new() };
    let hub = Hub::builder().state(state).events(events![block, wait_until_it_blocks, release]);
    let server = serve(hub.build().expect("a hub")).await;
    let (mut ann, mut ben) = (server.connect("ann").await, server.connect("ben").await);
    for _ in 0..20 {
        let releasing = async {
            ben.ask("wait until it blocks", 1).await;
            ben.ask("release", 1).await;
        };
        let (answer, ()) = tokio::join!(ann.ask("block", 1), releasing);
        assert_eq!(answer["data"], json!(true));
    }
}
