//! [`EventPayload`] and [`ListenerHandle`]: listeners are closures that are registered for an event
//! name at run time.

use bytes::Bytes;
use futures_util::future::BoxFuture;
use parking_lot::RwLock;
use serde::de::DeserializeOwned;
use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use super::ack::Ack;
use super::context::RawArgs;
use super::error::{EventError, PayloadError};
use super::incoming::{EventKind, Incoming};
use super::marker::{Later, Now};
use super::unscanned;
use crate::connection_handle::request::Request;
use crate::hooks::guarded::Guarded;
use crate::hub::socket::attributes::SocketAttributes;
use crate::hub::socket::handshake::Handshake;
use crate::hub::socket::{Socket, SocketId};
use crate::session::received::RawMessage;
use crate::wire::binary::Attachments;
use crate::wire::envelope::ArgumentText;
use crate::wire::scan::Scanner;
use crate::wire::socketio::placeholder;

/// The parameter of a listener: an event with its socket and data.
///
/// ```
/// use socketio::{EventPayload, Hub};
///
/// let hub = Hub::builder().build()?;
/// hub.on("greet", |payload: EventPayload| async move {
///     let name: String = payload.json().unwrap_or_default();
///     let _ = payload.socket.emit(("greeting", format!("hello {name}")));
/// });
/// # Ok::<(), socketio::BuildError>(())
/// ```
#[derive(Clone, Debug)]
pub struct EventPayload {
    /// The socket that received the event.
    pub socket: Socket,
    /// The event's name.
    pub name: Arc<str>,
    /// The socket's id.
    pub socket_id: SocketId,
    /// The socket's attributes at the time of the event.
    pub attributes: SocketAttributes,
    /// The error, in `error` and in `disconnect` after an abnormal end.
    pub error: Option<EventError>,
    /// The content of a raw message.
    ///
    /// For named events it is the first argument: the content of a string or of binary data, the
    /// JSON text of any other value. In `error` it is the message that caused the error, or the id
    /// of the socket that could not be reached.
    pub data: Bytes,
    args: Bytes,
    single: bool,
    attachments: Option<Attachments>,
    request: Option<Arc<Request>>,
    from_client: bool,
    is_binary: bool,
    ack: Ack,
}

impl EventPayload {
    fn new(incoming: &Incoming) -> Self {
        let socket = incoming.socket.clone();
        let mut payload = Self {
            name: incoming.name().into(),
            socket_id: socket.id(),
            attributes: socket.attributes(),
            error: None,
            data: Bytes::new(),
            args: Bytes::new(),
            single: false,
            attachments: incoming.attachments().cloned(),
            request: incoming.carrier_request().cloned(),
            from_client: false,
            is_binary: false,
            ack: incoming.ack(),
            socket,
        };
        match &incoming.kind {
            EventKind::Event(event) => {
                let text: &Bytes = event.text().as_ref();
                let (ArgumentText::One(args) | ArgumentText::Many(args)) = event.args();
                payload.args = text.slice_ref(args.as_bytes());
                payload.single = matches!(event.args(), ArgumentText::One(_));
                payload.from_client = event.from_client;
                payload.data = payload.first_contents();
            }
            EventKind::Message { message: RawMessage::Text(text), .. } => payload.data = text.clone().into(),
            EventKind::Message { message: RawMessage::Binary(bytes), .. } => {
                payload.data = bytes.clone();
                payload.is_binary = true;
            }
            EventKind::Ping(bytes) | EventKind::Pong(bytes) => payload.data = bytes.clone(),
            EventKind::Disconnecting(disconnect) | EventKind::Disconnect(disconnect) => {
                payload.error = (!disconnect.is_clean()).then(|| disconnect.into());
                payload.data = disconnect.reason().as_str().into();
            }
            EventKind::Error(error) => {
                payload.data = match (error.target(), error.received()) {
                    (Some(target), _) => Bytes::copy_from_slice(target.as_bytes()),
                    (None, received) => received.cloned().unwrap_or_default(),
                };
                payload.error = Some(error.clone());
            }
            EventKind::Connect | EventKind::Close => {}
        }
        payload
    }

    /// The content of the first argument: the characters of a string, the bytes of binary data, or
    /// JSON text.
    fn first_contents(&self) -> Bytes {
        let args = self.raw();
        let Some(json) = Scanner::new(args.json()).value() else { return Bytes::new() };
        if let Some((number, _)) = placeholder::read(json.as_bytes())
            && let Some(attachment) = args.attachments().get(number)
        {
            return attachment.clone();
        }
        if !json.starts_with('"') {
            return self.args.slice_ref(json.as_bytes());
        }
        match serde_json::from_str::<&str>(json) {
            Ok(contents) => self.args.slice_ref(contents.as_bytes()),
            Err(_) => serde_json::from_str::<String>(json).map_or_else(|_| Bytes::new(), Bytes::from),
        }
    }

    fn raw(&self) -> RawArgs<'_> {
        let text = std::str::from_utf8(&self.args).unwrap_or_default();
        RawArgs::new(
            if self.single { ArgumentText::One(text) } else { ArgumentText::Many(text) },
            self.attachments.as_ref(),
        )
    }

    /// Decodes the event's first argument, or the JSON of a raw message.
    ///
    /// # Errors
    ///
    /// There is no argument, or it does not decode as `T`. Like an event, a raw message must not be
    /// nested more deeply than [`max_depth`](crate::HubBuilder::max_depth) allows or have [reserved
    /// keys](crate::from_json).
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, PayloadError> {
        if self.args.is_empty() && !self.data.is_empty() {
            let text = std::str::from_utf8(&self.data).unwrap_or_default();
            return unscanned::decode(text, self.socket.hub().config().max_depth);
        }
        self.raw().first()
    }

    /// All arguments of the event as JSON text.
    pub fn args(&self) -> RawArgs<'_> {
        self.raw()
    }

    /// A handle to answer the event. The handler's return value takes precedence. Of the listeners,
    /// the first to use the handle answers.
    pub fn ack(&self) -> Ack {
        self.ack.clone()
    }

    /// The HTTP request that carried the event.
    ///
    /// With HTTP polling this is the POST request that contained the event. Otherwise it is the
    /// first request of the connection.
    pub fn request(&self) -> Handshake<'_> {
        let request = self.request.as_deref().unwrap_or_else(|| &self.socket.peer().request);
        Handshake::new(request, &self.socket)
    }

    /// Returns `true` for a binary message.
    pub fn is_binary(&self) -> bool {
        self.is_binary
    }

    /// Returns `true` if a client sent a named event. Lifecycle events, including raw messages, and
    /// events that the server [fired](Socket::fire) return `false`.
    pub fn from_client(&self) -> bool {
        self.from_client
    }
}

/// The return type of a listener: `()`, or a future with the output `()`.
#[diagnostic::on_unimplemented(
    message = "a listener can't return `{Self}`",
    label = "neither `()` nor a future of it",
    note = "help: end the closure without a value, or with an `async` block, and deal with errors inside"
)]
pub trait ListenerOutput<M>: Send + 'static {
    #[doc(hidden)]
    fn into_future(self) -> Option<BoxFuture<'static, ()>>;
}

impl ListenerOutput<Now> for () {
    fn into_future(self) -> Option<BoxFuture<'static, ()>> {
        None
    }
}

impl<F: Future<Output = ()> + Send + 'static> ListenerOutput<Later> for F {
    fn into_future(self) -> Option<BoxFuture<'static, ()>> {
        Some(Box::pin(self))
    }
}

type Call = Box<dyn Fn(EventPayload) -> Option<BoxFuture<'static, ()>> + Send + Sync>;

fn boxed<F, R, M>(listener: F) -> Call
where
    F: Fn(EventPayload) -> R + Send + Sync + 'static,
    R: ListenerOutput<M>,
{
    let listener = Guarded::new(listener);
    Box::new(move |payload| (*listener)(payload).into_future())
}

/// A registered listener.
pub(crate) struct Listener {
    number: u64,
    /// For `once` listeners: `true` until the first call.
    pending: Option<AtomicBool>,
    call: Call,
}

impl Listener {
    /// Calls the listener, unless it is a `once` listener that was already called. An async
    /// listener returns its future.
    pub(crate) fn call(&self, incoming: &Incoming) -> Option<BoxFuture<'static, ()>> {
        if let Some(pending) = &self.pending
            && !pending.swap(false, Ordering::Relaxed)
        {
            return None;
        }
        (self.call)(EventPayload::new(incoming))
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Listener").field("number", &self.number).finish_non_exhaustive()
    }
}

/// The listeners of one name.
pub(crate) type List = Arc<[Arc<Listener>]>;

/// The listeners of a namespace or of a socket, by name, in order of registration.
///
/// Listeners are dropped without holding a lock, because the drop of captured values may access the
/// listeners again.
#[derive(Debug, Default)]
pub(crate) struct Listeners {
    by_name: RwLock<HashMap<Box<str>, List>>,
    /// Listeners for all events.
    any: RwLock<Option<List>>,
    /// The number of names with listeners. While it is 0, lookups take no lock.
    names: AtomicUsize,
    next: AtomicU64,
}

impl Listeners {
    pub(crate) fn add<F, R, M>(self: &Arc<Self>, name: &str, once: bool, listener: F) -> ListenerHandle
    where
        F: Fn(EventPayload) -> R + Send + Sync + 'static,
        R: ListenerOutput<M>,
    {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let listener =
            Arc::new(Listener { number, pending: once.then(|| AtomicBool::new(true)), call: boxed(listener) });
        let mut by_name = self.by_name.write();
        let registered = by_name.entry(name.into()).or_insert_with(|| Arc::new([]));
        *registered = registered.iter().cloned().chain([listener]).collect();
        self.names.store(by_name.len(), Ordering::Release);
        ListenerHandle { listeners: Arc::downgrade(self), name: Some(name.into()), number }
    }

    /// Adds a listener for all events.
    pub(crate) fn add_any<F, R, M>(self: &Arc<Self>, listener: F) -> ListenerHandle
    where
        F: Fn(EventPayload) -> R + Send + Sync + 'static,
        R: ListenerOutput<M>,
    {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let listener = Arc::new(Listener { number, pending: None, call: boxed(listener) });
        let mut any = self.any.write();
        let registered = any.take();
        *any = Some(registered.iter().flat_map(|list| list.iter()).cloned().chain([listener]).collect());
        ListenerHandle { listeners: Arc::downgrade(self), name: None, number }
    }

    pub(crate) fn any(&self) -> Option<List> {
        self.any.read().clone()
    }

    fn remove_any(&self, number: u64) {
        let mut any = self.any.write();
        let before = any.take();
        let left: List =
            before.iter().flat_map(|list| list.iter()).filter(|listener| listener.number != number).cloned().collect();
        *any = Some(left).filter(|left| !left.is_empty());
        drop(any);
        drop(before);
    }

    pub(crate) fn find(&self, name: &str) -> Option<List> {
        if self.names.load(Ordering::Acquire) == 0 {
            return None;
        }
        self.by_name.read().get(name).cloned()
    }

    pub(crate) fn remove_all(&self, name: &str) {
        let mut by_name = self.by_name.write();
        let removed = by_name.remove(name);
        self.names.store(by_name.len(), Ordering::Release);
        drop(by_name);
        drop(removed);
    }

    fn remove(&self, name: &str, number: u64) {
        let mut by_name = self.by_name.write();
        let Some(registered) = by_name.get_mut(name) else { return };
        let left: List = registered.iter().filter(|listener| listener.number != number).cloned().collect();
        let before = match left.is_empty() {
            true => by_name.remove(name),
            false => Some(std::mem::replace(registered, left)),
        };
        self.names.store(by_name.len(), Ordering::Release);
        drop(by_name);
        drop(before);
    }

    /// Removes `once` listeners that have been called.
    pub(crate) fn remove_called_once(&self, name: &str, listeners: &[Arc<Listener>]) {
        for listener in listeners {
            if listener.pending.as_ref().is_some_and(|pending| !pending.load(Ordering::Relaxed)) {
                self.remove(name, listener.number);
            }
        }
    }
}

/// Removes a registered listener. Dropping the handle does not remove the listener.
#[derive(Clone, Debug)]
pub struct ListenerHandle {
    listeners: Weak<Listeners>,
    /// `None` for a listener of all events.
    name: Option<Box<str>>,
    number: u64,
}

impl ListenerHandle {
    /// Removes the listener. It may still receive an event that is being handled.
    pub fn off(&self) {
        if let Some(listeners) = self.listeners.upgrade() {
            match &self.name {
                Some(name) => listeners.remove(name, self.number),
                None => listeners.remove_any(self.number),
            }
        }
    }
}
