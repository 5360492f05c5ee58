//! [`Namespace`]: a separate event space, which holds the methods that [`Hub`] forwards to.

pub(crate) mod inner;
pub(crate) mod opening;
pub(crate) mod pattern;
pub(crate) mod registry;
pub(crate) mod rooms;

use serde::Serialize;
use serde_json::Value;
use std::fmt::{self, Display};
use std::sync::Arc;
use std::time::Duration;

use crate::event::listener::{EventPayload, ListenerHandle, ListenerOutput};
use crate::event::message::{IntoEvent, IntoMessage, Request};
use crate::event::raw_message::IntoRawMessage;
use crate::hub::adapter::{AllRooms, Fetched, RequestError};
use crate::hub::revoking::DisconnectWhere;
use crate::hub::selection::{EmitError, Selection};
use crate::hub::server_events::ServerEvent;
use crate::hub::server_request::ServerRequest;
use crate::hub::socket::Socket;
use crate::hub::socket::ack_stream::AckStream;
use crate::hub::socket::events::fired;
use crate::hub::socket::from_answer::FromAnswer;
use crate::hub::socket::reliable::Reliable;
use crate::hub::{Core, Hub};
use inner::NamespaceInner;

/// A separate event space with sockets, rooms, handlers and listeners. Cloning the handle is cheap.
///
/// [`Hub::root`] returns the namespace `/`, on which the methods of [`Hub`] act. [`Hub::of`]
/// returns the others.
#[derive(Clone)]
pub struct Namespace {
    core: Arc<Core>,
    namespace: Arc<NamespaceInner>,
}

impl Namespace {
    pub(crate) fn new(core: Arc<Core>, namespace: Arc<NamespaceInner>) -> Self {
        Self { core, namespace }
    }

    pub(crate) fn core(&self) -> &Arc<Core> {
        &self.core
    }

    pub(crate) fn inner(&self) -> &Arc<NamespaceInner> {
        &self.namespace
    }

    pub(crate) fn hub(&self) -> Hub {
        Hub::from_core(&self.core)
    }

    pub(crate) fn namespace_inner(&self) -> &Arc<NamespaceInner> {
        &self.namespace
    }

    /// The namespace's path.
    pub fn path(&self) -> &str {
        self.namespace.path()
    }

    /// Calls `listener` for events of this name. Listeners run in the order of registration, after
    /// the table's handler and the socket's listeners. A listener may be sync or async. A sync
    /// listener runs on the connection's task and must not block.
    ///
    /// ```
    /// # let hub = socketio::Hub::builder().build()?;
    /// use socketio::EventPayload;
    ///
    /// hub.on("note", |payload: EventPayload| println!("{}", payload.socket_id));
    /// let handle = hub.on("task", |payload: EventPayload| async move {
    ///     let _ = payload.ack().send("done");
    /// });
    /// handle.off();
    /// # Ok::<(), socketio::BuildError>(())
    /// ```
    ///
    /// An async listener must clone captured values for each call:
    /// `move |payload| { let db = db.clone(); async move { … } }`.
    pub fn on<F, R, M>(&self, event: impl AsRef<str>, listener: F) -> ListenerHandle
    where
        F: Fn(EventPayload) -> R + Send + Sync + 'static,
        R: ListenerOutput<M>,
    {
        self.namespace.listeners().add(event.as_ref(), false, listener)
    }

    /// Emits to the socket with this id.
    ///
    /// # Errors
    ///
    /// No socket has this id, the socket does not accept messages now, or the payload does not
    /// serialize.
    ///
    /// With an [adapter](crate::adapter::Adapter) for several servers, `Ok` may only mean that the
    /// message was sent to the other servers. Whether one of them has the socket is unknown.
    pub fn emit_to(&self, id: impl AsRef<str>, message: impl IntoMessage) -> Result<(), EmitError> {
        self.namespace.emit_to(&message.into_packet()?, id.as_ref())
    }

    /// Emits reliable events to the socket with this id on this server, or to its client while that
    /// is cut off and may [resume](crate::guide::recovery) its session. See [`Socket::reliable`].
    ///
    /// ```
    /// # use socketio::{EmitError, Hub};
    /// # fn example(hub: &Hub, id: &str) -> Result<(), EmitError> {
    /// hub.reliable_to(id).emit(("order", 7, "two teas"))?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn reliable_to(&self, id: impl AsRef<str>) -> Reliable<'_> {
        Reliable::to_id(self, id.as_ref())
    }

    /// Emits to several sockets. Sockets that can't be reached are skipped.
    ///
    /// # Errors
    ///
    /// The payload does not serialize.
    pub fn emit_to_list<I>(&self, ids: I, message: impl IntoMessage) -> Result<(), EmitError>
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        let packet = message.into_packet()?;
        for id in ids {
            let _ = self.namespace.emit_to(&packet, id.as_ref());
        }
        Ok(())
    }

    /// Emits to all sockets.
    ///
    /// # Errors
    ///
    /// The payload does not serialize.
    pub fn broadcast(&self, message: impl IntoMessage) -> Result<(), EmitError> {
        self.everyone().emit(message)
    }

    /// Same as [`broadcast`](Self::broadcast). Socket.IO uses this name.
    ///
    /// # Errors
    ///
    /// The payload does not serialize.
    pub fn emit(&self, message: impl IntoMessage) -> Result<(), EmitError> {
        self.broadcast(message)
    }

    /// Sends text or bytes to all sockets, as they are. See [`Socket::send`].
    ///
    /// # Errors
    ///
    /// Text and bytes always serialize, and sockets that can't be reached are skipped, so this
    /// method has no error at present.
    pub fn send(&self, message: impl IntoRawMessage) -> Result<(), EmitError> {
        self.everyone().send(message)
    }

    /// Queues an event on every connected socket as if its client had sent it. See
    /// [`Socket::fire`]. Sockets on which too many events wait are skipped, and counted in
    /// [`HubStats::overflows`](crate::HubStats::overflows).
    ///
    /// # Errors
    ///
    /// `data` does not serialize.
    pub fn fire(&self, event: impl AsRef<str>, data: impl Serialize) -> Result<(), EmitError> {
        let (name, text) = fired(event.as_ref(), &data)?;
        for socket in self.namespace.registry().all().iter().filter(|socket| socket.is_connected()) {
            let _ = socket.fire_encoded(&name, &text);
        }
        Ok(())
    }

    fn everyone(&self) -> Selection<'_> {
        Selection::all(&self.namespace, None)
    }

    /// Selects the members of a room.
    pub fn to(&self, room: impl AsRef<str>) -> Selection<'_> {
        self.everyone().to(room)
    }

    /// Same as [`to`](Self::to), because no socket is left out.
    pub fn within(&self, room: impl AsRef<str>) -> Selection<'_> {
        self.everyone().within(room)
    }

    /// Selects all sockets except the members of a room.
    pub fn except(&self, room: impl AsRef<str>) -> Selection<'_> {
        self.everyone().except(room)
    }

    /// Selects all sockets except the one with this id, on any server.
    pub fn except_id(&self, id: impl AsRef<str>) -> Selection<'_> {
        self.everyone().except_id(id)
    }

    /// Selects all sockets of this server.
    pub fn local(&self) -> Selection<'_> {
        self.everyone().local()
    }

    /// Selects all sockets. The message is dropped for clients that can't receive it now.
    pub fn volatile(&self) -> Selection<'_> {
        self.everyone().volatile()
    }

    /// Selects all sockets. Of the event's messages, only the latest waits for clients that can't
    /// receive it now. See [`Selection::latest`].
    pub fn latest(&self) -> Selection<'_> {
        self.everyone().latest()
    }

    /// Selects all sockets. Of the event's messages with the same key, only the latest waits for
    /// clients that can't receive it now. See [`Selection::latest_by`].
    pub fn latest_by(&self, key: impl Display) -> Selection<'_> {
        self.everyone().latest_by(key)
    }

    /// Selects all sockets, with a different timeout for
    /// [`emit_with_ack`](Selection::emit_with_ack) and [`request`](Selection::request).
    pub fn timeout(&self, timeout: Duration) -> Selection<'_> {
        self.everyone().timeout(timeout)
    }

    /// Emits to all sockets and waits for their answers; see [`Selection::emit_with_ack`].
    ///
    /// # Errors
    ///
    /// The payload does not serialize.
    pub fn emit_with_ack<T: FromAnswer>(&self, event: impl IntoEvent) -> AckStream<T> {
        self.everyone().emit_with_ack(event)
    }

    /// Asks all sockets and waits for their answers; see [`Selection::request`].
    ///
    /// # Errors
    ///
    /// The payload does not serialize.
    pub fn request<Q>(&self, question: &Q) -> AckStream<Q::Answer>
    where
        Q: Request<Answer: FromAnswer> + Serialize,
    {
        self.everyone().request(question)
    }

    /// Makes all sockets join rooms.
    pub fn sockets_join<I>(&self, rooms: I)
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        self.everyone().sockets_join(rooms);
    }

    /// Makes all sockets leave rooms.
    pub fn sockets_leave<I>(&self, rooms: I)
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        self.everyone().sockets_leave(rooms);
    }

    /// [Disconnects](Socket::disconnect) all sockets.
    pub fn disconnect_sockets(&self) {
        self.everyone().disconnect_sockets();
    }

    /// Disconnects all sockets, and says why. See [`Socket::disconnect_with`].
    pub fn disconnect_sockets_with(&self, reason: impl AsRef<str>) {
        self.everyone().disconnect_sockets_with(reason);
    }

    /// [Closes](Socket::close) the connections of all sockets.
    pub fn close_sockets(&self) {
        self.everyone().close_sockets();
    }

    /// Disconnects the sockets whose [attribute](Socket::set_attribute) has this value, on all
    /// servers that the [adapter](crate::adapter::Adapter) connects, such as those of a user who
    /// has logged out or of a token that was revoked. Await the result to learn whether all servers
    /// have answered.
    ///
    /// Clients that are cut off can't [resume](crate::guide::recovery) their session then. Sockets
    /// whose `connect` handler still runs leave when they are accepted, if they have the attribute
    /// by then. It visits each socket of each server; a [room](Socket::join) for each user is
    /// faster. See [authentication](crate::guide::authentication) for clients that connect
    /// meanwhile, and for servers on Node.js.
    ///
    /// ```
    /// # async fn example(hub: &socketio::Hub) -> Result<(), socketio::RequestError> {
    /// let ended = hub.disconnect_where("user", 42).await?;
    /// if ended.silent > 0 {
    ///     eprintln!("{} servers did not answer", ended.silent); // ask them again
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// The other servers can't be asked. The sockets of this server are disconnected.
    pub fn disconnect_where(&self, attribute: impl Into<String>, value: impl Into<Value>) -> DisconnectWhere {
        DisconnectWhere::begin(&self.namespace, attribute.into(), value.into())
    }

    /// Describes all sockets; see [`Selection::fetch_sockets`].
    ///
    /// # Errors
    ///
    /// The other servers can't be asked.
    pub fn fetch_sockets(&self) -> impl Future<Output = Result<Fetched, RequestError>> + Send + use<> {
        self.everyone().fetch_sockets()
    }

    /// The number of servers that the [adapter](crate::adapter::Adapter) connects, including this
    /// one. Without an adapter it is 1.
    ///
    /// # Errors
    ///
    /// The other servers can't be asked.
    pub fn servers(&self) -> impl Future<Output = Result<usize, RequestError>> + Send + use<> {
        self.namespace.adapter().servers()
    }

    /// Sends an event to the other servers that the [adapter](crate::adapter::Adapter) connects.
    /// Their [`on_server`](Self::on_server) listeners receive it. Clients and this server don't.
    ///
    /// # Errors
    ///
    /// The payload does not serialize, or the adapter can't send it now.
    pub fn server_emit(&self, event: impl IntoEvent) -> Result<(), EmitError> {
        self.namespace.server_emit(&event.into_packet()?)
    }

    /// Sends an event to the other servers that the [adapter](crate::adapter::Adapter) connects,
    /// and collects their answers. Their [`on_server`](Self::on_server) listeners answer it with
    /// [`ServerEvent::ack`]. Without an adapter there are no answers.
    ///
    /// ```
    /// # async fn example(hub: &socketio::Hub) -> Result<(), socketio::RequestError> {
    /// let answers = hub.server_request::<f64>(("load?",)).await?;
    /// println!("{} servers did not answer", answers.silent);
    /// println!("the highest load is {:?}", answers.into_values().reduce(f64::max));
    /// # Ok(())
    /// # }
    /// ```
    pub fn server_request<T: FromAnswer>(&self, event: impl IntoEvent) -> ServerRequest<T> {
        ServerRequest::new(&self.namespace, event.into_packet())
    }

    /// The names of the rooms that have members on any server. Each socket is also in a room with
    /// its own id. It waits for the other servers as long as the hub's
    /// [`ack_timeout`](crate::HubBuilder::ack_timeout).
    ///
    /// # Errors
    ///
    /// The other servers can't be asked.
    pub fn all_rooms(&self) -> impl Future<Output = Result<AllRooms, RequestError>> + Send + use<> {
        self.namespace.adapter().all_rooms(self.namespace.ack_timeout())
    }

    /// Calls `listener` for events of this name that other servers send with
    /// [`server_emit`](Self::server_emit) and [`server_request`](Self::server_request). It runs on
    /// a task of the adapter and must not block.
    ///
    /// ```
    /// # let hub = socketio::Hub::builder().build()?;
    /// hub.on_server("reload", |event| match event.args().first::<String>() {
    ///     Ok(table) => println!("{table} is to be read again"),
    ///     Err(error) => eprintln!("{error}"),
    /// });
    /// # Ok::<(), socketio::BuildError>(())
    /// ```
    pub fn on_server(&self, event: impl AsRef<str>, listener: impl Fn(&ServerEvent<'_>) + Send + Sync + 'static) {
        self.namespace.server_listeners().add(event.as_ref(), listener);
    }

    /// The connected socket with this id.
    pub fn socket(&self, id: impl AsRef<str>) -> Option<Socket> {
        self.namespace.registry().get(id.as_ref()).filter(Socket::is_connected)
    }

    /// The connected sockets.
    pub fn sockets(&self) -> Vec<Socket> {
        self.everyone().sockets()
    }

    /// The number of connected sockets.
    pub fn len(&self) -> usize {
        self.namespace.registry().len()
    }

    /// Returns `true` if no socket is connected.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl fmt::Debug for Namespace {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Namespace").field("path", &self.path()).field("len", &self.len()).finish()
    }
}
