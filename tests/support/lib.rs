//! Shared parts of the tests: servers, clients, and a log that handlers write to.

pub mod admin;
mod client;
pub mod cut;
mod flavour;
pub mod in_process;
pub mod raw;
pub mod raw_polling;
mod socketio;
pub mod stream;

use ::socketio::{Hub, MsgpackParser, WebSocketRoute};
use axum::Router;
use axum::routing::get;
pub use client::{Channel, Client};
pub use flavour::{Flavour, flavour, json_only, plain_only, websocket_only};
use http::Uri;
use socketio::polling::Polling;
use std::fmt::Display;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use stream::{Endpoint, Stream};
use tokio::sync::{Semaphore, mpsc};
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::client::{Request, Response};

/// How long a test waits for an expected event, even on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Waits for `future`, which must complete soon.
///
/// # Panics
///
/// It does not complete within [`PATIENCE`].
pub async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    let waited = tokio::time::timeout(PATIENCE, future).await;
    waited.unwrap_or_else(|_| panic!("no {what} arrived in time"))
}

/// Checks that each file of a test program is a module of it. A file that is not declared is never
/// compiled.
///
/// # Panics
///
/// A file in the directory or below it is not declared in the program's `main.rs`.
pub fn assert_modules(main: &str, directory: &str) {
    for entry in std::fs::read_dir(directory).expect("the program's directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            assert_modules(main, &path.to_string_lossy());
        } else if path.extension().is_some_and(|extension| extension == "rs") && !path.ends_with("main.rs") {
            let declaration = format!("mod {};", path.file_stem().expect("a name").display());
            let is_declared = main.lines().any(|line| line.trim().trim_start_matches("pub ") == declaration);
            assert!(is_declared, "`{}` is missing in main.rs: {}", declaration, path.display());
        }
    }
}

/// A server on this run's kind of [`stream`].
#[derive(Clone, Debug)]
pub struct Server {
    /// The hub.
    pub hub: Hub,
    endpoint: Endpoint,
    /// The flavour of its clients.
    flavour: Flavour,
}

/// Serves a hub's own route at `/ws/{id}` to clients of this run's [`flavour`].
pub async fn serve(hub: Hub) -> Server {
    let routes = hub.socketio().path("/ws/{id}");
    let app = match flavour() {
        Flavour::Plain => Router::new().route("/ws/{id}", get(hub.websocket())),
        Flavour::Polling | Flavour::SocketIo => routes.into(),
        Flavour::Msgpack => routes.parser(MsgpackParser).into(),
    };
    Server { hub, endpoint: Endpoint::serve(app).await, flavour: flavour() }
}

/// Serves a route at `/ws/{id}`, to plain WebSocket clients.
///
/// # Panics
///
/// This run has other clients: the test is [`plain_only`].
pub async fn serve_route(hub: Hub, route: WebSocketRoute) -> Server {
    serve_router(hub, Router::new().route("/ws/{id}", get(route))).await
}

/// Serves an application of the test's own, to plain WebSocket clients.
///
/// # Panics
///
/// This run has other clients: the test is [`plain_only`].
pub async fn serve_router(hub: Hub, app: Router) -> Server {
    plain_only();
    Server { hub, endpoint: Endpoint::serve(app).await, flavour: Flavour::Plain }
}

impl Server {
    /// Connects a client as `/ws/{id}`.
    pub async fn connect(&self, id: &str) -> Client {
        self.connect_to(&format!("/ws/{id}")).await
    }

    /// Connects a client to a path.
    pub async fn connect_to(&self, path: &str) -> Client {
        self.handshake(self.request(path)).await.expect("the server accepts").0
    }

    /// A WebSocket request, for tests that modify it.
    pub fn request(&self, path: &str) -> Request {
        format!("ws://{}{path}", self.host()).into_client_request().expect("a request")
    }

    /// Connects a client with a request.
    ///
    /// # Errors
    ///
    /// The server refuses the request, or the client rejects the response.
    pub async fn handshake(&self, mut request: Request) -> Result<(Client, Response), Error> {
        let stream = self.open().await;
        let (channel, response) = match self.flavour {
            Flavour::Plain => {
                let (socket, response) = client_async(request, stream).await?;
                (Channel::plain(socket), response)
            }
            Flavour::Polling => {
                *request.uri_mut() = session_uri(request.uri(), "polling");
                // The headers of a WebSocket request.
                for name in ["connection", "upgrade", "sec-websocket-version", "sec-websocket-key"] {
                    request.headers_mut().remove(name);
                }
                let (session, response) = Polling::begin(request, stream, self.open().await).await?;
                (Channel::polling(session).await?, response)
            }
            Flavour::SocketIo | Flavour::Msgpack => {
                *request.uri_mut() = session_uri(request.uri(), "websocket");
                let (socket, response) = client_async(request, stream).await?;
                (Channel::over_websocket(socket, self.flavour == Flavour::Msgpack).await?, response)
            }
        };
        Ok((Client(channel), response))
    }

    /// Opens a connection without sending anything.
    pub async fn open(&self) -> Stream {
        self.endpoint.open().await.expect("the server listens")
    }

    /// The `Host` header of this server's clients.
    pub fn host(&self) -> String {
        self.endpoint.host()
    }

    /// The address, for clients that only support TCP.
    pub fn address(&self) -> SocketAddr {
        self.endpoint.address().expect("this test is for TCP")
    }

    /// The status with which the server refuses a WebSocket request.
    pub async fn refusal(&self, path: &str) -> u16 {
        match self.handshake(self.request(path)).await {
            Err(Error::Http(response)) => response.status().as_u16(),
            other => panic!("the server did not refuse: {other:?}"),
        }
    }

    /// Like [`refusal`](Self::refusal), but retries until the server refuses.
    pub async fn refusal_soon(&self, path: &str) -> u16 {
        let refused = async {
            loop {
                match self.handshake(self.request(path)).await {
                    Err(Error::Http(response)) => break response.status().as_u16(),
                    _ => tokio::task::yield_now().await,
                }
            }
        };
        soon("refusal", refused).await
    }
}

/// The URI of an Engine.IO handshake.
fn session_uri(uri: &Uri, transport: &str) -> Uri {
    let separator = if uri.query().is_some() { '&' } else { '?' };
    format!("{uri}{separator}EIO=4&transport={transport}").parse().expect("a URI")
}

/// A client's frame, masked with zeros.
pub fn masked_frame(first_byte: u8, payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).ok().filter(|length| *length < 126).expect("a short payload");
    [&[first_byte, 0x80 | length, 0, 0, 0, 0], payload].concat()
}

/// A log that handlers and listeners write to.
#[derive(Clone, Debug)]
pub struct Log(mpsc::UnboundedSender<String>);

/// The lines of a [`Log`], in order.
#[derive(Debug)]
pub struct Seen(mpsc::UnboundedReceiver<String>);

/// Creates a log, and the receiver of its lines.
pub fn log() -> (Log, Seen) {
    let (sender, receiver) = mpsc::unbounded_channel();
    (Log(sender), Seen(receiver))
}

impl Log {
    /// Writes a line.
    pub fn note(&self, line: impl Display) {
        // The test may have dropped the receiver.
        let _ = self.0.send(line.to_string());
    }
}

impl Seen {
    /// The next line.
    pub async fn next(&mut self) -> String {
        soon("line of the log", self.0.recv()).await.expect("somebody writes into the log")
    }

    /// Waits for exactly these lines.
    pub async fn expect(&mut self, lines: &[&str]) {
        for line in lines {
            assert_eq!(self.next().await, *line);
        }
    }

    /// All remaining lines, until every [`Log`] is dropped.
    pub async fn rest(&mut self) -> Vec<String> {
        let mut rest = Vec::new();
        while let Some(line) = soon("line, or the end of the log", self.0.recv()).await {
            rest.push(line);
        }
        rest
    }

    /// Asserts that there is no further line.
    pub fn expect_nothing(&mut self) {
        assert_eq!(self.0.try_recv().ok(), None);
    }
}

/// A gate at which handlers wait until the test lets them continue, one by one.
#[derive(Clone, Debug)]
pub struct Gate {
    permits: Arc<Semaphore>,
    waiting: Arc<AtomicUsize>,
}

impl Default for Gate {
    fn default() -> Self {
        Self { permits: Arc::new(Semaphore::new(0)), waiting: Arc::default() }
    }
}

impl Gate {
    /// Waits until the gate opens for one handler.
    pub async fn pass(&self) {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        self.permits.acquire().await.expect("a gate is never closed").forget();
        self.waiting.fetch_sub(1, Ordering::SeqCst);
    }

    /// How many handlers wait, including those dropped while waiting.
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::SeqCst)
    }

    /// Lets one handler through.
    pub fn open(&self) {
        self.open_for(1);
    }

    /// Lets this many handlers through.
    pub fn open_for(&self, number: usize) {
        self.permits.add_permits(number);
    }
}
