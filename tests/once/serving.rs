//! `socketio::serve`: incomplete requests time out, complete ones are served, and a signal shuts
//! the server down gracefully.

use axum::Router;
use axum::routing::get;
use axum::serve::Listener;
use socket2::SockRef;
use socketio::{Hub, event, events};
use socketio_tests::stream::Stream;
use socketio_tests::{Channel, Client, Gate, PATIENCE, log, soon};
use std::future::IntoFuture;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::interval;
use tokio_tungstenite::client_async;

const SHORT: Duration = Duration::from_millis(200);

#[event("double")]
fn double(text: String) -> String {
    text.repeat(2)
}

async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("a bound listener has an address");
    (listener, address)
}

fn app(hub: &Hub) -> Router {
    Router::new().route("/ws", get(hub.websocket())).route("/page", get(async || "a page"))
}

/// A server with short timeouts.
async fn serve_with_short_timeouts() -> SocketAddr {
    let hub = Hub::builder().events(events![double]).build().expect("a hub");
    let (listener, address) = listener().await;
    tokio::spawn(socketio::serve(listener, app(&hub)).handshake_timeout(SHORT).into_future());
    address
}

/// Keeps a handle to each accepted socket, to read its options.
struct Watched {
    listener: TcpListener,
    accepted: mpsc::UnboundedSender<socket2::Socket>,
}

impl Listener for Watched {
    type Io = TcpStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (TcpStream, SocketAddr) {
        let (stream, address) = Listener::accept(&mut self.listener).await;
        let socket = SockRef::from(&stream).try_clone().expect("a second handle");
        self.accepted.send(socket).expect("the test is still running");
        (stream, address)
    }

    fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

#[tokio::test]
async fn the_kernel_watches_accepted_connections() {
    for (keepalive, user_timeout) in [(None, None), (Some(Duration::from_secs(7)), Some(Duration::from_secs(9)))] {
        let hub = Hub::builder().events(events![double]).build().expect("a hub");
        let ((listener, address), (accepted, mut sockets)) = (listener().await, mpsc::unbounded_channel());
        let server = socketio::serve(Watched { listener, accepted }, app(&hub));
        let server = server.tcp_keepalive(keepalive).tcp_user_timeout(user_timeout);
        tokio::spawn(server.into_future());
        let mut client = websocket(address).await;
        assert_eq!(client.ask("double", "a").await["data"], "aa");
        let socket = soon("socket", sockets.recv()).await.expect("a socket");
        assert_eq!(socket.keepalive().expect("an option"), keepalive.is_some());
        if cfg!(target_os = "linux") {
            assert_eq!(socket.tcp_user_timeout().expect("an option"), user_timeout);
        }
        if let Some(keepalive) = keepalive {
            assert_eq!(socket.tcp_keepalive_time().expect("an option"), keepalive);
        }
    }
}

async fn connect(address: SocketAddr) -> TcpStream {
    TcpStream::connect(address).await.expect("connected")
}

async fn websocket(address: SocketAddr) -> Client {
    let stream = Stream::Tcp(connect(address).await);
    Client(Channel::plain(client_async("ws://localhost/ws", stream).await.expect("accepted").0))
}

/// Sends single bytes of a header that never ends, until the server closes the connection.
async fn send_endless_header(stream: TcpStream) {
    let (mut read, mut write) = stream.into_split();
    let writing = async {
        let mut pace = interval(SHORT / 20);
        while write.write_all(b"x").await.is_ok() {
            pace.tick().await;
        }
    };
    // The connection ends, or is reset because the server did not read all bytes.
    let mut answer = Vec::new();
    tokio::select! {
        _ = soon("end of the connection", read.read_to_end(&mut answer)) => {}
        () = writing => {}
    }
}

async fn page(stream: &mut TcpStream) {
    stream.write_all(b"GET /page HTTP/1.1\r\nHost: localhost\r\n\r\n").await.expect("sent");
    let mut answer = Vec::new();
    while !answer.ends_with(b"a page") {
        assert_ne!(stream.read_buf(&mut answer).await.expect("an answer"), 0);
    }
}

#[tokio::test]
async fn a_request_header_that_never_ends_times_out() {
    let address = serve_with_short_timeouts().await;
    soon("end", send_endless_header(connect(address).await)).await;
    let mut begun = connect(address).await;
    begun.write_all(b"GET /ws HTTP/1.1\r\nHost: localhost\r\nx: ").await.expect("sent");
    soon("end", send_endless_header(begun)).await;
}

#[tokio::test]
async fn a_connection_without_a_request_times_out() {
    let mut stream = connect(serve_with_short_timeouts().await).await;
    let mut answer = Vec::new();
    let _ = soon("end of the connection", stream.read_to_end(&mut answer)).await;
}

#[tokio::test]
async fn a_second_request_that_never_ends_times_out() {
    let mut stream = connect(serve_with_short_timeouts().await).await;
    page(&mut stream).await;
    page(&mut stream).await;
    stream.write_all(b"GET /page HTTP/1.1\r\nHost: loc").await.expect("sent");
    soon("end", send_endless_header(stream)).await;
}

#[tokio::test]
async fn a_websocket_client_stays_connected_beyond_the_request_timeout() {
    let address = serve_with_short_timeouts().await;
    let mut client = websocket(address).await;
    assert_eq!(client.ask("double", "x").await["data"], "xx");
    // Two other connections time out one after the other, so the timeout has passed.
    soon("end", send_endless_header(connect(address).await)).await;
    soon("end", send_endless_header(connect(address).await)).await;
    assert_eq!(client.ask("double", "x").await["data"], "xx");
}

#[tokio::test]
async fn a_timeout_may_be_duration_max() {
    let hub = Hub::builder().build().expect("a hub");
    let (listener, address) = listener().await;
    tokio::spawn(socketio::serve(listener, app(&hub)).handshake_timeout(Duration::MAX).into_future());
    soon("page", page(&mut connect(address).await)).await;
}

/// A server with a page that waits for the gate, its log, and its shutdown signal.
async fn serve_until_signal(
    hub: &Hub,
    gate: &Gate,
) -> (SocketAddr, oneshot::Sender<()>, JoinHandle<std::io::Result<()>>) {
    let (listener, address) = listener().await;
    let (stop, stopped) = oneshot::channel();
    let gate = gate.clone();
    let slow = async move || {
        gate.pass().await;
        "a page"
    };
    let app = app(hub).route("/slow", get(slow));
    let server = socketio::serve(listener, app).with_graceful_shutdown(async {
        let _ = stopped.await;
    });
    assert_eq!(server.local_addr().expect("an address"), address);
    (address, stop, tokio::spawn(server.into_future()))
}

#[tokio::test]
async fn the_shutdown_signal_lets_requests_finish_and_refuses_new_connections() {
    let (log, mut seen) = log();
    let hub = Hub::builder().events(events![double]).build().expect("a hub");
    hub.on("disconnect", move |payload| log.note(String::from_utf8_lossy(&payload.data)));
    let gate = Gate::default();
    let (address, stop, server) = serve_until_signal(&hub, &gate).await;

    let mut client = websocket(address).await;
    let mut idle = connect(address).await;
    page(&mut idle).await;
    let mut busy = connect(address).await;
    busy.write_all(b"GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n").await.expect("sent");
    assert_eq!(client.ask("double", "x").await["data"], "xx");
    soon("request under way", async {
        while gate.waiting() == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;

    stop.send(()).expect("the server waits for it");
    let mut rest = Vec::new();
    assert_eq!(soon("end of what is idle", idle.read_to_end(&mut rest)).await.ok(), Some(0));
    // The listener is dropped before that.
    assert!(TcpStream::connect(address).await.is_err());
    assert_eq!(client.ask("double", "x").await["data"], "xx");
    assert!(!server.is_finished());

    gate.open();
    let mut answer = String::new();
    soon("answer", busy.read_to_string(&mut answer)).await.expect("an answer");
    assert!(answer.ends_with("a page"), "{answer}");
    soon("end of the server", server).await.expect("no panic").expect("no error");
    // The hub ends the WebSocket connections.
    assert_eq!(client.ask("double", "x").await["data"], "xx");
    tokio::join!(hub.shutdown(PATIENCE), client.closed());
    seen.expect(&["server shutting down"]).await;
}
