//! A client, whatever this run's clients speak: tests write and expect messages of plain WebSocket clients.

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

/// A client.
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

    /// Sends a ping. Plain WebSocket clients alone do.
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
            let message = self.next().await.expect("an answer");
            match message.to_text().ok().and_then(|text| serde_json::from_str::<Value>(text).ok()) {
                Some(answer) if answer["id"] == envelope["id"] && answer.get("event").is_none() => return answer,
                _ => {}
            }
        }
    }

    /// Waits until the server has handled everything that was sent before.
    pub async fn settle(&mut self) {
        self.request(json!({ "event": "nobody handles this", "id": "settle" })).await;
    }

    /// Waits until the server has read everything that was sent before, handled or not; it has nothing to say meanwhile.
    pub async fn heard(&mut self) {
        if self.0.is_plain() {
            self.ping(b"?").await;
            let pong = soon("pong", self.0.next()).await.expect("a message").expect("a message");
            return assert_eq!(pong, Message::Pong(Bytes::from_static(b"?")));
        }
        // An event whose name is too long is answered as soon as it is read.
        self.send(json!({ "event": "x".repeat(257), "id": "heard" }).to_string()).await;
        assert_eq!(self.json().await["id"], "heard");
    }

    /// Closes the connection, with a close frame where there are any.
    pub async fn close(&mut self, code: u16, reason: &'static str) {
        let frame = CloseFrame { code: CloseCode::from(code), reason: reason.into() };
        self.0.send(Message::Close(Some(frame))).await.expect("the server takes it");
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
        match &mut self.0.line {
            Line::WebSocket(socket) => socket.get_mut(),
            Line::Polling(_) => panic!("there are several, by long-polling"),
        }
    }
}

/// What a client's messages go through.
#[derive(Debug)]
pub struct Channel {
    line: Line,
    /// None for plain WebSocket clients.
    translator: Option<Translator>,
}

#[derive(Debug)]
enum Line {
    WebSocket(Box<WebSocketStream<Stream>>),
    Polling(Box<Polling>),
}

/// What both are.
trait Duplex: futures_util::Stream<Item = Result<Message, Error>> + Sink<Message, Error = Error> {}
impl<T: futures_util::Stream<Item = Result<Message, Error>> + Sink<Message, Error = Error>> Duplex for T {}

impl Channel {
    /// That of a plain WebSocket client.
    pub fn plain(socket: WebSocketStream<Stream>) -> Self {
        Self { line: Line::WebSocket(Box::new(socket)), translator: None }
    }

    pub(crate) async fn over_websocket(socket: WebSocketStream<Stream>, msgpack: bool) -> Result<Self, Error> {
        Self::connected(Line::WebSocket(Box::new(socket)), msgpack).await
    }

    pub(crate) async fn polling(session: Polling) -> Result<Self, Error> {
        Self::connected(Line::Polling(Box::new(session)), false).await
    }

    /// That of a Socket.IO client, which asks to be connected first.
    async fn connected(line: Line, msgpack: bool) -> Result<Self, Error> {
        let mut channel = Self { line, translator: Some(Translator::new(msgpack)) };
        channel.flush().await?;
        Ok(channel)
    }

    fn is_plain(&self) -> bool {
        self.translator.is_none()
    }

    fn line(&mut self) -> Pin<&mut (dyn Duplex + Unpin)> {
        match &mut self.line {
            Line::WebSocket(socket) => Pin::new(&mut **socket),
            Line::Polling(session) => Pin::new(&mut **session),
        }
    }

    /// Takes up what goes out unasked. `true`: there was something.
    fn start_unasked(&mut self) -> Result<bool, Error> {
        let mut any = false;
        while let Some(message) = self.translator.as_mut().and_then(Translator::unasked) {
            self.line().start_send(message)?;
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
                return self.line().poll_next(context);
            }
            if let Some(message) = self.translator.as_mut().and_then(Translator::received) {
                return Poll::Ready(Some(Ok(message)));
            }
            // That nothing can be sent any more shows when something is read. Another task may be sending: it is that one which
            // is to be woken where nothing goes out from here.
            if let Ok(true) = self.start_unasked() {
                let _ = self.line().poll_flush(context);
            }
            let next = ready!(self.line().poll_next(context));
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
        self.line().poll_ready(context)
    }

    fn start_send(mut self: Pin<&mut Self>, message: Message) -> Result<(), Error> {
        let messages = match &mut self.translator {
            Some(translator) => translator.send(message),
            None => vec![message],
        };
        messages.into_iter().try_for_each(|message| self.line().start_send(message))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.start_unasked()?;
        self.line().poll_flush(context)
    }

    fn poll_close(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.line().poll_close(context)
    }
}
