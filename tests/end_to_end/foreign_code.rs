//! No lock is held while code of the application runs. Each test would wait for itself forever.

use bytes::Bytes;
use serde_json::json;
use socketio::adapter::{AckStream, Answerer};
use socketio::{Hub, Socket, event, events};
use socketio_tests::{Client, PATIENCE, Server, serve};
use std::sync::mpsc;
use std::sync::{Arc, Mutex, OnceLock};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

#[event("fine")]
fn fine() -> u8 {
    1
}

async fn connected() -> (Server, Client, Socket) {
    let server = serve(Hub::builder().events(events![fine]).build().expect("a hub")).await;
    let mut client = server.connect("ann").await;
    assert_eq!(client.ask("fine", 1).await["data"], 1);
    let socket = server.hub.sockets().remove(0);
    (server, client, socket)
}

/// Uses everything of a socket that is behind a lock.
fn use_socket(socket: &Socket) {
    let _ = (socket.id(), socket.rooms(), socket.is_alive(), socket.attributes());
    socket.set_attribute("used", true);
    let _ = socket.join("used");
    socket.leave("used");
    socket.on("used", |_payload| {}).off();
    socket.insert_extension(0_u8);
    let _ = (socket.extension::<u8>(), socket.remove_extension::<u8>());
    let _ = socket.hub().sockets();
}

/// Runs code on another thread, which a lock that waits for itself would block forever.
async fn finishes<R: Send + 'static>(what: &str, code: impl FnOnce() -> R + Send + 'static) -> R {
    let (done, finished) = mpsc::channel();
    std::thread::spawn(move || done.send(code()));
    let waiting = tokio::task::spawn_blocking(move || finished.recv_timeout(PATIENCE));
    waiting.await.expect("no panic").unwrap_or_else(|_| panic!("{what} waits for itself"))
}

/// A room whose name uses the socket.
struct Room(Socket);

impl AsRef<str> for Room {
    fn as_ref(&self) -> &str {
        use_socket(&self.0);
        "room"
    }
}

#[tokio::test]
async fn names_of_rooms_may_use_the_socket() {
    let (server, _client, socket) = connected().await;
    finishes("a room", move || {
        let room = || Room(socket.clone());
        socket.join(room()).expect("joined");
        assert!(socket.is_in(room()));
        server.hub.to(room()).emit(("news", 1)).expect("sent");
        socket.leave(room());
        assert!(!socket.is_in("room"));
        assert_eq!(socket.set_id(room()).is_ok(), socket.id() == *"room");
    })
    .await;
}

/// An extension that uses its socket when it is cloned and when it is dropped.
struct Shared(Arc<OnceLock<Socket>>, u8);

impl Clone for Shared {
    fn clone(&self) -> Self {
        self.0.get().iter().for_each(|socket| use_socket(socket));
        Self(Arc::clone(&self.0), self.1)
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.0.get().iter().for_each(|socket| use_socket(socket));
    }
}

#[tokio::test]
async fn extensions_may_use_the_socket() {
    let (_server, _client, socket) = connected().await;
    finishes("an extension", move || {
        let own: Arc<OnceLock<Socket>> = Arc::default();
        assert!(socket.insert_extension(Shared(Arc::clone(&own), 1)).is_none());
        own.set(socket.clone()).expect("once");
        assert_eq!(socket.extension::<Shared>().expect("it is there").1, 1);
        assert_eq!(socket.insert_extension(Shared(Arc::clone(&own), 2)).expect("it was there").1, 1);
        assert_eq!(socket.remove_extension::<Shared>().expect("it is there").1, 2);
        assert!(socket.extension::<Shared>().is_none() && socket.remove_extension::<Shared>().is_none());
    })
    .await;
}

/// Bytes whose owner uses the socket when it is dropped.
struct Owner {
    bytes: Vec<u8>,
    socket: Socket,
    dropped: mpsc::Sender<()>,
}

impl AsRef<[u8]> for Owner {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        use_socket(&self.socket);
        let _ = self.socket.emit(("dropped", 1));
        let _ = self.dropped.send(());
    }
}

fn owned(socket: &Socket, length: usize) -> (Bytes, mpsc::Receiver<()>) {
    let (dropped, is_dropped) = mpsc::channel();
    (Bytes::from_owner(Owner { bytes: vec![1; length], socket: socket.clone(), dropped }), is_dropped)
}

async fn expect_dropped(dropped: mpsc::Receiver<()>) {
    let waiting = tokio::task::spawn_blocking(move || dropped.recv_timeout(PATIENCE));
    waiting.await.expect("no panic").expect("the bytes are dropped");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bytes_may_use_the_socket_when_they_are_sent() {
    let (server, mut client, socket) = connected().await;
    let mut other = server.connect("ben").await;
    // A client that polls receives nothing while nobody reads.
    let reading = tokio::spawn(async move { while client.next().await.is_some() {} });
    // What an event's handler emits to another client, its own task writes.
    let (bytes, dropped) = owned(&socket, 10_000);
    let (bytes, target) = (Mutex::new(Some(bytes)), socket.clone());
    server.hub.on("give", move |_payload| {
        let bytes = bytes.lock().expect("no panic").take().expect("once");
        target.emit(("bytes", socketio::Binary(bytes))).expect("sent");
    });
    other.emit("give", 1).await;
    expect_dropped(dropped).await;
    // What another task emits, the client's task writes.
    let (bytes, dropped) = owned(&socket, 10_000);
    socket.emit(("bytes", socketio::Binary(bytes))).expect("sent");
    expect_dropped(dropped).await;
    reading.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bytes_may_use_the_socket_when_they_are_not_sent() {
    let (server, client, socket) = connected().await;
    // The kernel's buffers do not take so much, and the client reads nothing.
    let mut all = Vec::new();
    for _ in 0..2 {
        let (bytes, dropped) = owned(&socket, 7_000_000);
        all.push(dropped);
        let _ = socket.emit(("bytes", socketio::Binary(bytes)));
    }
    socket.close();
    server.hub.shutdown(Duration::ZERO).await;
    drop(client);
    for dropped in all {
        expect_dropped(dropped).await;
    }
}

/// A waker that uses the stream's sink when it is woken and when it is dropped.
struct Nosy(Arc<Mutex<Option<socketio::adapter::AnswerSink>>>);

impl Nosy {
    fn look(&self) {
        if let Some(sink) = &*self.0.lock().expect("no panic") {
            let _ = (sink.timeout(), sink.is_closed());
        }
    }
}

impl Wake for Nosy {
    fn wake(self: Arc<Self>) {
        self.look();
    }
}

impl Drop for Nosy {
    fn drop(&mut self) {
        self.look();
    }
}

#[tokio::test]
async fn wakers_may_use_what_they_wait_for() {
    finishes("a waker", || {
        let (sink, mut answers) = AckStream::<u8>::channel(Duration::from_secs(60));
        let kept = Arc::new(Mutex::new(Some(sink.clone())));
        // `Sleep` of tokio needs a runtime.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        let _entered = runtime.enter();
        let mut next = std::pin::pin!(answers.next());
        for _ in 0..3 {
            // Each poll replaces the last waker, which is dropped.
            let waker = Waker::from(Arc::new(Nosy(Arc::clone(&kept))));
            assert!(next.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        }
        sink.answer(Answerer::Elsewhere, "7", &[]).expect("a JSON text");
        let polled = next.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert_eq!(polled, Poll::Ready(Some((Answerer::Elsewhere, 7))));
        kept.lock().expect("no panic").take();
    })
    .await;
}

#[tokio::test]
async fn listeners_may_use_the_socket_when_they_are_dropped() {
    let (server, mut client, socket) = connected().await;
    let shared: Arc<OnceLock<Socket>> = Arc::default();
    shared.set(socket.clone()).expect("once");
    let captured = || Shared(Arc::clone(&shared), 1);
    let (first, second, third, fourth) = (captured(), captured(), captured(), captured());
    socket.on("fine", move |_payload| _ = &first);
    socket.on_any(move |_payload| _ = &second);
    let removed = server.hub.on("fine", move |_payload| _ = &third);
    socket.once("fine", move |_payload| _ = &fourth);
    let off = socket.clone();
    assert_eq!(client.ask("fine", 1).await, json!({ "id": "ask", "data": 1 }));
    finishes("a listener", move || {
        off.off("fine");
        removed.off();
    })
    .await;
    client.close(1000, "").await;
    let gone = async {
        while server.hub.stats().connections > 0 {
            tokio::task::yield_now().await;
        }
    };
    socketio_tests::soon("end of the connection", gone).await;
}
