//! [`RemoteSocket`]: a snapshot of a socket on any server.

use http::HeaderMap;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::ack_future::{AckFuture, Timed};
use super::ack_stream::AckStream;
use super::attributes::SocketAttributes;
use super::from_answer::FromAnswer;
use super::handshake::Handshake;
use super::request_trace::RequestTrace;
use super::{Socket, SocketId};
use crate::event::message::{IntoEvent, IntoMessage, Request, question};
use crate::event::raw_message::IntoRawMessage;
use crate::hub::adapter::{Audience, Change, Packet};
use crate::hub::namespace::inner::NamespaceInner;
use crate::hub::selection::EmitError;

/// The id of a server that an adapter connects. Cloning is cheap.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServerId(Arc<str>);

impl ServerId {
    /// The id as a string slice.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<T: Into<Arc<str>>> From<T> for ServerId {
    fn from(id: T) -> Self {
        Self(id.into())
    }
}

impl fmt::Display for ServerId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Debug for ServerId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, formatter)
    }
}

/// The result of [`fetch_sockets`](crate::Selection::fetch_sockets).
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Fetched {
    /// The sockets of this server, and of all other servers that answered in time.
    pub sockets: Vec<RemoteSocket>,
    /// The number of servers that did not answer in time.
    pub silent: usize,
}

impl Fetched {
    /// Creates a result with these sockets and no silent server.
    pub fn new(sockets: Vec<RemoteSocket>) -> Self {
        Self { sockets, silent: 0 }
    }
}

/// A snapshot of a socket on any server, from [`fetch_sockets`](crate::Selection::fetch_sockets).
///
/// Its methods act on the socket that has the id at the time of the call. Methods without a result
/// do nothing if there is no such socket. Except for `emit`, they address the room of the socket's
/// id, as Socket.IO does. Do not let clients join rooms with the ids of others.
///
/// ```
/// # async fn example(hub: &socketio::Hub) -> Result<(), socketio::RequestError> {
/// let fetched = hub.to("lobby").fetch_sockets().await?;
/// for socket in &fetched.sockets {
///     if socket.rooms.iter().any(|room| room == "seated") {
///         continue;
///     }
///     socket.join("standing");
///     let _ = socket.emit(("sorry", "no seat is left"));
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct RemoteSocket {
    /// The socket's id.
    pub id: SocketId,
    /// The rooms of the socket. The room with its own id is the first.
    pub rooms: Vec<String>,
    /// The socket's attributes. For a socket of a Node.js server, its `data`.
    pub attributes: SocketAttributes,
    /// The handshake of the socket.
    pub handshake: RemoteHandshake,
    /// The server of the socket, if the adapter provides it. The local adapter does not.
    pub server: Option<ServerId>,
    /// The namespace through which the socket is reached. `None` until the adapter has returned it.
    namespace: Option<Arc<NamespaceInner>>,
}

/// The handshake of a socket in the form that servers exchange. It has the fields of the reference
/// server's handshake.
#[derive(Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct RemoteHandshake {
    /// The headers that are [kept](crate::HubBuilder::keep_headers).
    pub headers: HeaderMap,
    /// When the client connected to the namespace. `None` if unknown.
    pub time: Option<SystemTime>,
    /// The address of the client or of the proxy in front of the server, without the port. `None`
    /// if unknown.
    pub address: Option<String>,
    /// Whether the request had an `Origin` header, so a web page of another site may have sent it.
    pub xdomain: bool,
    /// Whether the client's connection is encrypted. `None` if unknown.
    pub secure: Option<bool>,
    /// Like [`time`](Self::time), in milliseconds since the Unix epoch.
    pub issued: Option<u64>,
    /// The requested path and query string, not decoded.
    pub url: String,
    /// The parameters of the query string, decoded. If a name occurs several times, the first value
    /// is kept.
    pub query: BTreeMap<String, String>,
    /// The `auth` payload of the client. Without a payload it is `{}`.
    pub auth: Value,
}

impl fmt::Debug for RemoteHandshake {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Headers, query and `auth` may contain secrets.
        formatter
            .debug_struct("RemoteHandshake")
            .field("time", &self.time)
            .field("address", &self.address)
            .field("xdomain", &self.xdomain)
            .field("secure", &self.secure)
            .finish_non_exhaustive()
    }
}

impl RemoteHandshake {
    fn of(handshake: &Handshake<'_>) -> Self {
        let mut query = BTreeMap::new();
        for (name, value) in handshake.queries() {
            query.entry(name.into_owned()).or_insert_with(|| value.into_owned());
        }
        Self {
            headers: handshake.headers(),
            time: Some(handshake.time()),
            address: handshake.peer_addr().map(|address| address.ip().to_string()),
            xdomain: handshake.is_cross_domain(),
            secure: Some(handshake.is_secure()),
            issued: Some(handshake.issued()),
            url: handshake.url(),
            query,
            auth: handshake.auth().unwrap_or_default(),
        }
    }
}

impl RemoteSocket {
    /// Creates a socket of another server, for an adapter to return from
    /// [`fetch`](crate::adapter::Adapter::fetch). The adapter fills in the other fields. The
    /// methods have no effect until [`fetch_sockets`](crate::Selection::fetch_sockets) has returned
    /// the socket.
    ///
    /// ```
    /// use socketio::RemoteSocket;
    ///
    /// let mut socket = RemoteSocket::new("a0b1c2");
    /// socket.rooms.push("lobby".into());
    /// socket.server = Some("server 7".into());
    /// assert_eq!(socket.id, "a0b1c2");
    /// assert_eq!(socket.rooms, ["a0b1c2", "lobby"]);
    /// ```
    pub fn new(id: impl AsRef<str>) -> Self {
        let id = SocketId::from(id.as_ref());
        Self {
            rooms: vec![id.to_string()],
            id,
            attributes: SocketAttributes::default(),
            handshake: RemoteHandshake::default(),
            server: None,
            namespace: None,
        }
    }

    /// Describes a socket of this server.
    pub(crate) fn of(socket: &Socket) -> Self {
        Self {
            id: socket.id(),
            rooms: socket.rooms(),
            attributes: socket.attributes(),
            handshake: RemoteHandshake::of(&socket.handshake()),
            server: None,
            namespace: None,
        }
    }

    /// Sets the namespace through which the socket is reached.
    pub(crate) fn attached_to(self, namespace: &Arc<NamespaceInner>) -> Self {
        Self { namespace: Some(Arc::clone(namespace)), ..self }
    }

    /// Emits to the socket's client.
    ///
    /// # Errors
    ///
    /// The payload does not serialize, the client does not accept messages now, or the socket is
    /// gone. For a socket of another server, `Ok` means that the message is on its way there.
    pub fn emit(&self, message: impl IntoMessage) -> Result<(), EmitError> {
        self.emit_packet(&message.into_packet()?)
    }

    /// Sends text or bytes to the socket's client, as they are. See [`Socket::send`].
    ///
    /// # Errors
    ///
    /// The client does not accept messages now, or the socket is gone. For a socket of another
    /// server, `Ok` means that the message is on its way there.
    pub fn send(&self, message: impl IntoRawMessage) -> Result<(), EmitError> {
        self.emit_packet(&message.into_raw())
    }

    fn emit_packet(&self, packet: &Packet) -> Result<(), EmitError> {
        match &self.namespace {
            Some(namespace) => namespace.emit_to(packet, &self.id),
            None => Err(EmitError::NotFound(self.id.to_string())),
        }
    }

    /// Emits to the socket's client and waits for its answer; see [`Socket::emit_with_ack`].
    ///
    /// # Errors
    ///
    /// See [`Socket::emit_with_ack`].
    pub fn emit_with_ack<T: FromAnswer>(&self, event: impl IntoEvent) -> AckFuture<T> {
        self.ask(event, None)
    }

    /// Asks the socket's client and waits for its answer; see [`Socket::request`].
    ///
    /// # Errors
    ///
    /// See [`Socket::emit_with_ack`].
    pub fn request<Q>(&self, question: &Q) -> AckFuture<Q::Answer>
    where
        Q: Request<Answer: FromAnswer> + Serialize,
    {
        self.emit_with_ack(question)
    }

    /// Sets a timeout for [`emit_with_ack`](Timed::emit_with_ack) and [`request`](Timed::request),
    /// instead of the hub's.
    pub fn timeout(&self, timeout: Duration) -> Timed<'_> {
        Timed::remote(self, timeout)
    }

    pub(super) fn ask<T: FromAnswer>(&self, event: impl IntoEvent, timeout: Option<Duration>) -> AckFuture<T> {
        AckFuture::remote(match (question(event), &self.namespace) {
            (Err(error), _) => AckStream::failed(error, &[]),
            (Ok(_), None) => AckStream::failed(EmitError::NotFound(self.id.to_string()), &[]),
            (Ok(question), Some(namespace)) => {
                let (question, trace) = RequestTrace::begin(question, namespace);
                let (sink, stream) = AckStream::channel(timeout.unwrap_or(namespace.ack_timeout()));
                match namespace.ask(question, &self.audience(), sink) {
                    Ok(()) => stream.with_trace(trace),
                    Err(error) => AckStream::failed(error, &[]),
                }
            }
        })
    }

    /// Makes the socket join a room.
    pub fn join(&self, room: impl AsRef<str>) {
        self.change(&Change::Join(&[room.as_ref().into()]));
    }

    /// Makes the socket leave a room.
    pub fn leave(&self, room: impl AsRef<str>) {
        self.change(&Change::Leave(&[room.as_ref().into()]));
    }

    /// [Disconnects](Socket::disconnect) the socket from its namespace.
    pub fn disconnect(&self) {
        self.disconnect_with("");
    }

    /// Disconnects the socket from its namespace, and says why. See [`Socket::disconnect_with`].
    pub fn disconnect_with(&self, reason: impl AsRef<str>) {
        self.change(&Change::Disconnect { close: false, reason: reason.as_ref() });
    }

    /// [Closes](Socket::close) the socket's connection.
    pub fn close(&self) {
        self.change(&Change::Disconnect { close: true, reason: "" });
    }

    fn change(&self, change: &Change<'_>) {
        if let Some(namespace) = &self.namespace {
            namespace.change(change, &self.audience());
        }
    }

    /// The room with the socket's id.
    fn audience(&self) -> Audience {
        Audience::new([self.id.clone()], None::<Arc<str>>)
    }
}

/// Compares the described data, not the namespace.
impl PartialEq for RemoteSocket {
    fn eq(&self, other: &Self) -> bool {
        let Self { id, rooms, attributes, handshake, server, namespace: _ } = self;
        (id, rooms, attributes) == (&other.id, &other.rooms, &other.attributes)
            && (handshake, server) == (&other.handshake, &other.server)
    }
}

impl fmt::Debug for RemoteSocket {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("RemoteSocket")
            .field("id", &self.id)
            .field("rooms", &self.rooms)
            .field("attributes", &self.attributes)
            .field("handshake", &self.handshake)
            .field("server", &self.server)
            .finish()
    }
}
