//! What the tests have in common: servers, clients that are tungstenite's, and a log of what handlers saw.

pub mod raw;
pub mod stream;

use axum::Router;
use axum::routing::get;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use socketio::{Hub, WebSocketRoute};
use std::fmt::Display;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use stream::{Door, Stream};
use tokio::sync::{Semaphore, mpsc};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::client::{Request, Response};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Bytes, Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

/// How long a test waits for what must come, on a busy machine too.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Waits for what must come.
///
/// # Panics
///
/// It does not come.
pub async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    let waited = tokio::time::timeout(PATIENCE, future).await;
    waited.unwrap_or_else(|_| panic!("no {what} came"))
}

/// A server, reached as the [`stream`] of this run says.
#[derive(Clone, Debug)]
pub struct Server {
    /// Its hub.
    pub hub: Hub,
    door: Door,
}

/// Serves a hub's own route at `/ws/{id}`.
pub async fn serve(hub: Hub) -> Server {
    let route = hub.websocket();
    serve_route(hub, route).await
}

/// Serves a route at `/ws/{id}`.
pub async fn serve_route(hub: Hub, route: WebSocketRoute) -> Server {
    serve_router(hub, Router::new().route("/ws/{id}", get(route))).await
}

/// Serves an application of the test's own.
pub async fn serve_router(hub: Hub, app: Router) -> Server {
    Server { hub, door: Door::serve(app).await }
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

    /// A request for a WebSocket, for tests that change it.
    pub fn request(&self, path: &str) -> Request {
        format!("ws://{}{path}", self.host()).into_client_request().expect("a request")
    }

    /// Connects a client with a request.
    ///
    /// # Errors
    ///
    /// The server refuses, or the client does not accept the answer.
    pub async fn handshake(&self, request: Request) -> Result<(Client, Response), Error> {
        let (client, response) = client_async(request, self.open().await).await?;
        Ok((Client(client), response))
    }

    /// A connection on which nothing has been said yet.
    pub async fn open(&self) -> Stream {
        self.door.open().await.expect("the server listens")
    }

    /// What clients of this server write into the header `Host`.
    pub fn host(&self) -> String {
        self.door.host()
    }

    /// Where the server listens, for clients that speak TCP alone.
    pub fn address(&self) -> SocketAddr {
        self.door.address().expect("this test is for TCP")
    }

    /// The status with which the server refuses a request for a WebSocket.
    pub async fn refusal(&self, path: &str) -> u16 {
        match self.handshake(self.request(path)).await {
            Err(Error::Http(response)) => response.status().as_u16(),
            other => panic!("the server did not refuse: {other:?}"),
        }
    }

    /// The same, once it refuses.
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

/// A client.
#[derive(Debug)]
pub struct Client(pub WebSocketStream<Stream>);

impl Client {
    /// Sends a text message.
    pub async fn send(&mut self, text: impl Into<String>) {
        self.0.send(Message::text(text.into())).await.expect("the server takes it");
    }

    /// Sends a binary message.
    pub async fn send_binary(&mut self, bytes: Vec<u8>) {
        self.0.send(Message::binary(bytes)).await.expect("the server takes it");
    }

    /// Sends a ping.
    pub async fn ping(&mut self, payload: &'static [u8]) {
        self.0.send(Message::Ping(Bytes::from_static(payload))).await.expect("the server takes it");
    }

    /// Sends an event with one argument.
    pub async fn emit(&mut self, event: &str, data: impl Into<Value>) {
        self.send(json!({ "event": event, "data": data.into() }).to_string()).await;
    }

    /// The next message that is not a ping or pong; `None` when the connection has ended.
    pub async fn next(&mut self) -> Option<Message> {
        loop {
            match soon("message", self.0.next()).await {
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(message)) => return Some(message),
                Some(Err(_)) | None => return None,
            }
        }
    }

    /// The next message, a text.
    pub async fn text(&mut self) -> String {
        let message = self.next().await.expect("a message");
        assert!(message.is_text(), "{message:?}");
        message.to_text().expect("a text message").to_owned()
    }

    /// The next message, as JSON.
    pub async fn json(&mut self) -> Value {
        serde_json::from_str(&self.text().await).expect("JSON")
    }

    /// Sends an event with one argument and waits for the answer, other messages left aside.
    pub async fn ask(&mut self, event: &str, data: impl Into<Value>) -> Value {
        self.request(json!({ "event": event, "data": data.into(), "id": "ask" })).await
    }

    /// Sends an event with several arguments and waits for the answer, other messages left aside.
    pub async fn ask_all(&mut self, event: &str, args: impl Into<Value>) -> Value {
        self.request(json!({ "event": event, "args": args.into(), "id": "ask" })).await
    }

    /// Sends an envelope and waits for the answer under its id, other messages left aside.
    pub async fn request(&mut self, envelope: Value) -> Value {
        self.send(envelope.to_string()).await;
        loop {
            let answer = self.json().await;
            if answer["id"] == envelope["id"] && answer.get("event").is_none() {
                return answer;
            }
        }
    }

    /// Waits until the server has handled everything that was sent before.
    pub async fn settle(&mut self) {
        self.request(json!({ "event": "nobody handles this", "id": "settle" })).await;
    }

    /// Sends a close frame.
    pub async fn close(&mut self, code: u16, reason: &'static str) {
        let frame = CloseFrame { code: CloseCode::from(code), reason: reason.into() };
        self.0.close(Some(frame)).await.expect("the server takes it");
    }

    /// Reads to the end of the connection: what the close frame says, if there is one.
    pub async fn closed(&mut self) -> Option<(u16, String)> {
        let mut said = None;
        while let Some(message) = self.next().await {
            if let Message::Close(frame) = message {
                said = frame.map(|frame| (frame.code.into(), frame.reason.to_string()));
            }
        }
        said
    }

    /// The stream under the WebSocket, for bytes that no WebSocket client would send.
    pub fn stream(&mut self) -> &mut Stream {
        self.0.get_mut()
    }
}

/// A frame as clients send it, masked with zeros.
pub fn masked_frame(first_byte: u8, payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).ok().filter(|length| *length < 126).expect("a short payload");
    [&[first_byte, 0x80 | length, 0, 0, 0, 0], payload].concat()
}

/// Where handlers and listeners write down what they see.
#[derive(Clone, Debug)]
pub struct Log(mpsc::UnboundedSender<String>);

/// What was written down, in that order.
#[derive(Debug)]
pub struct Seen(mpsc::UnboundedReceiver<String>);

/// A log, and what is written into it.
pub fn log() -> (Log, Seen) {
    let (sender, receiver) = mpsc::unbounded_channel();
    (Log(sender), Seen(receiver))
}

impl Log {
    /// Writes a line.
    pub fn note(&self, line: impl Display) {
        // The test may have seen all that it wanted to see.
        let _ = self.0.send(line.to_string());
    }
}

impl Seen {
    /// The next line.
    pub async fn next(&mut self) -> String {
        soon("line of the log", self.0.recv()).await.expect("somebody writes into the log")
    }

    /// Waits for these lines, and no others between them.
    pub async fn expect(&mut self, lines: &[&str]) {
        for line in lines {
            assert_eq!(self.next().await, *line);
        }
    }

    /// All further lines, to the last that anybody can write.
    pub async fn rest(&mut self) -> Vec<String> {
        let mut rest = Vec::new();
        while let Some(line) = soon("line, or the end of the log", self.0.recv()).await {
            rest.push(line);
        }
        rest
    }

    /// Nothing more was written.
    pub fn expect_nothing(&mut self) {
        assert_eq!(self.0.try_recv().ok(), None);
    }
}

/// Where handlers wait until the test lets them go on, each one by one.
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
    /// Waits to be let through.
    pub async fn pass(&self) {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        self.permits.acquire().await.expect("a gate is never closed").forget();
        self.waiting.fetch_sub(1, Ordering::SeqCst);
    }

    /// How many wait, or waited when they were dropped.
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::SeqCst)
    }

    /// Lets one through.
    pub fn open(&self) {
        self.open_for(1);
    }

    /// Lets several through.
    pub fn open_for(&self, number: usize) {
        self.permits.add_permits(number);
    }
}
