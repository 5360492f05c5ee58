//! The methods of [`Client`] that wait for messages.

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::sync::Arc;

use super::client::{Client, describe};
use super::error::{Ended, TestError};
use super::inbox::Verdict;
use super::received::Received;
use super::settle;
use super::wire::{self, Item};
use crate::event::message::{Event, IntoMessage, Request};
use crate::wire::binary::Binary;

impl Client {
    /// Waits for the next message, which must be an event of this payload type. The type must own
    /// its data; for a type that borrows, use [`expect_exact`](Self::expect_exact).
    ///
    /// # Errors
    ///
    /// Another message arrives, or the payload does not decode; no message arrives within the
    /// client's [`patience`](super::ClientBuilder::patience), or the connection ends.
    pub async fn expect<E: Event + DeserializeOwned>(&mut self) -> Result<E, TestError> {
        self.take_event::<E>(false).await
    }

    /// Waits for an event of this payload type. Other messages that arrive before it are skipped
    /// and consumed.
    ///
    /// # Errors
    ///
    /// The payload does not decode; no such event arrives within the client's
    /// [`patience`](super::ClientBuilder::patience), or the connection ends.
    pub async fn wait_for<E: Event + DeserializeOwned>(&mut self) -> Result<E, TestError> {
        self.take_event::<E>(true).await
    }

    async fn take_event<E: Event + DeserializeOwned>(&mut self, skipping: bool) -> Result<E, TestError> {
        let judge = |item: &Arc<Item>| match &**item {
            Item::Event { name, contents, .. } if **name == *E::NAME => match contents.raw().first() {
                Ok(payload) => Verdict::Accepted(payload),
                Err(error) => Verdict::Wrong(describe(&error)),
            },
            _ => Verdict::Other,
        };
        self.inbox.take(self.patience, &format!("the event `{}`", E::NAME), skipping, judge).await
    }

    /// Waits for the next message, which must equal what the server sends for `emit(message)`:
    /// `&payload` of a payload type, which may borrow, `("name", a, b)`, `Text("hello")` or bytes.
    ///
    /// ```
    /// # use socketio::{Hub, event};
    /// #[event("moved")]
    /// #[derive(serde::Serialize)]
    /// struct Moved<'a> {
    ///     who: &'a str,
    ///     x: i32,
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let hub = Hub::builder().build()?;
    /// let mut client = hub.test_client().connect().await?;
    /// hub.broadcast(&Moved { who: "ann", x: 3 })?;
    /// hub.broadcast(("stopped", "ann", 3))?;
    /// client.expect_exact(&Moved { who: "ann", x: 3 }).await?;
    /// client.expect_exact(("stopped", "ann", 3)).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Another message arrives; no message arrives within the client's
    /// [`patience`](super::ClientBuilder::patience), or the connection ends.
    pub async fn expect_exact(&mut self, message: impl IntoMessage) -> Result<(), TestError> {
        let Some(expected) = wire::item(&message.into_packet()?, &self.connection.encoding) else {
            return Err(TestError::Impossible("this message is never sent".to_owned()));
        };
        let judge = |item: &Arc<Item>| if **item == expected { Verdict::Accepted(()) } else { Verdict::Other };
        self.inbox.take(self.patience, &format!("the {expected}"), false, judge).await
    }

    /// Waits for the next message, which must be an event with this name.
    ///
    /// ```
    /// # use socketio::{Hub, Socket, event, events};
    /// #[event("guess")]
    /// async fn guess(socket: &Socket) -> Result<bool, socketio::AckError> {
    ///     let number: u8 = socket.emit_with_ack(("which?", 1, 10)).await?;
    ///     Ok(number == 7)
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let hub = Hub::builder().events(events![guess]).build()?;
    /// let mut client = hub.test_client().connect().await?;
    /// client.emit(("guess",))?;
    /// let question = client.expect_event("which?").await?;
    /// assert_eq!(question.args().all::<u8>()?, [1, 10]);
    /// question.answer(7)?;
    /// client.expect_nothing().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Another message arrives; no message arrives within the client's
    /// [`patience`](super::ClientBuilder::patience), or the connection ends.
    pub async fn expect_event(&mut self, name: &str) -> Result<Received, TestError> {
        let judge = |item: &Arc<Item>| self.received(item, name).map_or(Verdict::Other, Verdict::Accepted);
        self.inbox.take(self.patience, &format!("the event `{name}`"), false, judge).await
    }

    /// Waits for the next message, which must be an event of this payload type that wants an
    /// answer, and answers it.
    ///
    /// ```
    /// # use serde::{Deserialize, Serialize};
    /// # use socketio::{AckError, Hub, Socket, event, events};
    /// #[event("sure?", ack = bool)]
    /// #[derive(Deserialize, Serialize)]
    /// struct Sure {
    ///     what: String,
    /// }
    ///
    /// #[event("delete")]
    /// async fn delete(socket: &Socket, what: String) -> Result<&'static str, AckError> {
    ///     let is_sure = socket.request(&Sure { what }).await?;
    ///     Ok(if is_sure { "deleted" } else { "kept" })
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let hub = Hub::builder().events(events![delete]).build()?;
    /// let mut client = hub.test_client().connect().await?;
    /// client.emit(("delete", "all"))?;
    /// client.answer(|question: Sure| question.what != "all").await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Another message arrives, the payload does not decode, or the server wants no answer; no
    /// message arrives within the client's [`patience`](super::ClientBuilder::patience), or the
    /// connection ends.
    pub async fn answer<Q>(&mut self, answer: impl FnOnce(Q) -> Q::Answer) -> Result<(), TestError>
    where
        Q: Request + DeserializeOwned,
        Q::Answer: Serialize,
    {
        let judge = |item: &Arc<Item>| match self.received(item, Q::NAME) {
            Some(received) if !received.wants_answer() => Verdict::Wrong("the server wants no answer".to_owned()),
            Some(received) => match received.json() {
                Ok(question) => Verdict::Accepted((question, received)),
                Err(error) => Verdict::Wrong(describe(&error)),
            },
            None => Verdict::Other,
        };
        let expected = format!("the event `{}`", Q::NAME);
        let (question, received) = self.inbox.take(self.patience, &expected, false, judge).await?;
        received.answer(answer(question))
    }

    fn received(&self, item: &Item, name: &str) -> Option<Received> {
        match item {
            Item::Event { name: received, contents, ack } if **received == *name => Some(Received {
                name: name.into(),
                contents: contents.clone(),
                ack: ack.clone(),
                namespace: self.namespace.clone(),
                connection: Arc::downgrade(&self.connection),
            }),
            _ => None,
        }
    }

    /// Waits for the next message, which must be text, as `socket.send("text")` sends it. A
    /// Socket.IO client receives it as the event `message` with a string.
    ///
    /// # Errors
    ///
    /// Another message arrives; no message arrives within the client's
    /// [`patience`](super::ClientBuilder::patience), or the connection ends.
    pub async fn expect_text(&mut self) -> Result<String, TestError> {
        let is_plain = !self.connection.encoding.has_namespaces();
        let judge = |item: &Arc<Item>| match &**item {
            Item::Text(text) => Verdict::Accepted(text.to_string()),
            Item::Event { name, contents, .. } if !is_plain && **name == *"message" => {
                contents.raw().first().map_or(Verdict::Other, Verdict::Accepted)
            }
            _ => Verdict::Other,
        };
        self.inbox.take(self.patience, "a text", false, judge).await
    }

    /// Waits for the next message, which must be binary, as `socket.send(bytes)` sends it. A
    /// Socket.IO client receives it as the event `message` with binary data.
    ///
    /// # Errors
    ///
    /// Another message arrives; no message arrives within the client's
    /// [`patience`](super::ClientBuilder::patience), or the connection ends.
    pub async fn expect_binary(&mut self) -> Result<Bytes, TestError> {
        let judge = |item: &Arc<Item>| match &**item {
            Item::Binary(bytes) => Verdict::Accepted(bytes.clone()),
            Item::Event { name, contents, .. } if **name == *"message" && !contents.raw().attachments().is_empty() => {
                contents.raw().first().map_or(Verdict::Other, |Binary(bytes)| Verdict::Accepted(bytes))
            }
            _ => Verdict::Other,
        };
        self.inbox.take(self.patience, "a binary message", false, judge).await
    }

    /// Waits until the connection ends, or until a Socket.IO client is disconnected from its
    /// namespace. No message may arrive first.
    ///
    /// ```
    /// # use socketio::Hub;
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let hub = Hub::builder().build()?;
    /// let mut socketio = hub.test_client().connect().await?;
    /// let mut plain = hub.test_client().plain().connect().await?;
    /// for socket in hub.sockets() {
    ///     socket.close_with(4001, "go home");
    /// }
    /// assert_eq!(socketio.expect_end().await?.reason(), "io server disconnect");
    /// assert_eq!(plain.expect_end().await?.to_string(), "transport close (4001): go home");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// A message arrives first, or the connection does not end within the client's
    /// [`patience`](super::ClientBuilder::patience).
    pub async fn expect_end(&mut self) -> Result<Ended, TestError> {
        self.inbox.take_end(self.patience, "the end of the connection").await
    }

    /// Waits until the server is idle ([`settle`]). No unexpected message may have arrived, and the
    /// connection must be open.
    ///
    /// # Errors
    ///
    /// An unexpected message has arrived, or the connection has ended.
    pub async fn expect_nothing(&mut self) -> Result<(), TestError> {
        settle().await;
        self.inbox.expect_empty()
    }
}
