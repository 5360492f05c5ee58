//! The methods of [`Hub`] that act on its namespace `/`.
//!
//! They are written out instead of using `Deref`, because a hub is not a namespace. The
//! documentation of `Hub` lists them all, and a new method of one type can't hide a method of the
//! other.

use serde::Serialize;
use serde_json::Value;
use std::fmt::Display;
use std::time::Duration;

use super::Hub;
use crate::event::listener::{EventPayload, ListenerHandle, ListenerOutput};
use crate::event::message::{IntoEvent, IntoMessage, Request};
use crate::event::raw_message::IntoRawMessage;
use crate::hub::adapter::{AllRooms, Fetched, RequestError};
use crate::hub::listing::{FetchedRooms, Listed, Page, Room, RoomEntry};
use crate::hub::namespace::Namespace;
use crate::hub::revoking::DisconnectWhere;
use crate::hub::selection::{EmitError, Selection};
use crate::hub::server_events::ServerEvent;
use crate::hub::server_request::ServerRequest;
use crate::hub::socket::Socket;
use crate::hub::socket::ack_stream::AckStream;
use crate::hub::socket::from_answer::FromAnswer;
use crate::hub::socket::reliable::Reliable;

/// Methods for the namespace `/`. For other namespaces use [`of`](Self::of).
impl Hub {
    /// The namespace `/` itself, for code that works with any namespace.
    pub fn root(&self) -> &Namespace {
        &self.root
    }

    /// Calls `listener` for events of this name. See [`Namespace::on`].
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
    pub fn on<F, R, M>(&self, event: impl AsRef<str>, listener: F) -> ListenerHandle
    where
        F: Fn(EventPayload) -> R + Send + Sync + 'static,
        R: ListenerOutput<M>,
    {
        self.root.on(event, listener)
    }

    /// Emits to the socket with this id.
    ///
    /// # Errors
    ///
    /// See [`Namespace::emit_to`].
    pub fn emit_to(&self, id: impl AsRef<str>, message: impl IntoMessage) -> Result<(), EmitError> {
        self.root.emit_to(id, message)
    }

    /// Emits reliable events to the socket with this id. See [`Namespace::reliable_to`].
    pub fn reliable_to(&self, id: impl AsRef<str>) -> Reliable<'_> {
        self.root.reliable_to(id)
    }

    /// Emits to several sockets. Sockets that can't be reached are skipped.
    ///
    /// # Errors
    ///
    /// See [`Namespace::emit_to_list`].
    pub fn emit_to_list<I>(&self, ids: I, message: impl IntoMessage) -> Result<(), EmitError>
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        self.root.emit_to_list(ids, message)
    }

    /// Emits to all sockets.
    ///
    /// # Errors
    ///
    /// See [`Namespace::broadcast`].
    pub fn broadcast(&self, message: impl IntoMessage) -> Result<(), EmitError> {
        self.root.broadcast(message)
    }

    /// Same as [`broadcast`](Self::broadcast). Socket.IO uses this name.
    ///
    /// # Errors
    ///
    /// See [`Namespace::emit`].
    pub fn emit(&self, message: impl IntoMessage) -> Result<(), EmitError> {
        self.root.emit(message)
    }

    /// Sends text or bytes to all sockets, as they are. See [`Socket::send`].
    ///
    /// # Errors
    ///
    /// See [`Namespace::send`].
    pub fn send(&self, message: impl IntoRawMessage) -> Result<(), EmitError> {
        self.root.send(message)
    }

    /// Queues an event on every connected socket as if its client had sent it. See
    /// [`Socket::fire`].
    ///
    /// # Errors
    ///
    /// See [`Namespace::fire`].
    pub fn fire(&self, event: impl AsRef<str>, data: impl Serialize) -> Result<(), EmitError> {
        self.root.fire(event, data)
    }

    /// Selects the members of a room.
    pub fn to(&self, room: impl AsRef<str>) -> Selection<'_> {
        self.root.to(room)
    }

    /// Same as [`to`](Self::to), because no socket is left out.
    pub fn within(&self, room: impl AsRef<str>) -> Selection<'_> {
        self.root.within(room)
    }

    /// Selects all sockets except the members of a room.
    pub fn except(&self, room: impl AsRef<str>) -> Selection<'_> {
        self.root.except(room)
    }

    /// Selects all sockets except the one with this id, on any server.
    pub fn except_id(&self, id: impl AsRef<str>) -> Selection<'_> {
        self.root.except_id(id)
    }

    /// Selects all sockets of this server.
    pub fn local(&self) -> Selection<'_> {
        self.root.local()
    }

    /// Selects all sockets. The message is dropped for clients that can't receive it now.
    pub fn volatile(&self) -> Selection<'_> {
        self.root.volatile()
    }

    /// Selects all sockets. Of the event's messages, only the latest waits for clients that can't
    /// receive it now. See [`Selection::latest`].
    pub fn latest(&self) -> Selection<'_> {
        self.root.latest()
    }

    /// Selects all sockets. Of the event's messages with the same key, only the latest waits for
    /// clients that can't receive it now. See [`Selection::latest_by`].
    pub fn latest_by(&self, key: impl Display) -> Selection<'_> {
        self.root.latest_by(key)
    }

    /// Selects all sockets, with a different timeout for answers. See [`Namespace::timeout`].
    pub fn timeout(&self, timeout: Duration) -> Selection<'_> {
        self.root.timeout(timeout)
    }

    /// Emits to all sockets and waits for their answers. See [`Selection::emit_with_ack`].
    ///
    /// # Errors
    ///
    /// See [`Namespace::emit_with_ack`].
    pub fn emit_with_ack<T: FromAnswer>(&self, event: impl IntoEvent) -> AckStream<T> {
        self.root.emit_with_ack(event)
    }

    /// Asks all sockets and waits for their answers. See [`Selection::request`].
    ///
    /// # Errors
    ///
    /// See [`Namespace::request`].
    pub fn request<Q>(&self, question: &Q) -> AckStream<Q::Answer>
    where
        Q: Request<Answer: FromAnswer> + Serialize,
    {
        self.root.request(question)
    }

    /// Makes all sockets join rooms.
    pub fn sockets_join<I>(&self, rooms: I)
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        self.root.sockets_join(rooms);
    }

    /// Makes all sockets leave rooms.
    pub fn sockets_leave<I>(&self, rooms: I)
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        self.root.sockets_leave(rooms);
    }

    /// [Disconnects](Socket::disconnect) all sockets.
    pub fn disconnect_sockets(&self) {
        self.root.disconnect_sockets();
    }

    /// Disconnects all sockets, and says why. See [`Socket::disconnect_with`].
    pub fn disconnect_sockets_with(&self, reason: impl AsRef<str>) {
        self.root.disconnect_sockets_with(reason);
    }

    /// [Closes](Socket::close) the connections of all sockets.
    pub fn close_sockets(&self) {
        self.root.close_sockets();
    }

    /// Disconnects the sockets of the namespace `/` whose attribute has this value, on all servers.
    /// See [`Namespace::disconnect_where`].
    pub fn disconnect_where(&self, attribute: impl Into<String>, value: impl Into<Value>) -> DisconnectWhere {
        self.root.disconnect_where(attribute, value)
    }

    /// Describes all sockets. See [`Selection::fetch_sockets`].
    ///
    /// # Errors
    ///
    /// See [`Namespace::fetch_sockets`].
    pub fn fetch_sockets(&self) -> impl Future<Output = Result<Fetched, RequestError>> + Send + use<> {
        self.root.fetch_sockets()
    }

    /// The number of servers that share the namespace `/`. See [`Namespace::servers`].
    ///
    /// # Errors
    ///
    /// See [`Namespace::servers`].
    pub fn servers(&self) -> impl Future<Output = Result<usize, RequestError>> + Send + use<> {
        self.root.servers()
    }

    /// Sends an event to the other servers. See [`Namespace::server_emit`].
    ///
    /// # Errors
    ///
    /// See [`Namespace::server_emit`].
    pub fn server_emit(&self, event: impl IntoEvent) -> Result<(), EmitError> {
        self.root.server_emit(event)
    }

    /// Sends an event to the other servers and collects their answers. See
    /// [`Namespace::server_request`].
    pub fn server_request<T: FromAnswer>(&self, event: impl IntoEvent) -> ServerRequest<T> {
        self.root.server_request(event)
    }

    /// The names of the rooms that have members on any server. See [`Namespace::all_rooms`].
    ///
    /// # Errors
    ///
    /// See [`Namespace::all_rooms`].
    pub fn all_rooms(&self) -> impl Future<Output = Result<AllRooms, RequestError>> + Send + use<> {
        self.root.all_rooms()
    }

    /// The room with this name, to see who is in it. See [`Namespace::room`].
    pub fn room(&self, name: impl AsRef<str>) -> Room<'_> {
        self.root.room(name)
    }

    /// The rooms that sockets have joined on this server, page by page. See [`Namespace::rooms`].
    pub fn rooms(&self, page: &Page) -> Listed<RoomEntry> {
        self.root.rooms(page)
    }

    /// The names of the rooms on all servers, page by page. See [`Namespace::fetch_rooms`].
    ///
    /// # Errors
    ///
    /// See [`Namespace::fetch_rooms`].
    pub fn fetch_rooms(&self, page: &Page) -> impl Future<Output = Result<FetchedRooms, RequestError>> + Send + use<> {
        self.root.fetch_rooms(page)
    }

    /// Calls `listener` for events of this name from other servers. See [`Namespace::on_server`].
    pub fn on_server(&self, event: impl AsRef<str>, listener: impl Fn(&ServerEvent<'_>) + Send + Sync + 'static) {
        self.root.on_server(event, listener);
    }

    /// The connected socket with this id.
    pub fn socket(&self, id: impl AsRef<str>) -> Option<Socket> {
        self.root.socket(id)
    }

    /// The connected sockets.
    pub fn sockets(&self) -> Vec<Socket> {
        self.root.sockets()
    }

    /// The number of connected sockets.
    pub fn len(&self) -> usize {
        self.root.len()
    }

    /// Returns `true` if no socket is connected.
    pub fn is_empty(&self) -> bool {
        self.root.is_empty()
    }
}
