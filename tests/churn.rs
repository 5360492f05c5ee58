//! After a hundred thousand connections, most of which end abnormally, no memory and no open file
//! is leaked. After thousands of connections at once, their memory is given back to the allocator.
//!
//! The server runs in its own process, and reports its memory and open files on request.

#![allow(clippy::print_stdout, reason = "the figures are for people to read")]

use axum::Router;
use axum::routing::get;
use socketio::{EventError, Handshake, Hub, Refusal, Socket, event, events};
use socketio_tests::PATIENCE;
use socketio_tests::raw::text_frame;
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use std::alloc::System;
use std::io::{self, BufRead, BufReader, Lines};
use std::net::SocketAddr;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const CONNECTIONS: usize = 100_000;
/// The first connections, which fill tables, pools and buffers that later ones reuse.
const WARM_UP: usize = 10_000;
const AT_A_TIME: usize = 100;
/// The allowed growth in bytes after the warm-up: far less than one byte per connection.
const SLACK: usize = 16 * 1024;

/// The number of clients that are connected at once in a storm.
const STORM: usize = 3_000;
const STORMS: usize = 4;
/// What a server without clients may keep of a storm, in bytes.
const KEPT: usize = 64 * 1024;

/// The variable that tells the server's process how many milliseconds a handshake may take.
const HANDSHAKE_TIMEOUT: &str = "CHURN_HANDSHAKE_TIMEOUT";

static ACCEPTED: AtomicUsize = AtomicUsize::new(0);
static GONE: AtomicUsize = AtomicUsize::new(0);

#[event(connect)]
async fn connect(handshake: Handshake<'_>) -> Result<(), Refusal> {
    tokio::task::yield_now().await;
    if handshake.param("id") == Some("refused") {
        return Err("not you".into());
    }
    ACCEPTED.fetch_add(1, Ordering::SeqCst);
    Ok(())
}

#[event(disconnect)]
fn disconnect() {
    GONE.fetch_add(1, Ordering::SeqCst);
}

#[event("work")]
async fn work(socket: &Socket, number: u32) -> Result<u32, EventError> {
    // A socket whose client is gone joins no room.
    let _ = socket.join(format!("room {}", number % 100));
    socket.set_attribute("number", i64::from(number));
    socket.on("own", |_payload| ());
    let _asked = socket.emit_with_ack::<()>(("question",));
    tokio::task::yield_now().await;
    Ok(number)
}

fn files() -> usize {
    std::fs::read_dir("/proc/self/fd").expect("this is Linux").count()
}

/// Not a test of its own: the server process of the test below.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "it is the other test's server"]
async fn server() {
    let hub = Hub::builder().events(events![connect, disconnect, work]).build().expect("a hub");
    let own = hub.clone();
    let figures = async move || {
        let stats = ALLOCATOR.stats();
        let bytes = stats.bytes_allocated - stats.bytes_deallocated;
        let (accepted, gone) = (ACCEPTED.load(Ordering::SeqCst), GONE.load(Ordering::SeqCst));
        format!("{bytes} {} {} {accepted} {gone}", files(), own.stats().connections)
    };
    let app = Router::new().route("/ws/{id}", get(hub.websocket())).route("/figures", get(figures));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    io::Write::write_all(&mut io::stdout(), format!("\nlistens on {address}\n").as_bytes()).expect("written");
    let timeout = std::env::var(HANDSHAKE_TIMEOUT).expect("the test sets it").parse().expect("milliseconds");
    let _ = socketio::serve(listener, app).handshake_timeout(Duration::from_millis(timeout)).await;
}

/// The resources that the server has in use.
#[derive(Debug)]
struct Figures {
    bytes: usize,
    files: usize,
    connections: usize,
    accepted: usize,
    gone: usize,
}

struct Server {
    process: Child,
    /// The server's standard output. It stays open because the server keeps writing to it.
    _output: Lines<BufReader<ChildStdout>>,
    address: SocketAddr,
}

impl Server {
    fn start(handshake_timeout: Duration) -> Self {
        let own = std::env::current_exe().expect("the test's own path");
        let mut process = Command::new(own)
            .args(["--exact", "server", "--ignored", "--nocapture"])
            .env(HANDSHAKE_TIMEOUT, handshake_timeout.as_millis().to_string())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a process");
        let output = BufReader::new(process.stdout.take().expect("its output is piped"));
        let mut output = output.lines();
        let said = |line: io::Result<String>| line.ok()?.strip_prefix("listens on ")?.parse().ok();
        let address = output.find_map(said).expect("an address");
        Self { process, _output: output, address }
    }

    async fn figures(&self) -> Figures {
        let mut stream = TcpStream::connect(self.address).await.expect("the server listens");
        let request = b"GET /figures HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        stream.write_all(request).await.expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("an answer");
        let figures = answer.lines().last().expect("a body").split(' ').map(|figure| figure.parse().expect("a number"));
        let figures: Vec<usize> = figures.collect();
        let [bytes, files, connections, accepted, gone] = figures[..] else { panic!("{answer}") };
        Figures { bytes, files, connections, accepted, gone }
    }

    /// Waits until the server has no connections and uses no more than this.
    async fn settled(&self, bytes: usize, files: usize) -> Figures {
        let start = Instant::now();
        loop {
            let figures = self.figures().await;
            let is_settled = figures.connections == 0 && figures.bytes <= bytes && figures.files <= files;
            if is_settled && figures.accepted == figures.gone {
                return figures;
            }
            assert!(start.elapsed() < PATIENCE, "{figures:?}, but {bytes} bytes and {files} files were to be left");
            tokio::task::yield_now().await;
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A connection, and the bytes received so far.
struct Client {
    stream: TcpStream,
    received: Vec<u8>,
}

impl Client {
    async fn connect(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        // A reset at the end avoids a port in TIME_WAIT for a minute.
        stream.set_zero_linger()?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, received: Vec::new() })
    }

    async fn upgraded(address: SocketAddr, id: &str) -> io::Result<Self> {
        let mut client = Self::connect(address).await?;
        let request = format!(
            "GET /ws/{id} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        client.send(request.as_bytes()).await?;
        client.receive(b"\r\n\r\n").await?;
        assert!(client.received.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&client.received));
        Ok(client)
    }

    async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await
    }

    /// Reads until these bytes have arrived.
    async fn receive(&mut self, expected: &[u8]) -> io::Result<()> {
        while !self.received.windows(expected.len()).any(|part| part == expected) {
            if self.stream.read_buf(&mut self.received).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(())
    }

    /// Reads until the connection ends.
    async fn rest(&mut self) {
        let reading = self.stream.read_to_end(&mut self.received);
        // A reset is an end as well.
        let _ = tokio::time::timeout(PATIENCE, reading).await.expect("the end of the connection");
    }
}

/// Makes one connection; the number determines its kind.
async fn make_connection(address: SocketAddr, number: usize) -> io::Result<()> {
    let work = text_frame(&format!(r#"{{"event":"work","data":{number},"id":1}}"#));
    match number % 5 {
        // A client that behaves correctly.
        0 => {
            let mut client = Client::upgraded(address, "good").await?;
            client.send(&work).await?;
            client.receive(format!(r#"{{"id":1,"data":{number}}}"#).as_bytes()).await?;
            client.send(&[0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe8]).await?;
            client.rest().await;
            assert!(client.received.ends_with(&[0x88, 2, 0x03, 0xe8]));
        }
        // A client that disconnects in the middle of a frame.
        1 => {
            let mut client = Client::upgraded(address, "cut").await?;
            client.send(&[&work, &work[..work.len() / 2]].concat()).await?;
        }
        // An incomplete request head. Some of these clients wait until the server ends the
        // connection.
        2 => {
            let mut client = Client::connect(address).await?;
            client.send(b"GET /ws/half HTTP/1.1\r\nHost: localhost\r\nUpg").await?;
            if number % 100 == 2 {
                client.rest().await;
            }
        }
        // A client that violates the WebSocket protocol.
        3 => {
            let frames: [&[u8]; 5] = [
                b"\x81\x02no",
                b"\xf1\x80\0\0\0\0",
                b"\x81\x82\0\0\0\0\xff\xfe",
                b"\x80\x80\0\0\0\0",
                b"\x82\xff\0\0\0\0\0\0\0\xff\xff\0\0\0\0",
            ];
            let mut client = Client::upgraded(address, "bad").await?;
            client.send(&[&work, frames[number / 5 % frames.len()]].concat()).await?;
            // The last frame starts a message that never continues.
            client.stream.shutdown().await?;
            client.rest().await;
        }
        // A client that is refused.
        _ => {
            let mut client = Client::upgraded(address, "refused").await?;
            client.receive(b"\x03\xf0not you").await?;
            client.send(&[0x88, 0x82, 0, 0, 0, 0, 0x03, 0xf0]).await?;
            client.rest().await;
        }
    }
    Ok(())
}

/// Makes these connections, a fixed number of them at a time.
async fn make_connections(address: SocketAddr, numbers: std::ops::Range<usize>) {
    let next = Arc::new(AtomicUsize::new(numbers.start));
    let mut visitors = tokio::task::JoinSet::new();
    for _ in 0..AT_A_TIME {
        let next = Arc::clone(&next);
        visitors.spawn(async move {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= numbers.end {
                    return;
                }
                make_connection(address, number).await.unwrap_or_else(|error| panic!("connection {number}: {error}"));
            }
        });
    }
    while let Some(visitor) = visitors.join_next().await {
        visitor.expect("no panic");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_thousand_connections_leak_nothing() {
    let server = Server::start(Duration::from_millis(500));
    let empty = server.figures().await;
    make_connections(server.address, 0..WARM_UP).await;
    let before = server.settled(usize::MAX, empty.files).await;
    make_connections(server.address, WARM_UP..CONNECTIONS).await;
    let after = server.settled(before.bytes + SLACK, before.files).await;
    println!("after {WARM_UP} connections {before:?}, after {CONNECTIONS} {after:?}");
    // All clients but the refused ones and those with an incomplete request.
    assert_eq!(after.accepted, CONNECTIONS / 5 * 3);
}

/// Connects thousands of clients, and disconnects them all when the last one has its answer.
async fn storm(address: SocketAddr) {
    let mut connecting = tokio::task::JoinSet::new();
    for number in 0..STORM {
        connecting.spawn(async move {
            let mut client = Client::upgraded(address, "good").await?;
            client.send(&text_frame(&format!(r#"{{"event":"work","data":{number},"id":1}}"#))).await?;
            client.receive(format!(r#"{{"id":1,"data":{number}}}"#).as_bytes()).await?;
            io::Result::Ok(client)
        });
    }
    let mut clients = Vec::with_capacity(STORM);
    while let Some(client) = connecting.join_next().await {
        clients.push(client.expect("no panic").expect("a client with its answer"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn storms_of_connections_leave_no_memory_behind() {
    let server = Server::start(Duration::from_secs(5));
    make_connections(server.address, 0..AT_A_TIME).await;
    let before = server.settled(usize::MAX, usize::MAX).await;
    for number in 1..=STORMS {
        storm(server.address).await;
        let after = server.settled(before.bytes + KEPT, before.files).await;
        println!("before {before:?}, after storm {number} of {STORM} clients {after:?}");
    }
}
