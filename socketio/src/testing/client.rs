//! [`Client`]: a connected test client, and the methods that send.

use serde::Serialize;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

use super::connection::Connection;
use super::error::{Actual, Refused, TestError};
use super::inbox::Inbox;
use super::settle;
use super::wire::{self, Answer};
use crate::event::error::PayloadError;
use crate::event::message::{IntoEvent, IntoMessage, Request};
use crate::event::raw_message::IntoRawMessage;
use crate::hub::selection::EmitError;
use crate::hub::socket::SocketId;
use crate::hub::socket::from_answer::FromAnswer;
use crate::wire::packet::Packet;

/// A client for tests, connected to one namespace of a hub.
///
/// | sending | |
/// | --- | --- |
/// | [`emit`](Self::emit) | sends an event |
/// | [`send`](Self::send) | sends text or bytes |
/// | [`request`](Self::request), [`ask`](Self::ask), [`emit_with_ack`](Self::emit_with_ack) | the same, and waits for the answer |
/// | [`disconnect`](Self::disconnect), [`close_with`](Self::close_with) | disconnects with the protocol's close handshake |
/// | [`freeze`](Self::freeze) | stops reading, writing and answering heartbeats |
/// | `drop` | cuts the connection; messages emitted before still arrive |
///
/// | receiving | |
/// | --- | --- |
/// | [`expect`](Self::expect) | the next message is an event of this payload type |
/// | [`expect_exact`](Self::expect_exact) | the next message is this one |
/// | [`expect_event`](Self::expect_event) | the next message is an event of this name; it can be answered |
/// | [`answer`](Self::answer) | the next message is an event of this payload type that wants an answer; it is answered |
/// | [`expect_text`](Self::expect_text), [`expect_binary`](Self::expect_binary) | the next message is text, or binary |
/// | [`wait_for`](Self::wait_for) | some message is an event of this payload type; the messages before it are skipped |
/// | [`expect_end`](Self::expect_end) | the connection ends before another message arrives |
/// | [`expect_nothing`](Self::expect_nothing) | no more messages arrive |
///
/// Received messages are kept in order until the test expects them. An expectation that is not met
/// consumes nothing, and its error lists everything that the client has received. Answers to the
/// client's own events go to the callers of `request`, `ask` and `emit_with_ack`. Heartbeats are
/// answered.
#[must_use = "its connection is cut when it is dropped"]
pub struct Client {
    pub(super) connection: Arc<Connection>,
    pub(super) inbox: Arc<Inbox>,
    pub(super) namespace: Box<str>,
    id: SocketId,
    pub(super) patience: Duration,
}

impl Client {
    pub(super) fn new(
        connection: Arc<Connection>,
        inbox: Arc<Inbox>,
        namespace: &str,
        id: SocketId,
        patience: Duration,
    ) -> Self {
        Self { connection, inbox, namespace: namespace.into(), id, patience }
    }

    /// Connects a Socket.IO client to a namespace.
    pub(super) async fn join(
        connection: Arc<Connection>,
        namespace: &str,
        auth: Option<&str>,
        patience: Duration,
    ) -> Result<Self, TestError> {
        let Some(inbox) = connection.join(namespace) else {
            return Err(TestError::Impossible(format!("this connection has a client in `{namespace}` already")));
        };
        connection.write(vec![wire::connect(namespace, auth)]);
        let error = match inbox.connect_reply(connection.accept_timeout).await {
            Ok(Ok(sid)) => return Ok(Self::new(connection, inbox, namespace, SocketId::from(&*sid), patience)),
            Ok(Err(json)) => Refused::by_packet(&json).into(),
            Err(Some(ended)) => Refused::by_end(ended).into(),
            Err(None) => {
                inbox.unmet(&format!("to be accepted in `{namespace}`"), Actual::Timeout(connection.accept_timeout))
            }
        };
        connection.remove(namespace);
        Err(error)
    }

    /// Connects to another namespace of the hub on the same connection, as Socket.IO clients do.
    /// `auth` is an object, or `()` for none. The connection is cut when its last client is
    /// dropped.
    ///
    /// ```
    /// # use socketio::Hub;
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let hub = Hub::builder().build()?;
    /// let admin = hub.of("/admin");
    /// let client = hub.test_client().connect().await?;
    /// let mut in_admin = client.connect_to("/admin", ()).await?;
    /// admin.send("hello")?;
    /// assert_eq!(in_admin.expect_text().await?, "hello");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// The namespace refuses the client, the client is plain, or it is already in that namespace.
    pub async fn connect_to(&self, namespace: &str, auth: impl Serialize) -> Result<Self, TestError> {
        if !self.connection.encoding.has_namespaces() {
            let why = "a plain client has one namespace per connection: use `hub.of(…).test_client().plain()`";
            return Err(TestError::Impossible(why.to_owned()));
        }
        let auth = serde_json::to_string(&auth).map_err(EmitError::from)?;
        let auth = Some(&*auth).filter(|auth| *auth != "null");
        Self::join(Arc::clone(&self.connection), namespace, auth, self.patience).await
    }

    /// The id of the client's socket. The server's side of it is `hub.socket(client.id())`.
    pub fn id(&self) -> SocketId {
        self.id.clone()
    }

    /// Sends an event: `&payload` of a payload type, or `("name", a, b)`. It returns at once. The
    /// server handles the message when the test next awaits something.
    ///
    /// # Errors
    ///
    /// The connection has ended, or the payload does not serialize.
    pub fn emit(&self, message: impl IntoMessage) -> Result<(), TestError> {
        self.send_packet(&message.into_packet()?)
    }

    /// Sends text or bytes, as they are: a frame of a plain client, the event `message` of a
    /// Socket.IO client.
    ///
    /// # Errors
    ///
    /// The connection has ended.
    pub fn send(&self, message: impl IntoRawMessage) -> Result<(), TestError> {
        self.send_packet(&message.into_raw())
    }

    /// Sends an event with one argument, and waits for its answer.
    ///
    /// ```
    /// # use socketio::{EventError, Hub, event, events};
    /// #[event("half")]
    /// fn half(number: u32) -> Result<u32, EventError> {
    ///     if number % 2 == 0 { Ok(number / 2) } else { Err(EventError::new("odd", "it is odd")) }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let hub = Hub::builder().events(events![half]).build()?;
    /// let client = hub.test_client().connect().await?;
    /// let answer: u32 = client.request("half", &4).await?;
    /// assert_eq!(answer, 2);
    ///
    /// let error = client.request::<u32>("half", &3).await.unwrap_err();
    /// assert_eq!(error.failed().unwrap().code(), "odd");
    /// let error = client.request::<u32>("half", "three").await.unwrap_err();
    /// assert_eq!(error.failed().unwrap().code(), "invalid_payload");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// The answer is an error ([`TestError::Failed`]), does not arrive, or does not decode to `R`;
    /// or the connection has ended.
    pub async fn request<R>(&self, event: &str, payload: &(impl Serialize + ?Sized)) -> Result<R, TestError>
    where
        R: FromAnswer,
    {
        self.emit_with_ack((event, payload)).await
    }

    /// Sends an event, and waits for its answer. Unlike [`request`](Self::request), it takes
    /// payload types and several arguments.
    ///
    /// # Errors
    ///
    /// The answer is an error ([`TestError::Failed`]), does not arrive, or does not decode to `R`;
    /// or the connection has ended.
    pub async fn emit_with_ack<R: FromAnswer>(&self, event: impl IntoEvent) -> Result<R, TestError> {
        let packet = event.into_packet()?;
        let name = packet.name().unwrap_or_default().to_owned();
        let (id, answer) = self.inbox.ask(&name);
        self.send_packet(&packet.asking(id))?;
        self.await_answer(&name, answer).await
    }

    /// Sends an event whose payload type declares its answer (`ack = …`), and waits for that
    /// answer.
    ///
    /// ```
    /// # use serde::{Deserialize, Serialize};
    /// # use socketio::{Hub, event, events};
    /// #[event("question", ack = Answer)]
    /// #[derive(Deserialize, Serialize)]
    /// struct Question {
    ///     number: u32,
    /// }
    ///
    /// #[derive(Debug, Deserialize, PartialEq, Serialize)]
    /// struct Answer {
    ///     even: bool,
    /// }
    ///
    /// #[event]
    /// fn question(question: Question) -> Answer {
    ///     Answer { even: question.number % 2 == 0 }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let hub = Hub::builder().events(events![question]).build()?;
    /// let client = hub.test_client().connect().await?;
    /// assert_eq!(client.ask(&Question { number: 3 }).await?, Answer { even: false });
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// The answer is an error ([`TestError::Failed`]), does not arrive, or does not decode; or the
    /// connection has ended.
    pub async fn ask<Q>(&self, question: &Q) -> Result<Q::Answer, TestError>
    where
        Q: Request<Answer: FromAnswer> + Serialize,
    {
        self.emit_with_ack(question).await
    }

    async fn await_answer<R: FromAnswer>(&self, name: &str, answer: oneshot::Receiver<Answer>) -> Result<R, TestError> {
        let expected = format!("an answer to `{name}`");
        match timeout(self.patience, answer).await {
            Ok(Ok(Ok(contents))) => R::from_answer(contents.raw()).map_err(|error| {
                let actual = Actual::WrongContents { message: contents.to_string(), why: describe(&error) };
                self.inbox.unmet(&expected, actual)
            }),
            Ok(Ok(Err(error))) => Err(TestError::Failed(error.with_event(name))),
            Ok(Err(_)) => match self.inbox.ended() {
                Some(ended) => Err(self.inbox.unmet(&expected, Actual::End(ended))),
                None => Err(self.inbox.unmet(&expected, Actual::Timeout(self.patience))),
            },
            Err(_) => Err(self.inbox.unmet(&expected, Actual::Timeout(self.patience))),
        }
    }

    fn send_packet(&self, packet: &Packet) -> Result<(), TestError> {
        if let Some(ended) = self.inbox.ended() {
            return Err(TestError::Ended(ended));
        }
        packet.with_frame(&self.connection.encoding, &self.namespace, |frame| self.connection.write_frame(frame));
        Ok(())
    }

    /// Disconnects as clients do, and waits until the server has handled it. A Socket.IO client
    /// leaves its namespace, and closes the connection if that was its last namespace. A plain
    /// client sends a close frame without a code.
    pub async fn disconnect(self) {
        let is_last = self.connection.leave(&self.namespace);
        self.finish(is_last).await;
    }

    /// Closes the connection with a close frame, and waits until the server has handled it.
    pub async fn close_with(self, code: u16, reason: &str) {
        self.connection.close(Some(CloseFrame { code: code.into(), reason: reason.into() }));
        self.finish(true).await;
    }

    async fn finish(self, is_closing: bool) {
        if is_closing {
            // A server may not answer the close frame. The client then stops waiting.
            let _ = timeout(self.patience, self.connection.ended()).await;
        }
        settle().await;
    }

    /// Simulates a dead peer: from now on the client reads nothing, writes nothing and answers no
    /// heartbeat. Its connection stays open.
    ///
    /// ```
    /// # use socketio::{Hub, testing};
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let hub = Hub::builder().build()?;
    /// let client = hub.test_client().connect().await?;
    /// client.freeze();
    /// tokio::time::sleep(Duration::from_secs(44)).await;
    /// assert_eq!(hub.len(), 1);
    /// tokio::time::sleep(Duration::from_secs(2)).await;
    /// assert_eq!(hub.len(), 0);
    /// # Ok(())
    /// # }
    /// ```
    pub fn freeze(&self) {
        self.connection.freeze();
    }

    /// Everything that the client has received, in order: one line for each message, each answer
    /// and the end. Empty if it has received nothing.
    pub fn record(&self) -> String {
        self.inbox.record("", "")
    }
}

/// Returns the error's message, and the path of the field that it concerns.
pub(super) fn describe(error: &PayloadError) -> String {
    match error.path() {
        Some(path) => format!("{} at `{path}`", error.message()),
        None => error.message().to_owned(),
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = formatter.debug_struct("Client");
        debug.field("id", &self.id).field("namespace", &self.namespace).finish_non_exhaustive()
    }
}
