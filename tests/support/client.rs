//! A client of this run's flavour. Tests always write and expect the messages of plain WebSocket
//! clients.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::{Sink, SinkExt, StreamExt};
use serde_json::{Value, json};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Bytes, Error, Message};

use crate::socketio::Translator;
use crate::socketio::polling::Polling;
use crate::soon;
use crate::stream::Stream;

/// A test client, with methods to send and receive.
#[derive(Debug)]
pub struct Client(pub Channel);

impl Client {
    /// Sends a text message.
    pub async fn send(&mut self, text: impl Into<String>) {
        self.0.send(Message::text(text.into())).await.expect("the server takes it");
    }

    /// Sends a binary message.
    pub async fn send_binary(&mut self, bytes: Vec<u8>) {
        self.0.send(Message::binary(bytes)).await.expect("the server takes it");
    }

    /// Sends a WebSocket ping. Only plain clients can.
    pub async fn ping(&mut self, payload: &'static [u8]) {
        self.0.send(Message::Ping(Bytes::from_static(payload))).await.expect("the server takes it");
    }

    /// Sends an event with one argument.
    pub async fn emit(&mut self, event: &str, data: impl Into<Value>) {
        self.send(json!({ "event": event, "data": data.into() }).to_string()).await;
    }

    /// The next message that is not a ping or pong. `None` when the connection has ended.
    pub async fn next(&mut self) -> Option<Message> {
        loop {
            match soon("message", self.0.next()).await {
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(message)) => return Some(message),
                Some(Err(_)) | None => return None,
            }
        }
    }

    /// The next message, which must be text.
    pub async fn text(&mut self) -> String {
        let message = self.next().await.expect("a message");
        assert!(message.is_text(), "{message:?}");
        message.to_text().expect("a text message").to_owned()
    }

    /// The next message, as JSON.
    pub async fn json(&mut self) -> Value {
        serde_json::from_str(&self.text().await).expect("JSON")
    }

    /// Sends an event with one argument, and waits for the answer. Other messages are dropped.
    pub async fn ask(&mut self, event: &str, data: impl Into<Value>) -> Value {
        self.request(json!({ "event": event, "data": data.into(), "id": "ask" })).await
    }

    /// Sends an event with several arguments, and waits for the answer. Other messages are dropped.
    pub async fn ask_all(&mut self, event: &str, args: impl Into<Value>) -> Value {
        self.request(json!({ "event": event, "args": args.into(), "id": "ask" })).await
    }

    /// Sends an envelope with attachments. It has a placeholder for each of them, in whose place a
    /// plain client sends base64.
    pub async fn send_with(&mut self, envelope: &Value, attachments: &[&[u8]]) {
        match &mut self.0.translator {
            Some(translator) => {
                translator.attachments = attachments.iter().map(|bytes| Bytes::copy_from_slice(bytes)).collect();
                self.send(envelope.to_string()).await;
            }
            None => self.send(with_base64(envelope.clone(), attachments).to_string()).await,
        }
    }

    /// Sends an event with one argument and attachments, and waits for the answer. Other messages
    /// are dropped.
    pub async fn ask_with(&mut self, event: &str, data: impl Into<Value>, attachments: &[&[u8]]) -> Value {
        let envelope = json!({ "event": event, "data": data.into(), "id": "ask" });
        self.send_with(&envelope, attachments).await;
        self.answer(&envelope["id"]).await
    }

    /// Sends an envelope, and waits for the answer with its id. Other messages are dropped.
    pub async fn request(&mut self, envelope: Value) -> Value {
        self.send(envelope.to_string()).await;
        self.answer(&envelope["id"]).await
    }

    async fn answer(&mut self, id: &Value) -> Value {
        loop {
            let message = self.next().await.expect("an answer");
            match message.to_text().ok().and_then(|text| serde_json::from_str::<Value>(text).ok()) {
                Some(answer) if answer["id"] == *id && answer.get("event").is_none() => return answer,
                _ => {}
            }
        }
    }

    /// Waits until the server has handled all messages sent before.
    pub async fn settle(&mut self) {
        self.request(json!({ "event": "nobody handles this", "id": "settle" })).await;
    }

    /// Waits until the server has read all messages sent before. They need not be handled yet. The
    /// server must not send anything else meanwhile.
    pub async fn heard(&mut self) {
        if self.0.is_plain() {
            self.ping(b"?").await;
            let pong = soon("pong", self.0.next()).await.expect("a message").expect("a message");
            return assert_eq!(pong, Message::Pong(Bytes::from_static(b"?")));
        }
        // The server answers an event with a too long name when it reads it.
        self.send(json!({ "event": "x".repeat(257), "id": "heard" }).to_string()).await;
        assert_eq!(self.json().await["id"], "heard");
    }

    /// Closes the connection, with a close frame if the transport is a WebSocket.
    pub async fn close(&mut self, code: u16, reason: &'static str) {
        let frame = CloseFrame { code: CloseCode::from(code), reason: reason.into() };
        self.0.send(Message::Close(Some(frame))).await.expect("the server takes it");
    }

    /// Reads until the connection ends, and returns the contents of the close frame, if there was
    /// one.
    pub async fn closed(&mut self) -> Option<(u16, String)> {
        let mut said = None;
        while let Some(message) = self.next().await {
            if let Message::Close(frame) = message {
                said = frame.map(|frame| (frame.code.into(), frame.reason.to_string()));
            }
        }
        said
    }

    /// The stream below the WebSocket, to send bytes that no WebSocket client would send.
    pub fn stream(&mut self) -> &mut Stream {
        match &mut self.0.transport {
            Transport::WebSocket(socket) => socket.get_mut(),
            Transport::Polling(_) => panic!("a long-polling client has several streams"),
        }
    }
}

/// The value with base64 in the place of its placeholders.
fn with_base64(value: Value, attachments: &[&[u8]]) -> Value {
    match value {
        Value::Object(fields) if fields.contains_key("_placeholder") => {
            let number = fields["num"].as_u64().expect("a number");
            match attachments.get(usize::try_from(number).expect("a small number")) {
                Some(bytes) => STANDARD.encode(bytes).into(),
                None => fields.into(),
            }
        }
        Value::Object(fields) => {
            fields.into_iter().map(|(key, value)| (key, with_base64(value, attachments))).collect()
        }
        Value::Array(values) => values.into_iter().map(|value| with_base64(value, attachments)).collect(),
        other => other,
    }
}

/// A client's transport, with translation between envelopes and Socket.IO.
#[derive(Debug)]
pub struct Channel {
    transport: Transport,
    /// `None` for plain WebSocket clients.
    translator: Option<Translator>,
}

#[derive(Debug)]
enum Transport {
    WebSocket(Box<WebSocketStream<Stream>>),
    Polling(Box<Polling>),
}

/// The common interface of both transports.
trait Duplex: futures_util::Stream<Item = Result<Message, Error>> + Sink<Message, Error = Error> {}
impl<T: futures_util::Stream<Item = Result<Message, Error>> + Sink<Message, Error = Error>> Duplex for T {}

impl Channel {
    /// The channel of a plain WebSocket client.
    pub fn plain(socket: WebSocketStream<Stream>) -> Self {
        Self { transport: Transport::WebSocket(Box::new(socket)), translator: None }
    }

    pub(crate) async fn over_websocket(socket: WebSocketStream<Stream>, msgpack: bool) -> Result<Self, Error> {
        Self::connected(Transport::WebSocket(Box::new(socket)), msgpack).await
    }

    pub(crate) async fn polling(session: Polling) -> Result<Self, Error> {
        Self::connected(Transport::Polling(Box::new(session)), false).await
    }

    /// The channel of a Socket.IO client, which sends CONNECT first.
    async fn connected(transport: Transport, msgpack: bool) -> Result<Self, Error> {
        let mut channel = Self { transport, translator: Some(Translator::new(msgpack)) };
        channel.flush().await?;
        Ok(channel)
    }

    fn is_plain(&self) -> bool {
        self.translator.is_none()
    }

    fn transport(&mut self) -> Pin<&mut (dyn Duplex + Unpin)> {
        match &mut self.transport {
            Transport::WebSocket(socket) => Pin::new(&mut **socket),
            Transport::Polling(session) => Pin::new(&mut **session),
        }
    }

    /// Starts sending the translator's own messages. `true`: there was one.
    fn start_automatic(&mut self) -> Result<bool, Error> {
        let mut any = false;
        while let Some(message) = self.translator.as_mut().and_then(Translator::next_automatic) {
            self.transport().start_send(message)?;
            any = true;
        }
        Ok(any)
    }
}

impl futures_util::Stream for Channel {
    type Item = Result<Message, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Message, Error>>> {
        loop {
            if self.translator.is_none() {
                return self.transport().poll_next(context);
            }
            if let Some(message) = self.translator.as_mut().and_then(Translator::next_received) {
                return Poll::Ready(Some(Ok(message)));
            }
            // A failed send shows as an error of the next read. Another task may be sending: a
            // flush without need would replace that task's waker.
            if let Ok(true) = self.start_automatic() {
                let _ = self.transport().poll_flush(context);
            }
            let next = ready!(self.transport().poll_next(context));
            match (next, &mut self.translator) {
                (Some(Ok(message)), Some(translator)) => translator.receive(message),
                (end, _) => return Poll::Ready(end),
            }
        }
    }
}

impl Sink<Message> for Channel {
    type Error = Error;

    fn poll_ready(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.transport().poll_ready(context)
    }

    fn start_send(mut self: Pin<&mut Self>, message: Message) -> Result<(), Error> {
        let messages = match &mut self.translator {
            Some(translator) => translator.send(message),
            None => vec![message],
        };
        messages.into_iter().try_for_each(|message| self.transport().start_send(message))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.start_automatic()?;
        self.transport().poll_flush(context)
    }

    fn poll_close(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.transport().poll_close(context)
    }
}
