//! Adapters: what carries messages and changes to the sockets of a namespace, on this server and on
//! others.
//!
//! The [`LocalAdapter`] is the default and knows the sockets of this server. An [`Adapter`] of the
//! application's own wraps it and overrides what it is interested in. Everything else acts on the
//! sockets of this server.

pub(crate) mod audience;
mod local;
mod packet;
pub(crate) mod sink;

use std::fmt::Debug;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

pub use super::socket::answers::{AckStream, Answerer};
pub use super::socket::remote::{Fetched, RemoteHandshake, RemoteSocket, ServerId};
use crate::hub::selection::EmitError;
use crate::hub::socket::Socket;
pub use crate::wire::packet::Packet;
pub use audience::Audience;
pub use local::LocalAdapter;
pub use packet::{PacketArgs, PacketError};
pub use sink::AnswerSink;

/// A future that an adapter gives back.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Carries messages and changes to the sockets of a namespace. There is one for each namespace.
///
/// Each method has a default that acts on the sockets of this server, by [`local`](Self::local). An
/// adapter that overrides one passes the call on to the local adapter, or does something else
/// instead. One that wraps an adapter other than the local one forwards every method: what it
/// leaves out goes past the other.
///
/// ```
/// use socketio::adapter::{Adapter, Audience, LocalAdapter, Packet};
/// use socketio::Hub;
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicU64, Ordering};
///
/// /// Counts what is emitted.
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
/// # What passes through it
///
/// | verb | method |
/// | --- | --- |
/// | `emit`, `broadcast` to several sockets, also by `.local()`: [`Audience::is_local`] says so | [`emit`](Self::emit) |
/// | `emit_to`, `emit_to_list`, `emit` of a [`RemoteSocket`] | [`emit_to`](Self::emit_to) |
/// | `emit`, `emit_with_ack`, `request` of a [`Socket`] | [`emit_to_socket`](Self::emit_to_socket) |
/// | `emit_with_ack`, `request` of selections and of a [`RemoteSocket`] | [`ask`](Self::ask) |
/// | `sockets_join`, `sockets_leave`, `disconnect_sockets`, `close_sockets` | [`change`](Self::change) |
/// | `fetch_sockets` | [`fetch`](Self::fetch) |
/// | `servers` | [`servers`](Self::servers) |
/// | `server_emit` | [`server_emit`](Self::server_emit) |
///
/// The last five go past it, to the local adapter, where `.local()` is selected. `sockets`,
/// `socket`, `len` and `fire` are about this server alone.
///
/// # Where it is called
///
/// On the tasks of connections and wherever the application emits: its methods must not block. None
/// of the framework's locks is held meanwhile, so that it may ask sockets and hub for anything.
/// What it emits passes through it again.
///
/// # What it is told
///
/// [`added`](Self::added), [`joined`](Self::joined), [`left`](Self::left),
/// [`renamed`](Self::renamed) and [`removed`](Self::removed) tell it what has become of a socket of
/// this server, after it is so. For each socket they come one after the other, in the order of the
/// changes. When two tasks change the same socket at the same time, one of them tells of both
/// changes; the other may have gone on by then. A panic in one of them is logged, and changes
/// nothing else.
pub trait Adapter: Debug + Send + Sync + 'static {
    /// The adapter of this server's sockets, which
    /// [`HubBuilder::adapter`](crate::HubBuilder::adapter) gave.
    fn local(&self) -> &LocalAdapter;

    /// Delivers to everyone in the audience, each once.
    fn emit(&self, packet: &Packet, audience: &Audience) {
        self.local().emit(packet, audience);
    }

    /// Delivers to the socket with this id.
    ///
    /// # Errors
    ///
    /// There is none, or it takes no message now. An adapter of several servers can't know whether
    /// another server has it: it gives `Ok` when the message is on its way there.
    fn emit_to(&self, packet: &Packet, id: &str) -> Result<(), EmitError> {
        self.local().emit_to(packet, id)
    }

    /// Delivers to a socket of this server. The packet may
    /// [ask for an answer](Packet::expects_answer).
    ///
    /// # Errors
    ///
    /// It takes no message now.
    fn emit_to_socket(&self, packet: &Packet, socket: &Socket) -> Result<(), EmitError> {
        self.local().emit_to_socket(packet, socket)
    }

    /// Asks everyone in the audience, each once. The answers go into the sink, and the question is
    /// over when it and its clones are dropped. This returns at once.
    fn ask(&self, question: Packet, audience: &Audience, answers: AnswerSink) {
        self.local().ask(question, audience, answers);
    }

    /// Changes the sockets of the audience.
    fn change(&self, change: &Change<'_>, audience: &Audience) {
        self.local().change(change, audience);
    }

    /// Describes the sockets of the audience. Sockets of servers that have not answered within
    /// `timeout` are not described; these servers are [counted](Fetched::silent).
    fn fetch(&self, audience: &Audience, timeout: Duration) -> BoxFuture<'static, Result<Fetched, RequestError>> {
        self.local().fetch(audience, timeout)
    }

    /// How many servers there are, this one included.
    fn servers(&self) -> BoxFuture<'static, Result<usize, RequestError>> {
        self.local().servers()
    }

    /// Sends an event to the other servers, where an adapter hands it to
    /// [`LocalAdapter::received`]. The default has none.
    ///
    /// # Errors
    ///
    /// It can't be sent now.
    fn server_emit(&self, event: &Packet) -> Result<(), EmitError> {
        self.local().server_emit(event)
    }

    /// A socket was registered under this id. It is not connected yet, and may still be refused.
    fn added(&self, _socket: &Socket, _id: &str) {}

    /// A socket has joined a room: emits of this server reach it there.
    fn joined(&self, _socket: &Socket, _room: &Arc<str>) {}

    /// A socket has left a room, also by its end.
    fn left(&self, _socket: &Socket, _room: &Arc<str>) {}

    /// A socket has another id, and the room of its own id with it.
    fn renamed(&self, _socket: &Socket, _from: &str, _to: &str) {}

    /// A socket is gone. It had this id.
    fn removed(&self, _socket: &Socket, _id: &str) {}

    /// The namespace is used: called before its first socket is registered, on a runtime that the
    /// future is spawned on. Sockets do not wait for it, and an error is logged.
    ///
    /// One that was [closed](Self::close) may be opened again. A handle that
    /// [`Hub::of`](crate::Hub::of) gives to a dynamic namespace without sockets has an adapter that
    /// is never opened.
    ///
    /// # Errors
    ///
    /// Other servers can't be reached.
    fn open(&self) -> BoxFuture<'static, Result<(), AdapterError>> {
        Box::pin(std::future::ready(Ok(())))
    }

    /// The namespace is not used any more: a dynamic one has vanished, or the hub
    /// [shuts down](crate::Hub::shutdown) and all sockets are gone. Called once for each
    /// [`open`](Self::open). A shutdown waits for the future until its deadline.
    ///
    /// A client may enter a dynamic namespace again at any time, also while this runs. There is
    /// another adapter of the same path then, which is opened beside this one. Adapters that share
    /// something by path, such as a subscription, count their references to it.
    fn close(&self) -> BoxFuture<'static, ()> {
        Box::pin(std::future::ready(()))
    }
}

/// What is done to sockets, wherever they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change<'a> {
    /// They join rooms.
    Join(&'a [Arc<str>]),
    /// They leave rooms.
    Leave(&'a [Arc<str>]),
    /// They are disconnected from the namespace.
    Disconnect {
        /// Their connections are closed, with all other namespaces.
        close: bool,
    },
}

/// Why other servers were not asked. That one of them gives no answer is no error: see
/// [`Fetched::silent`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// Other servers can't be reached, with the reason.
    #[error("other servers can't be reached: {0}")]
    Unavailable(String),
    /// Too many requests are waiting for answers of other servers.
    #[error("too many requests to other servers are waiting")]
    TooMany,
    /// The adapter can't do this.
    #[error("the adapter does not support this request")]
    Unsupported,
}

/// Why an adapter did not [open](Adapter::open).
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct AdapterError(Box<dyn std::error::Error + Send + Sync>);

impl AdapterError {
    /// An error for this reason: an error, or a text.
    pub fn new(reason: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self(reason.into())
    }
}
