//! Adapters carry messages and changes to the sockets of a namespace, on this server and on others.
//!
//! The default is [`LocalAdapter`], which knows the sockets of this server. An application's
//! [`Adapter`] wraps it and overrides single methods. The other methods act on the sockets of this
//! server.

pub(crate) mod audience;
mod local;
mod packet;
mod servers;
pub(crate) mod sink;

use std::any::Any;
use std::fmt::Debug;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

pub use super::socket::ack_stream::{AckStream, Answerer};
pub use super::socket::remote::{Fetched, RemoteHandshake, RemoteSocket, ServerId};
use crate::hub::listing::Page;
use crate::hub::selection::EmitError;
use crate::hub::socket::Socket;
pub use crate::wire::packet::Packet;
pub use audience::Audience;
pub use local::LocalAdapter;
pub use packet::{PacketArgs, PacketError};
pub use servers::{AllRooms, ServerReplies, ServerReply};
pub use sink::AnswerSink;

/// A boxed future that an adapter returns.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Carries messages and changes to the sockets of a namespace. Each namespace has one adapter.
///
/// The default of each method acts on the sockets of this server, through [`local`](Self::local).
/// An adapter that overrides a method can forward the call to the local adapter. An adapter that
/// wraps another custom adapter must forward every method to it. Methods that it omits bypass the
/// wrapped adapter.
///
/// ```
/// use socketio::adapter::{Adapter, Audience, LocalAdapter, Packet};
/// use socketio::Hub;
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicU64, Ordering};
///
/// /// Counts emits.
/// #[derive(Debug)]
/// struct Counting {
///     local: LocalAdapter,
///     emitted: Arc<AtomicU64>,
/// }
///
/// impl Adapter for Counting {
///     fn local(&self) -> &LocalAdapter {
///         &self.local
///     }
///
///     fn emit(&self, packet: &Packet, audience: &Audience) {
///         self.emitted.fetch_add(1, Ordering::Relaxed);
///         self.local.emit(packet, audience);
///     }
/// }
///
/// let emitted = Arc::new(AtomicU64::new(0));
/// let count = Arc::clone(&emitted);
/// let hub = Hub::builder()
///     .adapter(move |_path, local| Counting { local, emitted: Arc::clone(&count) })
///     .build()?;
/// hub.broadcast(("news", "hello"))?;
/// assert_eq!(emitted.load(Ordering::Relaxed), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Calls that pass through it
///
/// | call | method |
/// | --- | --- |
/// | `emit`, `broadcast` to several sockets. With `.local()`, [`Audience::is_local`] is `true` | [`emit`](Self::emit) |
/// | `emit_to`, `emit_to_list`, `emit` of a [`RemoteSocket`] | [`emit_to`](Self::emit_to) |
/// | `emit`, `emit_with_ack`, `request` of a [`Socket`] | [`emit_to_socket`](Self::emit_to_socket) |
/// | `emit_with_ack`, `request` of selections and of a [`RemoteSocket`] | [`ask`](Self::ask) |
/// | `sockets_join`, `sockets_leave`, `disconnect_sockets`, `close_sockets` | [`change`](Self::change) |
/// | `fetch_sockets` | [`fetch`](Self::fetch) |
/// | `fetch_page`, `fetch_members` | [`fetch_page`](Self::fetch_page) |
/// | `servers` | [`servers`](Self::servers) |
/// | `all_rooms` | [`all_rooms`](Self::all_rooms) |
/// | `fetch_rooms` | [`fetch_rooms`](Self::fetch_rooms) |
/// | `server_emit` | [`server_emit`](Self::server_emit) |
/// | `server_request`, `fetch_stats`, `disconnect_where` | [`server_request`](Self::server_request) |
///
/// For a selection with `.local()`, the methods `ask`, `change` and `fetch` of the local adapter
/// are called directly. `sockets`, `socket`, `len` and `fire` only concern this server and never
/// reach the adapter.
///
/// # Where its methods are called
///
/// Methods are called on the tasks of connections and wherever the application emits. They must not
/// block. The framework holds no locks during the calls, so an adapter may call any method of
/// sockets and the hub. What the adapter emits itself passes through it again, at most
/// [16 levels deep](crate::guide::hooks_that_call_back#what-may-call-itself).
///
/// # Reported changes
///
/// [`added`](Self::added), [`joined`](Self::joined), [`left`](Self::left),
/// [`renamed`](Self::renamed) and [`removed`](Self::removed) report changes of a socket of this
/// server after they happened. For each socket the calls are sequential and in the order of the
/// changes.
///
/// If two tasks change a socket at the same time, one of them reports both changes, and the other
/// does not wait for it. A panic in one of these methods is logged and has no further effect.
pub trait Adapter: Any + Debug + Send + Sync {
    /// The adapter of this server's sockets, as passed to the closure of
    /// [`HubBuilder::adapter`](crate::HubBuilder::adapter).
    fn local(&self) -> &LocalAdapter;

    /// Delivers a packet to each socket in the audience once.
    fn emit(&self, packet: &Packet, audience: &Audience) {
        self.local().emit(packet, audience);
    }

    /// Delivers a packet to the socket with this id.
    ///
    /// # Errors
    ///
    /// No socket has this id, or the socket does not accept messages now. An adapter for several
    /// servers does not know the sockets of other servers. It returns `Ok` once the message is on
    /// its way to them.
    fn emit_to(&self, packet: &Packet, id: &str) -> Result<(), EmitError> {
        self.local().emit_to(packet, id)
    }

    /// Delivers a packet to a socket of this server. The packet may [expect an
    /// answer](Packet::expects_answer).
    ///
    /// # Errors
    ///
    /// The socket does not accept messages now.
    fn emit_to_socket(&self, packet: &Packet, socket: &Socket) -> Result<(), EmitError> {
        self.local().emit_to_socket(packet, socket)
    }

    /// Asks each socket in the audience once and returns without waiting. The answers go into the
    /// sink. The question is finished when all clones of the sink are dropped.
    fn ask(&self, question: Packet, audience: &Audience, answers: AnswerSink) {
        self.local().ask(question, audience, answers);
    }

    /// Applies a change to the sockets in the audience.
    fn change(&self, change: &Change<'_>, audience: &Audience) {
        self.local().change(change, audience);
    }

    /// Describes the sockets in the audience. Servers that do not answer within `timeout` are
    /// [counted](Fetched::silent), and their sockets are missing.
    fn fetch(&self, audience: &Audience, timeout: Duration) -> BoxFuture<'static, Result<Fetched, RequestError>> {
        self.local().fetch(audience, timeout)
    }

    /// Describes the sockets in the audience that belong to a page: those with the lowest ids after
    /// its [cursor](Page::cursor), at least one more than it has [entries](Page::size) if there are
    /// so many. More sockets, in any order, do no harm. By default all are fetched.
    fn fetch_page(
        &self,
        audience: &Audience,
        _page: &Page,
        timeout: Duration,
    ) -> BoxFuture<'static, Result<Fetched, RequestError>> {
        self.fetch(audience, timeout)
    }

    /// The number of servers, including this one.
    fn servers(&self) -> BoxFuture<'static, Result<usize, RequestError>> {
        self.local().servers()
    }

    /// Sends an event to the other servers. Their adapters pass it to [`LocalAdapter::received`].
    /// By default there are no other servers.
    ///
    /// # Errors
    ///
    /// The event can't be sent now.
    fn server_emit(&self, event: &Packet) -> Result<(), EmitError> {
        self.local().server_emit(event)
    }

    /// Sends an event to the other servers and collects their answers, at most one of each. Their
    /// adapters pass it to [`LocalAdapter::received_request`]. Servers that do not answer within
    /// `timeout` are [counted](ServerReplies::silent).
    fn server_request(
        &self,
        event: &Packet,
        timeout: Duration,
    ) -> BoxFuture<'static, Result<ServerReplies, RequestError>> {
        self.local().server_request(event, timeout)
    }

    /// The names of the rooms that have members on any server. Servers that do not answer within
    /// `timeout` are [counted](AllRooms::silent).
    fn all_rooms(&self, timeout: Duration) -> BoxFuture<'static, Result<AllRooms, RequestError>> {
        self.local().all_rooms(timeout)
    }

    /// The names of the rooms that belong to a page: the lowest ones after its
    /// [cursor](Page::cursor), at least one more than it has [entries](Page::size) if there are so
    /// many. More names do no harm. By default all are fetched.
    fn fetch_rooms(&self, _page: &Page, timeout: Duration) -> BoxFuture<'static, Result<AllRooms, RequestError>> {
        self.all_rooms(timeout)
    }

    /// A socket was registered under this id. It is not connected yet and may still be refused.
    fn added(&self, _socket: &Socket, _id: &str) {}

    /// A socket joined a room. Emits of this server to the room already reach it.
    ///
    /// While the adapter is being told of one change of a socket, further changes of it wait. A
    /// change that undoes a waiting one cancels it, and the adapter is told of neither.
    fn joined(&self, _socket: &Socket, _room: &Arc<str>) {}

    /// A socket left a room, or ended while it was in the room. In the second case
    /// [`rooms`](Socket::rooms) still returns the room.
    fn left(&self, _socket: &Socket, _room: &Arc<str>) {}

    /// A socket changed its id, and thereby the room with its own id.
    fn renamed(&self, _socket: &Socket, _from: &str, _to: &str) {}

    /// A socket is gone. `id` was its last id.
    fn removed(&self, _socket: &Socket, _id: &str) {}

    /// The namespace comes into use. This is called before its first socket is registered. The
    /// future is spawned on the current tokio runtime. Sockets do not wait for it, but for
    /// [`opened`](Self::opened). An error is logged.
    ///
    /// A [closed](Self::close) adapter may be opened again. If [`Hub::of`](crate::Hub::of) returns
    /// a handle to a dynamic namespace without sockets, the adapter of that handle is never opened.
    ///
    /// # Errors
    ///
    /// Other servers can't be reached.
    fn open(&self) -> BoxFuture<'static, Result<(), AdapterError>> {
        Box::pin(std::future::ready(Ok(())))
    }

    /// What a new socket waits for before its `connect` handler runs, such as the subscription of
    /// its namespace. It is called for each new socket, on the connection's task. `None`, the
    /// default: nothing. The future must end soon, because a Socket.IO client waits for it.
    fn opened(&self) -> Option<BoxFuture<'static, ()>> {
        None
    }

    /// The namespace is no longer in use. Either a dynamic namespace was removed, or the hub [shut
    /// down](crate::Hub::shutdown) and all sockets are gone. It is called once for each
    /// [`open`](Self::open). A shutdown waits for the future until its deadline.
    ///
    /// A client may connect to a removed dynamic namespace again, even while this future runs. The
    /// hub then opens another adapter for the same path. Adapters that share something per path,
    /// such as a subscription, must count references to it.
    fn close(&self) -> BoxFuture<'static, ()> {
        Box::pin(std::future::ready(()))
    }
}

/// A change to sockets, on this server or on others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change<'a> {
    /// The sockets join rooms.
    Join(&'a [Arc<str>]),
    /// The sockets leave rooms.
    Leave(&'a [Arc<str>]),
    /// The sockets are disconnected from the namespace.
    Disconnect {
        /// Whether to close their connections too, which ends their sockets in all other
        /// namespaces.
        close: bool,
        /// Why, for plain WebSocket clients and for `disconnect` handlers. Empty if none was given.
        reason: &'a str,
    },
}

/// The error of a request to other servers that could not be sent. A server that does not answer is
/// not an error: see [`Fetched::silent`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// Other servers can't be reached. Contains the reason.
    #[error("other servers can't be reached: {0}")]
    Unavailable(String),
    /// Too many requests wait for answers of other servers.
    #[error("too many requests to other servers are pending")]
    TooMany,
    /// The request does not serialize, or can't be sent. Contains the reason.
    #[error("the request can't be sent: {0}")]
    NotSent(String),
    /// The adapter does not support this request.
    #[error("the adapter does not support this request")]
    Unsupported,
}

/// The error of an adapter that failed to [open](Adapter::open).
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct AdapterError(Box<dyn std::error::Error + Send + Sync>);

impl AdapterError {
    /// Creates an error from another error or a text.
    pub fn new(reason: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self(reason.into())
    }
}
