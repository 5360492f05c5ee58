//! [`Selection`]: a set of sockets to emit to, with the options of the emit.

use serde::Serialize;
use std::fmt::Display;
use std::future::ready;
use std::sync::Arc;
use std::time::Duration;

use crate::event::error::PayloadError;
use crate::event::message::{IntoEvent, IntoMessage, Request, question};
use crate::event::raw_message::IntoRawMessage;
use crate::hooks::nesting::TooDeep;
use crate::hub::adapter::{Audience, BoxFuture, Change, Fetched, Packet, RequestError};
use crate::hub::listing::{FetchedPage, Listed, Page, Selecting};
use crate::hub::namespace::inner::NamespaceInner;
use crate::hub::socket::Socket;
use crate::hub::socket::ack_stream::AckStream;
use crate::hub::socket::from_answer::FromAnswer;
use crate::hub::socket::remote::RemoteSocket;
use crate::hub::socket::request_trace::RequestTrace;
use crate::wire::payload::EncodeError;

/// The error of a message that was not sent.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EmitError {
    /// No socket has this id. Without an adapter for other servers, only this server was searched.
    #[error("no socket has the id `{0}`")]
    NotFound(String),
    /// The socket accepts no more messages because it is closing or gone. With
    /// [recovery](crate::HubBuilder::recovery), messages for a client that may come back are kept,
    /// which is no error.
    #[error("the socket is closed")]
    Closed,
    /// The outbox is full because the client reads too slowly. For
    /// [`fire`](crate::Socket::fire): too many fired events wait for their handlers.
    #[error("the queue is full")]
    Overflow,
    /// No socket of this server has the id, or the event is for other servers, and it could not be
    /// queued for them because too many messages wait.
    #[error("other servers can't be reached")]
    Unreachable,
    /// The payload does not serialize.
    #[error("the payload does not serialize: {0}")]
    Encode(#[source] Arc<serde_json::Error>),
    /// The payload has binary data, and an object whose key `_placeholder` is `true`. Socket.IO
    /// clients would take that object for binary data. It can be sent in a payload of its own.
    #[error("an object with `\"_placeholder\": true` can't be sent beside binary data")]
    Ambiguous,
    /// The event name is empty or reserved by the framework.
    #[error("no event can be named `{0}`")]
    InvalidName(String),
    /// An event that clients must ack can't be [`latest`](Selection::latest): a later one would
    /// take its place, and nobody would answer it.
    #[error("an event that must be acked can't be `latest`")]
    LatestWithAck,
    /// Hooks that emit, such as a method of an [`Adapter`](crate::adapter::Adapter), call each
    /// other more than 16 levels deep. See
    /// [hooks that call back](crate::guide::hooks_that_call_back). With
    /// [recovery](crate::HubBuilder::recovery), also: a [`Parser`](crate::Parser) emits while it
    /// encodes.
    #[error("hooks that emit call each other more than 16 levels deep")]
    Nested,
}

impl From<TooDeep> for EmitError {
    fn from(_: TooDeep) -> Self {
        Self::Nested
    }
}

impl EmitError {
    /// The error of a message that a [`Parser`](crate::Parser) failed to encode.
    pub(crate) fn not_encoded() -> Self {
        Self::from(<serde_json::Error as serde::ser::Error>::custom("the parser panicked, or it made no message"))
    }

    /// Wraps the error of event arguments that could not be decoded by any receiver.
    pub(crate) fn undecodable(error: PayloadError) -> Self {
        Self::from(<serde_json::Error as serde::ser::Error>::custom(error.message))
    }
}

impl From<EncodeError> for EmitError {
    fn from(error: EncodeError) -> Self {
        match error {
            EncodeError::Json(error) => error.into(),
            EncodeError::Ambiguous => Self::Ambiguous,
        }
    }
}

impl From<serde_json::Error> for EmitError {
    fn from(error: serde_json::Error) -> Self {
        Self::Encode(Arc::new(error))
    }
}

/// Some of a namespace's sockets, with methods that change the selection and that emit to it.
///
/// ```
/// # use socketio::{EmitError, Hub, Socket};
/// # fn example(hub: &Hub, socket: &Socket) -> Result<(), EmitError> {
/// hub.to("lobby").to("hall").except("muted").emit(("news", "the doors are open"))?;
/// socket.to("lobby").volatile().emit(("cursor", 3, 4))?; // the room without the sender
/// socket.within("lobby").emit(("joined", socket.id()))?; // the room with the sender
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "a selection does nothing until something is emitted to it"]
pub struct Selection<'a> {
    namespace: &'a Arc<NamespaceInner>,
    /// The socket, if only one is selected. Methods that select other sockets reset it.
    own: Option<&'a Socket>,
    audience: Audience,
    volatile: bool,
    latest: Option<Arc<str>>,
    timeout: Option<Duration>,
}

impl<'a> Selection<'a> {
    /// Selects all sockets except one.
    pub(crate) fn all(namespace: &'a Arc<NamespaceInner>, except: Option<&Socket>) -> Self {
        let audience = Audience::except(except);
        Self { namespace, own: None, audience, volatile: false, latest: None, timeout: None }
    }

    /// Selects a single socket.
    pub(crate) fn own(socket: &'a Socket) -> Self {
        Self { own: Some(socket), ..Self::all(socket.namespace_inner(), None) }
    }

    /// Turns a single selected socket into all other sockets.
    fn others(mut self) -> Self {
        if let Some(own) = self.own.take() {
            self.audience.except = Some(own.clone());
        }
        self
    }

    /// Adds the members of a room. A socket in several of the rooms receives a message once. The
    /// socket that created the selection is left out.
    pub fn to(self, room: impl AsRef<str>) -> Self {
        let mut others = self.others();
        others.audience.rooms.push(room.as_ref().into());
        others
    }

    /// Adds the members of a room, including the socket that created the selection.
    pub fn within(mut self, room: impl AsRef<str>) -> Self {
        self.own = None;
        self.audience.except = None;
        self.audience.rooms.push(room.as_ref().into());
        self
    }

    /// Excludes the members of a room.
    pub fn except(self, room: impl AsRef<str>) -> Self {
        let mut others = self.others();
        others.audience.except_rooms.push(room.as_ref().into());
        others
    }

    /// Excludes the socket with this id, on any server. Same as [`except`](Self::except) with the
    /// room of its id.
    pub fn except_id(self, id: impl AsRef<str>) -> Self {
        self.except(id)
    }

    /// Limits the selection to the sockets of this server.
    pub fn local(self) -> Self {
        let mut others = self.others();
        others.audience.local = true;
        others
    }

    /// Drops the message for clients that can't receive it now because earlier messages still wait.
    pub fn volatile(self) -> Self {
        Self { volatile: true, ..self }
    }

    /// Has only the latest of the event's messages wait for clients that can't receive it now,
    /// because earlier messages still wait. It takes the place of the one before, at the end of the
    /// client's outbox. Other clients receive all messages. See
    /// [delivery](crate::guide::delivery_order_and_limits#only-the-latest-value).
    ///
    /// Same as `latest_by("")`. A payload type can declare it: `#[event("price", latest)]`. A
    /// [`volatile`](Self::volatile) message is dropped instead.
    ///
    /// ```
    /// # fn example(hub: &socketio::Hub) -> Result<(), socketio::EmitError> {
    /// hub.latest().emit(("players", 42))?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn latest(self) -> Self {
        self.latest_by("")
    }

    /// Has only the latest of the event's messages with this key wait for clients that can't
    /// receive it now. See [`latest`](Self::latest). Replaces the key that the payload type
    /// declares.
    ///
    /// ```
    /// # fn example(hub: &socketio::Hub) -> Result<(), socketio::EmitError> {
    /// hub.to("watchers").latest_by("AAPL").emit(("price", "AAPL", 187.4))?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn latest_by(self, key: impl Display) -> Self {
        Self { latest: Some(key.to_string().into()), ..self }
    }

    /// Sets how long [`emit_with_ack`](Self::emit_with_ack), [`request`](Self::request) and
    /// [`fetch_sockets`](Self::fetch_sockets) wait. Default: the hub's
    /// [`ack_timeout`](crate::HubBuilder::ack_timeout).
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { timeout: Some(timeout), ..self }
    }

    fn wait(&self) -> Duration {
        self.timeout.unwrap_or(self.namespace.ack_timeout())
    }

    /// Emits to all selected sockets that are connected and waits for their answers. It waits until
    /// each socket has answered or closed, or the time is over. The message is sent at once, not
    /// when the future is polled.
    ///
    /// ```
    /// # async fn example(hub: &socketio::Hub) -> Result<(), socketio::AckError> {
    /// let answers = hub.to("jury").emit_with_ack::<u8>(("points?",)).await?;
    /// for (juror, points) in &answers.answers {
    ///     println!("{juror}: {points}");
    /// }
    /// println!("{} did not answer", answers.missing.sockets());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// The payload does not serialize, or the event is [`latest`](Self::latest).
    pub fn emit_with_ack<T: FromAnswer>(self, event: impl IntoEvent) -> AckStream<T> {
        let question = match question(event) {
            Ok(_) if self.latest.is_some() => return AckStream::failed(EmitError::LatestWithAck, &self.sockets()),
            Ok(question) => question.with_volatile(self.volatile),
            Err(error) => return AckStream::failed(error, &self.sockets()),
        };
        let (question, trace) = RequestTrace::begin(question, self.namespace);
        let (sink, stream) = AckStream::channel(self.wait());
        let asked = match self.own {
            Some(socket) => {
                self.namespace.ask_socket(question, socket, sink);
                Ok(())
            }
            None => self.namespace.ask(question, &self.audience, sink),
        };
        match asked {
            Ok(()) => stream.with_trace(trace),
            Err(error) => AckStream::failed(error, &[]),
        }
    }

    /// Asks all selected sockets that are connected and waits for their answers. It is
    /// [`emit_with_ack`](Self::emit_with_ack) for payload types that declare the type of their
    /// answer. See [`AckStream`].
    ///
    /// # Errors
    ///
    /// See [`emit_with_ack`](Self::emit_with_ack).
    pub fn request<Q>(self, question: &Q) -> AckStream<Q::Answer>
    where
        Q: Request<Answer: FromAnswer> + Serialize,
    {
        self.emit_with_ack(question)
    }

    /// Makes the selected sockets join rooms. Sockets that can't join are skipped: those that are
    /// in too many rooms or that are closing.
    pub fn sockets_join<I>(self, rooms: I)
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        self.change(&Change::Join(&names(rooms)));
    }

    /// Makes the selected sockets leave rooms.
    pub fn sockets_leave<I>(self, rooms: I)
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        self.change(&Change::Leave(&names(rooms)));
    }

    /// [Disconnects](Socket::disconnect) the selected sockets from their namespace.
    pub fn disconnect_sockets(self) {
        self.disconnect_sockets_with("");
    }

    /// Disconnects the selected sockets from their namespace, and says why. See
    /// [`Socket::disconnect_with`].
    pub fn disconnect_sockets_with(self, reason: impl AsRef<str>) {
        self.change(&Change::Disconnect { close: false, reason: reason.as_ref() });
    }

    /// [Closes](Socket::close) the connections of the selected sockets.
    pub fn close_sockets(self) {
        self.change(&Change::Disconnect { close: true, reason: "" });
    }

    fn change(self, change: &Change<'_>) {
        match self.own {
            Some(socket) => socket.change(change),
            None => self.namespace.change(change, &self.audience),
        }
    }

    /// Describes the selected sockets on all servers that the adapter connects. The request is sent
    /// at once. Servers that do not answer within the [`timeout`](Self::timeout) are
    /// [counted](Fetched::silent).
    ///
    /// ```
    /// # async fn example(hub: &socketio::Hub) -> Result<(), socketio::RequestError> {
    /// let fetched = hub.to("lobby").fetch_sockets().await?;
    /// println!("{} sockets, {} servers did not answer", fetched.sockets.len(), fetched.silent);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// The other servers can't be asked.
    pub fn fetch_sockets(self) -> impl Future<Output = Result<Fetched, RequestError>> + Send + use<> {
        let namespace = Arc::clone(self.namespace);
        let fetched: BoxFuture<'static, _> = match self.own {
            Some(socket) => Box::pin(ready(Ok(Fetched::new(vec![RemoteSocket::of(socket)])))),
            None => namespace.fetch(&self.audience, self.wait()),
        };
        async move {
            let mut fetched = fetched.await?;
            let sockets = std::mem::take(&mut fetched.sockets);
            fetched.sockets = sockets.into_iter().map(|socket| socket.attached_to(&namespace)).collect();
            Ok(fetched)
        }
    }

    /// Emits to all selected sockets.
    ///
    /// # Errors
    ///
    /// The payload does not serialize. If a single socket is selected, it may also be closed or
    /// have a full outbox. In larger selections such sockets are skipped, and an empty selection is
    /// not an error.
    pub fn emit(self, message: impl IntoMessage) -> Result<(), EmitError> {
        self.emit_packet(message.into_packet()?)
    }

    /// Sends text or bytes to all selected sockets, as they are. See [`Socket::send`].
    ///
    /// # Errors
    ///
    /// If a single socket is selected, it may be closed or have a full outbox. In larger selections
    /// such sockets are skipped.
    pub fn send(self, message: impl IntoRawMessage) -> Result<(), EmitError> {
        self.emit_packet(message.into_raw())
    }

    fn emit_packet(self, packet: Packet) -> Result<(), EmitError> {
        let mut packet = packet.with_volatile(self.volatile);
        if let Some(key) = &self.latest {
            packet = packet.with_latest(Some(String::from(&**key)));
        }
        match self.own {
            Some(socket) => self.namespace.emit_to_socket(&packet, socket),
            None => self.namespace.emit(&packet, &self.audience),
        }
    }

    /// The selected sockets of this server that are connected, in the order of their ids, page by
    /// page. [`sockets`](Self::sockets) has them all at once.
    ///
    /// ```
    /// # use socketio::{Hub, Page};
    /// # fn example(hub: &Hub) {
    /// let muted = hub.to("lobby").except("hall").list(&Page::new().limit(10));
    /// for socket in &muted.entries {
    ///     println!("{}", socket.id());
    /// }
    /// # }
    /// ```
    ///
    /// It looks at each selected socket, without a lock. It takes about as long as an emit to them.
    pub fn list(self, page: &Page) -> Listed<Socket> {
        let mut selecting = Selecting::new(page);
        self.for_each(|socket| selecting.offer(socket.id(), || socket.clone()));
        selecting.finish()
    }

    /// The number of selected sockets of this server that are connected.
    pub(crate) fn count(self) -> usize {
        let mut count = 0;
        self.for_each(|_| count += 1);
        count
    }

    /// Visits the selected sockets of this server that are connected.
    fn for_each(self, mut visit: impl FnMut(&Socket)) {
        match self.own {
            Some(socket) => visit(socket),
            None => self.namespace.registry().for_each(&self.audience, |socket| {
                if socket.is_connected() {
                    visit(socket);
                }
            }),
        }
    }

    /// Describes the selected sockets on all servers that the adapter connects, in the order of
    /// their ids, page by page. It is [`fetch_sockets`](Self::fetch_sockets) for many sockets:
    /// servers of this crate only send those of the page. Servers on Node.js send all, and the page
    /// is cut out of them.
    ///
    /// ```
    /// # async fn example(hub: &socketio::Hub) -> Result<(), socketio::RequestError> {
    /// use socketio::Page;
    ///
    /// let mut next = Some(Page::new());
    /// while let Some(page) = next {
    ///     let fetched = hub.to("lobby").fetch_page(&page).await?;
    ///     for socket in &fetched.sockets {
    ///         println!("{} at {:?}", socket.id, socket.server);
    ///     }
    ///     next = fetched.next;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Where an id is in use on several servers, a page may be longer than its limit.
    ///
    /// # Errors
    ///
    /// The other servers can't be asked.
    pub fn fetch_page(self, page: &Page) -> impl Future<Output = Result<FetchedPage, RequestError>> + Send + use<> {
        let (namespace, page) = (Arc::clone(self.namespace), page.clone());
        let fetched: BoxFuture<'static, _> = match self.own {
            Some(socket) => Box::pin(ready(Ok(Fetched::new(vec![RemoteSocket::of(socket)])))),
            None => namespace.fetch_page(&self.audience, &page, self.wait()),
        };
        async move {
            let mut fetched = FetchedPage::of(fetched.await?, &page);
            let sockets = std::mem::take(&mut fetched.sockets);
            fetched.sockets = sockets.into_iter().map(|socket| socket.attached_to(&namespace)).collect();
            Ok(fetched)
        }
    }

    /// The selected sockets of this server that are connected.
    pub fn sockets(self) -> Vec<Socket> {
        if let Some(socket) = self.own {
            return vec![socket.clone()];
        }
        self.namespace.local().sockets(&self.audience)
    }
}

fn names<I>(names: I) -> Vec<Arc<str>>
where
    I: IntoIterator,
    I::Item: AsRef<str>,
{
    names.into_iter().map(|name| name.as_ref().into()).collect()
}
